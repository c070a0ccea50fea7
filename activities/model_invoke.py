"""Performs ModelInvoke."""

from collections.abc import Mapping

from activities.providers.base import ChatProvider, ChatReply, ChatRequest, Turn
from activities.runtime import Handler
from activities.spending import Purse
from orchestrator.contracts import NodeCall, NodeOutput, Usage
from orchestrator.models import SIMULATED, find_model
from orchestrator.node_types.model_invoke import ModelInvokeConfig

__all__ = ["handler"]


def handler(providers: Mapping[str, ChatProvider], purse: Purse) -> Handler[ModelInvokeConfig]:
    """Asks the provider of the model; the simulated one answers for a provider that is not configured.

    Args:
        providers: By the names of ``orchestrator.models``; ``simulated`` must be among them.
        purse: Pays for it; the simulated provider costs nothing.
    """

    async def handle(config: ModelInvokeConfig, call: NodeCall) -> NodeOutput:
        model = find_model(config.model)
        provider = providers.get(model.provider) or providers[SIMULATED]
        request = ChatRequest(
            model=model.wire_name,
            turns=_turns(config),
            temperature=config.temperature,
            max_tokens=config.max_tokens,
            limit_field=model.limit_field,
        )
        if provider.name == SIMULATED:
            return _output(await provider.complete(request), provider.name, None)
        texts = [turn.content for turn in request.turns]
        async with purse.paying(model, texts, config.max_tokens, call) as bill:
            reply = await provider.complete(request)
            if reply.input_tokens or reply.output_tokens:
                bill.input_tokens, bill.output_tokens = reply.input_tokens, reply.output_tokens
        return _output(reply, provider.name, bill.cost_usd)

    return handle


def _output(reply: ChatReply, provider: str, cost_usd: float | None) -> NodeOutput:
    return NodeOutput(
        output={
            "text": reply.text,
            "model": reply.model,
            "provider": provider,
            "simulated": reply.simulated,
            "finish_reason": reply.finish_reason,
        },
        usage=Usage(calls=1, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens, cost_usd=cost_usd),
    )


def _turns(config: ModelInvokeConfig) -> tuple[Turn, ...]:
    system = () if config.system is None else (Turn("system", config.system),)
    if config.prompt is not None:
        return (*system, Turn("user", config.prompt))
    return (*system, *(Turn(message.role, message.content) for message in config.messages or ()))
