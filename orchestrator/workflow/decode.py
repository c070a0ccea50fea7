"""Turns what arrives at the workflow into our objects; what the SDK itself fails to decode wedges a run."""

from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError
from temporalio.common import RawValue

from orchestrator.contracts import Continuation, RunRequest
from orchestrator.errors import MessageError, RequestError
from orchestrator.workflow.surplus import Surplus

__all__ = ["NOTHING", "decode", "decode_start"]

Model = TypeVar("Model", bound=BaseModel)

NOTHING = cast("RawValue", None)
"""Default of a handler's only parameter. Its annotation must be exactly ``RawValue``, or the SDK decodes by itself."""

_JSON_ENCODING = b"json/"
_MOST_PROBLEMS = 5
_CONTINUES = b'{"continues":'


def decode(
    model: type[Model],
    raw: object,
    error: type[RequestError] | type[MessageError],
    *,
    empty: Model | None = None,
    most_bytes: int | None = None,
) -> Model:
    """Read one JSON payload as ``model``.

    Args:
        model: What it should be.
        raw: The payload, or none when nothing was sent.
        error: What to raise.
        empty: What nothing stands for, where nothing may be sent.
        most_bytes: The most it may take.

    Raises:
        RequestError: (or what ``error`` names) Nothing was sent, it is not JSON, or it has the wrong shape.
    """
    name = model.__name__
    if isinstance(raw, Surplus):
        raise error(f"{raw.count} arguments were sent: expected one {name} object, as JSON")
    if not isinstance(raw, RawValue) or raw.payload.metadata.get("encoding") == b"binary/null":
        if empty is not None:
            return empty
        raise error(f"nothing was sent: expected one {name} object, as JSON")
    if not raw.payload.metadata.get("encoding", b"").startswith(_JSON_ENCODING):
        raise error(f"expected one {name} object, as JSON (encoding json/plain)")
    if most_bytes is not None and len(raw.payload.data) > most_bytes:
        raise error(f"the {name} takes {len(raw.payload.data):,} bytes; at most {most_bytes:,} are allowed")
    try:
        return model.model_validate_json(raw.payload.data)
    except ValidationError as failure:
        raise error(f"not a valid {name}: {_explain(failure)}") from None


def decode_start(raw: object) -> RunRequest | Continuation:
    """Read what a workflow run is started with.

    Raises:
        RequestError: It is neither a request nor what a run hands to itself.
    """
    if isinstance(raw, RawValue) and raw.payload.data.startswith(_CONTINUES):
        return decode(Continuation, raw, RequestError)
    return decode(RunRequest, raw, RequestError)


def _explain(failure: ValidationError) -> str:
    problems = failure.errors(include_url=False, include_input=False, include_context=False)
    sentences = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'the object'}: {problem['msg']}" for problem in problems
    ]
    rest = f"; and {len(sentences) - _MOST_PROBLEMS} more" if len(sentences) > _MOST_PROBLEMS else ""
    return "; ".join(sentences[:_MOST_PROBLEMS]) + rest
