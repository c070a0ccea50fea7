"""Composition root of the worker process: settings, providers, activities, Worker; runs until told to stop."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial

import temporalio.activity
import temporalio.workflow
from dotenv import dotenv_values
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities import Dependencies, all_activities
from activities.archive import open_archive
from activities.asking import Rates, read_rates
from activities.blobs import blob_store
from activities.budgets import read_budgets
from activities.caching import Cache
from activities.databases import Databases
from activities.extensions import extension_providers, not_installed
from activities.lazily import Lazily
from activities.look_at_run import LookAtRun
from activities.mail import MailServer
from activities.masking import masker_of
from activities.providers.opening import anything_configured, keys_of_endpoints, open_providers
from activities.resolve import ResolveDefinition
from activities.secrets import DATABASE_PREFIX, ENV_FILE, SECRET_PREFIX, NamedSecrets, masked, spellings
from activities.spending import Purse
from activities.streaming import Streams, token_log
from activities.web import web_client
from orchestrator import __version__
from orchestrator.blob_place import shown_place
from orchestrator.connect import connect, connection_config
from orchestrator.contracts import Rollover
from orchestrator.definition.taint import set_least
from orchestrator.encryption import keys_of
from orchestrator.errors import OrchestratorError, ServerUnavailableError
from orchestrator.fork import forked
from orchestrator.leave import leave
from orchestrator.logs import configure_logs, mask_with
from orchestrator.models import Price, add_models
from orchestrator.operating.draining import Stop, run_until, stop_signals, unless_stopped
from orchestrator.operating.health import Health, serving_health
from orchestrator.operating.nodes import NodesInFlight
from orchestrator.operating.standing import counting
from orchestrator.operating.telemetry import meter_of, open_runtime
from orchestrator.operating.traces import worker_traces
from orchestrator.operating.versioning import deployment
from orchestrator.safety import Guard, checks
from orchestrator.settings import Settings, load_settings, misspelt
from orchestrator.workflow.interpreter import GraphWorkflow
from orchestrator.workflow.surplus import OneArgument
from storage import Storage, open_storage, usable

__all__ = ["build_worker", "main", "open_dependencies", "run_until", "start_logs", "warn_of_simulation"]

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_SETTINGS = 2
EXIT_SERVER_AWAY = 3

_PASSED_THROUGH = ("orchestrator", "jsonschema_rs", "re2", "pydantic", "pydantic_core")
_NOT_OURS = (SECRET_PREFIX, DATABASE_PREFIX)
_POLLERS_AT_FIRST = 5
_log = logging.getLogger("worker")


@asynccontextmanager
async def open_dependencies(settings: Settings) -> AsyncGenerator[Dependencies]:
    """What activities need from outside, open while the context lasts.

    Raises:
        SettingsError: An installed package declares a provider that cannot be used, or a file of a setting is wrong.
    """
    secrets = NamedSecrets(SECRET_PREFIX, settings.secrets_dir, ENV_FILE)
    addresses = NamedSecrets(DATABASE_PREFIX, settings.databases_dir, ENV_FILE)
    databases = Databases(addresses, settings.databases_pool)
    add_models(settings.models_file)
    set_least(settings.taint)
    if settings.storage_url is not None:
        usable(settings.storage_address)
    known = (secrets.mask, addresses.mask, partial(masked, texts=spellings(keys_of_endpoints(secrets))))
    mask_with(*known)
    if unknown := sorted(set(settings.secret_hosts) - set(secrets.names())):
        _log.warning("ORCHESTRATOR_SECRET_HOSTS bounds secrets that are not there (yet): %s", ", ".join(unknown))
    async with AsyncExitStack() as open_parts:
        chat = open_providers(settings, secrets, open_parts)
        open_parts.push_async_callback(databases.close)
        storage = Lazily(partial(open_storage, settings.storage_address))
        open_parts.push_async_callback(storage.close)
        purse = _purse(settings, storage)
        streams = Streams(partial(token_log, settings), flush_s=settings.stream_flush_ms / 1_000)
        open_parts.push_async_callback(streams.close)
        masker = masker_of(settings, (*known, partial(masked, texts=_own_secrets(settings))))
        archive = open_archive(settings, masker)
        open_parts.push_async_callback(archive.close)
        blobs = blob_store(settings)
        cache = Cache(storage, keys_of(settings))
        open_parts.push_async_callback(cache.close)
        http = await open_parts.enter_async_context(web_client(settings.http_allow_private))
        dependencies = Dependencies(
            http=http,
            chat=chat,
            blobs=blobs,
            cache=cache,
            http_max_bytes=settings.http_max_response_bytes,
            secrets=secrets,
            databases=databases,
            mail=_mail_server(settings),
            files_dirs=settings.files_dirs,
            secret_hosts=settings.secret_hosts,
            purse=purse,
            streams=streams,
            archive=archive,
            masker=masker,
            guard=Guard(checks(), settings.safety_prompt, settings.safety_answer),
            rates=Rates(
                read_rates(settings.model_rates), settings.redis_url.get_secret_value() if settings.redis_url else None
            ),
        )
        # Where all is to be simulated, what packages bring is so as well.
        yield replace(dependencies, chat={**extension_providers(dependencies.context), **chat})


def _purse(settings: Settings, storage: Lazily[Storage]) -> Purse:
    price = settings.unknown_price
    return Purse(
        storage,
        read_budgets(settings.budgets_file) if settings.budgets_file else (),
        None if price is None else Price(*price),
    )


def _mail_server(settings: Settings) -> MailServer:
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        user=settings.smtp_user,
        password=settings.smtp_password,
        tls=settings.smtp_tls,
        sender=settings.smtp_from,
        timeout=settings.smtp_timeout,
    )


def build_worker(
    client: Client, settings: Settings, *, dependencies: Dependencies, nodes: NodesInFlight | None = None
) -> Worker:
    """The worker of production, demo and tests alike: not yet polling; use it as a context, or ``run_until``.

    Args:
        client: What it polls with.
        settings: How much it does at a time, and for how long.
        dependencies: What its activities need.
        nodes: What watches its activities; none for one of its own.

    Raises:
        SettingsError: The variables of Worker Versioning are wrong, or an installed package declares something that
            cannot be used.
    """
    versioned = deployment()
    rollover = Rollover(events=settings.rollover_events)
    resolve = ResolveDefinition(
        settings.definitions_dir,
        client,
        settings.heartbeat_timeout,
        rollover,
        partial(forked, client),
        dependencies.blobs,
    )
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[GraphWorkflow],
        activities=[
            *all_activities(dependencies),
            resolve.resolve_definition,
            LookAtRun(client).look_at_run,
            not_installed,
        ],
        interceptors=[OneArgument(), *worker_traces(), nodes or NodesInFlight(meter_of(client))],
        # The SDK's own build id would be a hash over the code of every module loaded, which takes seconds.
        build_id=None if versioned else f"orchestrator-{__version__}",
        deployment_config=versioned,
        workflow_runner=_runner(sandboxed=settings.sandboxed),
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_local_activities=settings.max_concurrent_local_activities,
        workflow_task_poller_behavior=_pollers(settings.workflow_pollers_minimum, settings.workflow_pollers_maximum),
        activity_task_poller_behavior=_pollers(settings.activity_pollers_minimum, settings.activity_pollers_maximum),
        # An update above 2 MiB is refused by the server; checked here instead, its request would wedge the run. What we
        # send ourselves is measured where it is made (MAX_PAYLOAD_BYTES).
        disable_payload_error_limit=True,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=settings.sticky_timeout),
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_timeout),
    )


def _pollers(minimum: int, maximum: int) -> PollerBehaviorAutoscaling:
    initial = min(max(_POLLERS_AT_FIRST, minimum), maximum)
    return PollerBehaviorAutoscaling(minimum=minimum, initial=initial, maximum=maximum)


def _runner(*, sandboxed: bool) -> WorkflowRunner:
    """The interpreter is ours and replay-tested: in production the sandbox would only cost half the speed."""
    if not sandboxed:
        return UnsandboxedWorkflowRunner()
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH))


async def _serve(settings: Settings) -> None:
    # Signals first: as process 1 of a container, one that comes while it connects would be lost otherwise.
    async with stop_signals() as stop:
        client = await unless_stopped(stop, connect(settings=settings, runtime=open_runtime(settings)))
        if client is not None:
            await _work(client, settings, stop)
    _log.info("worker stopped")


async def _work(client: Client, settings: Settings, stop: Stop) -> None:
    nodes = NodesInFlight(meter_of(client))
    async with open_dependencies(settings) as dependencies:
        worker = build_worker(client, settings, dependencies=dependencies, nodes=nodes)
        async with (
            serving_health(settings, Health(client, worker, stop)),
            counting(client, settings.task_queue, meter_of(client), settings.metrics_interval)
            if settings.metrics_address
            else nullcontext(),
        ):
            _introduce(client, settings)
            _warn_of_typing_errors()
            warn_of_simulation(settings)
            await run_until(stop, worker, hurried=stop.hurry, hurry=nodes.hurry)


def _introduce(client: Client, settings: Settings) -> None:
    _log.info(
        "worker polls task queue %s of %s, namespace %s; definitions are in %s",
        settings.task_queue,
        client.service_client.config.target_host,
        client.namespace,
        settings.definitions_dir,
    )
    if settings.archive is not None:
        _log.info("every call of a model is archived in %s", shown_place(settings.archive))


def _warn_of_typing_errors() -> None:
    names = [*os.environ, *dotenv_values(ENV_FILE)]
    for name, meant in misspelt(name for name in names if not name.startswith(_NOT_OURS)).items():
        _log.warning("%s is no setting, and has no effect: did you mean %s?", name, meant)


def warn_of_simulation(settings: Settings) -> None:
    """Says so in the log when every model is the simulated one."""
    if not anything_configured(settings):
        _log.warning(
            "no model provider is configured (set OPENAI_API_KEY, or see docs/models.md), or "
            "ORCHESTRATOR_SIMULATE_MODELS is set: the answers of models are simulated"
        )


def start_logs(settings: Settings) -> None:
    """Logs as the settings say, with every secret of theirs masked and each run, node and attempt in fields."""
    configure_logs(settings.log_level, settings.log_format, secrets=_own_secrets(settings))
    # Run, node and attempt are fields of each line; Temporal would append them to its text as well.
    temporalio.workflow.logger.workflow_info_on_message = False
    temporalio.activity.logger.activity_info_on_message = False


def _own_secrets(settings: Settings) -> Sequence[str]:
    return spellings([*settings.secret_values(), connection_config().get("api_key") or ""])


def main() -> int:
    """Runs a worker until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after an orderly stop, 1 when the worker could not go on, 2 when a setting is wrong, 3 when no
        Temporal server answers.
    """
    try:
        settings = load_settings()
        start_logs(settings)
        asyncio.run(_serve(settings))
    except OrchestratorError as error:
        sys.stderr.write(f"worker: {error.message}\n")
        return EXIT_SERVER_AWAY if isinstance(error, ServerUnavailableError) else EXIT_SETTINGS
    except Exception:  # noqa: BLE001 - whatever it is, the log is where people look
        _log.exception("the worker failed")
        return EXIT_FAILED
    return EXIT_OK


if __name__ == "__main__":
    leave(main())
