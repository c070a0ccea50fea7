"""Commands about encryption: ``codec-server`` and ``encryption-key``."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestrator.cli.output import out, say

__all__ = ["register"]

DEFAULT_ADDRESS = "127.0.0.1:8081"

Address = Annotated[str, typer.Option("--address", metavar="HOST:PORT", help="Where to listen.")]
KeyId = Annotated[str | None, typer.Option("--id", metavar="ID", help="Name of the key; else made from today's date.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(
        name="codec-server",
        epilog="\b\nExamples:\n  orchestrator codec-server\n"
        "  temporal workflow show --workflow-id RUN --codec-endpoint http://127.0.0.1:8081\n\n"
        "In the Web UI: the glasses at the top right, with the same address. To listen for other machines, set "
        "ORCHESTRATOR_CODEC_TOKEN.",
    )(codec_server)
    app.command(
        name="encryption-key",
        epilog="\b\nExamples:\n  orchestrator encryption-key\n  orchestrator encryption-key --id 2027-q1 >> keys\n\n"
        "The line goes into ORCHESTRATOR_ENCRYPTION_KEYS, or into the file that ORCHESTRATOR_ENCRYPTION_KEYS_FILE "
        "names. The first key encrypts, all decrypt.",
    )(encryption_key)


def codec_server(*, address: Address = DEFAULT_ADDRESS) -> None:
    """Decrypt payloads for Temporal's Web UI and the temporal program, until stopped."""
    import asyncio

    from orchestrator.encryption.server import serve_codec
    from orchestrator.operating.draining import stop_signals
    from orchestrator.settings import load_settings

    settings = load_settings()

    async def serve() -> None:
        async with stop_signals() as stop:
            begun = f"codec server at http://{address}; Ctrl-C stops"
            await serve_codec(address, settings, stop, begun=lambda: say(begun))

    asyncio.run(serve())


def encryption_key(*, id: KeyId = None) -> None:  # noqa: A002 - the name of the option
    """Print a fresh key that payloads can be encrypted with."""
    from orchestrator.encryption import new_key

    out(new_key(id or f"{datetime.now(UTC):%Y-%m-%d}"))
