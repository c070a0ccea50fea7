"""What a node asks models, as far as that is known before it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic_core import to_json

from orchestrator.errors import RequestError
from orchestrator.estimating.knowing import Unknown, is_whole
from orchestrator.models import TURN_TOKENS, find_model, room_of
from orchestrator.models.info import TokenEstimate

__all__ = ["TOKEN_BYTES", "Question", "Text", "embedded", "invoked"]

TOKEN_BYTES: Final = 16
"""Of text that people or programs wrote, a token is no more on average."""
_MOST_TEXTS: Final = 2_000
"""In one Embed."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is sent, and how it may be cut; none: not at all."""

    text: str | Unknown
    cut: str | None = None

    @property
    def least_bytes(self) -> int:
        """What is sent of it whatever the run brings."""
        if self.cut is not None:
            return 0
        return self.text.fixed if isinstance(self.text, Unknown) else len(self.text.encode())


@dataclass(frozen=True, slots=True)
class Question:
    """What a node asks: the same of every model of its chain.

    ``room`` is what the window of the model that is meant has for it, none where nobody knows; ``fitted`` is how that
    one estimates. ``many``: how many texts at most stand for each that is unknown; 0: all together are made to fit.
    """

    texts: tuple[Text, ...]
    schema: str | None = None
    most_tokens: Any = None
    room: int | None = None
    fitted: TokenEstimate = "bytes"
    many: int = 0

    @property
    def least_tokens(self) -> int:
        """What it takes at least."""
        return max(1, sum(text.least_bytes for text in self.texts) // TOKEN_BYTES)

    @property
    def fixed(self) -> list[str]:
        """The texts that are known."""
        return [text.text for text in self.texts if not isinstance(text.text, Unknown)]

    @property
    def unknown(self) -> int:
        """How many texts are not."""
        return len(self.texts) - len(self.fixed)

    @property
    def may_be_cut(self) -> bool:
        """Whether a text of it may have to be cut. What has fewer bytes than the room has tokens never has to."""
        if self.room is None or all(text.cut is None for text in self.texts):
            return False
        size = sum(len(text.encode()) for text in self.fixed)
        return self.unknown > 0 or size + TURN_TOKENS * len(self.texts) > self.room


def invoked(config: Mapping[str, Any], name: str | Unknown) -> Question:
    """What a ModelInvoke asks.

    Args:
        config: Its configuration, filled in as far as it is known.
        name: The model that is meant.
    """
    cut = _strategy(config)
    texts = [] if config.get("system") is None else [Text(_as_text(config["system"]))]
    if config.get("prompt") is not None:
        texts.append(Text(_as_text(config["prompt"]), cut))
    messages = config.get("messages")
    if isinstance(messages, list):
        texts += [_message(message, cut) for message in cast("list[Any]", messages)]
    elif messages is not None:
        texts.append(Text(Unknown(), cut))
    schema = None if config.get("answer") is None else _as_text(config["answer"])
    if isinstance(schema, Unknown):
        texts, schema = [*texts, Text(schema)], ""
    return Question(tuple(texts), schema, config.get("max_tokens"), *_room(name, config.get("max_tokens")))


def _message(message: Any, cut: str | None) -> Text:
    if not isinstance(message, dict):
        return Text(Unknown(), cut)
    fields = cast("dict[str, Any]", message)
    return Text(_as_text(fields.get("content", "")), _strategy(fields) or cut)


def _strategy(fields: Mapping[str, Any]) -> str | None:
    how = fields.get("truncate")
    return cast("dict[str, Any]", how).get("strategy") if isinstance(how, dict) else None


def embedded(config: Mapping[str, Any]) -> Question:
    """What an Embed sends, as ``invoked``."""
    texts = config.get("texts")
    if isinstance(texts, list):
        return Question(tuple(Text(_as_text(text)) for text in cast("list[Any]", texts)), many=1)
    if texts is not None:
        return Question((Text(Unknown()),), many=_MOST_TEXTS)
    return Question((Text(_as_text(config.get("text", ""))),), many=1)


def _as_text(value: Any) -> str | Unknown:
    """What a ``Text`` of a node's configuration makes of a value."""
    if isinstance(value, (str, Unknown)):
        return value
    return to_json(value).decode() if is_whole(value) else Unknown()


def _room(name: str | Unknown, asked: Any) -> tuple[int | None, TokenEstimate]:
    """What the window of a model has beside the answer, as far as it is known; and how it estimates."""
    try:
        model = find_model("" if isinstance(name, Unknown) else name)
    except RequestError:
        return None, "bytes"
    room = room_of(model, int(asked) if isinstance(asked, (int, str)) and str(asked).isdecimal() else None)
    return None if room is None else max(0, room.question), model.estimate
