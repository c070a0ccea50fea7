"""An endpoint of models on loopback, some of them unwell, and a definition that asks them in every way there is."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.operating.serving import serving
from orchestrator.operating.telemetry import reserved
from tests.addresses import free_address
from tests.scenarios import Json, edge, graph

__all__ = ["ANSWER", "ASKS", "HICCUP", "SICK", "WELL", "ModelService", "model_service"]

WELL, HICCUP, SICK = "gpt-4o-mini", "gpt-4.1-mini", "gpt-4o"
"""A model that answers, one that does so from the second time on, and one that never does."""
_USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
ANSWER = "Fine, thanks."


def _ask(name: str, model: str, more: Json | None = None, **rest: Any) -> Json:
    config = {"model": model, "prompt": f"How is {name}?", "max_tokens": 500, **(more or {})}
    return {"id": name, "type": "ModelInvoke", "config": config, "retry": {"initial_delay": "10ms"}, **rest}


_NODES = [
    *(_ask(f"sick{number}", SICK, {"fallback": [WELL]}) for number in range(5)),
    _ask("hiccup", HICCUP),
    _ask("shown", WELL, {"stream": True}),
    _ask("first", WELL, {"prompt": "Who is there?"}, cache="1h"),
    _ask("again", WELL, {"prompt": "Who is there?"}, cache="1h"),
]
ASKS = graph(_NODES, [edge(one["id"], other["id"]) for one, other in pairwise(_NODES)])
"""Five calls that fall back, one that is made again, one that is shown as it is written, and one question twice."""


@dataclass
class ModelService:
    """What was asked so far, by model."""

    url: str
    asked: Counter[str] = field(default_factory=Counter[str])

    def settings(self, folder: str) -> Mapping[str, str]:
        """Those of a worker that asks here, and keeps what it has to in ``folder``."""
        return {
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "ORCHESTRATOR_STORAGE_URL": f"sqlite:///{folder}/storage.db",
            "ORCHESTRATOR_MODEL_RATES": json.dumps({"openai": "1000/second"}),
        }

    async def answer(self, request: Request) -> Response:
        """Answer as OpenAI does."""
        body = await request.json()
        model = body["model"]
        self.asked[model] += 1
        if model == SICK or (model == HICCUP and self.asked[model] == 1):
            return JSONResponse({"error": {"message": "unwell"}}, 503, {"retry-after": "0"})
        if body.get("stream"):
            return Response(_streamed(model), media_type="text/event-stream")
        message = {"role": "assistant", "content": ANSWER}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return JSONResponse({"model": model, "choices": [choice], "usage": _USAGE})


def _streamed(model: str) -> str:
    choices: list[list[Json]] = [
        *([{"index": 0, "delta": {"content": piece}, "finish_reason": None}] for piece in (ANSWER[:5], ANSWER[5:])),
        [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    ]
    chunks: list[Json] = [
        *({"model": model, "choices": some} for some in choices),
        {"model": model, "choices": [], "usage": _USAGE},
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


@asynccontextmanager
async def model_service() -> AsyncGenerator[ModelService]:
    """The endpoint, as long as the context lasts."""
    address = free_address()
    kept = ModelService(f"http://{address}")
    app = Starlette(routes=[Route("/v1/chat/completions", kept.answer, methods=["POST"])])
    async with serving(app, reserved(address, "address")):
        yield kept
