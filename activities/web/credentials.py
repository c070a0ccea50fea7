"""What a request proves itself with: a named secret, sent where it may go and hidden wherever it comes back."""

import base64
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import httpx

from activities.secrets import NamedSecrets, masked, spellings
from orchestrator.errors import NodeError, OrchestratorError, ProviderError
from orchestrator.hosts import Hosts
from orchestrator.node_types.http_request import Auth, BasicAuth, BearerAuth, HeaderAuth, QueryAuth

__all__ = ["NO_CREDENTIALS", "Credentials", "credentials", "hidden_in"]

Failure = TypeVar("Failure", bound=OrchestratorError)


class Credentials(NamedTuple):
    """Headers and query that carry a secret, and the ``hidden`` texts that must not be seen."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    hidden: tuple[str, ...]


NO_CREDENTIALS: Final = Credentials({}, {}, ())


def credentials(
    auth: Auth | None, url: httpx.URL, secrets: NamedSecrets, secret_hosts: Mapping[str, Sequence[str]]
) -> Credentials:
    """The credentials that ``auth`` asks for, for a request to ``url``.

    Raises:
        NodeError: There is no such secret, it may not be sent to that host, or it cannot be sent in a header.
    """
    if auth is None:
        return NO_CREDENTIALS
    if url.userinfo:
        raise NodeError("the url has a user and a password, and there is `auth` as well; leave out one")
    allowed = secret_hosts.get(auth.secret)
    if allowed is not None and not Hosts(allowed).name(url.raw_host.decode("ascii")):
        raise NodeError(
            f"the secret {auth.secret!r} may be sent to {', '.join(allowed) or 'no host'} only, and not to {url.host}; "
            "the setting ORCHESTRATOR_SECRET_HOSTS of the worker says so",
            details={"secret": auth.secret, "host": url.host, "setting": "ORCHESTRATOR_SECRET_HOSTS"},
        )
    value = secrets.get(auth.secret)
    if isinstance(auth, QueryAuth):
        return Credentials({}, {auth.name: value}, _hidden(value))
    if isinstance(auth, BasicAuth):
        token = base64.b64encode(f"{auth.user}:{value}".encode()).decode("ascii")
        return Credentials({"authorization": f"Basic {token}"}, {}, _hidden(value, token))
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise NodeError(
            f"the secret {auth.secret!r} holds characters that no header can carry, such as a line break or a space at "
            "its end; mend it where the worker takes it from",
            details={"secret": auth.secret},
        )
    return _in_header(auth, value)


def _in_header(auth: BearerAuth | HeaderAuth, value: str) -> Credentials:
    if isinstance(auth, BearerAuth):
        return Credentials({"authorization": f"Bearer {value}"}, {}, _hidden(value))
    return Credentials({auth.name: value}, {}, _hidden(value))


def _hidden(*texts: str) -> tuple[str, ...]:
    in_path = httpx.URL("http://host").copy_with(path=f"/{texts[0]}").raw_path.decode("ascii")[1:]
    in_query = str(httpx.QueryParams({"": texts[0]}))[1:]
    return spellings((*texts, in_path, in_query))


def hidden_in(error: Failure, hidden: Sequence[str]) -> Failure:
    """``error`` without the ``hidden`` texts, which a server may have given back in its address or its answer."""
    if not hidden:
        return error
    message, details = masked(error.message, hidden), masked(error.details, hidden)
    if isinstance(error, ProviderError):
        return type(error)(message, retry_after_s=error.retry_after_s, details=details)
    return type(error)(message, details=details)
