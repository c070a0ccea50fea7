"""What a shell completes: the commands' own words, names of definitions, node types, and ids of runs."""

import re
from typing import Final

__all__ = ["VARIABLE", "definition_names", "node_types", "prepare", "run_ids", "script"]

VARIABLE: Final = "_ORCHESTRATOR_COMPLETE"
"""Set by the shell's script where it asks for completions."""
_PATIENCE_S = 0.3
_MOST = 50
_PLAIN = re.compile(r"[\w.\-/]*", re.ASCII)


def prepare() -> None:
    """Make typer answer the scripts that ``script`` gives."""
    from typer._completion_classes import completion_init

    completion_init()


def script(shell: str) -> str:
    """What bash, zsh or fish has to read to complete our commands."""
    from typer._completion_shared import get_completion_script

    return get_completion_script(prog_name="orchestrator", complete_var=VARIABLE, shell=shell)


def definition_names(incomplete: str) -> list[str]:
    """The definitions in the folder; older versions once there is an ``@``. Shells complete files by themselves."""
    from orchestrator.definition.library import Library
    from orchestrator.errors import OrchestratorError
    from orchestrator.settings import load_settings

    try:
        entries = Library(load_settings().definitions_dir).entries()
    except OrchestratorError:
        return []
    names = {entry.name for entry in entries}
    if "@" in incomplete:
        names |= {f"{entry.name}@{entry.version}" for entry in entries if entry.version}
    return sorted(name for name in names if name.startswith(incomplete))


def node_types(incomplete: str) -> list[str]:
    """The node types."""
    from orchestrator.node_types import NODE_TYPES

    return [name for name in NODE_TYPES if name.startswith(incomplete)]


def run_ids(incomplete: str) -> list[tuple[str, str]]:
    """The newest runs, each with its status, if a server answers at once; nothing else is said about it."""
    import asyncio

    from orchestrator.errors import OrchestratorError

    if not _PLAIN.fullmatch(incomplete):
        return []
    try:
        return asyncio.run(_newest(incomplete))
    except (OrchestratorError, TimeoutError, RuntimeError):
        # A word half typed is no place for an error: pressing Enter tells it.
        return []


async def _newest(incomplete: str) -> list[tuple[str, str]]:
    import asyncio

    from temporalio.service import RPCError

    from orchestrator.cli.native import take_over_logs
    from orchestrator.connect import connect
    from orchestrator.summaries import list_query, summarize

    query = list_query(None, None) + (f" AND WorkflowId STARTS_WITH '{incomplete}'" if incomplete else "")
    take_over_logs()
    async with asyncio.timeout(_PATIENCE_S):
        client = await connect(timeout=_PATIENCE_S)
        try:
            rows = [summarize(item) async for item in client.list_workflows(query, limit=_MOST)]
        except RPCError:
            return []
    return [(row.id, row.status) for row in rows]
