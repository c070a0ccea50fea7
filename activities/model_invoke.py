"""Performs ModelInvoke."""

from activities.asking import Desk, Served
from activities.providers.base import ChatRequest, Turn
from activities.runtime import Handler
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import ContentFilteredError
from orchestrator.models import ModelInfo
from orchestrator.node_types.model_invoke import ModelInvokeConfig

__all__ = ["handler"]


def handler(desk: Desk) -> Handler[ModelInvokeConfig]:
    """Asks the model, or a fallback of it.

    Args:
        desk: Where models are asked.
    """

    async def handle(config: ModelInvokeConfig, call: NodeCall) -> NodeOutput:
        asking = desk.asking(call)
        turns = _turns(config)

        def request(model: ModelInfo) -> ChatRequest:
            return ChatRequest(
                model=model.wire_name,
                turns=turns,
                temperature=config.temperature,
                max_tokens=config.max_tokens,
                limit_field=model.limit_field,
                schema=config.answer,
            )

        served = await asking.complete((config.model, *config.fallback), request, shown=config.stream)
        return NodeOutput(output=_output(served), usage=asking.usage, over_soft=tuple(asking.over_soft))

    return handle


def _output(served: Served) -> dict[str, object]:
    reply = served.reply
    if reply.finish_reason == "content_filter" and not reply.text:
        raise ContentFilteredError(
            f"the provider of {served.model.name} filtered the answer out", details={"model": reply.model}
        )
    return {
        "text": reply.text,
        "value": None,
        "model": reply.model,
        "provider": served.provider,
        "simulated": reply.simulated,
        "finish_reason": reply.finish_reason,
        "declined": [other.as_json() for other in served.declined],
    }


def _turns(config: ModelInvokeConfig) -> tuple[Turn, ...]:
    system = () if config.system is None else (Turn("system", config.system),)
    if config.prompt is not None:
        return (*system, Turn("user", config.prompt))
    return (*system, *(Turn(message.role, message.content) for message in config.messages or ()))
