"""Do these texts look like something that names a person directly?"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable, Sequence

import phonenumbers

_LOOKED_AT = 2_000
_MOST = 0.8
_FEWEST = 5
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_URL = re.compile(r"(https?://|www\.)\S+", re.IGNORECASE)
_SSN = re.compile(r"(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_TEN_DIGITS = re.compile(r"\d{3}[ -]?\d{3}[ -]?\d{4}")


def kind_of_identifier(texts: Sequence[str]) -> str | None:
    """What most of some distinct texts are, where that names a person: an address, a number, a national identifier.

    Telephone numbers are recognised by the phonenumbers library, in international form only: a local one may as well be
    a code. A national number counts where its own rules hold (the check digit of an NHS number, the groups of a US
    social security number that were never given out, the remainder of an IBAN).
    """
    looked_at = texts[:_LOOKED_AT]
    if len(looked_at) < _FEWEST:
        return None
    for kind, fits in _KINDS:
        if sum(fits(text.strip()) for text in looked_at) >= _MOST * len(looked_at):
            return kind
    return None


def _is_phone(text: str) -> bool:
    if not text.startswith("+"):
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, None))
    except phonenumbers.NumberParseException:
        return False


def _is_nhs_number(text: str) -> bool:
    """Ten digits, the last a check digit modulo 11 (NHS Data Dictionary, NHS NUMBER)."""
    if not _TEN_DIGITS.fullmatch(text):
        return False
    digits = [int(digit) for digit in text if digit.isdigit()]
    check = 11 - sum((10 - place) * digit for place, digit in enumerate(digits[:9])) % 11
    return check != 10 and check % 11 == digits[9]


def _is_iban(text: str) -> bool:
    """Remainder 1 modulo 97 with the first four characters moved to the end (ISO 13616)."""
    packed = text.replace(" ", "").upper()
    if not _IBAN.fullmatch(packed):
        return False
    return int("".join(str(int(letter, 36)) for letter in packed[4:] + packed[:4])) % 97 == 1


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "." in text or ":" in text


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


_KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("e-mail addresses", lambda text: _EMAIL.fullmatch(text) is not None),
    ("web addresses", lambda text: _URL.fullmatch(text) is not None),
    ("telephone numbers", _is_phone),
    ("US social security numbers", lambda text: _SSN.fullmatch(text) is not None),
    ("NHS numbers", _is_nhs_number),
    ("IBANs", _is_iban),
    ("network addresses", _is_address),
    ("universally unique identifiers", _is_uuid),
)
