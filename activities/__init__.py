"""The half that touches the world: one file per node type, same names as in ``orchestrator.node_types``."""

from activities.table import Dependencies, all_activities

__all__ = ["Dependencies", "all_activities"]
