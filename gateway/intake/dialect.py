"""In which encoding, with which delimiter, quote and decimal sign is this text written? A proposal, to be confirmed."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from typing import Literal, get_args

from charset_normalizer import from_bytes

from gateway.intake.delimited import DELIMITERS, PLAIN
from gateway.intake.errors import refuse
from policies import Source

Encoding = Literal["utf-8", "utf-16", "windows-1252", "iso-8859-1", "iso-8859-15"]
_LOOK = 1024 * 1024
_LINES = 200
_COMMA = re.compile(r"[+-]?\d+,\d+")
_POINT = re.compile(r"[+-]?\d+\.\d+")
# two or three bytes that only UTF-8 would put side by side: a Latin or Greek letter, a dash or a euro sign
_MULTIBYTE = re.compile(rb"(?<![\x80-\xff])(?:[\xc3-\xcf][\x80-\xbf]|\xe2[\x80-\x84][\x80-\xbf])(?![\x80-\xff])")
_SPOKEN = {"cp1252": "windows-1252", "latin_1": "iso-8859-1", "iso8859_15": "iso-8859-15", "utf_16": "utf-16"}


def propose_source(content: bytes) -> tuple[Source, tuple[str, ...]]:
    """How the text at the beginning of a file is most likely written, and why, in words without a cell.

    UTF-8 is taken wherever it fits, since hardly any other text does; otherwise what charset-normalizer holds for
    likeliest among the encodings a dictionary can name. The delimiter is the one that cuts the most lines into the same
    number of cells, two or more. A decimal comma is taken where numbers with a comma stand and none with a point.

    Raises
    ------
    IntakeError
        The text mixes encodings.
    """
    encoding, why = _encoding(content)
    text = content[:_LOOK].decode(encoding, errors="replace").removeprefix("\ufeff")
    lines = text.splitlines()[: _LINES + 1]
    lines = lines[:-1] if len(lines) > 1 and len(content) > _LOOK else lines
    quote: Literal['"', "'"] = "'" if _quoted(text, "'") > _quoted(text, '"') else '"'
    delimiter, width = _delimiter(lines, quote)
    reasons = [why, f"{DELIMITERS[delimiter]} cut the first {len(lines)} lines into {width} cells each"]
    if quote == "'":
        reasons.append("cells stand in single quotes")
    decimal: Literal[".", ","] = "."
    if delimiter != ",":
        cells = [cell.strip() for row in _rows(lines[1:], delimiter, quote) for cell in row]
        commas = sum(_COMMA.fullmatch(cell) is not None for cell in cells)
        points = sum(_POINT.fullmatch(cell) is not None for cell in cells)
        if commas and not points:
            decimal = ","
            reasons.append(f"{commas} cells are numbers with a decimal comma, none with a point")
        elif commas and points:
            reasons.append(
                f"TRAP {commas} cells are numbers with a comma, {points} cells with a point: which is the decimal?"
            )
    return Source(delimiter=delimiter, quote=quote, encoding=encoding, decimal=decimal), tuple(reasons)


def _encoding(content: bytes) -> tuple[Encoding, str]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "it begins with the mark of UTF-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content[:_LOOK], final=len(content) <= _LOOK)
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8", "it is UTF-8"
    if _MULTIBYTE.search(content[:_LOOK]):
        raise refuse(
            "the text mixes UTF-8 with another encoding", "export it again in one, or state encoding in a dictionary"
        )
    best = from_bytes(content[:_LOOK], cp_isolation=list(_SPOKEN)).best()
    named = None if best is None else _SPOKEN.get(best.encoding)
    for known in get_args(Encoding):
        if known == named:
            return known, f"it is not UTF-8; charset-normalizer takes it for {known}"
    return "windows-1252", "it is not UTF-8; windows-1252 is the usual encoding of spreadsheets' exports"


def _delimiter(lines: list[str], quote: str) -> tuple[Literal[",", ";", "\t", "|"], int]:
    best: tuple[float, int, Literal[",", ";", "\t", "|"]] = (0.0, 1, PLAIN.delimiter)
    for candidate in (",", ";", "\t", "|"):
        widths = Counter(len(row) for row in _rows(lines, candidate, quote) if row)
        if not widths:
            continue
        width, times = widths.most_common(1)[0]
        share = times / sum(widths.values())
        if width > 1 and (share, width) > best[:2]:
            best = (share, width, candidate)
    return best[2], best[1]


def _rows(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    """The rows up to the first that cannot be read so."""
    rows = []
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote)
    while True:
        try:
            rows.append(next(reader))
        except (StopIteration, csv.Error):
            return rows


def _quoted(text: str, quote: str) -> int:
    return len(re.findall(rf"(?:^|[,;\t|]){quote}[^{quote}\r\n]*{quote}(?=[,;\t|\r\n]|$)", text, re.MULTILINE))
