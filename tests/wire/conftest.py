"""One wire server for the session, and the providers that the contract suite asks."""

import os
from collections.abc import AsyncGenerator, Generator

import pytest

from tests.wire.adapters import ADAPTERS, Adapter, Asked, OpenProvider, services
from tests.wire.server import MissingPartError, wire_server

_PATIENCE_S = 5.0


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
        embed_model = "an-embedding-model" if ADAPTERS[name].embeds else None
        found = Asked(provider, "a-model", embed_model, scripted=True)
    else:
        service = services()[name]
        provider = service.open(os.environ)
        found = Asked(provider, service.model, service.embed_model, scripted=False)
    yield found
    await provider.close()
