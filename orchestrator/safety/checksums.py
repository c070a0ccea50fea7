"""Numbers that prove themselves: check digits of cards, accounts and people."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

__all__ = [
    "is_card",
    "is_codice_fiscale",
    "is_cpf",
    "is_dni",
    "is_iban",
    "is_nhs",
    "is_nir",
    "is_pesel",
    "is_steuer_id",
]

_IBAN_LENGTHS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
        "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
        "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
        "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
        "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
        "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
        "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
        "XK": 20,
    }
)  # fmt: skip
"""How many characters an account number of each country has."""
_CARD_LENGTHS: Final = (13, 14, 15, 16, 19)
_CARD_BEGINNINGS: Final = ("2", "3", "4", "5", "6")
_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_FISCAL_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
"""What a letter, or digit, at an odd place of an Italian code counts for."""


def _digits(text: str) -> list[int]:
    return [int(letter) for letter in text if letter.isdecimal()]


def _weighed(digits: Sequence[int], weights: Sequence[int]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=True))


def is_card(text: str) -> bool:
    """Whether it is the number of a payment card: its length, its beginning, and Luhn's check digit."""
    digits = _digits(text)
    if len(digits) not in _CARD_LENGTHS or str(digits[0]) not in _CARD_BEGINNINGS or len(set(digits)) == 1:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004 - what exceeds one digit when doubled
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether it is an international account number: its country's length, and its remainder by 97 (ISO 7064)."""
    plain = "".join(text.split()).upper()
    if len(plain) != _IBAN_LENGTHS.get(plain[:2]):
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def is_dni(text: str) -> bool:
    """Whether it is a Spanish DNI or NIE: its letter."""
    plain = text.upper().replace("-", "").replace(" ", "")
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return plain[-1] == _DNI_LETTERS[int(number) % len(_DNI_LETTERS)]


def is_codice_fiscale(text: str) -> bool:
    """Whether it is an Italian codice fiscale: its last letter."""
    values = [int(letter, 36) - 10 if letter.isalpha() else int(letter) for letter in text.upper()]
    total = sum(_FISCAL_ODD[value] for value in values[:15:2]) + sum(values[1:15:2])
    return total % 26 == values[15]


def is_nir(text: str) -> bool:
    """Whether it is a French social security number: its remainder by 97."""
    plain = text.upper().replace(" ", "").replace("2A", "19").replace("2B", "18")
    return 97 - int(plain[:13]) % 97 == int(plain[13:])


def is_pesel(text: str) -> bool:
    """Whether it is a Polish PESEL: a day that can be, and its check digit."""
    digits = _digits(text)
    month, day = (digits[2] * 10 + digits[3]) % 20, digits[4] * 10 + digits[5]
    right = (10 - _weighed(digits[:10], (1, 3, 7, 9) * 2 + (1, 3)) % 10) % 10 == digits[10]
    return 1 <= month <= 12 and 1 <= day <= 31 and right  # noqa: PLR2004 - a year has 12 months of at most 31 days


def is_steuer_id(text: str) -> bool:
    """Whether it is a German tax number: how often its digits come, and its check digit (ISO 7064, 11 and 10)."""
    digits = _digits(text)
    counts = sorted((digits[:10].count(digit) for digit in set(digits[:10])), reverse=True)
    if digits[0] == 0 or counts[0] not in (2, 3) or counts[1] != 1:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == digits[10]


def is_cpf(text: str) -> bool:
    """Whether it is a Brazilian CPF: both its check digits."""
    digits = _digits(text)
    return len(set(digits)) > 1 and all(
        _weighed(digits[:length], range(length + 1, 1, -1)) * 10 % 11 % 10 == digits[length] for length in (9, 10)
    )


def is_nhs(text: str) -> bool:
    """Whether it is a British NHS number: its check digit."""
    digits = _digits(text)
    return (11 - _weighed(digits[:9], range(10, 1, -1)) % 11) % 11 == digits[9]
