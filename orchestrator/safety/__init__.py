"""Safety checks of what goes to models and comes from them: secrets, personal data, injected orders, odd characters."""

from orchestrator.safety.base import ACTIONS, Action, Check, Finding, Match
from orchestrator.safety.characters import MOST_CHARACTERS, Size
from orchestrator.safety.checking import Checked, chosen, inspect
from orchestrator.safety.guarding import Guard, Side
from orchestrator.safety.registry import BUILT_IN, GROUP, check_names, checks
from orchestrator.safety.settings import Actions, SafetySettings, actions_listed

__all__ = [
    "ACTIONS",
    "BUILT_IN",
    "GROUP",
    "MOST_CHARACTERS",
    "Action",
    "Actions",
    "Check",
    "Checked",
    "Finding",
    "Guard",
    "Match",
    "SafetySettings",
    "Side",
    "Size",
    "actions_listed",
    "check_names",
    "checks",
    "chosen",
    "inspect",
]
