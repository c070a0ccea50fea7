"""One question to a model, and whoever has to know when it is asked and answered: bill, metrics, span, archive."""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from activities.archive.entries import Entry
from activities.asking.metrics import FirstToken, measured
from activities.asking.spans import ModelSpan
from activities.providers.base import ChatReply, EmbedReply
from activities.spending import Bill
from orchestrator.models import ModelInfo

__all__ = ["Exchange"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question to a model.

    Args:
        model: Who is asked.
        number: Counts the questions of one attempt.
        bill: What it is paid by; filled in as soon as the answer says what it took.
        entry: What the archive keeps of it.
        span: What traces show of it.
    """

    model: ModelInfo
    number: int
    bill: Bill
    entry: Entry
    span: ModelSpan

    @contextmanager
    def asking(self) -> Generator[FirstToken]:
        """Ask in the block, and do nothing else there: its time is the model's."""
        simulated = self.bill.simulated
        self.entry.asked(self.bill, self.number)
        try:
            with self.span.asking(), nullcontext() if simulated else measured(self.model):
                yield FirstToken(self.model, counted=not simulated)
        finally:
            self.entry.ended()

    def answered(self, reply: ChatReply | EmbedReply) -> None:
        """It is there: from now on it is known what to pay, whatever happens."""
        output_tokens = reply.output_tokens if isinstance(reply, ChatReply) else 0
        wrote = isinstance(reply, ChatReply) and bool(reply.text or reply.tool_calls)
        # With one of them alone the other would be free.
        if reply.input_tokens > 0 and (output_tokens > 0 or not wrote):
            self.bill.input_tokens, self.bill.output_tokens = reply.input_tokens, output_tokens
        self.entry.answered(reply)
        self.span.answered(reply)
