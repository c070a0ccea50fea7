"""Reads what Gemini answers, whole or part by part."""

from collections.abc import Mapping
from uuid import uuid4

from google.genai import types

from activities.providers.base import ChatReply, ChatRequest, FinishReason, ToolCall
from activities.providers.gemini_requests import signed_id
from activities.providers.statuses import Endpoint

__all__ = ["Answer"]

_FINISHED: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "ESCALATION",
            "PUP_LIMITED_DISABLED",
            "MODEL_ARMOR",
        ),
        "content_filter",
    ),
}
_MALFORMED = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "OTHER",
    }
)
"""The model went astray, and may do better when it is asked again."""


class Answer:
    """An answer on its way in."""

    def __init__(self, endpoint: Endpoint, request: ChatRequest) -> None:
        self._endpoint = endpoint
        self._model = request.model
        self._asked_model = request.model
        self._shown: list[str] = []
        self._calls: list[ToolCall] = []
        self._usage = types.GenerateContentResponseUsageMetadata()
        self.begun = False
        self.finish_reason: str | None = None

    def take(self, answer: types.GenerateContentResponse) -> str:
        """Takes a part of the answer, or all of it; the text in it.

        Raises:
            ContentFilteredError: The question is blocked.
            ValueError: It makes no sense.
        """
        self.begun = True
        self._model = answer.model_version or self._model
        # Each part has the figures of all until there.
        self._usage = answer.usage_metadata or self._usage
        if min(self._tokens()) < 0:
            raise ValueError("fewer than no tokens")
        if answer.prompt_feedback is not None and answer.prompt_feedback.block_reason:
            raise self._endpoint.filtered(f"the question is blocked ({answer.prompt_feedback.block_reason.value})")
        if not answer.candidates:
            return ""
        candidate = answer.candidates[0]
        self.finish_reason = candidate.finish_reason.value if candidate.finish_reason else self.finish_reason
        parts = (candidate.content.parts if candidate.content else None) or []
        for part in parts:
            if part.function_call is not None:
                self._calls.append(self._call(part, part.function_call))
        text = "".join(part.text for part in parts if part.text and not part.thought)
        if text:
            self._shown.append(text)
        return text

    def reply(self) -> ChatReply:
        """The whole answer."""
        if self.finish_reason in _MALFORMED:
            raise self._endpoint.unreadable()
        finish_reason = _FINISHED.get(self.finish_reason or "", "stop")
        text = "".join(self._shown)
        if finish_reason == "content_filter" and not text:
            raise self._endpoint.filtered(f"the answer is held back ({self.finish_reason})")
        question, tools, words, thoughts = self._tokens()
        return ChatReply(
            text=text,
            model=self._model,
            finish_reason="tool_calls" if self._calls and finish_reason == "stop" else finish_reason,
            input_tokens=question + tools,
            output_tokens=words + thoughts,
            tool_calls=tuple(self._calls),
        )

    def _tokens(self) -> tuple[int, int, int, int]:
        usage = self._usage
        return (
            usage.prompt_token_count or 0,
            usage.tool_use_prompt_token_count or 0,
            usage.candidates_token_count or 0,
            usage.thoughts_token_count or 0,
        )

    def _call(self, part: types.Part, call: types.FunctionCall) -> ToolCall:
        return ToolCall(
            id=signed_id(call.id or f"call_{uuid4().hex}", self._asked_model, part.thought_signature),
            name=call.name or "",
            arguments=call.args or {},
        )
