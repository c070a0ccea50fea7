"""A chain of steps in DBOS on PostgreSQL: ``python -m benchmarks.peers.dbos_chain``."""

import asyncio
import sys
from importlib.metadata import version

from dbos import DBOS, DBOSConfig

from benchmarks.peers.protocol import answers, serve, step

__all__ = ["main"]


@DBOS.step()
async def _node(value: dict[str, int]) -> dict[str, int]:
    return step(value)


@DBOS.workflow()
async def _chain(nodes: int) -> dict[str, int]:
    value = {"n": 1}
    for _ in range(nodes):
        value = await _node(value)
    return value


async def main(url: str, nodes: int) -> None:
    """Run chains on the database at ``url``."""
    told = answers()
    config: DBOSConfig = {
        "name": "orchestrator-benchmark",
        "system_database_url": url.replace("postgresql://", "postgresql+psycopg://", 1),
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    try:
        await serve(told, lambda: _chain(nodes), f"DBOS {version('dbos')}")
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
