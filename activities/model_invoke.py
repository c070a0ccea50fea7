"""Performs ModelInvoke."""

from collections.abc import Mapping

from activities.providers.base import ChatProvider, ChatRequest, Turn
from activities.runtime import Handler
from orchestrator.contracts import NodeCall, NodeOutput, Usage
from orchestrator.models import SIMULATED, find_model
from orchestrator.node_types.model_invoke import ModelInvokeConfig

__all__ = ["handler"]


def handler(providers: Mapping[str, ChatProvider]) -> Handler[ModelInvokeConfig]:
    """Asks the provider of the model; the simulated one answers for a provider that is not configured.

    Args:
        providers: By the names of ``orchestrator.models``; ``simulated`` must be among them.
    """

    async def handle(config: ModelInvokeConfig, _call: NodeCall) -> NodeOutput:
        model = find_model(config.model)
        provider = providers.get(model.provider) or providers[SIMULATED]
        reply = await provider.complete(
            ChatRequest(
                model=model.wire_name,
                turns=_turns(config),
                temperature=config.temperature,
                max_tokens=config.max_tokens,
                limit_field=model.limit_field,
            )
        )
        return NodeOutput(
            output={
                "text": reply.text,
                "model": reply.model,
                "provider": provider.name,
                "simulated": reply.simulated,
                "finish_reason": reply.finish_reason,
            },
            usage=Usage(calls=1, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens),
        )

    return handle


def _turns(config: ModelInvokeConfig) -> tuple[Turn, ...]:
    system = () if config.system is None else (Turn("system", config.system),)
    if config.prompt is not None:
        return (*system, Turn("user", config.prompt))
    return (*system, *(Turn(message.role, message.content) for message in config.messages or ()))
