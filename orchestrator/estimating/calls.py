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

from pydantic_core import to_json

from orchestrator.errors import PriceUnknownError, RequestError
from orchestrator.estimating.knowing import Known, Unknown, fill, is_whole
from orchestrator.graph.plan import PlanNode
from orchestrator.models import SIMULATED, Cost, ModelInfo, Price, cost_of, find_model, known_window

__all__ = ["Prices", "Visit", "visit_cost"]

_TURN_TOKENS: Final = 16
"""What a message takes beside its text, at most; the same that workers set aside for it."""
_TOKEN_BYTES: Final = 16
"""Of text that people or programs wrote, a token is no more on average: what makes the least of a question."""
_LONGEST_TOKEN: Final = 128
"""Characters; no tokenizer has a longer one."""
_MOST_SENT_BACK: Final = 100_000
_COMPLAINT: Final = 3_500
"""Characters: of an answer that is sent back, and of what is wrong with it."""
_UTF8: Final = 4
"""Bytes of a character at most."""
_MOST_ROOM: Final = 4_096
"""Tokens that are kept free for an answer of any length, unless a quarter of the window is less."""
_MOST_TEXTS: Final = 2_000
"""In one Embed."""
_FIELDS: Final = {
    "ModelInvoke": frozenset(
        ("answer", "fallback", "max_tokens", "messages", "model", "prompt", "safety", "stream", "system", "temperature")
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


@dataclass(frozen=True, slots=True)
class _Question:
    """The texts that are sent, and what else is known of them.

    ``many``: how many texts at most stand for each that is unknown; 0: together they fit the window.
    """

    texts: tuple[str | Unknown, ...]
    schema: str | None = None
    most_tokens: Any = None
    many: int = 0

    @property
    def least_tokens(self) -> int:
        size = sum(text.fixed if isinstance(text, Unknown) else len(text.encode()) for text in self.texts)
        return max(1, size // _TOKEN_BYTES)


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
    question = _asked(config) if node.type == "ModelInvoke" else _embedded(config)
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


def _of_model(name: str | Unknown, question: _Question, prices: Prices) -> Visit:
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
        asked = _most_input(model, question, answer)
    except _NotKnownError as error:
        return Visit(least=least, doubts=((name, str(error)),))
    most = cost(asked, answer)
    if question.schema is not None:
        most += cost(_sent_back(model, asked, answer), answer)
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


def _most_input(model: ModelInfo, question: _Question, answer: int) -> int:
    fixed = [text for text in question.texts if not isinstance(text, Unknown)]
    unknown = len(question.texts) - len(fixed)
    extra = [] if question.schema is None else [question.schema]
    tokens = model.estimated_tokens(*fixed, *extra) + _TURN_TOKENS * (len(fixed) + len(extra) + 1)
    if not unknown:
        return tokens
    window = known_window(model)
    if window is None:
        raise _NotKnownError(
            "nobody knows its window, and what it is asked is known only as it runs: give the model `window` in the "
            "file of ORCHESTRATOR_MODELS_FILE"
        )
    if question.many:
        return tokens + unknown * question.many * (window + _TURN_TOKENS)
    usual = min(window // 4, answer, _MOST_ROOM)
    room = window - (usual if question.most_tokens is None else min(answer, window))
    return max(tokens, room + model.estimated_tokens(*extra) + _TURN_TOKENS * (len(extra) + 1))


def _sent_back(model: ModelInfo, asked: int, answer: int) -> int:
    """What the second question takes, which has the first answer and what is wrong with it."""
    said = min(_MOST_SENT_BACK, answer * _LONGEST_TOKEN) + _COMPLAINT
    more = said * _UTF8 if model.estimate == "bytes" else -(-said // 4)
    window = known_window(model)
    whole = asked + more + 2 * _TURN_TOKENS
    return whole if window is None else min(whole, max(window, asked))


def _asked(config: Mapping[str, Any]) -> _Question:
    texts = [config[name] for name in ("system", "prompt") if config.get(name) is not None]
    messages = config.get("messages")
    if isinstance(messages, list):
        texts += [_content(message) for message in cast("list[Any]", messages)]
    elif messages is not None:
        texts.append(Unknown())
    schema = None if config.get("answer") is None else _as_text(config["answer"])
    if isinstance(schema, Unknown):
        texts, schema = [*texts, schema], ""
    return _Question(tuple(map(_as_text, texts)), schema, config.get("max_tokens"))


def _content(message: Any) -> Any:
    return cast("dict[str, Any]", message).get("content", "") if isinstance(message, dict) else Unknown()


def _embedded(config: Mapping[str, Any]) -> _Question:
    texts = config.get("texts")
    if isinstance(texts, list):
        return _Question(tuple(map(_as_text, cast("list[Any]", texts))), many=1)
    if texts is not None:
        return _Question((Unknown(),), many=_MOST_TEXTS)
    return _Question((_as_text(config.get("text", "")),), many=1)


def _as_text(value: Any) -> str | Unknown:
    """What a ``Text`` of a node's configuration makes of a value."""
    if isinstance(value, (str, Unknown)):
        return value
    return to_json(value).decode() if is_whole(value) else Unknown()
