"""How the embedding models on AWS Bedrock want to be asked, and how they answer: each maker has a form of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, Field

from activities.providers.base import EmbedRequest

__all__ = ["Embedder", "embedder_of"]

_AT_A_TIME = 8
"""Requests beside each other: Titan takes one text each."""
_COHERE_TEXTS = 96
"""The most texts that Cohere takes at once."""
_FIXED_LENGTH = "titan-embed-text-v1"
_OF_IMAGES = "titan-embed-image"

_Vector = Annotated[tuple[float, ...], Field(min_length=1)]
_Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]


class Embedder(Protocol):
    """A maker's form."""

    def rounds(self) -> Iterator[list[tuple[str, ...]]]:
        """The texts in requests, and the requests in rounds that go out together."""
        ...

    def body(self, texts: tuple[str, ...]) -> dict[str, Any]:
        """A request."""
        ...

    def read(self, body: bytes, headers: Mapping[str, str]) -> tuple[list[tuple[float, ...]], int]:
        """The vectors of an answer, and how many tokens they took.

        Raises:
            ValueError: It has another form.
        """
        ...


def embedder_of(request: EmbedRequest) -> Embedder | None:
    """The form for the model of ``request``, whatever region its name begins with; none: it is not known."""
    if "amazon.titan-embed-" in request.model:
        return _Titan(request)
    return _Cohere(request) if "cohere.embed-" in request.model else None


class _TitanAnswer(BaseModel):
    embedding: _Vector
    inputTextTokenCount: _Tokens = 0  # noqa: N815 - the name on the wire


@dataclass(frozen=True, slots=True)
class _Titan:
    request: EmbedRequest

    def rounds(self) -> Iterator[list[tuple[str, ...]]]:
        texts = self.request.texts
        for start in range(0, len(texts), _AT_A_TIME):
            yield [(text,) for text in texts[start : start + _AT_A_TIME]]

    def body(self, texts: tuple[str, ...]) -> dict[str, Any]:
        length = self.request.dimensions
        if length is None or _FIXED_LENGTH in self.request.model:
            return {"inputText": texts[0]}
        if _OF_IMAGES in self.request.model:
            return {"inputText": texts[0], "embeddingConfig": {"outputEmbeddingLength": length}}
        return {"inputText": texts[0], "dimensions": length}

    def read(self, body: bytes, headers: Mapping[str, str]) -> tuple[list[tuple[float, ...]], int]:
        del headers
        answer = _TitanAnswer.model_validate_json(body)
        return [answer.embedding], answer.inputTextTokenCount


class _ByType(BaseModel):
    float: list[_Vector]


class _CohereAnswer(BaseModel):
    embeddings: _ByType | list[_Vector]


@dataclass(frozen=True, slots=True)
class _Cohere:
    request: EmbedRequest

    def rounds(self) -> Iterator[list[tuple[str, ...]]]:
        texts = self.request.texts
        for start in range(0, len(texts), _COHERE_TEXTS):
            yield [texts[start : start + _COHERE_TEXTS]]

    def body(self, texts: tuple[str, ...]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "texts": list(texts),
            "input_type": "search_document",
            "embedding_types": ["float"],
        }
        if self.request.dimensions is not None:
            body["output_dimension"] = self.request.dimensions
        return body

    def read(self, body: bytes, headers: Mapping[str, str]) -> tuple[list[tuple[float, ...]], int]:
        found = _CohereAnswer.model_validate_json(body).embeddings
        count = headers.get("x-amzn-bedrock-input-token-count", "")
        return found.float if isinstance(found, _ByType) else found, int(count) if count.isdecimal() else 0
