"""The way in: files to typed frames, people to parts, typed frames to bytes."""

from gateway.intake.draft import draft_dictionary
from gateway.intake.errors import IntakeError, Problem
from gateway.intake.lone_split import split_alone
from gateway.intake.raw import RawTable
from gateway.intake.reading import FileFormat, format_of, read_bytes, read_table
from gateway.intake.split import split_people
from gateway.intake.typed import TypedTable, type_table
from gateway.intake.writing import write_csv, write_parquet

__all__ = [
    "FileFormat",
    "IntakeError",
    "Problem",
    "RawTable",
    "TypedTable",
    "draft_dictionary",
    "format_of",
    "read_bytes",
    "read_table",
    "split_alone",
    "split_people",
    "type_table",
    "write_csv",
    "write_parquet",
]
