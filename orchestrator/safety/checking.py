"""Looks at texts with every check that is switched on, and does with what it finds what the settings say."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import UnsafeTextError
from orchestrator.safety.base import ACTIONS, Action, Check, Finding, Match

__all__ = ["Checked", "chosen", "inspect"]


@dataclass(frozen=True, slots=True)
class Checked:
    """Texts as they may be used, by where they stand; and what was found in them."""

    texts: Mapping[str, str]
    findings: tuple[Finding, ...]


def chosen(checks: Mapping[str, Check], said: Mapping[str, Action], least: Mapping[str, Action]) -> dict[str, Action]:
    """What is done about what each check finds: what is said, or what is usual; and never less than ``least``.

    Args:
        checks: The checks by name.
        said: What a definition or a node says.
        least: What the platform asks for.
    """
    found: dict[str, Action] = {}
    for name, check in checks.items():
        wanted, floor = said.get(name, check.usual), least.get(name, "off")
        found[name] = ACTIONS[max(ACTIONS.index(wanted), ACTIONS.index(floor))]
    return found


def inspect(texts: Mapping[str, str], checks: Mapping[str, Check], actions: Mapping[str, Action]) -> Checked:
    """The texts as they may be used.

    What a check masks, the next one does not see. It may take a while for long texts: call it in a thread.

    Args:
        texts: By where they stand, such as ``messages[2]``.
        checks: The checks by name, in the order in which they look.
        actions: What is done about what each finds; a check that is not named is off.

    Raises:
        UnsafeTextError: Something was found that is to be refused. The message says what and where, and never shows it.
    """
    used: dict[str, str] = {}
    findings: list[Finding] = []
    for where, text in texts.items():
        now = text
        for name, check in checks.items():
            action = actions.get(name, "off")
            if action == "off":
                continue
            found = list(check.find(now))
            counts = Counter(match.kind for match in found)
            findings += [Finding(name, kind, action, where, count) for kind, count in counts.items()]
            if action == "mask" and found:
                now = _masked(now, found)
        used[where] = now
    refused = [finding for finding in findings if finding.action == "refuse"]
    if refused:
        raise UnsafeTextError(_refusal(refused), details={"findings": [finding.as_dict() for finding in findings]})
    return Checked(used, tuple(findings))


def _masked(text: str, found: list[Match]) -> str:
    parts: list[str] = []
    end = 0
    for match in found:
        parts += (text[end : match.start], match.masked)
        end = match.end
    return "".join((*parts, text[end:]))


def _refusal(refused: list[Finding]) -> str:
    first = refused[0]
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    return (
        f"{first.where} holds what the safety check `{first.check}` refuses: {first.kind}, {first.count} times{more}; "
        f"take it out, or set `{first.check}` to mask or flag"
    )
