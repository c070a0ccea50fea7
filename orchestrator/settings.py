"""Every setting of ours, read from ORCHESTRATOR_* variables and ``.env``; TEMPORAL_* belong to Temporal's client."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from orchestrator.addresses import listen_address, web_address
from orchestrator.blob_place import no_other_scheme
from orchestrator.contracts import TASK_QUEUE
from orchestrator.errors import SettingsError
from orchestrator.hosts import host_entry, hosts_by_secret, listed
from orchestrator.json_names import RepeatedNameError, unrepeated
from orchestrator.safety import Actions, actions_listed
from orchestrator.secret_files import SecretFiles, secret_fields
from orchestrator.secret_name import SecretName
from orchestrator.storage_address import checked_address

__all__ = ["Settings", "load_settings", "misspelt", "variable_name"]

_PREFIX = "ORCHESTRATOR_"
_AS_EVERYBODY_CALLS_THEM = ("openai_", "anthropic_", "gemini_")
"""Settings with the names that the makers' own clients gave them."""
_STORAGE = "sqlite:///.orchestrator/storage.db"
_LIKENESS = 0.9
"""From which on a name is a setting spelt wrongly: packages that extend us have variables of their own."""
_CACHED_PER_TASK = 4
"""Fewer, and the SDK evicts runs in the middle of a step: docs/decisions/0017-the-cache-is-larger-than-the-work.md."""

Seconds = Annotated[float, Field(gt=0, le=86_400)]
ListenAddress = Annotated[str, AfterValidator(listen_address)]
HostList = Annotated[tuple[Annotated[str, AfterValidator(host_entry)], ...], NoDecode, BeforeValidator(listed)]
FolderList = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(listed)]
HostsBySecret = Annotated[dict[SecretName, HostList], NoDecode, BeforeValidator(hosts_by_secret)]


def _pair(value: object) -> object:
    if not isinstance(value, (str, int, float)):
        return value
    prices = tuple(str(value).split("/"))
    if len(prices) != 2:  # noqa: PLR2004 - in and out
        raise ValueError("two prices are needed, in and out for a million tokens, such as 0.5/1.5")
    return prices


def _rates(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "{}", object_pairs_hook=unrepeated)
    except RepeatedNameError:
        raise
    except (ValueError, RecursionError):
        raise ValueError('it must be JSON, such as {"openai": "500/minute"}') from None


_Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
PricePair = Annotated[tuple[_Dollars, _Dollars], NoDecode, BeforeValidator(_pair)]


CheckActions = Annotated[Actions, NoDecode, BeforeValidator(actions_listed)]


def _sendable(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("a key is of printable ASCII; this one holds a line break, or a character beyond it")
    return value


WebAddress = Annotated[str, Field(pattern=r"^https?://[^\s]+$"), AfterValidator(web_address)]
Key = Annotated[SecretStr, AfterValidator(_sendable)]
KmsKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9:/_-]{1,2048}$")]


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
    max_concurrent_local_activities: int = Field(default=100, ge=1, le=10_000)
    """Quick nodes (Format, Transform, …) at a time in one worker."""
    workflow_pollers_minimum: int = Field(default=2, ge=2, le=100)
    """Fewest requests for steps of workflows that wait at the server."""
    workflow_pollers_maximum: int = Field(default=20, ge=2, le=100)
    """Most of them; between the two the worker follows the load."""
    activity_pollers_minimum: int = Field(default=1, ge=1, le=100)
    """Fewest requests for work nodes that wait at the server."""
    activity_pollers_maximum: int = Field(default=20, ge=1, le=100)
    """Most of them; between the two the worker follows the load."""
    max_cached_workflows: int = Field(default=1_000, ge=8, le=100_000)
    """Runs a worker keeps in memory, so that a next step needs no replay; four times its steps at a time or more."""
    sandboxed: bool = False
    """Runs workflows in Temporal's sandbox: slower; shows that workflow code works there. The tests do so."""
    metrics_address: ListenAddress | None = None
    """Where the worker answers Prometheus, such as 0.0.0.0:9464; empty means nowhere."""
    metrics_interval: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    """Seconds between two counts of open runs, which the gauge orchestrator_runs shows."""
    health_address: ListenAddress | None = None
    """Where the worker answers /healthz and /readyz, such as 0.0.0.0:8080; empty means nowhere."""
    encryption_keys: SecretStr | None = None
    """Keys that payloads are encrypted with: id:base64,id2:base64. The first encrypts, all decrypt."""
    encryption_keys_file: Path | None = None
    """File of such keys instead, one a line."""
    codec_token: SecretStr | None = None
    """What callers of the codec server have to send (Authorization: Bearer); without it only this machine is served."""
    codec_origin: str | None = Field(default=None, pattern=r"^https?://[^\s/]+$")
    """Origin of the Web UI that may ask the codec server, such as https://temporal.example."""
    openai_api_key: Key | None = Field(default=None, validation_alias="openai_api_key")
    """Key of the OpenAI-compatible model endpoint."""
    openai_base_url: WebAddress | None = Field(default=None, validation_alias="openai_base_url")
    """Address of the OpenAI-compatible model endpoint; empty means OpenAI's own."""
    anthropic_api_key: Key | None = Field(default=None, validation_alias="anthropic_api_key")
    """Key of Anthropic's API."""
    anthropic_base_url: WebAddress | None = Field(default=None, validation_alias="anthropic_base_url")
    """Address of Anthropic's API; empty means Anthropic's own."""
    gemini_api_key: Key | None = Field(default=None, validation_alias="gemini_api_key")
    """Key of Google's Gemini API."""
    gemini_base_url: WebAddress | None = Field(default=None, validation_alias="gemini_base_url")
    """Address of Google's Gemini API; empty means Google's own."""
    bedrock_region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    """AWS region whose Bedrock is asked, with the credentials that AWS's own client finds; empty asks none."""
    bedrock_endpoint_url: WebAddress | None = None
    """Address of Bedrock's endpoint; empty means that of the region."""
    simulate_models: bool = False
    """Answers for every model by the simulated provider, whichever others are configured."""
    model_timeout: Seconds = 600.0
    """Seconds that a model provider may be silent, before its answer or within it."""
    model_max_response_bytes: int = Field(default=134_217_728, ge=1, le=2_000_000_000)
    """Bytes of the largest answer that is read of a model provider, a stream all together."""
    http_max_response_bytes: int = Field(default=52_428_800, ge=1, le=200_000_000)
    """Bytes of the largest answer that an HttpRequest node takes."""
    http_allow_private: HostList = ()
    """Hosts and networks that HttpRequest may reach although they are inside the network; * allows everything."""
    secrets_dir: Path | None = None
    """Folder with a file for each named secret; a variable ORCHESTRATOR_SECRET_NAME comes before its file."""
    secret_hosts: HostsBySecret = Field(default={})
    """Hosts that a secret may be sent to, as JSON; one that is not named here may be sent to any."""
    databases_dir: Path | None = None
    """Folder with a file for each named database, its URL in it; a variable ORCHESTRATOR_DATABASE_NAME comes first."""
    databases_pool: int = Field(default=10, ge=1, le=1_000)
    """Connections to each named PostgreSQL database at most; nodes that need another one wait."""
    files_dirs: FolderList = ()
    """Folders that SaveToFile may write into; relative paths begin at the first. Empty: it writes nothing."""
    smtp_host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._:-]+$")
    """Mail server of SendEmail; empty means that no mail is sent."""
    smtp_port: int | None = Field(default=None, ge=1, le=65_535)
    """Its port; empty means 587 for starttls, 465 for tls, 25 for none."""
    smtp_user: str | None = None
    """Who to log in as at the mail server; empty means nobody."""
    smtp_password: SecretStr | None = None
    """Password at the mail server."""
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    """Encryption to the mail server: starttls, tls (from the first byte on) or none."""
    smtp_from: str | None = Field(default=None, max_length=500)
    """Address that mail comes from where a node does not say `from`."""
    smtp_timeout: Seconds = 30.0
    """Seconds that each step of sending a mail may take."""
    storage_url: Annotated[SecretStr, AfterValidator(checked_address)] | None = None
    """Database of what models cost and write: postgresql://… or sqlite:///…; empty means .orchestrator/storage.db."""
    model_rates: Annotated[dict[str, str], NoDecode, BeforeValidator(_rates)] = Field(default={})
    """Calls in a time, by provider or model, as JSON: {"openai": "500/minute"}; those too early wait. With Redis all
    workers count together."""
    redis_url: SecretStr | None = None
    """Redis that what models write is streamed through (docs/streaming.md); empty means the database of storage_url."""
    stream_flush_ms: int = Field(default=25, ge=1, le=5_000)
    """Milliseconds for which what models write is collected before it is shown."""
    stream_keep: Annotated[float, Field(gt=0, le=31_536_000)] = 86_400.0
    """Seconds for which a run's streamed text is kept after the last of it."""
    stream_run_bytes: int = Field(default=10_485_760, ge=10_000, le=10_000_000_000)
    """Bytes of streamed text kept of one run; beyond it the oldest goes."""
    models_file: Path | None = None
    """File of models and prices beside ours, as in orchestrator/models/registry.yaml."""
    unknown_price: PricePair | None = None
    """Dollars for a million tokens in and out, such as 0.5/1.5, of models without a known price; empty refuses caps."""
    budgets_file: Path | None = None
    """File of caps for users, tenants, conversations and definitions (docs/budgets.md)."""
    safety_prompt: CheckActions = Field(default={})
    """What is done at least about what checks find in prompts: secrets=mask,personal=flag (docs/safety.md)."""
    safety_answer: CheckActions = Field(default={})
    """The same about what models answer."""
    taint: Literal["refuse", "warn", "off"] = "warn"
    """What becomes at least of untrusted text that decides what an action does, whatever a definition says."""
    blob_dir: Annotated[Path, AfterValidator(no_other_scheme)] = Path(".orchestrator/blobs")
    """Folder of values too large for a run's history, or s3://bucket/prefix; workers of one task queue share it."""
    blob_s3_endpoint_url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    """Address of the S3 service of such a bucket, and of that of the archive; empty means AWS's own."""
    blob_kms_key: KmsKey | None = None
    """Key of AWS KMS (id, ARN or alias) that S3 encrypts large values with; empty means as the bucket says."""
    archive: Annotated[Path, AfterValidator(no_other_scheme)] | None = None
    """Folder, or s3://bucket/prefix, that every model call is written to (docs/archive.md); empty means nowhere."""
    archive_kms_key: KmsKey | None = None
    """Key of AWS KMS (id, ARN or alias) that S3 encrypts the archive with; empty means as the bucket says."""

    @property
    def storage_address(self) -> str:
        """Address of the storage, with its password if it has one."""
        return self.storage_url.get_secret_value() if self.storage_url else _STORAGE

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, the first that has one wins: the caller, the environment, ``.env``, secret files."""
        del file_secret_settings
        return init_settings, env_settings, dotenv_settings, SecretFiles(settings_cls, dotenv_settings, variable_name)

    def secret_values(self) -> list[str]:
        """Every secret in them, each key of a list by itself: what must not show in a log."""
        values = [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]
        keys = self.encryption_keys.get_secret_value().split(",") if self.encryption_keys else []
        return [*values, *(key.partition(":")[2].strip() for key in keys)]


def variable_name(field: str) -> str:
    """The environment variable that sets ``field``."""
    return field.upper() if field.startswith(_AS_EVERYBODY_CALLS_THEM) else f"{_PREFIX}{field.upper()}"


def misspelt(variables: Iterable[str]) -> Mapping[str, str]:
    """Those of ``variables`` that set nothing, and look like a setting: each with the one that was probably meant."""
    known = {variable_name(field) for field in Settings.model_fields}
    known |= {f"{variable_name(field)}_FILE" for field in secret_fields(Settings)}
    unknown = sorted({name for name in variables if name.upper().startswith(_PREFIX)} - known)
    near = {name: difflib.get_close_matches(name, known, n=1, cutoff=_LIKENESS) for name in unknown}
    return {name: found[0] for name, found in near.items() if found and name.upper() not in known}


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; ``overrides`` win over the environment, which wins over ``.env``.

    Raises:
        SettingsError: A value is wrong; the message names its variable, and never shows the value of a secret.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        problems = [
            f"{variable_name(str(item['loc'][0]).lower())}: {_sentence(item['msg'].removeprefix('Value error, '))}"
            for item in error.errors()
        ]
        raise SettingsError(
            f"{' '.join(problems)} Mend it in the environment or in .env; .env.example lists every setting."
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"The settings file .env cannot be read: {error}.") from error
    if problems := list(_contradictions(settings)):
        raise SettingsError(f"{' '.join(problems)} Mend it in the environment or in .env.")
    return settings


def _contradictions(settings: Settings) -> Iterator[str]:
    """What is wrong with settings that are right each by itself."""
    for low, high in (
        ("workflow_pollers_minimum", "workflow_pollers_maximum"),
        ("activity_pollers_minimum", "activity_pollers_maximum"),
        ("workflow_pollers_minimum", "max_concurrent_workflow_tasks"),
        ("activity_pollers_minimum", "max_concurrent_activities"),
    ):
        least, most = getattr(settings, low), getattr(settings, high)
        if least > most:
            yield f"{variable_name(low)} ({least}) is more than {variable_name(high)} ({most})."
    least = _CACHED_PER_TASK * settings.max_concurrent_workflow_tasks
    if settings.max_cached_workflows < least:
        yield (
            f"{variable_name('max_cached_workflows')} ({settings.max_cached_workflows}) is less than "
            f"{_CACHED_PER_TASK} times {variable_name('max_concurrent_workflow_tasks')}: make it {least} or more."
        )
    if settings.metrics_address is not None and settings.metrics_address == settings.health_address:
        yield f"{variable_name('metrics_address')} and {variable_name('health_address')} need a port each."
    if settings.encryption_keys is not None and settings.encryption_keys_file is not None:
        yield f"Set one of {variable_name('encryption_keys')} and {variable_name('encryption_keys_file')}, not both."
    for key, place in (("blob_kms_key", "blob_dir"), ("archive_kms_key", "archive")):
        where = getattr(settings, place)
        if getattr(settings, key) is not None and where is not None and not str(where).startswith("s3:"):
            yield f"{variable_name(key)} is for a bucket: {variable_name(place)} ({where}) has to be s3://bucket/prefix."


def _sentence(text: str) -> str:
    return f"{text[:1].lower()}{text[1:].rstrip('.')}."
