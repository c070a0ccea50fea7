"""AWS Bedrock's Converse and ConverseStream, and its embeddings, through AWS's own client, in threads."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any, cast

import boto3  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from botocore.credentials import Credentials  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from botocore.exceptions import BotoCoreError  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from pydantic import BaseModel, Field

from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, FinishReason, total
from activities.providers.bedrock_bounds import bound
from activities.providers.bedrock_embeddings import Embedder, embedder_of
from activities.providers.bedrock_refusals import CLIENT_ERRORS, broken, translated
from activities.providers.bedrock_requests import asked_of
from activities.providers.bedrock_streams import events_of
from activities.providers.drafts import Draft
from activities.providers.statuses import MOST_BYTES, UNREADABLE, Endpoint
from activities.threads import Threads
from orchestrator.errors import SettingsError

__all__ = ["Bedrock"]

_THREADS = 100
_CONNECT_S = 10.0

_FINISHED: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_MALFORMED = frozenset({"malformed_model_output", "malformed_tool_use"})

_Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]


class _Usage(BaseModel):
    inputTokens: _Tokens = 0  # noqa: N815 - the name on the wire
    outputTokens: _Tokens = 0  # noqa: N815 - the name on the wire
    cacheReadInputTokens: _Tokens = 0  # noqa: N815 - the name on the wire
    cacheWriteInputTokens: _Tokens = 0  # noqa: N815 - the name on the wire


class Bedrock:
    """Asks Bedrock with the credentials that AWS's client finds: a role, a profile, the environment.

    Retries are Temporal's business, so the client's own are off.

    Args:
        region: Where to ask; none for what AWS's own configuration says.
        endpoint_url: Where the endpoint is; none for that of the region.
        timeout: Seconds of silence after which the endpoint counts as away.
        threads: How many calls may be under way at a time.
        session: A ``boto3.Session`` with other credentials than the usual ones.
        most_bytes: The most that is read of an answer.

    Raises:
        SettingsError: No region is set anywhere, or AWS's own configuration is wrong.
    """

    name = "bedrock"

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        timeout: float = 600.0,
        threads: int = _THREADS,
        session: Any = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._threads = Threads(self.name, threads)
        config = Config(
            connect_timeout=min(_CONNECT_S, timeout),
            read_timeout=timeout,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=threads,
        )
        try:
            # Its types are made at run time.
            session = session or cast("Any", boto3).Session()
            self._client: Any = session.client(
                "bedrock-runtime", region_name=region, endpoint_url=endpoint_url, config=config
            )
            hidden = _secrets(session.get_credentials())
        except (BotoCoreError, ValueError) as error:
            raise SettingsError(
                f"Bedrock cannot be asked: {error}. Check ORCHESTRATOR_BEDROCK_REGION, "
                "ORCHESTRATOR_BEDROCK_ENDPOINT_URL and AWS's own configuration."
            ) from None
        self._endpoint = Endpoint(
            name=self.name,
            key_setting="the AWS credentials of the worker and what they may do (bedrock:InvokeModel)",
            address_setting="ORCHESTRATOR_BEDROCK_REGION, ORCHESTRATOR_BEDROCK_ENDPOINT_URL",
            hidden=hidden,
            most_bytes=most_bytes,
        )
        bound(self._client, self._endpoint)

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The model's answer.

        Raises:
            ProviderError: In the class that says whether asking again can help.
        """
        asked, answer = asked_of(request)
        draft = Draft(answer)
        try:
            told = await self._threads.call(partial(self._client.converse, **asked))
            for place, block in enumerate(told["output"]["message"]["content"]):
                _take_block(draft, place, block)
            reason, usage = told["stopReason"], _Usage.model_validate(told.get("usage") or {})
        except CLIENT_ERRORS as error:
            raise translated(error, self._endpoint) from None
        draft.rest()
        return self._reply(draft, request, reason, usage)

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """The model's answer as it writes, and at the end the whole reply.

        Raises:
            ProviderError: As ``complete``; after the first piece, ``may_have_charged`` is always set.
        """
        asked, answer = asked_of(request)
        draft, begun = Draft(answer), False
        reason, usage = None, _Usage()
        try:
            async with aclosing(events_of(self._threads, partial(self._client.converse_stream, **asked))) as events:
                async for event in events:
                    begun = True
                    if "messageStop" in event:
                        reason = event["messageStop"]["stopReason"]
                    elif "metadata" in event:
                        usage = _Usage.model_validate(event["metadata"].get("usage") or {})
                    elif piece := _take_event(draft, event):
                        yield piece
        except CLIENT_ERRORS as error:
            raise (broken if begun else translated)(error, self._endpoint) from None
        if reason is None:
            raise self._endpoint.cut()
        if piece := draft.rest():
            yield piece
        yield self._reply(draft, request, reason, usage)

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        """A vector for each text.

        Raises:
            ProviderError: As ``complete``; ``ProviderRejectedError`` too for a model that is none of Titan's or
                Cohere's for embeddings.
        """
        embedder = embedder_of(request)
        if embedder is None:
            what = f"embeddings by {request.model!r}, only by amazon.titan-embed-… and cohere.embed-…"
            raise self._endpoint.unable(what)
        vectors: list[tuple[float, ...]] = []
        taken: list[int] = []
        for few in embedder.rounds():
            try:
                found = await asyncio.gather(*(self._embedded(embedder, request, texts) for texts in few))
            except CLIENT_ERRORS as error:
                failure = translated(error, self._endpoint)
                failure.may_have_charged = failure.may_have_charged or bool(vectors) or len(few) > 1
                raise failure from None
            vectors.extend(vector for of_few, _ in found for vector in of_few)
            taken += [count for _, count in found]
        if len(vectors) != len(request.texts):
            raise self._endpoint.unreadable()
        return EmbedReply(vectors=tuple(vectors), model=request.model, input_tokens=total(taken))

    async def close(self) -> None:
        """Gives its connections back."""
        self._client.close()

    async def _embedded(
        self, embedder: Embedder, request: EmbedRequest, texts: tuple[str, ...]
    ) -> tuple[list[tuple[float, ...]], int]:
        def ask() -> tuple[bytes, Mapping[str, str]]:
            answer = self._client.invoke_model(
                modelId=request.model,
                body=json.dumps(embedder.body(texts)),
                contentType="application/json",
                accept="application/json",
            )
            return answer["body"].read(), answer["ResponseMetadata"]["HTTPHeaders"]

        return embedder.read(*await self._threads.call(ask))

    def _reply(self, draft: Draft, request: ChatRequest, reason: str, usage: _Usage) -> ChatReply:
        if reason in _MALFORMED:
            raise self._endpoint.unreadable()
        try:
            reply = draft.reply(
                model=request.model,
                finish_reason=_FINISHED.get(reason, "stop"),
                input_tokens=usage.inputTokens + usage.cacheReadInputTokens + usage.cacheWriteInputTokens,
                output_tokens=usage.outputTokens,
            )
        except UNREADABLE:
            raise self._endpoint.unreadable() from None
        if reply.finish_reason == "content_filter" and not reply.text:
            raise self._endpoint.filtered(reason)
        return reply


def _secrets(credentials: Any) -> tuple[str, ...]:
    """Keys that are there for good, to be hidden; those that AWS lends for an hour are not fetched for that alone."""
    if type(credentials) is not Credentials:
        return ()
    known = cast("Any", credentials)
    return tuple(filter(None, (known.secret_key, known.token)))


def _take_block(draft: Draft, place: int, block: Mapping[str, Any]) -> None:
    if "text" in block:
        draft.say(block["text"])
    if "toolUse" in block:
        call = block["toolUse"]
        draft.call(place, call["toolUseId"], call["name"])
        draft.argue(place, json.dumps(call.get("input") or {}, ensure_ascii=False))


def _take_event(draft: Draft, event: Mapping[str, Any]) -> str | None:
    """Puts an event of a stream into the draft; what of it may be shown."""
    if "contentBlockStart" in event:
        begun = event["contentBlockStart"]
        if "toolUse" in begun.get("start", {}):
            draft.call(
                begun["contentBlockIndex"], begun["start"]["toolUse"]["toolUseId"], begun["start"]["toolUse"]["name"]
            )
    if "contentBlockDelta" in event:
        delta = event["contentBlockDelta"]["delta"]
        if "text" in delta:
            return draft.say(delta["text"])
        if "toolUse" in delta:
            return draft.argue(event["contentBlockDelta"]["contentBlockIndex"], delta["toolUse"].get("input", ""))
    return None
