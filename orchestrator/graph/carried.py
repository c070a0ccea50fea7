"""A run's state between two workflow runs: what it is made of, and how it is packed."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, TypedDict, cast
from zlib import compress, decompress, error

from pydantic_core import from_json, to_json

from orchestrator.errors import OrchestratorError, TooLargeError

__all__ = ["MOST_BYTES", "Carried", "fits", "pack", "packed", "pages", "unpack", "unpacked"]

MOST_BYTES = 16_000_000
"""The most that a run's state may take as JSON. Packing it takes a second of the two that a workflow task has."""
_LEVEL = 1
_MOST_TEXT = 900_000


class Carried(TypedDict, total=False):
    """A run's state, as JSON. What is left out is as at the start of a run.

    ``root`` is what ``Scope.dump`` gives; ``resolved`` a ``Resolved``; moments are seconds since 1970.
    """

    format: int
    resolved: dict[str, Any]
    context: dict[str, Any]
    parent: dict[str, Any] | None
    root: dict[str, Any]
    journal: dict[str, Any]
    inbox: dict[str, Any]
    usage: dict[str, Any]
    steps: int
    deadline: float | None
    paused: bool
    cap_usd: float
    """What the run's model calls may cost, where somebody has given it more."""
    caps_around: list[dict[str, Any]]
    """And then what the runs around it may."""
    continued: int
    undo: list[dict[str, Any]]
    left: list[dict[str, Any]]
    undone: list[str]
    aside: list[dict[str, Any]]
    children: list[dict[str, Any]]
    ended: dict[str, dict[str, Any]]
    """By label, results of child runs that their visits have not taken note of."""
    shown: dict[str, str | None]
    answers: dict[str, dict[str, Any]]
    """By the label of the visit, answers that came in while the rest of the state was being stored."""
    began: float
    """When the first workflow run of the run began."""
    migrated: str
    """The definition, ``name@version``, that the run had until this workflow run."""
    ending: dict[str, Any] | None
    """How the run ends, when it is undoing and cleaning up: ``status``, ``outputs``, ``error``."""


def pack(state: Carried) -> str:
    """The state as ASCII text.

    Raises:
        TooLargeError: It takes more than ``MOST_BYTES``; names what takes the most.
    """
    data = to_json(state)
    if len(data) > MOST_BYTES:
        raise TooLargeError(
            f"what the run carries takes {len(data):,} bytes, more than {MOST_BYTES:,}; the most of it is "
            f"{_largest(state)}"
        )
    return packed(data)


def packed(data: bytes) -> str:
    """JSON, compressed, as ASCII text."""
    return b64encode(compress(data, _LEVEL)).decode()


def fits(text: str) -> bool:
    """Whether a state, packed, can be handed on in the input of a workflow run."""
    return len(text) <= _MOST_TEXT


def pages(text: str) -> list[str]:
    """What is packed, in parts that each fit into one call."""
    return [text[start : start + _MOST_TEXT] for start in range(0, len(text), _MOST_TEXT)]


def unpack(text: str) -> Carried:
    """The state that ``pack`` gave.

    Raises:
        OrchestratorError: It is none.
    """
    return cast("Carried", unpacked(text))


def unpacked(text: str) -> Any:
    """The value whose JSON ``packed`` was given.

    Raises:
        OrchestratorError: It was not.
    """
    try:
        return from_json(decompress(b64decode(text, validate=True)))
    except (ValueError, error) as failure:
        raise OrchestratorError(f"what an earlier workflow run has packed cannot be read: {failure}") from None


def _largest(state: Carried) -> str:
    data: Mapping[str, Any] = state.get("root", {}).get("data", {})
    sizes = {f"the output of node `{name}`": len(to_json(output)) for name, output in data.get("nodes", {}).items()}
    sizes |= {f"`state.{name}`": len(to_json(slot)) for name, slot in data.get("channels", {}).items()}
    sizes["its inputs"] = len(to_json(state.get("root", {}).get("inputs")))
    sizes["visits under way"] = len(to_json(state.get("root", {}).get("running")))
    return max(sizes, key=lambda name: sizes[name])
