"""Finds personal data by pattern, and by check digits where there are some."""

from collections.abc import Iterator
from typing import Final

from orchestrator.safety import checksums
from orchestrator.safety.base import Action, Match
from orchestrator.safety.patterns import Pattern, matches

__all__ = ["PERSONAL"]

_PHONE_DIGITS: Final = range(7, 16)


def _is_phone(text: str) -> bool:
    return sum(letter.isdecimal() for letter in text) in _PHONE_DIGITS


_PATTERNS: Final = (
    Pattern("e-mail address", r"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b", needs=("@",)),
    Pattern(
        "account number (IBAN)",
        r"\b[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?\b",
        checksums.is_iban,
    ),
    Pattern("card number", r"\b[0-9](?:[ -]?[0-9]){12,18}\b", checksums.is_card),
    Pattern(
        "French social security number",
        r"\b[12](?: ?[0-9]{2}){2} ?(?:[0-9]{2}|2[AB])(?: ?[0-9]{3}){2} ?[0-9]{2}\b",
        checksums.is_nir,
    ),
    Pattern(
        "Italian tax number",
        r"(?i)\b[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]\b",
        checksums.is_codice_fiscale,
    ),
    Pattern("Spanish identity number", r"(?i)\b(?:[0-9]{8}|[XYZ][0-9]{7})[- ]?[A-Z]\b", checksums.is_dni),
    Pattern("Brazilian tax number", r"\b(?:[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}|[0-9]{11})\b", checksums.is_cpf),
    Pattern("Polish identity number", r"\b[0-9]{11}\b", checksums.is_pesel),
    Pattern("German tax number", r"\b[1-9][0-9](?: ?[0-9]{3}){3}\b", checksums.is_steuer_id),
    Pattern("British health number", r"\b[0-9]{3}[ -][0-9]{3}[ -][0-9]{4}\b", checksums.is_nhs),
    Pattern(
        "US social security number",
        r"\b(?:00[1-9]|0[1-9][0-9]|[1-578][0-9]{2}|6[0-57-9][0-9]|66[0-57-9])-(?:0[1-9]|[1-9][0-9])-(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})\b",
    ),
    Pattern(
        "phone number", r"\+[0-9](?:[ ./()-]{0,2}[0-9]){6,14}\b|\b00[1-9](?:[ ./()-]{0,2}[0-9]){7,13}\b", _is_phone
    ),
    Pattern("phone number", r"\([0-9]{3}\) ?[0-9]{3}[-. ][0-9]{4}\b|\b[0-9]{3}[-.][0-9]{3}[-.][0-9]{4}\b"),
    Pattern("phone number", r"\b0[1-9][0-9]{1,4} ?[/-] ?[0-9](?:[ -]?[0-9]){4,9}\b", _is_phone),
)
"""The earlier ones win where two are at the same place: what proves itself comes before what only looks like it."""


class _Personal:
    name = "personal"
    usual: Action = "off"

    def find(self, text: str) -> Iterator[Match]:
        yield from matches(_PATTERNS, text)


PERSONAL: Final = _Personal()
