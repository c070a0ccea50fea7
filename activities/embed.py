"""Performs Embed."""

from activities.asking import Asking, Desk
from activities.caching import Cache
from activities.runtime import Handler
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.models import find_model
from orchestrator.node_types.embed import EmbedConfig

__all__ = ["handler"]


def handler(desk: Desk, cache: Cache) -> Handler[EmbedConfig]:
    """Has a model turn texts into vectors.

    Args:
        desk: Where models are asked.
        cache: Keeps what they answered.
    """

    async def handle(config: EmbedConfig, call: NodeCall) -> NodeOutput:
        model = find_model(config.model)
        question = [config.model_dump(mode="json"), model.provider, model.wire_name]
        asking = await desk.asking(call)
        output, _ = await cache.through(call, question, lambda: embed(config, asking))
        return NodeOutput(output=output.output, **dict(asking.taken()))

    async def embed(config: EmbedConfig, asking: Asking) -> NodeOutput:
        texts = config.texts if config.text is None else (config.text,)
        reply, provider = await asking.embed(config.model, texts or (), config.dimensions)
        output = {
            "vector": reply.vectors[0],
            "vectors": reply.vectors,
            "model": reply.model,
            "provider": provider,
            "simulated": reply.simulated,
            "dimensions": len(reply.vectors[0]),
        }
        return NodeOutput(output=output)

    return handle
