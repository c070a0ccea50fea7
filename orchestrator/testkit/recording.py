"""Makes a case of a real run: reads what came to it and to the runs that it started, and puts that together."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from temporalio.client import Client

from orchestrator.contracts import Message, ResolveRequest, RunResult, Usage
from orchestrator.errors import RequestError
from orchestrator.graph.blobs import blobs_in
from orchestrator.graph.plan import Plan
from orchestrator.testkit.labels import Label, find_node, without_indexes
from orchestrator.testkit.recorded import Tale, tale_of
from orchestrator.testkit.writing import Happened, Pause, RecordedRun, RecordedVisit, Stop
from orchestrator.trace import trace_of

__all__ = ["Fill", "recorded_run"]

Fill = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Gives an output with what is in blob storage in its place."""

_UNDER_WAY = frozenset({"running", "cancelling"})
_OUTSIDE = frozenset({"TERMINATED"})
"""Codes of ends that are not the run's own doing."""
_SHARE = 0.9
"""Of a node's timeout, the most that a mock may take."""


async def recorded_run(client: Client, run_id: str, result: RunResult, fill: Fill, name: str | None) -> RecordedRun:
    """What a case needs to know of a run that has ended, or that waits for somebody.

    Args:
        client: A connected client.
        run_id: The run.
        result: How it ended, or stands.
        fill: Brings in what is in blob storage.
        name: Name of the case; none takes the run's id.

    Raises:
        RunNotFoundError: There is no such run.
        RequestError: It cannot be written as a case; says why.
    """
    trace = await trace_of(client, run_id)
    if trace.request is None:
        raise RequestError(f"the beginning of `{run_id}` is gone from the server, so nobody knows how it came so far")
    if trace.request.fork is not None:
        source = trace.request.fork.run
        raise RequestError(f"`{run_id}` took over what `{source}` had done; record that one")
    if result.status in _UNDER_WAY or (result.error is not None and result.error.code in _OUTSIDE):
        how = "is under way" if result.status in _UNDER_WAY else "was terminated"
        raise RequestError(f"`{run_id}` {how}: only a run that has ended by itself, or waits, can be a case")
    family = _Family(client)
    tale = await tale_of(client, run_id)
    await family.add("", tale, trace.plan)
    visits = [await _filled(visit, fill) for visit in family.visits(trace.plan)]
    plan = trace.plan
    return RecordedRun(
        definition=f"{plan.name}@{plan.version}",
        name=name or run_id,
        inputs=trace.request.inputs,
        plan=plan,
        children=family.plans,
        visits=visits,
        messages=[_timed(*said) for said in sorted(family.messages(tale.began), key=lambda said: said[0])],
        context=trace.request.context,
        limits=trace.request.limits,
        status=result.status,
        path=None if result.path_omitted else result.path,
        outputs=await fill(dict(result.outputs)),
        error=result.error,
        cost_usd=None if family.lost_usage else result.cost_usd,
    )


async def _filled(visit: RecordedVisit, fill: Fill) -> RecordedVisit:
    if visit.output is None or next(blobs_in(visit.output), None) is None:
        return visit
    return replace(visit, output=await fill(dict(visit.output)))


class _Family:
    """A run, and the runs that it started, however deep."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tales: list[tuple[str, Tale]] = []
        self.plans: dict[str, Plan] = {}
        """Of child runs, by their place in the definition."""
        self.lost_usage = False
        """Something was paid that no mock can say."""

    async def add(self, prefix: str, tale: Tale, plan: Plan) -> None:
        """Add a run that stands at ``prefix`` in the root's graph, and those that it started."""
        self._tales.append((prefix, tale))
        if prefix:
            self.plans[without_indexes(prefix)] = plan
        for run_id, label in tale.children:
            trace = await trace_of(self._client, run_id)
            await self.add(f"{prefix}.{label}".removeprefix("."), await tale_of(self._client, run_id), trace.plan)

    def visits(self, plan: Plan) -> Iterator[RecordedVisit]:
        """What the mocks are to give."""
        for prefix, tale in self._tales:
            for tries in tale.results.values():
                # A second try comes after a `resolve`, which is written so that it needs no other mock.
                visit = tries[0]
                label = _at(prefix, visit.label)
                node = find_node(plan, Label.read(label), self.plans).node
                if node is not None:
                    # One that was cut short must still be under way when it is cut short again.
                    most = node.timeout * _SHARE
                    yield replace(visit, label=label, after=most if visit.cut else min(visit.after, most))

    def messages(self, began: float) -> Iterator[tuple[float, Happened]]:
        """What people said, at seconds since ``began``, to whom it is seen from the root."""
        for prefix, tale in self._tales:
            tries: dict[str, int] = {}
            for at, happened, resolved in tale.said:
                for step in self._steps(prefix, tale, happened, resolved, tries):
                    yield max(0.0, at - began), step

    def _steps(
        self, prefix: str, tale: Tale, happened: Happened, resolved: tuple[str, ...], tries: dict[str, int]
    ) -> Iterator[Happened]:
        match happened:
            case Message():
                if prefix and happened.node is None:
                    raise RequestError(
                        f"a message to a child run names no node: nobody knows which of `{prefix}` it meant"
                    )
                node = None if happened.node is None else _at(prefix, happened.node)
                yield happened.model_copy(update={"node": node})
            case ResolveRequest():
                for label in resolved:
                    yield self._resolution(prefix, tale, happened, label, tries)
            case Pause() | Stop() if prefix:
                raise RequestError(
                    f"the child run at `{prefix}` was paused or cancelled by itself, which no case can say"
                )
            case _:
                yield happened

    def _resolution(
        self, prefix: str, tale: Tale, asked: ResolveRequest, label: str, tries: dict[str, int]
    ) -> ResolveRequest:
        """A ``resolve``; a retry that gave something at last is written as giving just that."""
        node = _at(prefix, label.rpartition("#")[0] or label)
        if asked.action != "retry":
            return asked.model_copy(update={"node": node})
        tries[label] = tries.get(label, 0) + 1
        results = tale.results.get(label, [])
        given = results[tries[label]] if tries[label] < len(results) else None
        if given is None or given.output is None:
            return asked.model_copy(update={"node": node})
        self.lost_usage = self.lost_usage or given.usage not in (None, Usage())
        return ResolveRequest(
            action="override", node=node, output=dict(given.output), by=asked.by, comment=asked.comment
        )


def _timed(at: float, happened: Happened) -> tuple[float | None, Happened]:
    """A node parks a little earlier or later each time; what was said of it has to wait for that."""
    return None if isinstance(happened, ResolveRequest) else at, happened


def _at(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
