"""Checks of the Temporal server: whether it answers, its search attributes, and the workers that poll it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType, WorkerVersioningMode
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    GetClusterInfoRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.cli.doctor.checking import Check, Finding, fail, ok, perform, warn
from orchestrator.cli.native import take_over_logs
from orchestrator.connect import connect, connection_config
from orchestrator.contracts import SearchAttribute
from orchestrator.errors import ServerUnavailableError, SettingsError
from orchestrator.settings import Settings

__all__ = ["attribute_findings", "checks", "clock_findings", "worker_findings"]

START_A_WORKER = "Start one: `orchestrator worker`, or `orchestrator dev` for a server with a worker."
_POLL_S = 60.0
"""Seconds a poll waits at the server at most: a worker that lives has polled within this time."""
_LATE_S = _POLL_S + 20.0
_SKEW_S = 5.0
_MOST_SHOWN = 3


def checks(settings: Settings, timeout: float) -> dict[str, Check]:
    """The checks of this family: one, since all of them need the connection."""
    return {"temporal server": partial(_server, settings, timeout)}


async def _server(settings: Settings, timeout: float) -> Sequence[Finding]:  # noqa: ASYNC109 - also bounds what is asked then
    # What takes longest may take all of the time: the bound around this check is the same.
    patience = timeout / 2
    take_over_logs()
    try:
        client = await connect(timeout=patience)
    except ServerUnavailableError as error:
        mend = "Start one with `orchestrator dev`, or set TEMPORAL_ADDRESS to one that runs."
        return [fail("temporal server", error.message.partition(". Start one")[0], mend)]
    except SettingsError as error:
        return [fail("temporal server", error.message, "Mend the variable, or the profile file, that it names.")]
    asked: dict[str, Check] = {"temporal server": partial(_about, client), "namespace": partial(_namespace, client)}
    found = await perform(asked, patience / 2)
    if any(finding.check == "namespace" and finding.status == "fail" for finding in found):
        return found
    inside: dict[str, Check] = {
        "search attributes": partial(_attributes, client),
        "workers": partial(_workers, client, settings.task_queue),
    }
    return [*found, *await perform(inside, patience / 2)]


async def _about(client: Client) -> Sequence[Finding]:
    info = await client.workflow_service.get_cluster_info(GetClusterInfoRequest())
    address = client.service_client.config.target_host
    kind = " (SQLite: a development server)" if info.persistence_store == "sqlite" else ""
    secure = ", TLS" if connection_config().get("tls") else ""
    return [ok("temporal server", f"{info.server_version} at {address}{kind}{secure}")]


async def _namespace(client: Client) -> Sequence[Finding]:
    try:
        found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            mend = f"Set TEMPORAL_NAMESPACE, or make it: temporal operator namespace create -n {client.namespace}"
            return [fail("namespace", f"the server has no namespace {client.namespace}", mend)]
        if error.status == RPCStatusCode.PERMISSION_DENIED:
            return [warn("namespace", f"{client.namespace}; we may not look at it", "None is needed if runs start.")]
        raise
    kept = found.config.workflow_execution_retention_ttl.ToTimedelta()
    return [ok("namespace", f"{client.namespace}; ended runs are kept for {kept.total_seconds() / 86_400:g} days")]


async def _attributes(client: Client) -> Sequence[Finding]:
    try:
        request = ListSearchAttributesRequest(namespace=client.namespace)
        listed = await client.operator_service.list_search_attributes(request)
    except RPCError as error:
        mend = f"Ask its operator whether namespace {client.namespace} has {', '.join(SearchAttribute.ALL)}."
        return [warn("search attributes", f"the server does not list them: {error.message}", mend)]
    return attribute_findings(dict(listed.custom_attributes))


def attribute_findings(known: Mapping[str, "IndexedValueType.ValueType"]) -> Sequence[Finding]:
    """What the search attributes that a namespace has mean for us."""
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    missing = [name for name in SearchAttribute.ALL if name not in known]
    wrong = [name for name in SearchAttribute.ALL if known.get(name, keyword) != keyword]
    if wrong:
        mend = "Remove them, or use another namespace: then `orchestrator register` adds them."
        return [fail("search attributes", f"of another type than Keyword: {', '.join(wrong)}", mend)]
    if missing:
        mend = "`orchestrator register` adds them; until then `list` cannot choose by them."
        return [fail("search attributes", f"not registered: {', '.join(missing)}", mend)]
    return [ok("search attributes", f"all {len(SearchAttribute.ALL)} are registered")]


async def _workers(client: Client, task_queue: str) -> Sequence[Finding]:
    found = [
        await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
            )
        )
        for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
    ]
    now = datetime.now(UTC)
    pollers = [poller for answer in found for poller in answer.pollers]
    return [*worker_findings(task_queue, found[0], found[1], now), *clock_findings(pollers, now)]


def worker_findings(
    task_queue: str, steps: DescribeTaskQueueResponse, work: DescribeTaskQueueResponse, now: datetime
) -> Sequence[Finding]:
    """What the pollers of a task queue, for steps of workflows and for work nodes, say of its workers."""
    if not steps.pollers:
        return [fail("workers", f"none polls the task queue {task_queue}", START_A_WORKER)]
    latest = (now - _last(steps.pollers)).total_seconds()
    if latest > _LATE_S:
        says = f"none has polled the task queue {task_queue} for {latest:.0f} seconds"
        return [fail("workers", says, f"{START_A_WORKER} If one runs, compare the clocks.")]
    names = sorted({poller.identity for poller in steps.pollers})
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    says = f"{len(names)} on the task queue {task_queue}: {', '.join(names[:_MOST_SHOWN])}{more}{_versions(steps)}"
    if not work.pollers:
        mend = "Look at the log of the worker: work nodes wait until one polls for them."
        return [warn("workers", f"{says}; none takes work nodes", mend)]
    if unused := _not_current(steps):
        mend = (
            f"temporal worker deployment set-current-version --deployment-name {unused[0]} --build-id {unused[1]}, "
            "or unset TEMPORAL_DEPLOYMENT_NAME for the worker"
        )
        return [warn("workers", f"{says}; no version of them is current, so new runs wait", mend)]
    return [ok("workers", says)]


def _versions(found: DescribeTaskQueueResponse) -> str:
    """Deployments and build ids of workers that have them."""
    shown = sorted(
        {
            f"{options.deployment_name} {options.build_id}" if _is_versioned(poller) else options.build_id
            for poller in found.pollers
            if (options := poller.deployment_options).build_id
        }
    )
    return f" ({', '.join(shown[:_MOST_SHOWN])})" if shown else ""


def _is_versioned(poller: PollerInfo) -> bool:
    return poller.deployment_options.worker_versioning_mode == WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED


def _not_current(found: DescribeTaskQueueResponse) -> tuple[str, str] | None:
    """A versioned worker, where there are no others and none of their versions is current: nobody takes new runs."""
    if found.versioning_info.current_version not in {"", "__unversioned__"}:
        return None
    if not all(_is_versioned(poller) for poller in found.pollers):
        return None
    first = found.pollers[0].deployment_options
    return first.deployment_name, first.build_id


def clock_findings(pollers: Iterable[PollerInfo], now: datetime) -> Sequence[Finding]:
    """What the server's times of polls, the only ones it tells, say of this machine's clock; nothing without polls."""
    known = list(pollers)
    if not known:
        return []
    behind = (_last(known) - now).total_seconds()
    if behind > _SKEW_S:
        mend = "Set the clocks by NTP: deadlines and ages that are shown here are off by as much."
        return [warn("clock", f"this machine is at least {behind:.0f} seconds behind the server", mend)]
    return [ok("clock", "not behind the server's")]


def _last(pollers: Iterable[PollerInfo]) -> datetime:
    return max(poller.last_access_time.ToDatetime(tzinfo=UTC) for poller in pollers)
