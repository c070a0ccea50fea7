"""Does one visit of one node: calls its activity, or asks its question and waits."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic_core import to_json
from temporalio import workflow

from orchestrator.contracts import MAX_PAYLOAD_BYTES, Awaiting, Message, Usage, visit_label
from orchestrator.errors import NodeError, TooLargeError
from orchestrator.graph.data import RunData
from orchestrator.graph.plan import Plan, PlanNode, Retry, Template
from orchestrator.graph.schema import check_schema, problems
from orchestrator.graph.values import prune
from orchestrator.workflow import dispatch
from orchestrator.workflow.inbox import Inbox, Question
from orchestrator.workflow.journal import Journal

__all__ = ["Visits"]

_USUAL_RETRY = Retry()
_MOST_QUESTION_BYTES = 20_000
_MOST_SHOWN = 300
"""Characters of a question in an event: a page may hold a thousand of them."""


class Visits:
    """Performs the visits of one run.

    Args:
        data: What the run knows.
        dispatcher: Calls activities.
        journal: Where events go.
        inbox: Where questions wait.
        changed: Called when a question has begun to wait.
    """

    def __init__(
        self,
        data: RunData,
        dispatcher: dispatch.Dispatcher,
        journal: Journal,
        inbox: Inbox,
        changed: Callable[[], None],
    ) -> None:
        self.usage: dict[str, Usage] = {}
        self.total_usage = Usage()
        self._data = data
        self._dispatcher = dispatcher
        self._first_run_id = workflow.info().first_execution_run_id
        self._journal = journal
        self._inbox = inbox
        self._changed = changed

    async def perform(self, plan: PlanNode, visit: int) -> dict[str, Any]:
        """Have an activity do it. Returns the node's output."""
        # A NodeCall as JSON, without what is as usual: building the model would cost more than encoding it.
        call: dict[str, Any] = {
            "node": plan.id,
            "visit": visit,
            "type": plan.type,
            "config": plan.config.value,
            "values": self._data.values_for(plan.config),
            "first_run_id": self._first_run_id,
        }
        if plan.retry != _USUAL_RETRY:
            call["retry"] = plan.retry.model_dump(exclude_defaults=True)
        result = await self._dispatcher.perform(plan, visit, call)
        if result.get("usage"):
            usage = Usage.model_validate(result["usage"])
            self.usage[plan.id] = self.usage.get(plan.id, Usage()).plus(usage)
            self.total_usage = self.total_usage.plus(usage)
        return result["output"]

    async def ask(self, plan: PlanNode, visit: int) -> dict[str, Any]:
        """Ask a node's question and wait for the answer. Returns the node's output."""
        config = await self._value(plan.config, f"{visit_label(plan.id, visit)}:question")
        question, schema = config["question"], config.get("answer")
        if schema is not None and not isinstance(schema, Mapping):
            raise NodeError(f"the schema of the answer must be an object, not {to_json(schema).decode()[:50]}")
        if schema is not None:
            check_schema(schema)
        if (size := len(to_json([question, schema]))) > _MOST_QUESTION_BYTES:
            raise TooLargeError(
                f"the question and its schema take {size:,} bytes, more than {_MOST_QUESTION_BYTES:,}; show long texts "
                "by other means"
            )
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def answered(value: Any, message: Message) -> None:
            output = {"value": value, "text": message.text, "values": message.values}
            answer.set_result(output | {"message_id": message.message_id, "at": workflow.now().isoformat()})

        awaiting = Awaiting(
            node=plan.id,
            visit=visit,
            question=question if isinstance(question, str) else to_json(question).decode(),
            answer_schema=None if schema is None else dict(cast("Mapping[str, Any]", schema)),
            since=workflow.now().isoformat(),
        )
        self._inbox.ask(Question(awaiting, answered))
        self._journal.add("AWAITING_INPUT", plan.id, visit, question=awaiting.question[:_MOST_SHOWN])
        for message, error in self._inbox.deliver():
            self._journal.reject(message, error)
        self._changed()
        try:
            return await answer
        finally:
            self._inbox.withdraw(plan.id, visit)

    async def writes(self, plan: PlanNode, visit: int, output: dict[str, Any]) -> dict[str, Any]:
        """What a finished visit writes into shared state: channel to value."""
        if not plan.write:
            return {}
        together = Template(
            value={name: template.value for name, template in plan.write.items()},
            reads=prune(path for template in plan.write.values() for path in template.reads),
            exact=all(template.exact for template in plan.write.values()),
        )
        return await self._value(together, f"{visit_label(plan.id, visit)}:write", output)

    async def outputs(self, plan: Plan) -> dict[str, Any]:
        """The outputs of the run.

        Raises:
            NodeError: They do not fit their types.
            TooLargeError: They are larger than a run may carry.
        """
        outputs: dict[str, Any] = await self._value(plan.outputs, "outputs")
        schemas: dict[str, Any] = (plan.output_schema or {}).get("properties", {})
        # One by one: a schema's own references start at its own root.
        wrong = [
            f"{name}: {problem}" for name, schema in schemas.items() for problem in problems(schema, outputs[name])
        ]
        if wrong:
            raise NodeError(f"the outputs do not fit their types: {'; '.join(wrong)}", details={"problems": wrong})
        if (size := len(to_json(outputs))) > MAX_PAYLOAD_BYTES:
            raise TooLargeError(f"the outputs take {size:,} bytes, more than {MAX_PAYLOAD_BYTES:,}")
        return outputs

    async def _value(self, template: Template, where: str, output: dict[str, Any] | None = None) -> Any:
        if template.exact:
            return self._data.fill(template, output)
        return await self._dispatcher.render(template.value, self._data.values_for(template, output), where=where)
