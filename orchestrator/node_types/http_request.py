"""HttpRequest: one request to a web service."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.node_types.base import ConfigModel, NodeType, Text


class HttpRequestConfig(ConfigModel):
    """The request, and which answers count as success. Redirects are not followed."""

    url: str = Field(min_length=1, max_length=8192)
    """Begins with ``http://`` or ``https://``."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, Text] = Field(default={})
    query: dict[str, Any] = Field(default={})
    """Added to the address; a list repeats its name, null leaves it out."""
    json_body: Any = Field(default=None, alias="json")
    """Sent as JSON."""
    text: Text | None = None
    """Sent as plain text."""
    timeout: float = Field(default=30.0, gt=0, le=3600)
    """Seconds for the whole exchange."""
    expect_status: tuple[int, ...] | None = Field(default=None, min_length=1)
    """The statuses that count as success; without it, 200 to 299."""
    idempotency_header: str | None = "Idempotency-Key"
    """Names the header that carries the same key on every attempt; null sends none. GET and HEAD never carry it."""

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if "json_body" in self.model_fields_set and self.text is not None:
            raise ValueError("give json or text, not both")
        return self


HTTP_REQUEST = NodeType(
    name="HttpRequest",
    summary="Sends one HTTP request and gives status, headers and body of the answer.",
    tier="work",
    config=HttpRequestConfig,
    outputs=("status", "headers", "body"),
    timeout=60.0,
)
