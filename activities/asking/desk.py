"""Where models are asked: one visit's questions, each paid for, at the models it names in order."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

from pydantic_core import to_json
from temporalio import activity

from activities import taking
from activities.archive.entries import Entry
from activities.archive.writing import Archive
from activities.asking.breaker import Breakers
from activities.asking.metrics import FirstToken, billed, fell_back, measured
from activities.asking.passing import passing
from activities.asking.rates import Rates
from activities.asking.spans import ModelSpan, model_span
from activities.masking import Masker
from activities.providers.base import ChatProvider, ChatReply, ChatRequest, EmbedReply, EmbedRequest, ModelProvider
from activities.providers.opening import provider_for
from activities.spending import Bill, Purse
from activities.streaming import Streams
from orchestrator.contracts import AttemptUsage, NodeCall, Taken, Usage
from orchestrator.errors import ProviderError, ProviderUnavailableError
from orchestrator.models import SIMULATED, TOLD_TOKENS, ModelInfo, find_model

__all__ = ["Asking", "Declined", "Desk", "Served"]


@dataclass(frozen=True, slots=True)
class Declined:
    """A model of the chain that did not answer, and why: the code of its error, and its words."""

    model: str
    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        """For a node's output."""
        return {"model": self.model, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An answer, whose it is, and who was asked in vain before."""

    reply: ChatReply
    model: ModelInfo
    provider: str
    declined: tuple[Declined, ...] = ()


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a worker asks models with.

    Args:
        providers: By the names of ``orchestrator.models``.
        purse: Pays; the simulated provider costs nothing.
        breakers: Who is left alone.
        rates: How often who may be asked.
        streams: Where text is shown as it is written.
        archive: Where each call is kept.
        masker: Takes secrets and personal data out of what spans hold of texts.
    """

    providers: Mapping[str, ChatProvider]
    purse: Purse
    breakers: Breakers = field(default_factory=Breakers)
    rates: Rates = field(default_factory=Rates)
    streams: Streams = field(default_factory=Streams)
    archive: Archive = field(default_factory=Archive)
    masker: Masker = field(default_factory=Masker)

    async def asking(self, call: NodeCall) -> "Asking":
        """For one attempt of a visit; should it fail, what it has taken is told all the same.

        Raises:
            StorageUnavailableError: What earlier attempts have taken cannot be looked up.
        """
        asking = Asking(self, call, await self.purse.earlier(call, activity.info().attempt))
        taking.tell(lambda: asking.taken(failed=True))
        return asking


class Asking:
    """The questions of one attempt of a visit.

    Args:
        desk: Where they are asked.
        call: The visit.
        earlier: What attempts before this one have taken.
    """

    def __init__(self, desk: Desk, call: NodeCall, earlier: tuple[AttemptUsage, ...] = ()) -> None:
        self._desk = desk
        self._call = call
        self._earlier = earlier
        self._number = 0
        self.usage = Usage()
        """What they have taken so far."""
        self.over_soft: dict[str, None] = {}
        """Scopes whose budgets are over their soft limits since."""

    def taken(self, *, failed: bool = False) -> Taken:
        """What this attempt and those before it have taken.

        Args:
            failed: Whether this one did not end well.
        """
        call = self._call
        own = AttemptUsage(
            node=call.node,
            visit=call.visit,
            try_number=call.account.try_ if call.account else 1,
            attempt=activity.info().attempt,
            failed=failed,
            **self.usage.model_dump(),
        )
        usage = self.usage
        for attempt in self._earlier:
            usage = usage.plus(attempt)
        return Taken(usage=usage, attempts=(*self._earlier, own), over_soft=tuple(self.over_soft))

    async def complete(
        self,
        models: Sequence[str],
        request: Callable[[ModelInfo], ChatRequest],
        *,
        shown: bool = False,
    ) -> Served:
        """The answer of the first of ``models`` that gives one; the others are not asked.

        Text of different models is never joined: a stream that breaks is begun anew by the next model.

        Args:
            models: Names, as in definitions; the first is the one that is meant, the rest its fallbacks.
            request: What a model is asked.
            shown: Whether people may read along as it is written.

        Raises:
            ProviderError: The last one's, or the first that asking another model could not help.
            BudgetExceededError: It might pass a cap.
        """
        declined: list[Declined] = []
        for place, name in enumerate(models):
            model = find_model(name)
            try:
                provider = provider_for(self._desk.providers, model)
                reply = await self._one(model, provider, request(model), shown=shown)
            except ProviderError as error:
                if not error.retryable or place == len(models) - 1:
                    if declined:
                        error.details = {**error.details, "declined": [other.as_json() for other in declined]}
                    raise
                fell_back(model, error.code)
                declined.append(Declined(model.name, error.code, error.message))
            else:
                return Served(reply=reply, model=model, provider=provider.name, declined=tuple(declined))
        raise ValueError("no model was named")

    async def embed(self, name: str, texts: Sequence[str], dimensions: int | None) -> tuple[EmbedReply, str]:
        """A vector for each text, and the provider they are from.

        Raises:
            ProviderError: They could not be had.
            BudgetExceededError: They might pass a cap.
        """
        model = find_model(name)
        provider = provider_for(self._desk.providers, model)
        request = EmbedRequest(model=model.wire_name, texts=tuple(texts), dimensions=dimensions)
        with self._recording(model, provider, request) as entry:
            async with self._paying(model, provider, texts, 0) as bill:
                entry.asked(bill, self._number)
                async with model_span(model, request, self._desk.masker) as span:
                    reply = await provider.embed(request)
                    span.answered(reply)
                entry.answered(reply)
                if reply.input_tokens:
                    bill.input_tokens, bill.output_tokens = reply.input_tokens, 0
        self._count(reply.input_tokens, 0, bill)
        return reply, provider.name

    async def _one(
        self,
        model: ModelInfo,
        provider: ModelProvider,
        request: ChatRequest,
        *,
        shown: bool,
    ) -> ChatReply:
        told = TOLD_TOKENS if request.tools or request.schema is not None else 0
        with self._recording(model, provider, request, streamed=shown) as entry:
            async with self._paying(model, provider, _texts(request), request.max_tokens, told) as bill:
                entry.asked(bill, self._number)
                async with model_span(model, request, self._desk.masker) as span:
                    asked = self._shown(model, provider, request, span, entry) if shown else provider.complete(request)
                    reply = await asked
                    span.answered(reply)
                entry.answered(reply)
                if _says_what_it_took(reply):
                    bill.input_tokens, bill.output_tokens = reply.input_tokens, reply.output_tokens
        self._count(reply.input_tokens, reply.output_tokens, bill)
        # Half a character can be neither shown nor kept; streams have a question mark for it too.
        return replace(reply, text=_writable(reply.text), model=_writable(reply.model))

    def _recording(
        self, model: ModelInfo, provider: ModelProvider, request: ChatRequest | EmbedRequest, *, streamed: bool = False
    ) -> AbstractContextManager[Entry]:
        return self._desk.archive.recording(self._call, model, provider.name, request, streamed=streamed)

    @asynccontextmanager
    async def _paying(
        self, model: ModelInfo, provider: ModelProvider, texts: Sequence[str], most_output: int | None, told: int = 0
    ) -> AsyncGenerator[Bill]:
        self._number += 1
        if provider.name == SIMULATED:
            yield Bill(simulated=True)
            return
        # First of all: who is left alone takes neither a place in the rate nor money.
        async with passing(model, self._desk.breakers, self._desk.rates):
            bill = Bill()
            try:
                async with self._desk.purse.paying(
                    model, texts, most_output, self._call, number=self._number, told=told
                ) as bill:
                    with measured(model):
                        yield bill
            except BaseException:
                if bill.cost_usd is not None:  # it may have charged: that counts, whatever comes of it
                    self._count(0, 0, bill)
                raise
            finally:
                billed(model, bill.input_tokens, bill.output_tokens, bill.cost_usd)

    async def _shown(
        self, model: ModelInfo, provider: ModelProvider, request: ChatRequest, span: ModelSpan, entry: Entry
    ) -> ChatReply:
        pieces = provider.stream(request)
        try:
            async with self._desk.streams.writing(self._call) as sink:
                first = FirstToken(model, counted=provider.name != SIMULATED)
                async for piece in pieces:
                    if isinstance(piece, ChatReply):
                        sink.reason = piece.finish_reason
                        return piece
                    if (seconds := first.came()) is not None:
                        span.began_writing(seconds)
                    entry.written.append(piece)
                    await sink.write(piece)
                raise ProviderUnavailableError(
                    f"the answer of {request.model} ended without saying so", may_have_charged=True
                )
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()  # and with it the connection

    def _count(self, input_tokens: int, output_tokens: int, bill: Bill) -> None:
        self.over_soft |= dict.fromkeys(bill.over_soft)
        self.usage = self.usage.plus(
            Usage(
                calls=1,
                simulated=int(bill.simulated),
                unpriced=int(bill.cost_usd is None and not bill.simulated),
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cost_usd=bill.cost_usd,
            )
        )


def _says_what_it_took(reply: ChatReply) -> bool:
    """Whether both counts are there: with one of them alone the other would be free."""
    wrote = bool(reply.text or reply.tool_calls)
    return reply.input_tokens > 0 and (reply.output_tokens > 0 or not wrote)


def _writable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _texts(request: ChatRequest) -> list[str]:
    """All that a model reads, tools and schema included: what its input is counted by."""
    tools = [to_json([tool.name, tool.description, tool.parameters]).decode() for tool in request.tools]
    calls = [json.dumps(call.arguments) for turn in request.turns for call in turn.tool_calls]
    schema = [] if request.schema is None else [to_json(request.schema).decode()]
    return [*(turn.content for turn in request.turns), *tools, *calls, *schema]
