"""The one door to runs, for command line, gateway and scripts: start, watch, answer, resolve, cancel."""

from orchestrator.client.attention import Resolution, Trouble
from orchestrator.client.door import Orchestrator

__all__ = ["Orchestrator", "Resolution", "Trouble"]
