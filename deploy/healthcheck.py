"""Tells Docker, by its exit code, whether the worker in this container is healthy."""  # noqa: INP001 - a program, no package

import os
import sys
from http.client import HTTPConnection, HTTPException

VARIABLE = "ORCHESTRATOR_HEALTH_ADDRESS"
EVERYWHERE = {"", "0.0.0.0", "[::]", "::"}  # noqa: S104 - where the worker listens, not us
PATIENCE_S = 4.0


def problem(address: str) -> str | None:
    """What is wrong with the worker that serves its health at ``address`` (``host:port``); none when it is well."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return f"{VARIABLE} is {address!r}; it takes host:port."
    connection = HTTPConnection("127.0.0.1" if host in EVERYWHERE else host.strip("[]"), int(port), timeout=PATIENCE_S)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read(2_000).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return f"Nothing answers at {address}: {error}."
    finally:
        connection.close()
    return None if answer.status == 200 else f"The worker says {answer.status}: {body}"  # noqa: PLR2004 - HTTP


def main() -> int:
    """Prints the problem, which `docker inspect` then shows. Returns the exit code."""
    address = os.environ.get(VARIABLE, "")
    found = problem(address) if address else None
    if found is not None:
        sys.stdout.write(f"{found}\n")
    return int(found is not None)


if __name__ == "__main__":
    sys.exit(main())
