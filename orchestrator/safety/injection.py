"""Finds phrases that try to give a model other orders than its author did. It flags what is known, and no more."""

from collections.abc import Iterator
from typing import Final

from orchestrator.safety.base import Action, Match
from orchestrator.safety.characters import plain
from orchestrator.safety.patterns import Pattern, matches

__all__ = ["INJECTION"]

_FORGET: Final = (
    r"\b(?:ignore|disregard|forget|override|bypass|skip|neglect|stop following|(?:do not|don'?t) (?:follow|obey))\s+"
)
_EARLIER: Final = (
    r"(?:previous|prior|above|preceding|earlier|foregoing|former|initial|original|system|developer|your)\s+"
)
_ORDERS: Final = (
    r"(?:instructions?|prompts?|directions?|commands?|rules?|guidelines?|messages?|context|orders?|tasks?)\b"
)
_FREE: Final = r"(?:an?\s+)?(?:DAN|unrestricted|unfiltered|jailbroken|evil|developer mode)\b"
_TOKENS: Final = (
    r"im_start|im_end|im_sep|endoftext|system|user|assistant|eot_id|start_header_id|end_header_id|begin_of_text"
)
_IGNORING: Final = (
    rf"{_FORGET}(?:\w+\s+){{0,4}}?{_EARLIER}(?:\w+\s+){{0,3}}?{_ORDERS}",
    rf"{_FORGET}(?:all|any|every|any)(?:thing)?\s+(?:\w+\s+){{0,6}}?(?:above|before|earlier|previously|told|said)\b",
    r"\b(?:ignoriere|vergiss|missachte)\s+(?:\w+\s+){0,3}(?:anweisungen|befehle|regeln|vorgaben)\b",
    r"\b(?:ignore|ignorez|oublie|oubliez)\s+(?:\w+\s+){0,3}(?:consignes|r[eè]gles|directives)\b",
    r"\b(?:ignora|ignore|olvida|olvide)\s+(?:\w+\s+){0,3}(?:instrucciones|reglas|[oó]rdenes)\b",
)
_ROLES: Final = (
    r"\byou are (?:now|no longer)\s+(?:an?\s+)?\w+|\b(?:from now on|henceforth),?\s+(?:you|act|respond|answer)\b",
    rf"\b(?:act|behave|pretend|respond|answer)\s+(?:as|like)\s+(?:if\s+you\s+(?:are|were)\s+)?{_FREE}",
    r"\bdo anything now\b|\bdeveloper mode (?:enabled|on)\b",
)
_ASKING: Final = (
    r"\b(?:reveal|show|print|repeat|output|display|leak|tell me|give me|what (?:is|are|was|were))\s+(?:\w+\s+){0,3}?"
    rf"(?:your|the)\s+(?:\w+\s+){{0,2}}?(?:system|initial|hidden|secret|original)\s+{_ORDERS}"
)
_MARKS: Final = (
    rf"<\|(?:{_TOKENS})\|>|\[/?INST\]|<</?SYS>>|</?(?:system|assistant)(?:_prompt|_message)?>",
    r"(?m)^\s*(?:#{1,6}\s*)?(?:system|assistant|developer)(?:\s+(?:prompt|message))?\s*:",
)
_HIDING: Final = (
    r"\b(?:do not|don'?t|never)\s+(?:tell|inform|mention|reveal|warn|alert)\s+(?:\w+\s+){0,2}?"
    r"(?:users?|humans?|anyone|anybody|operators?)\b"
)
_SENDING: Final = (
    r"\b(?:send|post|forward|upload|exfiltrate|transmit|leak)\s+(?:\w+\s+){0,6}?(?:to|at)\s+(?:https?://|[\w.+-]+@)"
)
_PATTERNS: Final = tuple(
    Pattern(kind, f"(?i){expression}")
    for kind, expressions in (
        ("order to ignore instructions", _IGNORING),
        ("new role", _ROLES),
        ("new instructions", (rf"\b(?:new|updated|real|actual|following)\s+(?:system\s+)?{_ORDERS}\s*(?:are|is|:)",)),
        ("question for instructions", (_ASKING,)),
        ("mark of a conversation", _MARKS),
        ("order to hide something", (_HIDING,)),
        ("order to send data away", (_SENDING,)),
    )
    for expression in expressions
)


class _Injection:
    name = "injection"
    usual: Action = "flag"

    def find(self, text: str) -> Iterator[Match]:
        seen, places = plain(text)
        for match in matches(_PATTERNS, seen):
            if places is None:
                yield match
            else:
                yield Match(places[match.start], places[match.end - 1] + 1, match.kind)


INJECTION: Final = _Injection()
