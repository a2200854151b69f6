"""What is the table at a location, once and for all? What is digested is what is read, whatever happens meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.intake.database import is_database, read_database, shown_address
from gateway.intake.delimited import PLAIN
from gateway.intake.dialect import propose_source
from gateway.intake.errors import IntakeError, refuse
from gateway.intake.raw import RawTable
from gateway.intake.reading import FileFormat, format_of, gunzip, parse_table, read_bytes
from policies import Source

CHUNK_ROWS = 50_000
_MOST_PARTS = 10_000
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True)
class Snapshot:
    """One fixed state of a source: the bytes of a file or of a folder's parts, or the rows of a database.

    ``shown`` is its name for people, without a password.
    """

    shown: str
    source: Source
    parts: tuple[tuple[str, bytes, FileFormat], ...] = ()
    rows: RawTable | None = None

    def feed(self, digest: Callable[[bytes], None]) -> None:
        """Give a digest everything that the table depends on.

        Of one file these are its bytes; of a folder the names, lengths and bytes of the parts; of a database the
        columns' names and the rows' texts, each with its length, so that no two tables look alike.
        """
        if self.rows is not None:
            _feed_rows(self.rows, digest)
        elif len(self.parts) == 1 and not self.parts[0][0]:
            digest(self.parts[0][1])
        else:
            for name, content, _ in self.parts:
                digest(b"%d:%b%d:" % (len(name.encode()), name.encode(), len(content)))
                digest(content)

    def table(self) -> RawTable:
        """All rows as raw text.

        Raises
        ------
        IntakeError
            It is not the format it is said to be, or the parts do not fit together.
        """
        return RawTable.joined(list(self._parsed()))

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[RawTable]:
        """The same rows in the same order, at most so many at a time; one part is unpacked at a time.

        Raises
        ------
        IntakeError
            As for :meth:`table`.
        """
        for part in self._parsed():
            for start in range(0, part.row_count, rows):
                yield part.rows(start, start + rows)

    def _parsed(self) -> Iterator[RawTable]:
        if self.rows is not None:
            yield self.rows
            return
        for name, content, form in self.parts:
            try:
                yield parse_table(content, form, self.source)
            except IntakeError as cause:
                raise IntakeError(cause.problems, f"{self.shown}/{name}" if name else self.shown) from None


def propose_snapshot(location: str | Path, source: Source = PLAIN) -> tuple[Snapshot, tuple[str, ...]]:
    """A snapshot read as it is most likely written, and why that is thought; sheet, table and query are as given.

    Raises
    ------
    IntakeError
        As for :func:`take_snapshot`.
    """
    snapshot = take_snapshot(location, source)
    if snapshot.rows is not None or snapshot.parts[0][2] not in ("csv", "csv.gz"):
        return snapshot, ()
    _, content, form = snapshot.parts[0]
    proposed, reasons = propose_source(gunzip(content) if form == "csv.gz" else content)
    return replace(snapshot, source=proposed), reasons


def take_snapshot(location: str | Path, source: Source = PLAIN) -> Snapshot:
    """Hold on to the table at a path or a database's URL.

    A path is one file, or a folder of Parquet parts: those whose names end in ``.parquet`` and begin with neither a
    point nor an underscore, in the order of their names.

    Raises
    ------
    IntakeError
        There is nothing to be read, or it is beyond a limit.
    """
    text = str(location)
    if is_database(text):
        name = shown_address(text)
        try:
            return Snapshot(name, source, rows=read_database(text, source))
        except IntakeError as cause:
            raise IntakeError(cause.problems, name) from None
    if _SCHEME.match(text):  # told without what may be a password in it
        raise refuse("this is no address of a database that can be read", "write postgresql://... or sqlite:///...")
    path = Path(location)
    try:
        if not path.is_dir():
            return Snapshot(path.name, source, (("", read_bytes(path), format_of(path)),))
        files = sorted(each for each in path.iterdir() if each.name.endswith(".parquet") and each.name[0] not in "._")
        if not 0 < len(files) <= _MOST_PARTS:
            raise refuse(f"the folder holds {len(files)} Parquet parts", f"give one with 1 to {_MOST_PARTS}")
        return Snapshot(path.name, source, tuple((each.name, read_bytes(each), "parquet") for each in files))
    except IntakeError as cause:
        raise IntakeError(cause.problems, path.name) from None


def _feed_rows(rows: RawTable, digest: Callable[[bytes], None]) -> None:
    for name, cells in rows.columns.items():
        texts = [name, *cells.spellings]
        for text in texts:
            content = text.encode("utf-8", "surrogatepass")
            digest(b"%d:" % len(content) + content)
        digest(b"%d:" % len(cells.codes) + cells.codes.astype("<i4").tobytes())
