"""Which text stands in each cell of a Parquet file? The same that a CSV of the table would hold."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gateway.intake.errors import IntakeError, Problem, refuse
from gateway.intake.raw import Cells, RawTable, check_header, encode

MAX_CELLS = 500_000_000
MAX_UNPACKED = 8 * 1024**3
_DAMAGED = ("the file is not Parquet, or is damaged, encrypted or cut short", "write it again")


def parse_parquet(content: bytes) -> RawTable:
    """A raw table from the bytes of a Parquet file; a null has code -1, a float NaN is the text ``nan``.

    Raises
    ------
    IntakeError
        Not Parquet, beyond the size limits, no rows, a faulty header, or a column of a type that is no single value
        (nested, binary, a time with a zone).
    """
    if content[:4] != b"PAR1" or content[-4:] != b"PAR1":
        raise refuse(*_DAMAGED)
    try:
        # names first, from the footer alone: nothing is unpacked before the limits are held
        footer = pq.read_metadata(pa.BufferReader(content))
        schema = footer.schema.to_arrow_schema()
        _check_footer(footer, schema)
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        file = pq.ParquetFile(pa.BufferReader(content), metadata=footer, read_dictionary=texts)
        table = file.read(use_threads=False)
        if table.num_rows != footer.num_rows:
            raise refuse(*_DAMAGED)
        return RawTable({field.name: _cells(table.column(i)) for i, field in enumerate(schema)}, table.num_rows)
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError):
        raise refuse(*_DAMAGED) from None


def _check_footer(footer: Any, schema: Any) -> None:
    check_header(schema.names)
    if footer.num_rows == 0:
        raise refuse("the table has no rows", "check that the export finished")
    if footer.num_rows * len(schema) > MAX_CELLS:
        raise refuse(f"the table has more than {MAX_CELLS} cells", "split it or drop columns")
    if sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups)) > MAX_UNPACKED:
        raise refuse(f"the table unpacks to more than {MAX_UNPACKED // 1024**3} GiB", "split it or drop columns")
    problems = [problem for field in schema if (problem := _type_problem(field)) is not None]
    if problems:
        raise IntakeError(problems)


def _type_problem(field: Any) -> Problem | None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return Problem("times carry a zone", "store local times without a zone", field.name)
    fits = (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_date(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_null(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    )
    if fits:
        return None
    return Problem("cells are not single numbers, texts, booleans or dates", "convert or drop the column", field.name)


def _cells(column: Any) -> Cells:
    if pa.types.is_float16(column.type):
        column = pc.cast(column, pa.float32())
    return encode(column, "boolean" if pa.types.is_boolean(column.type) else "text")
