"""Performs the node types."""

import math
import re
from typing import Any

import httpx
from activities.extending import ExtensionContext, Handler, QuickHandler
from orchestrator.extending import (
    NodeCall,
    NodeError,
    NodeOutput,
    ProviderRejectedError,
    ProviderUnavailableError,
)

from orchestrator_writing.types import ProofreadConfig, TextStatsConfig

__all__ = ["proofread", "text_stats"]

_SENTENCE = re.compile(r"[.!?…]+(?=\s|$)")
_SERVER_ERROR = 500
_TOO_MANY = 429


def text_stats(_context: ExtensionContext) -> QuickHandler[TextStatsConfig]:
    """Counts by itself: it needs nothing from outside."""

    def handle(config: TextStatsConfig, _call: NodeCall) -> NodeOutput:
        words = len(config.text.split())
        sentences = len(_SENTENCE.findall(config.text)) or min(words, 1)
        minutes = math.ceil(words / config.words_per_minute)
        counts = {"words": words, "sentences": sentences, "characters": len(config.text), "minutes": minutes}
        return NodeOutput(output=counts)

    return handle


def proofread(context: ExtensionContext) -> Handler[ProofreadConfig]:
    """Asks the service at ``ORCHESTRATOR_EXTENSION_WRITING_URL``, with the secret ``writing_key`` if it wants one."""

    async def handle(config: ProofreadConfig, call: NodeCall) -> NodeOutput:
        url = context.settings.get("writing_url")
        if url is None:
            message = f"node {call.node!r}: set ORCHESTRATOR_EXTENSION_WRITING_URL to the address of a LanguageTool"
            raise NodeError(message)
        form = {"text": config.text, "language": config.language}
        if context.settings.get("writing_user"):
            form |= {"username": context.settings["writing_user"], "apiKey": context.secrets.get("writing_key")}
        try:
            response = await context.http.post(f"{url}/v2/check", data=form, timeout=20)
        except httpx.TransportError as error:
            message = f"the proofreading service does not answer: {type(error).__name__}"
            raise ProviderUnavailableError(message) from error
        if response.status_code == _TOO_MANY or response.status_code >= _SERVER_ERROR:
            raise ProviderUnavailableError(f"the proofreading service answered {response.status_code}")
        if not response.is_success:
            raise ProviderRejectedError(f"the proofreading service answered {response.status_code}: {response.text}")
        try:
            findings = [_finding(config.text, match) for match in response.json()["matches"][: config.most]]
        except (ValueError, KeyError, TypeError) as error:
            message = "the proofreading service answered with something that cannot be read"
            raise ProviderUnavailableError(message) from error
        return NodeOutput(output={"findings": findings, "count": len(findings)})

    return handle


def _finding(text: str, match: dict[str, Any]) -> dict[str, Any]:
    start = match["offset"]
    return {
        "text": text[start : start + match["length"]],
        "message": match["message"],
        "better": [option["value"] for option in match["replacements"][:3]],
    }
