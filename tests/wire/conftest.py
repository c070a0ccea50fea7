"""One wire server for the session, and the providers that the contract suite asks."""

from collections.abc import AsyncGenerator, Generator

import pytest

from orchestrator.models import find_model
from tests.wire.adapters import ADAPTERS, Adapter, Asked, OpenProvider, services
from tests.wire.server import MissingPartError, wire_server

_PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def no_way_out(request: pytest.FixtureRequest) -> None:
    """As for every test, but where a real service is asked."""
    if "real-" not in request.node.name:
        request.getfixturevalue("no_way_out")


@pytest.fixture(scope="session")
def wire() -> Generator[str]:
    """The address of the wire server."""
    try:
        with wire_server() as url:
            yield url
    except MissingPartError as missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture(params=sorted(ADAPTERS))
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Each adapter in turn."""
    return ADAPTERS[request.param]


@pytest.fixture
async def on_wire(adapter: Adapter, wire: str) -> AsyncGenerator[OpenProvider]:
    """Each adapter in turn, on the wire server."""
    provider = adapter.open(wire, _PATIENCE_S)
    yield provider
    await provider.close()


@pytest.fixture(params=[*(f"wire-{name}" for name in sorted(ADAPTERS)), *services()])
async def asked(request: pytest.FixtureRequest) -> AsyncGenerator[Asked]:
    """Each adapter on the wire server, the simulated provider, and the real services that are to be asked."""
    name = request.param.removeprefix("wire-")
    if name in ADAPTERS:
        provider = ADAPTERS[name].open(request.getfixturevalue("wire"), _PATIENCE_S)
        embed_model = ADAPTERS[name].embed_model if ADAPTERS[name].embeds else None
        found = Asked(provider, "a-model", embed_model, scripted=True)
    else:
        service = services()[name]
        provider = service.open(None, None)
        known = find_model(f"{provider.name}/{service.model}")
        found = Asked(provider, service.model, service.embed_model, scripted=False, limit_field=known.limit_field)
    yield found
    await provider.close()
