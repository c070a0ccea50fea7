"""Every setting of ours, read from ORCHESTRATOR_* variables and ``.env``; TEMPORAL_* belong to Temporal's client."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.contracts import TASK_QUEUE
from orchestrator.errors import SettingsError

__all__ = ["Settings", "load_settings", "variable_name"]

_PREFIX = "ORCHESTRATOR_"

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """All settings. Durations in seconds, sizes in bytes; paths are relative to the working folder."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    task_queue: str = Field(default=TASK_QUEUE, min_length=1, max_length=200)
    """Temporal task queue that workers poll and runs are started on."""
    definitions_dir: Path = Path("definitions")
    """Folder of the definitions that runs may name."""
    temporal_binary: Path | None = None
    """The `temporal` program for the development server; empty looks on PATH, then beside Python."""
    dev_db_file: Path = Path(".orchestrator/dev.db")
    """File in which `make dev` keeps its runs."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important message that is logged."""
    log_format: Literal["json", "readable", "auto"] = "auto"
    """How log lines look; auto is readable at a terminal and JSON elsewhere."""
    heartbeat_timeout: Seconds = 30.0
    """Seconds without a heartbeat after which a work node counts as dead and is tried again."""
    rollover_events: int = Field(default=4_000, ge=50, le=20_000)
    """Events of history after which a run goes on in a new workflow run (continue-as-new), at the next safe point."""
    sticky_timeout: Seconds = 10.0
    """Seconds a killed worker's runs wait before another worker takes them."""
    graceful_shutdown_timeout: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """Seconds that nodes in flight have to finish when the worker is told to stop."""
    max_concurrent_activities: int = Field(default=100, ge=1, le=10_000)
    """Work nodes at a time in one worker."""
    max_concurrent_workflow_tasks: int = Field(default=20, ge=2, le=1_000)
    """Steps of workflows at a time in one worker."""
    max_cached_workflows: int = Field(default=1_000, ge=0, le=100_000)
    """Runs a worker keeps in memory, so that their next step needs no replay."""
    sandboxed: bool = False
    """Runs workflows in Temporal's sandbox: slower; shows that workflow code works there. The tests do so."""
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="openai_api_key")
    """Key of the OpenAI-compatible model endpoint."""
    openai_base_url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$", validation_alias="openai_base_url")
    """Address of the OpenAI-compatible model endpoint; empty means OpenAI's own."""
    http_max_response_bytes: int = Field(default=52_428_800, ge=1, le=200_000_000)
    """Bytes of the largest answer that an HttpRequest node takes."""
    blob_dir: Path = Path(".orchestrator/blobs")
    """Folder of values too large for a run's history; workers of one task queue must share it."""


def variable_name(field: str) -> str:
    """The environment variable that sets ``field``."""
    return field.upper() if field.startswith("openai_") else f"{_PREFIX}{field.upper()}"


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; ``overrides`` win over the environment, which wins over ``.env``.

    Raises:
        SettingsError: A value is wrong; the message names its variable, and never shows the value of a secret.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = [
            f"{variable_name(str(item['loc'][0]).lower())}: {_sentence(item['msg'])}" for item in error.errors()
        ]
        raise SettingsError(
            f"{' '.join(problems)} Mend it in the environment or in .env; .env.example lists every setting."
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"The settings file .env cannot be read: {error}.") from error


def _sentence(text: str) -> str:
    return f"{text[:1].lower()}{text[1:].rstrip('.')}."
