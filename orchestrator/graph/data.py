"""What a run knows: its inputs, the outputs of its nodes, its shared state; and what may be looked up in them."""

from collections.abc import Mapping
from typing import Any

from orchestrator.graph.channels import Channels
from orchestrator.graph.plan import Plan, PlanNode, Template
from orchestrator.graph.values import fill_exact, pick

__all__ = ["RunData"]


class RunData:
    """The data of one run.

    Args:
        plan: The plan; says which nodes' earlier visits are kept.
        inputs: The run's inputs, defaults filled in.
        about: The roots ``context`` and ``run``.
        dumped: What ``dump`` gave, to go on from there.
    """

    def __init__(
        self,
        plan: Plan,
        inputs: Mapping[str, Any],
        about: Mapping[str, Any],
        dumped: Mapping[str, Any] | None = None,
    ) -> None:
        kept = dumped or {}
        self.inputs = inputs
        self.nodes: dict[str, dict[str, Any]] = dict(kept.get("nodes", {}))
        self.channels = Channels(plan.state, kept.get("channels"))
        self._roots: dict[str, Any] = {
            **about,
            "inputs": inputs,
            "nodes": self.nodes,
            "state": self.channels.values,
        }

    def roots(self, output: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """What expressions and references may name. ``output`` is the output of the node at hand."""
        return self._roots if output is None else {**self._roots, "output": output}

    def record(self, node: PlanNode, output: dict[str, Any]) -> None:
        """Keep the output of a finished visit as ``nodes.<id>``."""
        if node.keep_visits:
            earlier = self.nodes.get(node.id, {}).get("visits", [])
            output = {**output, "visits": [*earlier, output]}
        self.nodes[node.id] = output

    def restore(self, node: PlanNode, known: dict[str, Any] | None) -> None:
        """Take back the last output of a node: ``known`` is the one before it, none when there was none."""
        if known is None:
            self.nodes.pop(node.id, None)
        else:
            self.nodes[node.id] = known

    def change_inputs(self, inputs: Mapping[str, Any]) -> None:
        """Put other inputs in place of the ones there are."""
        self.inputs = inputs
        self._roots["inputs"] = inputs

    def values_for(self, template: Template, output: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The part of the data that a template reads, and nothing else: what crosses to an activity."""
        return pick(template.reads, self.roots(output)) if template.reads else {}

    def fill(self, template: Template, output: Mapping[str, Any] | None = None) -> Any:
        """The value of a template that needs no rendering (``template.exact``).

        Raises:
            TemplateError: A reference leads nowhere.
        """
        return fill_exact(template.value, self.roots(output)) if template.reads else template.value

    def dump(self) -> dict[str, Any]:
        """The data as JSON, without the inputs."""
        return {"nodes": self.nodes, "channels": self.channels.dump()}
