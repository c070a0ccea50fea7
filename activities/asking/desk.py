"""Where models are asked: one visit's questions, each paid for, at the models it names in order."""

import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from pydantic_core import to_json
from temporalio import activity

from activities import taking
from activities.archive.writing import Archive
from activities.asking.breaker import Breakers
from activities.asking.exchange import Exchange
from activities.asking.metrics import billed, fell_back
from activities.asking.passing import passing
from activities.asking.rates import Rates
from activities.asking.spans import model_span
from activities.masking import Masker
from activities.providers.base import ChatProvider, ChatReply, ChatRequest, EmbedReply, EmbedRequest, ModelProvider
from activities.providers.opening import provider_for
from activities.spending import Bill, Purse
from activities.streaming import Streams
from orchestrator.contracts import AttemptUsage, NodeCall, Taken, Usage
from orchestrator.errors import ProviderError, ProviderUnavailableError, StorageUnavailableError
from orchestrator.models import SIMULATED, TOLD_TOKENS, ModelInfo, find_model

__all__ = ["Asking", "Declined", "Desk", "Served"]

_log = logging.getLogger(__name__)


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
        """For one attempt of a visit; should it fail, what it has taken is told all the same."""
        try:
            asking = Asking(self, call, await self.purse.earlier(call, activity.info().attempt))
        except StorageUnavailableError as error:
            # What costs nothing needs no ledger. Whoever adds up what a failed visit took will ask for all of it.
            _log.warning("what earlier attempts of %s took is not known: %s", call.node, error.message)
            return Asking(self, call)
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
        async with self._exchange(model, provider, request, texts, 0) as exchange:
            with exchange.asking():
                reply = await provider.embed(request)
                exchange.answered(reply)
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
        texts, most = _texts(request), request.max_tokens
        async with self._exchange(model, provider, request, texts, most, told=told, streamed=shown) as exchange:
            if shown:
                reply = await self._shown(provider, request, exchange)
            else:
                with exchange.asking():
                    reply = await provider.complete(request)
                    exchange.answered(reply)
        # Half a character can be neither shown nor kept; streams have a question mark for it too.
        return replace(reply, text=_writable(reply.text), model=_writable(reply.model))

    @asynccontextmanager
    async def _exchange(
        self,
        model: ModelInfo,
        provider: ModelProvider,
        request: ChatRequest | EmbedRequest,
        texts: Sequence[str],
        most_output: int | None,
        *,
        told: int = 0,
        streamed: bool = False,
    ) -> AsyncGenerator[Exchange]:
        """A question, paid for in the block. Before and after it texts may be masked for the span, which is free."""
        desk = self._desk
        bill: Bill | None = None
        async with model_span(model, request, desk.masker) as span:
            with desk.archive.recording(self._call, model, provider.name, request, streamed=streamed) as entry:
                try:
                    async with self._paying(model, provider, texts, most_output, told) as bill:
                        yield Exchange(model=model, number=self._number, bill=bill, entry=entry, span=span)
                finally:
                    # It answered, or may have charged: that counts, whatever comes of it.
                    if bill is not None and (entry.reply is not None or bill.cost_usd is not None):
                        self._count(entry.reply, bill)

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
                    yield bill
            finally:
                billed(model, bill.input_tokens, bill.output_tokens, bill.cost_usd)

    async def _shown(self, provider: ModelProvider, request: ChatRequest, exchange: Exchange) -> ChatReply:
        pieces = provider.stream(request)
        try:
            async with self._desk.streams.writing(self._call) as sink:
                with exchange.asking() as first:
                    async for piece in pieces:
                        if isinstance(piece, ChatReply):
                            exchange.answered(piece)
                            sink.reason = piece.finish_reason
                            return piece
                        if (seconds := first.came()) is not None:
                            exchange.span.began_writing(seconds)
                        exchange.entry.wrote(piece)
                        await sink.write(piece)
                    raise ProviderUnavailableError(
                        f"the answer of {request.model} ended without saying so", may_have_charged=True
                    )
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()  # and with it the connection

    def _count(self, reply: ChatReply | EmbedReply | None, bill: Bill) -> None:
        self.over_soft |= dict.fromkeys(bill.over_soft)
        self.usage = self.usage.plus(
            Usage(
                calls=1,
                simulated=int(bill.simulated),
                unpriced=int(bill.cost_usd is None and not bill.simulated),
                input_tokens=0 if reply is None else reply.input_tokens,
                output_tokens=reply.output_tokens if isinstance(reply, ChatReply) else 0,
                cost_usd=bill.cost_usd,
            )
        )


def _writable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _texts(request: ChatRequest) -> list[str]:
    """All that a model reads, tools and schema included: what its input is counted by."""
    tools = [to_json([tool.name, tool.description, tool.parameters]).decode() for tool in request.tools]
    calls = [json.dumps(call.arguments) for turn in request.turns for call in turn.tool_calls]
    schema = [] if request.schema is None else [to_json(request.schema).decode()]
    return [*(turn.content for turn in request.turns), *tools, *calls, *schema]
