"""A target for a fuzzer: of any bytes, intake makes a table that goes the whole way, or one clear refusal.

Run by atheris: ``make fuzz`` (coverage-guided, from the corpus beside this file). The suite runs the corpus without it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FunctionType
from typing import get_args

import pandas as pd

from gateway.intake import (
    FileFormat,
    IntakeError,
    draft_dictionary,
    propose_source,
    read_table,
    type_table,
    write_csv,
    write_parquet,
)
from policies import Dictionary, Source, parse_dictionary

_MOST = 1 << 16
_DELIMITERS = (",", ";", "\t", "|")
_QUOTES = ('"', "'")
_ENCODINGS = ("utf-8", "utf-16", "windows-1252", "iso-8859-1", "iso-8859-15")


def take_in(data: bytes) -> str:
    """Read, describe, type and write what ``data`` holds; the outcome in a word.

    The first byte says the format, the second how a text is written (its high bit: as it is proposed). Nothing but
    IntakeError may be raised, and of a text its message may not hold eight characters in a row of any cell.
    """
    if len(data) < 2 or len(data) > _MOST:
        return "passed over"
    forms: tuple[FileFormat, ...] = get_args(FileFormat)
    form, how, content = forms[data[0] % len(forms)], data[1], data[2:]
    try:
        source = Source()
        if form == "csv":
            source = propose_source(content)[0] if how & 128 else _source(how)
        raw = read_table(content, form, source)
        dictionary = parse_dictionary(draft_dictionary(raw, "fuzz", source).encode())
        typed = type_table(raw, dictionary)
    except IntakeError as refusal:
        if form == "csv":  # of the packed formats the bytes are not the cells
            _tells_nothing(str(refusal), content)
        return "refused"
    ways: tuple[tuple[Callable[[pd.DataFrame, Dictionary], bytes], FileFormat], ...] = (
        (write_csv, "csv"),
        (write_parquet, "parquet"),
    )
    for written, released in ways:
        again = type_table(read_table(written(typed.frame, dictionary), released), dictionary, released=True)
        if not again.frame.equals(typed.frame):
            raise AssertionError(f"{released} does not read back to the same table")
    return "typed"


def _source(how: int) -> Source:
    delimiter = _DELIMITERS[how % 4]
    decimal = "," if how & 64 and delimiter != "," else "."
    return Source(
        delimiter=delimiter,  # type: ignore[arg-type]
        quote=_QUOTES[how // 4 % 2],  # type: ignore[arg-type]
        encoding=_ENCODINGS[how // 8 % 5],  # type: ignore[arg-type]
        decimal=decimal,  # type: ignore[arg-type]
    )


def _tells_nothing(message: str, content: bytes) -> None:
    """A refusal names columns, and so the first line; no later text of eight characters may stand in it."""
    text = content.decode("utf-8", errors="ignore")
    first, _, rest = text.partition("\n")
    for start in range(max(len(message) - 7, 0)):
        piece = message[start : start + 8]
        if piece in rest and piece not in first and piece not in _OWN:
            raise AssertionError("a refusal tells a cell")


_OWN = (
    "the dictionary's [source] save it as UTF-8 (in Excel: 'CSV UTF-8') state the delimiter encoding cells of the "
    "header rows columns table file quote every text cell export it again"
)


def main() -> None:
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]  # only where it fuzzes

    for module in [each for name, each in sys.modules.items() if name.startswith(("gateway.intake", "policies"))]:
        for name, value in vars(module).items():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                setattr(module, name, atheris.instrument_func(value))
    atheris.Setup(sys.argv, lambda data: take_in(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
