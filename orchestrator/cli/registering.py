"""Does what ``register`` asks for."""

from orchestrator.cli.output import data, out
from orchestrator.cli.session import Session, on_server
from orchestrator.devserver import register_search_attributes

__all__ = ["register"]


def register(*, as_json: bool) -> None:
    """Register the search attributes that the server lacks, and print which those were.

    Raises:
        SettingsError: One exists with another type, or the server does not let us add any.
    """

    async def add(session: Session) -> tuple[str, tuple[str, ...]]:
        return session.client.namespace, await register_search_attributes(session.client)

    namespace, added = on_server(add)
    if as_json:
        data({"namespace": namespace, "added": list(added)})
    elif added:
        out(f"added to namespace {namespace}: {', '.join(added)}")
    else:
        out(f"nothing to add: namespace {namespace} has every search attribute")
