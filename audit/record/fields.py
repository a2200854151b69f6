"""When is one value of a release record well formed?

Every check refuses with a ``RecordError`` that names the field, so that the same rules hold for a record that is being
made and for one that is being read.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from audit.record import canonical
from audit.record.errors import RecordError

MAX_SETTINGS = 1024 * 1024  # bytes of one free object in canonical form
_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format (bidirectional overrides), surrogates, line separators
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_INSTANT_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def check_line(value: object, what: str, *, maximum: int = 200) -> str:
    """One line of readable text: 1 to ``maximum`` characters, none of which can steer a terminal or hide another."""
    if not isinstance(value, str) or not 1 <= len(value) <= maximum:
        raise RecordError(f"{what} must be text of 1 to {maximum} characters")
    if any(unicodedata.category(character) in _UNSAFE for character in value):
        raise RecordError(f"{what} must be one line without control characters")
    return value


def check_name(value: object, what: str) -> str:
    """A line in one spelling: who types it on another system gets the same bytes."""
    name = check_line(value, what)
    if unicodedata.normalize("NFC", name) != name:
        raise RecordError(f"{what} must be in Unicode normal form C (accents composed); type it anew")
    return name


def check_file_name(value: object, what: str) -> None:
    """A plain name of a file in the bundle's one folder, the same on every system."""
    name = check_line(value, what)
    if (
        any(character in name for character in '/\\:*?"<>|')
        or name != name.strip()
        or name[0] == "."
        or name[-1] == "."
    ):
        raise RecordError(f"{what} must be a plain file name: no separator or drive, no point or space at either end")
    if unicodedata.normalize("NFC", name) != name:
        raise RecordError(f"{what} must be in Unicode normal form C")


def check_count(value: object, what: str, *, minimum: int) -> None:
    """A whole number from ``minimum`` to 2**53 - 1; a truth value is none."""
    if type(value) is not int or not minimum <= value <= canonical.MAX_INTEGER:
        raise RecordError(f"{what} must be a whole number of at least {minimum}")


def check_positive(value: object, what: str, *, maximum: float = math.inf, zero: bool = False) -> float:
    """A finite number above 0 (from 0 on with ``zero``) and at most ``maximum``; a truth value is none."""
    if type(value) not in (int, float) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RecordError(f"{what} must be a finite number")
    if value < 0 or (value == 0 and not zero) or value > maximum:
        lowest = "of at least 0" if zero else "above 0"
        highest = "" if math.isinf(maximum) else f" and at most {maximum:g}"
        raise RecordError(f"{what} must be a number {lowest}{highest}")
    return float(value)


def check_instant(value: object, what: str) -> None:
    """A point in time in UTC, to the second."""
    if not isinstance(value, datetime) or value.utcoffset() != timedelta(0) or value.microsecond:
        raise RecordError(f"{what} must be a time in UTC without fractions of a second")
    if value.year < 1970:
        raise RecordError(f"{what} lies before 1970; check the clock")


def instant_text(value: datetime) -> str:
    """RFC 3339, in UTC, to the second."""
    return value.strftime(_INSTANT_FORMAT)


def instant(text: object, what: str) -> datetime:
    """The point in time that ``instant_text`` writes so."""
    if not isinstance(text, str) or _INSTANT.fullmatch(text) is None:
        raise RecordError(f"{what} must be a time such as 2021-05-01T12:00:00Z")
    try:
        return datetime.strptime(text, _INSTANT_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise RecordError(f"{what} names no day or no time of day") from None


def frozen_object(value: object, what: str) -> Mapping[str, Any]:
    """A read-only copy of a free JSON object, nested ones included; lists become tuples."""
    if not isinstance(value, Mapping):
        raise RecordError(f"{what} must be a JSON object")
    try:
        content = canonical.encode(value)
        copy = canonical.parse(content, maximum=MAX_SETTINGS, what=what)
    except RecordError as cause:
        raise RecordError(f"{what}: {cause}") from None
    return _freeze_mapping(copy)


def members(value: object, what: str, names: Iterable[str]) -> Mapping[str, Any]:
    """``value``, if it is an object with exactly these names."""
    expected = set(names)
    if not isinstance(value, dict):
        raise RecordError(f"{what} must be an object")
    if value.keys() != expected:
        missing, unknown = sorted(expected - value.keys()), len(value.keys() - expected)
        raise RecordError(f"{what}: missing fields: {', '.join(missing) or 'none'}; unknown fields: {unknown}")
    return value


def items(value: object, what: str) -> list[Any]:
    """``value``, if it is a list."""
    if not isinstance(value, list):
        raise RecordError(f"{what} must be a list")
    return value


def _freeze_mapping(value: dict[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType({key: _freeze(item) for key, item in value.items()})


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return _freeze_mapping(value)
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value
