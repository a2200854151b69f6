"""Canonical JSON: one value, one spelling (RFC 8785), everything else refused."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.record.canonical import MAX_INTEGER, encode, parse
from audit.record.errors import RecordError, VerificationError

numbers = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)

# RFC 8785, appendix B: IEEE 754 bits and their spelling
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


def parsed(data: bytes) -> Any:
    return parse(data, maximum=1 << 20, what="document")


@pytest.mark.parametrize(("bits", "expected"), NUMBERS)
def test_numbers_are_spelled_as_the_standard_lists_them(bits: str, expected: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert encode(number) == expected.encode()
    assert parsed(expected.encode()) == number


def test_the_example_of_the_standard_comes_out_byte_for_byte() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert (
        encode(value)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_names_are_sorted_by_utf16_code_units_not_by_code_points() -> None:
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    assert list(json.loads(encode(dict.fromkeys(names)))) == [
        "\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33",
    ]  # fmt: skip  # RFC 8785, section 3.2.3


@settings(deadline=None)
@given(values)
def test_what_is_written_reads_back_as_the_same_value(value: Any) -> None:
    assert parsed(encode(value)) == value
    # ECMAScript writes large doubles without an exponent; a reader takes every number as a double (RFC 8785)
    assert json.loads(encode(value), parse_int=float) == value


@settings(deadline=None)
@given(values, st.data())
def test_no_single_byte_change_is_read_as_the_same_value(value: Any, data: st.DataObject) -> None:
    content = bytearray(encode(value))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    try:
        changed = parsed(bytes(content))
    except VerificationError:
        return
    assert encode(changed) == bytes(content) != encode(value)


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,0123456789eE+-.ntrufalse \\u', max_size=40).map(str.encode))
def test_whatever_is_read_is_the_only_spelling_of_its_value(content: bytes) -> None:
    try:
        value = parsed(content)
    except VerificationError:
        return
    assert encode(value) == content


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":{"b":1,"b":2}}', "twice"),
        (b"[NaN]", "NaN"),
        (b"[Infinity]", "NaN"),
        (b"[-Infinity]", "NaN"),
        (b"[1e999]", "infinite"),
        (b"9" * 5000, "infinite"),
        (b"{}{}", "not one JSON value"),
        (b"{}\n", "canonical"),
        (b" {}", "canonical"),
        (b'{"b":1,"a":1}', "canonical"),
        (b"[1.0]", "canonical"),
        (b"[-0]", "canonical"),
        (b"[1E2]", "canonical"),
        (b"[9007199254740993]", "canonical"),
        (b'["\\u0041"]', "canonical"),
        (b'["\\/"]', "canonical"),
        (b'["\\ud800"]', "surrogate"),
        (b'["\xff"]', "UTF-8"),
        (b"\xef\xbb\xbf{}", "not one JSON value"),
        (b'["\x00"]', "not one JSON value"),
        (b"", "not one JSON value"),
        (b"[" * 100_000, "nested"),
        (b"[" * 40 + b"]" * 40, "nested"),
        (b"1" * 2_000_000, "2000000 bytes"),
    ],
)
def test_every_other_spelling_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(VerificationError, match=problem):
        parsed(content)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (math.nan, "NaN"),
        ({"a": [math.inf]}, "infinite"),
        (2**53, "2\\*\\*53"),
        ({1: "a"}, "names are text"),
        ({"a": {3, 4}}, "set"),
        (b"bytes", "bytes"),
        ("\ud800", "surrogate"),
        ({"\ud800": 1}, "surrogate"),
    ],
)
def test_a_value_without_a_canonical_form_cannot_be_written(value: object, problem: str) -> None:
    with pytest.raises(RecordError, match=problem):
        encode(value)
