"""What stands on each sheet of a PDF that Chromium wrote? Its size, and its words with their places.

Reads just what Skia writes: numbered objects without object streams, one content stream per page, fonts with a map back
to Unicode.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cached_property

_OBJECT = re.compile(rb"(?:^|\n)(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_OPERATION = re.compile(
    r"(?P<q>\bq\b)|(?P<Q>\bQ\b)|(?P<cm>(?:[-.\d]+ ){6})cm\b|/(?P<font>\w+) [-.\d]+ Tf\b|(?P<Tm>(?:[-.\d]+ ){6})Tm\b"
    r"|(?P<Td>[-.\d]+ [-.\d]+) Td\b|(?P<shown>\[[^\]]*\]|<[0-9A-F]*>) T[jJ]\b"
)
_ROUNDED = 0.5  # CSS pixels: words as near as that stand on one line
Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Sheet:
    """One sheet; sizes in points, ``words`` as (points from the top, points from the left, text) in painted order."""

    width: float
    height: float
    words: tuple[tuple[float, float, str], ...]

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The text line by line from the top, without white space: a printer spaces letters by moving, too."""
        by_line: dict[int, list[tuple[float, str]]] = {}
        for top, left, text in self.words:
            by_line.setdefault(round(top / _ROUNDED), []).append((left, text))
        return tuple(packed("".join(text for _, text in sorted(by_line[line]))) for line in sorted(by_line))

    @property
    def text(self) -> str:
        return packed("".join(text for _, _, text in self.words))


def packed(text: str) -> str:
    """The text without white space, joined letters (ligatures) taken apart."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def sheets(pdf: bytes) -> tuple[Sheet, ...]:
    objects = {int(found[1]): found[2] for found in _OBJECT.finditer(pdf)}
    pages = [body for body in objects.values() if re.match(rb"<</Type /Page\b", body)]
    return tuple(_sheet(page, objects) for page in pages)


def _sheet(page: bytes, objects: dict[int, bytes]) -> Sheet:
    box = re.search(rb"/MediaBox \[([-.\d ]+)\]", page)
    contents = re.search(rb"/Contents (\d+) 0 R", page)
    assert box is not None
    assert contents is not None
    left, bottom, right, top = map(float, box[1].split())
    listed = re.search(rb"/Font <<(.*?)>>", page, re.DOTALL)
    fonts = {
        name.decode(): _letters(objects[int(number)], objects)
        for name, number in re.findall(rb"/(\w+) (\d+) 0 R", listed[1] if listed else b"")
    }
    return Sheet(right - left, top - bottom, _words(_stream(objects[int(contents[1])]), fonts, top))


def _words(stream: str, fonts: dict[str, dict[int, str]], top: float) -> tuple[tuple[float, float, str], ...]:
    matrix: Matrix = (1, 0, 0, 1, 0, 0)
    line: Matrix = matrix
    kept: list[Matrix] = []
    letters: dict[int, str] = {}
    words = []
    for found in _OPERATION.finditer(stream):
        match found.lastgroup:
            case "q":
                kept.append(matrix)
            case "Q":
                matrix = kept.pop()
            case "cm":
                matrix = _times(_matrix(found["cm"]), matrix)
            case "font":
                letters = fonts[found["font"]]
            case "Tm":
                line = _matrix(found["Tm"])
            case "Td":
                right, up = map(float, found["Td"].split())
                line = _times((1, 0, 0, 1, right, up), line)
            case _:
                place = _times(line, matrix)
                glyphs = "".join(re.findall(r"<([0-9A-F]*)>", found["shown"]))
                text = "".join(letters.get(int(glyphs[i : i + 4], 16), "") for i in range(0, len(glyphs), 4))
                words.append((top - place[5], place[4], text))
    return tuple(words)


def _letters(font: bytes, objects: dict[int, bytes]) -> dict[int, str]:
    """Glyph number to text, by the font's map to Unicode (Adobe Technical Note 5014)."""
    number = re.search(rb"/ToUnicode (\d+) 0 R", font)
    if number is None:
        return {}
    table = _stream(objects[int(number[1])])
    letters = {}
    for block in re.findall(r"beginbfrange\n(.*?)endbfrange", table, re.DOTALL):
        for first, last, text in re.findall(r"<(\w+)> <(\w+)> <(\w+)>", block):
            for glyph in range(int(first, 16), int(last, 16) + 1):
                letters[glyph] = chr(int(text, 16) + glyph - int(first, 16))
    for block in re.findall(r"beginbfchar\n(.*?)endbfchar", table, re.DOTALL):
        for glyph, text in re.findall(r"<(\w+)> <(\w+)>", block):
            letters[int(glyph, 16)] = bytes.fromhex(text).decode("utf-16-be")
    return letters


def _stream(body: bytes) -> str:
    head, _, rest = body.partition(b"stream\n")
    content = rest[: rest.rindex(b"\nendstream")]
    return (zlib.decompress(content) if b"/FlateDecode" in head else content).decode("latin-1")


def _matrix(text: str) -> Matrix:
    a, b, c, d, e, f = map(float, text.split())
    return a, b, c, d, e, f


def _times(m: Matrix, n: Matrix) -> Matrix:
    return (
        m[0] * n[0] + m[1] * n[2], m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2], m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4], m[4] * n[1] + m[5] * n[3] + n[5],
    )  # fmt: skip
