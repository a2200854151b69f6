"""The way in: files to typed frames, people to parts, typed frames to bytes."""

from gateway.intake.dialect import propose_source
from gateway.intake.draft import Draft, draft_dictionary, propose_dictionary
from gateway.intake.errors import IntakeError, Problem
from gateway.intake.lone_split import draw_lots, split_alone
from gateway.intake.raw import RawTable
from gateway.intake.reading import FileFormat, format_of, read_bytes, read_table
from gateway.intake.snapshot import Snapshot, propose_snapshot, take_snapshot
from gateway.intake.split import split_on, split_people
from gateway.intake.surrogates import fresh_keys
from gateway.intake.typed import TypedTable, type_chunks, type_table
from gateway.intake.writing import write_csv, write_parquet

__all__ = [
    "Draft",
    "FileFormat",
    "IntakeError",
    "Problem",
    "RawTable",
    "Snapshot",
    "TypedTable",
    "draft_dictionary",
    "draw_lots",
    "format_of",
    "fresh_keys",
    "propose_dictionary",
    "propose_snapshot",
    "propose_source",
    "read_bytes",
    "read_table",
    "split_alone",
    "split_on",
    "split_people",
    "take_snapshot",
    "type_chunks",
    "type_table",
    "write_csv",
    "write_parquet",
]
