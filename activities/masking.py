"""Takes secrets and personal data out of what leaves a run, for the archive or a trace, and counts what it took.

It looks at every text by itself: beside the key it stands under, and within texts that are JSON. Policies of nodes
change nothing about it.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from activities.secrets import MASK
from orchestrator.safety import BUILT_IN, Check, Match, checks
from orchestrator.safety.patterns import apart
from orchestrator.settings import Settings

__all__ = ["KNOWN", "MOST_LOOKED_AT", "Masker", "masker_of"]

KNOWN: Final = "secret of the worker"
"""The kind of what is masked because the worker knows it by its value."""
MOST_LOOKED_AT: Final = 5_000_000
"""Characters of one text; a longer one is left out, since nobody has looked through it."""
_ALWAYS: Final = ("secrets", "personal")
_NOT_A_DANGER: Final = "size"
_DEEPEST: Final = 100
_MOST_BITS: Final = 128
"""Of a whole number that can be a card or a phone."""
_NAMES_ITSELF: Final = "password"
"""The kind of what is found because of the word before it: of a field of that name, all goes."""
_ANYTHING: Final = "anything"
"""In the place of what a field of such a name holds, which may be short, or have spaces."""
_CLOSING: Final = re.compile(r"(\\+)\"(?=[\\\s]*[:,}\]])")
_OPENING: Final = re.compile(r"(\\+)\"")
_BREAK: Final = re.compile(r"\\+[nrt]")


@dataclass(frozen=True, slots=True)
class Masker:
    """Masks documents. Calls block, for seconds where texts are long: make them in a thread.

    Args:
        known: Each gives a text with ``***`` in the place of secrets that it knows by their values.
        checks: What is masked by its looks; it is what ``orchestrator.safety`` finds.
    """

    known: Sequence[Callable[[str], str]] = ()
    checks: Sequence[Check] = tuple(BUILT_IN[name] for name in _ALWAYS)

    def masked(self, value: Any) -> tuple[Any, Counter[str]]:
        """``value``, JSON, without what is to be masked, keys of maps included; and how often what was, by kind."""
        masking = _Masking(self.known, self.checks)
        return masking.value(value), masking.counts

    def name(self, text: str) -> str:
        """A name or an id without secrets; what only looks like personal data stays, or nobody would find it."""
        return _Masking(self.known, (BUILT_IN["secrets"],)).text(text)


def masker_of(settings: Settings, known: Sequence[Callable[[str], str]]) -> Masker:
    """What a worker masks with.

    Args:
        settings: What the platform masks or refuses beside secrets and personal data.
        known: What log lines are masked with: each gives a text without the secrets that it knows.

    Raises:
        SettingsError: An installed package declares a check that cannot be used.
    """
    policies = [*settings.safety_prompt.items(), *settings.safety_answer.items()]
    wanted = {*_ALWAYS, *(name for name, action in policies if action in ("mask", "refuse"))} - {_NOT_A_DANGER}
    return Masker(known, [check for name, check in checks().items() if name in wanted])


@dataclass(slots=True)
class _Masking:
    """Of one document."""

    known: Sequence[Callable[[str], str]]
    checks: Sequence[Check]
    counts: Counter[str] = field(default_factory=Counter[str])

    def value(self, value: Any, key: str = "", depth: int = 0) -> Any:
        if depth > _DEEPEST:
            return "[left out: it is nested too deep]"
        if isinstance(value, str):
            return self.text(value, key, depth)
        if isinstance(value, Mapping):
            items = cast("Mapping[Any, Any]", value).items()
            whole = ((_whole(str(name)), item) for name, item in items)
            return {self.text(name): self.value(item, name, depth + 1) for name, item in whole}
        if isinstance(value, (list, tuple)):
            return [self.value(item, key, depth + 1) for item in cast("Sequence[Any]", value)]
        if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _MOST_BITS:
            seen = self.text(str(value), key)
            return value if seen == str(value) else seen
        return value

    def text(self, text: str, key: str = "", depth: int = _DEEPEST) -> str:
        """``text``; ``key`` is what it stands under, which may say that it is a password."""
        if len(text) > MOST_LOOKED_AT:
            return f"[left out: {len(text):,} characters are too many to be looked through for secrets]"
        text = _whole(text)
        # What is known first, while it is whole.
        for known in self.known:
            before, text = text.count(MASK), known(text)
            self._count(KNOWN, text.count(MASK) - before)
        return self._nested(text, depth) or self._looked_at(text, key)

    def _nested(self, text: str, depth: int) -> str | None:
        """A text that is JSON, written anew where something in it was masked; none where nothing was."""
        if depth >= _DEEPEST or text.lstrip()[:1] not in ("{", "["):
            return None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        before = self.counts.total()
        masked = self.value(value, depth=depth + 1)
        return json.dumps(masked, ensure_ascii=False) if self.counts.total() > before else None

    def _looked_at(self, text: str, key: str) -> str:
        lead = f"{key}: " if key else ""
        if lead and text and (told := self._told_by(lead)) is not None:
            self._count(told.kind, 1)
            return told.masked
        for check in self.checks:
            found = list(check.find(lead + text))
            if "\\" in text:
                found = apart([*found, *check.find(lead + _unescaped(text))])
            text = self._without(lead, text, found)
        return text

    def _told_by(self, lead: str) -> Match | None:
        """What anything behind ``lead`` is because of these words; none where they say nothing."""
        found = (match for check in self.checks for match in check.find(lead + _ANYTHING))
        return next((match for match in found if match.kind == _NAMES_ITSELF and match.start == len(lead)), None)

    def _without(self, lead: str, text: str, found: Sequence[Match]) -> str:
        parts: list[str] = []
        at = 0
        for match in found:
            start, end = max(match.start - len(lead), 0), match.end - len(lead)
            if end <= 0:
                continue
            self._count(match.kind, 1)
            parts += (text[at:start], match.masked)
            at = end
        return "".join((*parts, text[at:]))

    def _count(self, kind: str, times: int) -> None:
        if times > 0:
            self.counts[kind] += times


def _whole(text: str) -> str:
    """``text`` with a question mark for each half of a character, which nothing can be looked for in."""
    return text.encode(errors="replace").decode()


def _unescaped(text: str) -> str:
    """``text`` as JSON within a text means it, each character at the place that it has there."""
    text = _CLOSING.sub(lambda found: '"' + " " * len(found[1]), text)
    text = _OPENING.sub(lambda found: " " * len(found[1]) + '"', text)
    return _BREAK.sub(lambda found: " " * len(found[0]), text)
