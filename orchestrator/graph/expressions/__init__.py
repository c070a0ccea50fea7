"""CEL expressions over JSON values: parsed outside the workflow (``parser``), evaluated anywhere (here)."""

from orchestrator.graph.expressions.evaluator import DEFAULT_BUDGET, Program, evaluate
from orchestrator.graph.expressions.nodes import Ast

__all__ = ["DEFAULT_BUDGET", "Ast", "Program", "evaluate"]
