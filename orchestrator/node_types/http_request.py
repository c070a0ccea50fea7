"""HttpRequest: one request to a web service."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from orchestrator.node_types.base import ConfigModel, NodeType, Text, VerbatimMark
from orchestrator.node_types.trust import Trust
from orchestrator.secret_name import SecretName

__all__ = ["HTTP_REQUEST", "Auth", "BasicAuth", "BearerAuth", "HeaderAuth", "HttpRequestConfig", "QueryAuth"]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_USER: Final = re.compile(r"[^:{}\x00-\x1f]{0,500}")
_FRAMING: Final = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that say how a message is cut; who sets them himself makes two readers see two messages."""
_BODIES: Final = ("json", "text", "form", "file")
_READING: Final = ("GET", "HEAD", "OPTIONS")


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("is no name of a header: it takes letters, digits and hyphens")
    if name.lower() in _FRAMING | {"host"}:
        raise ValueError(f"cannot be {name}, which is made from the request itself")
    return name


def _user(user: str) -> str:
    if not _USER.fullmatch(user):
        raise ValueError("is up to 500 characters without colons, and no template")
    return user


class BearerAuth(ConfigModel):
    """``Authorization: Bearer`` and the secret."""

    type: Literal["bearer"]
    secret: SecretName


class BasicAuth(ConfigModel):
    """User and password, of which the secret is the password."""

    type: Literal["basic"]
    user: Annotated[str, AfterValidator(_user)]
    secret: SecretName


class HeaderAuth(ConfigModel):
    """The secret in a header of its own."""

    type: Literal["header"]
    name: Annotated[str, AfterValidator(_header_name)]
    secret: SecretName


class QueryAuth(ConfigModel):
    """The secret in the query of the address."""

    type: Literal["query"]
    name: str = Field(min_length=1, max_length=200, pattern=r"^[^{}\x00-\x1f]*$")
    secret: SecretName


Auth = Annotated[BearerAuth | BasicAuth | HeaderAuth | QueryAuth, Field(discriminator="type")]


class HttpRequestConfig(ConfigModel):
    """The request, how far it may be redirected, and which answers count as success."""

    url: str = Field(min_length=1, max_length=8192)
    """Begins with ``http://`` or ``https://``."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, Text] = Field(default={})
    query: dict[str, Any] = Field(default={})
    """Added to the address; a list repeats its name, null leaves it out."""
    auth: Annotated[Auth | None, VerbatimMark()] = None
    """Names a secret of the worker's, and says how it is sent."""
    json_body: Any = Field(default=None, alias="json")
    """Sent as JSON."""
    text: Text | None = None
    """Sent as plain text."""
    form: dict[str, Any] | None = None
    """Sent as the fields of a form; a list repeats its name, null leaves it out."""
    files: dict[str, Any] | None = None
    """Files, or lists of them, sent with ``form`` as ``multipart/form-data``."""
    file: Any = None
    """A file whose content is the body."""
    timeout: float = Field(default=30.0, gt=0, le=3600)
    """Seconds for the whole exchange, redirects included."""
    expect_status: tuple[int, ...] | None = Field(default=None, min_length=1)
    """The statuses that count as success; without it, 200 to 299."""
    max_redirects: int = Field(default=5, ge=0, le=20)
    """How many redirects are followed; 0: none."""
    read: Literal["auto", "json", "text", "file"] = "auto"
    """What the body of the answer is read as; ``auto`` goes by its content type."""
    idempotency_header: str | None = "Idempotency-Key"
    """Names the header that carries the same key on every attempt; null sends none. GET and HEAD never carry it."""

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        given = [name for name in _BODIES if self._has(name)]
        if "form" not in given and self.files is not None:
            given.append("files")
        if len(given) > 1:
            raise ValueError(f"give {' or '.join(given)}, not both" if len(given) == 2 else "give one body")  # noqa: PLR2004 - two are both
        return self

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        names = {name.lower() for name in self.headers}
        if framing := sorted(names & _FRAMING):
            raise ValueError(f"the header {framing[0]} is made from the request itself; leave it out")
        if self.auth is None:
            return self
        if "host" in names:
            raise ValueError("a request with auth goes to the host of its url; leave out the header host")
        if isinstance(self.auth, QueryAuth):
            if self.auth.name in self.query:
                raise ValueError(f"auth and query both give {self.auth.name}; leave out one")
            return self
        taken = self.auth.name.lower() if isinstance(self.auth, HeaderAuth) else "authorization"
        if taken in names:
            raise ValueError(f"auth and headers both give {taken}; leave out one")
        return self

    def _has(self, body: str) -> bool:
        if body == "json":
            return "json_body" in self.model_fields_set
        return getattr(self, body) is not None


def _changes(config: Mapping[str, Any]) -> bool:
    return config.get("method", "GET") not in _READING


HTTP_REQUEST = NodeType(
    name="HttpRequest",
    summary="Sends one HTTP request and gives status, headers and body of the answer.",
    tier="work",
    config=HttpRequestConfig,
    outputs=("status", "headers", "body"),
    timeout=60.0,
    trust=Trust(
        gives={"body": "the web", "headers": "the web"},
        clean=("status",),
        acts={"url": "the address of a request", "method": "what a request does", "headers": "headers of a request"},
        arguments=("query", "json", "form"),
        changes=_changes,
        addresses=("url",),
    ),
)
