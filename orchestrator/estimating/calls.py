"""What one visit of a node that asks models costs at least and at most, by the rules by which workers pay.

At most, every attempt asks every model of the chain, each of which may have charged, and of an answer that is sent back
twice; a question that is not known takes all the room that there is for one. At least, the cheapest answers at once
with one token, or nobody is asked because the answer was kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, cast

from orchestrator.errors import PriceUnknownError, RequestError
from orchestrator.estimating.knowing import Known, Unknown, fill
from orchestrator.estimating.questions import TOKEN_BYTES, Question, embedded, invoked
from orchestrator.graph.plan import PlanNode
from orchestrator.models import (
    SIMULATED,
    TOLD_TOKENS,
    TURN_TOKENS,
    Cost,
    ModelInfo,
    Price,
    cost_of,
    find_model,
    known_window,
)

__all__ = ["Prices", "Visit", "visit_cost"]

_LONGEST_TOKEN: Final = 128
"""Bytes; no tokenizer has a longer one."""
_MOST_SENT_BACK: Final = 100_000
_COMPLAINT: Final = 3_500
"""Characters: of an answer that is sent back, and of what is wrong with it."""
_UTF8: Final = 4
"""Bytes of a character at most."""
_FITTED: Final = {
    ("bytes", "bytes"): 3,
    ("bytes", "characters"): 1,
    ("characters", "bytes"): 4 * _UTF8,
    ("characters", "characters"): 1,
}
"""Tokens that are set aside at most for each token of room that a question was made to fit: by how the model that is
meant estimates, for which it was made to fit, and how the one that is asked does."""
_SUMMARY_BYTES: Final = 500
"""Of the order to summarise; and of what stands between messages, for each."""
_FIELDS: Final = {
    "ModelInvoke": frozenset(
        (
            "answer",
            "fallback",
            "max_tokens",
            "messages",
            "model",
            "prompt",
            "safety",
            "stream",
            "system",
            "temperature",
            "truncate",
        )
    ),
    "Embed": frozenset(("dimensions", "model", "text", "texts")),
}
"""By node type, what of its configuration is reckoned with here: another field may make it cost more, or less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What one visit costs; ``most`` is none where that is not known, for the reasons in ``doubts``: model and why."""

    models: tuple[str, ...] = ()
    least: int = 0
    most: int | None = None
    doubts: tuple[tuple[str | None, str], ...] = ()


class _NotKnownError(Exception):
    """The message says why."""


class Prices:
    """What calls cost today, each reckoned once.

    Args:
        otherwise: The price of models that nobody knows one for.
    """

    def __init__(self, otherwise: Price | None = None) -> None:
        self._otherwise = otherwise
        self._found: dict[str, tuple[ModelInfo, Cost]] = {}

    def of(self, name: str) -> tuple[ModelInfo, Cost]:
        """The model called ``name``, and what its calls cost.

        Raises:
            RequestError: There is none.
            PriceUnknownError: Nobody knows its price.
        """
        if name not in self._found:
            model = find_model(name)
            free = Price(Decimal(0), Decimal(0))
            cost = free.cost if model.provider == SIMULATED else cost_of(model, otherwise=self._otherwise)
            self._found[name] = model, cache(cost)
        return self._found[name]


def visit_cost(node: PlanNode, known: Known, prices: Prices) -> Visit:
    """What a visit of ``node`` costs.

    Args:
        node: A node that pays.
        known: What of its scope's data is known.
        prices: Those of today.
    """
    if node.type not in _FIELDS:
        return Visit(doubts=((None, f"nobody knows what a visit of a `{node.type}` costs"),))
    if others := sorted(node.config.value.keys() - _FIELDS[node.type]):
        return Visit(doubts=((None, f"what its `{others[0]}` does to its cost is not reckoned with"),))
    config: Mapping[str, Any] = fill(node.config.value, known)
    names = _named(config)
    question = invoked(config, names[0]) if node.type == "ModelInvoke" else embedded(config)
    costs = [_of_model(name, question, prices) for name in names]
    most = [cost.most for cost in costs]
    sure = [amount for amount in most if amount is not None]
    return Visit(
        models=tuple(name for name in names if isinstance(name, str)),
        least=0 if node.cache is not None else min(cost.least for cost in costs),
        most=sum(sure) * node.retry.max_attempts if len(sure) == len(most) else None,
        doubts=tuple(doubt for cost in costs for doubt in cost.doubts),
    )


def _named(config: Mapping[str, Any]) -> list[str | Unknown]:
    fallback = config.get("fallback") or ()
    others = cast("list[str | Unknown]", fallback) if isinstance(fallback, list) else [fallback] if fallback else []
    return [config.get("model", Unknown()), *others]


def _of_model(name: str | Unknown, question: Question, prices: Prices) -> Visit:
    """One call of one model, with what becomes of its answer."""
    if isinstance(name, Unknown):
        return Visit(doubts=((None, "which model is asked is known only as it runs"),))
    try:
        model, cost = prices.of(name)
    except (RequestError, PriceUnknownError) as error:
        return Visit(doubts=((name, error.message),))
    if model.provider == SIMULATED:
        return Visit(most=0)
    least = cost(question.least_tokens, 0 if model.only_embeds else 1)
    try:
        answer = _most_output(model, question.most_tokens)
        asked = _most_input(model, question)
        summaries = _summaries(model, cost, question)
    except _NotKnownError as error:
        return Visit(least=least, doubts=((name, str(error)),))
    most = cost(asked, answer) + summaries
    if question.schema is not None:
        most += cost(asked + _sent_back(model, answer), answer)
    return Visit(least=least, most=most)


def _most_output(model: ModelInfo, asked: Any) -> int:
    if model.only_embeds:
        return 0
    if isinstance(asked, (int, str)) and str(asked).isdecimal():
        return int(asked)
    if asked is not None:
        raise _NotKnownError("its `max_tokens` is known only as it runs")
    if model.most_output is None:
        raise _NotKnownError(
            "nobody knows how much it may write: give the node `max_tokens`, or the model `most_output` in the file of "
            "ORCHESTRATOR_MODELS_FILE"
        )
    return model.most_output


def _most_input(model: ModelInfo, question: Question) -> int:
    extra = [] if question.schema is None else [question.schema]
    tokens = model.estimated_tokens(*question.fixed, *extra)
    tokens += TURN_TOKENS * (len(question.fixed) + len(extra) + 1) + (TOLD_TOKENS if extra else 0)
    if question.many and question.unknown:
        each = _known_room(known_window(model)) * model.estimated_tokens("x" * TOKEN_BYTES) + TURN_TOKENS
        return tokens + question.unknown * question.many * each
    if not question.unknown and not question.may_be_cut:
        return tokens
    room = _known_room(question.room) * _FITTED[question.fitted, model.estimate]
    told = TOLD_TOKENS if extra else 0
    return max(tokens, room + model.estimated_tokens(*extra) + TURN_TOKENS * (len(extra) + 1) + told)


def _known_room(room: int | None) -> int:
    if room is None:
        raise _NotKnownError(
            "nobody knows its window, and what it is asked is known only as it runs: give the model `window` in the "
            "file of ORCHESTRATOR_MODELS_FILE"
        )
    return room


def _summaries(model: ModelInfo, cost: Cost, question: Question) -> int:
    """What it costs to have texts summarised that do not fit: each at most once, in pieces of half the room or more."""
    count = sum(text.cut == "summarise" for text in question.texts)
    if count == 0 or question.room is None or not question.may_be_cut:
        return 0
    if any(isinstance(text.text, Unknown) for text in question.texts if text.cut == "summarise"):
        raise _NotKnownError("what is summarised is known only as it runs")
    size = model.estimated_tokens(*question.fixed, "x" * _SUMMARY_BYTES * len(question.texts))
    pieces = 1 + size // max(question.room // 2, 1)
    order = model.estimated_tokens("x" * _SUMMARY_BYTES) + 3 * TURN_TOKENS
    return count * cost(size + pieces * order, question.room)


def _sent_back(model: ModelInfo, answer: int) -> int:
    """What the second question takes beside the first: the answer, and what is wrong with it."""
    size = min(_MOST_SENT_BACK * _UTF8, answer * _LONGEST_TOKEN) + _COMPLAINT * _UTF8
    return (size if model.estimate == "bytes" else -(-size // 4)) + 2 * TURN_TOKENS
