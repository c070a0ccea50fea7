"""Says what a run can cost at least and at most before it begins, from its plan and the prices of its models."""

from orchestrator.estimating.figures import Estimate, NodeEstimate, NotKnown
from orchestrator.estimating.walking import Child, estimate

__all__ = ["Child", "Estimate", "NodeEstimate", "NotKnown", "estimate"]
