"""Which bytes stand for a JSON value, and which bytes are refused?

One value has one spelling: the JSON Canonicalization Scheme, RFC 8785 (names sorted by UTF-16 code units, no white
space, numbers as ECMAScript writes them). Whatever differs from its own canonical spelling by one byte is refused, so
a document cannot be read in two ways: no name twice, no NaN, no trailing data, no second encoding of a character.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from audit.record.errors import RecordError, VerificationError

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1  # beyond this, readers that hold numbers as doubles disagree (RFC 7493, section 2.2)


def encode(value: object) -> bytes:
    """The canonical bytes of a JSON value: mappings, lists, tuples, text, numbers, booleans and ``None``.

    Raises
    ------
    RecordError
        The value holds something JSON has no canonical form for: NaN, infinity, an integer beyond 2**53 - 1, a key
        that is not text, text with a lone surrogate, another type, or nesting deeper than 32.
    """
    try:
        return _text(value, 0).encode("utf-8")
    except UnicodeEncodeError:
        raise RecordError("text holds a lone surrogate, which UTF-8 cannot carry; correct the text") from None


def parse(data: bytes, *, maximum: int, what: str) -> Any:
    """The value that ``data`` canonically spells; ``what`` names the document in messages.

    Raises
    ------
    VerificationError
        More than ``maximum`` bytes, not UTF-8, not JSON, a name written twice, or not byte for byte canonical.
    """
    if len(data) > maximum:
        raise VerificationError(f"{what}: {len(data)} bytes, expected at most {maximum}; this is not such a document")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
        )
        canonical = encode(value)
    except UnicodeDecodeError:
        raise VerificationError(f"{what}: is not UTF-8 text") from None
    except json.JSONDecodeError as cause:
        raise VerificationError(f"{what}: is not one JSON value ({cause.msg} at character {cause.pos})") from None
    except RecursionError:
        raise VerificationError(f"{what}: is nested deeper than {MAX_DEPTH}") from None
    except RecordError as cause:
        raise VerificationError(f"{what}: {cause}") from None
    if canonical != data:
        raise VerificationError(f"{what}: is not in canonical form (RFC 8785), so it was changed after it was written")
    return value


def _text(value: object, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise RecordError(f"nested deeper than {MAX_DEPTH}; flatten the value")
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise RecordError("an integer lies beyond 2**53 - 1; write it as text")
        return str(int(value))
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(_member(key, value[key], depth) for key in sorted(value, key=_code_units)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_text(item, depth + 1) for item in value) + "]"
    raise RecordError(f"a {type(value).__name__} has no JSON form; give text, a number, a list or a mapping")


def _member(key: str, value: object, depth: int) -> str:
    return f"{json.dumps(key, ensure_ascii=False)}:{_text(value, depth + 1)}"


def _code_units(key: object) -> bytes:
    """Sort key of RFC 8785, section 3.2.3."""
    if not isinstance(key, str):
        raise RecordError(f"a {type(key).__name__} is no JSON name; names are text")
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    """ECMA-262 Number::toString, from the shortest digits that give the same double back."""
    if not math.isfinite(value):
        raise RecordError("a number is NaN or infinite; write null or leave it out")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    parts = Decimal(repr(abs(value))).normalize()
    digits = "".join(map(str, parts.as_tuple().digits))
    point = parts.adjusted() + 1  # digits before the decimal point
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{sign}{mantissa}e{point - 1:+d}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RecordError("a name is written twice in one object")
    return found


def _integer(digits: str) -> int | float:
    # a double may be written without a point (1e20); as a double it is held against its canonical spelling
    return int(digits) if len(digits) <= 17 and abs(int(digits)) <= MAX_INTEGER else float(digits)


def _refuse_constant(_name: str) -> NoReturn:
    raise RecordError("NaN and Infinity are not JSON")
