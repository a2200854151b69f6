"""Which bytes are the table? Opens a file once, within limits, and hands its text on unguessed."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

from gateway.intake.delimited import PLAIN, parse_csv
from gateway.intake.errors import IntakeError, refuse
from gateway.intake.parquet import parse_parquet
from gateway.intake.raw import RawTable
from gateway.intake.workbook import parse_workbook
from policies import Source

FileFormat = Literal["csv", "csv.gz", "parquet", "xlsx"]
MAX_BYTES = 4 * 1024**3
MAX_RATIO = 200  # gzip of a patient table stays below 50; its limit is 1032
_RATIO_FROM = 64 * 1024**2  # below this a high ratio harms nobody
_CHUNK = 4 * 1024**2

_SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv",
    ".csv.gz": "csv.gz",
    ".parquet": "parquet",
    ".tsv": "csv",
    ".tsv.gz": "csv.gz",
    ".txt": "csv",
    ".xlsx": "xlsx",
}


def read_table(
    source: Path | str | bytes | bytearray | memoryview | BinaryIO,
    file_format: FileFormat | None = None,
    written: Source = PLAIN,
) -> RawTable:
    """A table as raw text from a path, from bytes, or from an open binary stream.

    Delimited text is in the encoding and with the delimiter and quote of ``written`` (UTF-8, with or without a byte
    order mark, and commas where nothing else is said), RFC 4180 quoting, one header row; blank lines at the end are
    ignored. Every cell stays the text it is: nothing is taken for a missing value here. Where the
    format is not said, it follows from the name of a path, and from the first bytes otherwise.

    Raises
    ------
    IntakeError
        The source cannot be read, is beyond a size limit, or is not the format it is said to be.
    """
    if isinstance(source, Path | str):
        try:
            return parse_table(read_bytes(source), file_format or format_of(source), written)
        except IntakeError as cause:
            raise IntakeError(cause.problems, Path(source).name) from None
    content = bytes(source) if isinstance(source, bytes | bytearray | memoryview) else _stream_bytes(source)
    return parse_table(content, file_format or _sniffed(content), written)


def format_of(path: Path | str) -> FileFormat:
    """The format a file's name promises.

    Raises
    ------
    IntakeError
        The name ends in none of the known suffixes.
    """
    name = Path(path).name.lower()
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return _SUFFIXES[suffix]
    raise refuse("the file name does not tell its format", f"save the table as one of {', '.join(_SUFFIXES)}")


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a regular file (a link is followed), read once so that they can also be hashed.

    Raises
    ------
    IntakeError
        It is missing, not a regular file, unreadable, or larger than ``MAX_BYTES``.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before opening: a pipe would block
            raise refuse("the path is not a file", "give one file, not a folder, pipe or device")
        with path.open("rb") as file:
            return _stream_bytes(file)
    except FileNotFoundError:
        raise refuse("the file does not exist", "check the path") from None
    except OSError as cause:
        raise refuse(f"the file cannot be read ({cause.strerror})", "check its permissions") from None


def gunzip(content: bytes) -> bytes:
    """What a gzip file holds.

    Raises
    ------
    IntakeError
        It is not gzip, is cut short or damaged, or unpacks to more than the limits on size and ratio.
    """
    parts: list[bytes] = []
    total = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            while part := stream.read(_CHUNK):
                total += len(part)
                if total > MAX_BYTES or (total > _RATIO_FROM and total > MAX_RATIO * len(content)):
                    raise refuse(
                        "the gzip file unpacks to far more than its size allows", "unpack and inspect it first"
                    )
                parts.append(part)
    except (EOFError, OSError, zlib.error) as cause:
        if isinstance(cause, IntakeError):
            raise
        raise refuse("the file is not gzip, or is damaged or cut short", "copy or export it again") from None
    return b"".join(parts)


def parse_table(content: bytes, file_format: FileFormat, written: Source = PLAIN) -> RawTable:
    """The raw table that the bytes of a file hold.

    Raises
    ------
    IntakeError
        They are empty, beyond a size limit, or not of that format.
    """
    if not content:
        raise refuse("the file is empty", "check that the export finished")
    if file_format == "parquet":
        return parse_parquet(content)
    if file_format == "xlsx":
        return parse_workbook(content, written.sheet)
    return parse_csv(gunzip(content) if file_format == "csv.gz" else content, written)


def _sniffed(content: bytes) -> FileFormat:
    if content.startswith(b"PAR1"):
        return "parquet"
    if content.startswith(b"PK\x03\x04"):
        return "xlsx"
    return "csv.gz" if content.startswith(b"\x1f\x8b") else "csv"


def _stream_bytes(stream: BinaryIO) -> bytes:
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise refuse(f"the file is larger than {MAX_BYTES // 1024**3} GiB", "split the table or drop columns")
    return content
