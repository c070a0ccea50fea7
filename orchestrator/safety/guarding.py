"""Stands between a definition's texts and a model: what the worker checks, by what everybody has said."""

from collections.abc import Mapping
from typing import Literal

from orchestrator.safety.base import Action, Check
from orchestrator.safety.characters import Size
from orchestrator.safety.checking import Checked, chosen, inspect
from orchestrator.safety.settings import SafetySettings

__all__ = ["Guard", "Side"]

Side = Literal["prompt", "answer"]


class Guard:
    """Checks texts on their way to a model, and from it.

    Args:
        checks: Every check by name.
        prompt: What the platform asks for at least, of what goes to a model.
        answer: The same of what comes from it.
    """

    def __init__(self, checks: Mapping[str, Check], prompt: Mapping[str, Action], answer: Mapping[str, Action]) -> None:
        self._checks = checks
        self._least: Mapping[str, Mapping[str, Action]] = {"prompt": prompt, "answer": answer}

    @property
    def least(self) -> Mapping[str, Mapping[str, Action]]:
        """What the platform asks for at least, by side."""
        return self._least

    def may_change(self, side: Side, said: SafetySettings | None) -> bool:
        """Whether a check may take something out of a text, or refuse it for more than its size."""
        wanted = (said or SafetySettings()).prompt if side == "prompt" else (said or SafetySettings()).answer
        actions = chosen(self._checks, wanted, self._least[side])
        return any(action in ("mask", "refuse") for name, action in actions.items() if name != "size")

    def inspect(self, side: Side, texts: Mapping[str, str], said: SafetySettings | None) -> Checked:
        """The texts as they may be used, and what was found in them. Call it in a thread: long texts take a while.

        Args:
            side: Whether they go to a model or come from it.
            texts: By where they stand, such as ``messages[2]``.
            said: What the node says, with what its definition says.

        Raises:
            UnsafeTextError: Something was found that is to be refused.
        """
        settings = said or SafetySettings()
        checks = dict(self._checks)
        if settings.max_characters is not None:
            checks["size"] = Size(settings.max_characters)
        wanted = settings.prompt if side == "prompt" else settings.answer
        return inspect(texts, checks, chosen(checks, wanted, self._least[side]))
