"""A model that computes: asked ``fibo 33`` it gives that Fibonacci number, the slow way; else it is simulated."""

import asyncio

from activities.providers.base import ChatProvider, ChatReply, ChatRequest

__all__ = ["Fibonacci"]

_WORD = "fibo"


class Fibonacci:
    """Answers ``fibo N`` itself, in a thread, and leaves everything else to another provider."""

    def __init__(self, otherwise: ChatProvider) -> None:
        self._otherwise = otherwise

    @property
    def name(self) -> str:
        """What outputs call it."""
        return self._otherwise.name

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The number, or the other provider's answer."""
        word, _, number = request.turns[-1].content.partition(" ")
        if word != _WORD:
            return await self._otherwise.complete(request)
        text = str(await asyncio.to_thread(_fibo, int(number)))
        return ChatReply(text=text, model=request.model, finish_reason="stop", input_tokens=1, output_tokens=1)


def _fibo(number: int) -> int:
    """As naive as in the benchmark that others publish: the time it takes is the point."""
    return number if number <= 1 else _fibo(number - 1) + _fibo(number - 2)
