"""Serves models that run on this machine or near it, by the chat API of Ollama."""

from dataclasses import dataclass
from typing import Any

import httpx
from activities.extending import ChatReply, ChatRequest, ExtensionContext
from orchestrator.extending import ProviderRejectedError, ProviderUnavailableError

__all__ = ["Local", "local"]

_SERVER_ERROR = 500


def local(context: ExtensionContext) -> "Local":
    """The provider of the models named ``local/<name>``."""
    return Local(context)


@dataclass(frozen=True)
class Local:
    """Asks the service at ``ORCHESTRATOR_EXTENSION_MODELS_URL``, or Ollama's own port."""

    context: ExtensionContext
    name: str = "local"

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The model's answer.

        Raises:
            ProviderUnavailableError: The service does not answer now.
            ProviderRejectedError: It has no such model, or refuses the request.
        """
        url = self.context.settings.get("models_url", "http://127.0.0.1:11434")
        options = {"temperature": request.temperature, "num_predict": request.max_tokens}
        asked: dict[str, Any] = {
            "model": request.model,
            "messages": [{"role": turn.role, "content": turn.content} for turn in request.turns],
            "options": {name: value for name, value in options.items() if value is not None},
            "stream": False,
        }
        try:
            response = await self.context.http.post(f"{url}/api/chat", json=asked, timeout=300)
        except httpx.TransportError as error:
            message = f"the local models do not answer: {type(error).__name__}"
            raise ProviderUnavailableError(message) from error
        if response.status_code >= _SERVER_ERROR:
            raise ProviderUnavailableError(f"the local models answered {response.status_code}")
        if not response.is_success:
            raise ProviderRejectedError(f"the local models answered {response.status_code}: {response.text}")
        try:
            return _reply(response.json())
        except (ValueError, KeyError, TypeError) as error:
            raise ProviderUnavailableError("the local models answered with something that cannot be read") from error


def _reply(answer: Any) -> ChatReply:
    return ChatReply(
        text=answer["message"]["content"],
        model=answer["model"],
        finish_reason=answer.get("done_reason", "stop"),
        input_tokens=answer.get("prompt_eval_count", 0),
        output_tokens=answer.get("eval_count", 0),
    )
