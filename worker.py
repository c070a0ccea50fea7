"""Composition root of the worker process: settings, providers, activities, Worker; runs until told to stop."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

import httpx
import temporalio.activity
import temporalio.workflow
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities import Dependencies, all_activities
from activities.blobs import FolderBlobs
from activities.look_at_run import LookAtRun
from activities.providers.base import ChatProvider
from activities.providers.simulated import Simulated
from activities.resolve import ResolveDefinition
from orchestrator import __version__
from orchestrator.connect import connect, connection_config
from orchestrator.contracts import Rollover
from orchestrator.errors import OrchestratorError, ServerUnavailableError, SettingsError
from orchestrator.fork import forked
from orchestrator.leave import leave
from orchestrator.logs import configure_logs
from orchestrator.models import OPENAI, SIMULATED
from orchestrator.settings import Settings, load_settings
from orchestrator.workflow.interpreter import GraphWorkflow
from orchestrator.workflow.surplus import OneArgument

__all__ = ["build_worker", "main", "open_dependencies", "run_until", "start_logs", "warn_of_simulation"]

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_SETTINGS = 2
EXIT_SERVER_AWAY = 3

_PASSED_THROUGH = ("orchestrator", "jsonschema_rs", "re2", "pydantic", "pydantic_core")
_log = logging.getLogger("worker")


@asynccontextmanager
async def open_dependencies(settings: Settings) -> AsyncGenerator[Dependencies]:
    """What activities need from outside, open while the context lasts.

    Without a key or address of a model endpoint every model is the simulated one.
    """
    chat: dict[str, ChatProvider] = {SIMULATED: Simulated()}
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    async with AsyncExitStack() as open_parts:
        if key or settings.openai_base_url:
            from activities.providers.openai_compatible import OpenAICompatible  # noqa: PLC0415 - costs a second

            openai = OpenAICompatible(api_key=key, base_url=settings.openai_base_url)
            open_parts.push_async_callback(openai.close)
            chat[OPENAI] = openai
        http = await open_parts.enter_async_context(httpx.AsyncClient())
        yield Dependencies(
            http=http,
            chat=chat,
            blobs=FolderBlobs(settings.blob_dir),
            http_max_bytes=settings.http_max_response_bytes,
        )


def build_worker(client: Client, settings: Settings, *, dependencies: Dependencies) -> Worker:
    """The worker of production, demo and tests alike: not yet polling; use it as a context, or ``run_until``."""
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
        activities=[*all_activities(dependencies), resolve.resolve_definition, LookAtRun(client).look_at_run],
        interceptors=[OneArgument()],
        # The SDK's own would be a hash over the code of every module loaded, which takes seconds.
        build_id=f"orchestrator-{__version__}",
        workflow_runner=_runner(sandboxed=settings.sandboxed),
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_local_activities=settings.max_concurrent_activities,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(minimum=2, initial=5, maximum=20),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, initial=5, maximum=20),
        # An update above 2 MiB is refused by the server; checked here instead, its request would wedge the run. What we
        # send ourselves is measured where it is made (MAX_PAYLOAD_BYTES).
        disable_payload_error_limit=True,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=settings.sticky_timeout),
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_timeout),
    )


def _runner(*, sandboxed: bool) -> WorkflowRunner:
    """The interpreter is ours and replay-tested: in production the sandbox would only cost half the speed."""
    if not sandboxed:
        return UnsandboxedWorkflowRunner()
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH))


async def run_until(stop: asyncio.Event, worker: Worker) -> None:
    """Runs ``worker`` until ``stop`` is set, then lets the nodes in flight finish within the grace period.

    Raises:
        SettingsError: The server does not know the namespace, or refuses the worker.
        RuntimeError: The worker could not go on, once it had begun.
    """
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            _log.info("stopping: nodes in flight may finish, nothing new is taken")
            await worker.shutdown()
        await running
    except RuntimeError as error:
        # The SDK names what ended a worker under way as the cause; one that it never let begin has none.
        if error.__cause__ is not None:
            raise
        reason = str(error).partition(": Status {")[0]
        raise SettingsError(f"The Temporal server does not accept this worker: {reason}.") from error
    finally:
        stopping.cancel()


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await connect()
    async with open_dependencies(settings) as dependencies:
        worker = build_worker(client, settings, dependencies=dependencies)
        _log.info(
            "worker polls task queue %s of %s, namespace %s; definitions are in %s",
            settings.task_queue,
            client.service_client.config.target_host,
            client.namespace,
            settings.definitions_dir,
        )
        warn_of_simulation(settings)
        await run_until(stop, worker)
    _log.info("worker stopped")


def warn_of_simulation(settings: Settings) -> None:
    """Says so in the log when every model is the simulated one."""
    if not settings.openai_api_key and not settings.openai_base_url:
        _log.warning(
            "no model endpoint is configured (OPENAI_API_KEY or OPENAI_BASE_URL): the answers of models are simulated"
        )


def start_logs(settings: Settings) -> None:
    """Logs as the settings say, with every secret of theirs masked and each run, node and attempt in fields."""
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
    configure_logs(settings.log_level, settings.log_format, secrets=(key, connection_config().get("api_key", "")))
    # Run, node and attempt are fields of each line; Temporal would append them to its text as well.
    temporalio.workflow.logger.workflow_info_on_message = False
    temporalio.activity.logger.activity_info_on_message = False


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
