"""A dictionary as the TOML text it would be loaded from."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from policies.dictionary import Column, Dictionary, Source


def dictionary_to_toml(dictionary: Dictionary) -> str:
    """Text that ``parse_dictionary`` reads back to an equal dictionary."""
    lines = _fields({
        "version": dictionary.version, "name": dictionary.name, "description": dictionary.description,
        "target": dictionary.target, "patient": dictionary.patient,
        "max_rows_per_patient": dictionary.max_rows_per_patient, "people": dictionary.people,
        "missing": dictionary.missing,
    })  # fmt: skip
    if stated := source_to_toml(dictionary.source):
        lines += ["", *stated]
    for name, column in dictionary.columns.items():
        lines += ["", f"[columns.{_string(name)}]", *_fields(_column(column))]
    for rule in dictionary.rules:
        lines += ["", "[[rules]]", *_fields({"check": rule.check})]
    for each in dictionary.dependencies:
        lines += ["", "[[dependencies]]", *_fields({"source": each.source, "determines": each.determines})]
        if each.values is not None:
            lines += ["[dependencies.values]", *(f"{_string(a)} = {_string(b)}" for a, b in each.values.items())]
    return "\n".join(lines) + "\n"


def source_to_toml(source: Source) -> list[str]:
    """Lines of the dictionary's ``[source]``; none where nothing but defaults is said."""
    stated = source.model_dump(exclude_defaults=True)
    bound = stated.pop("parameters", None)
    lines = ["[source]", *_fields(stated)] if stated else []
    return [*lines, "[source.parameters]", *_fields(bound)] if bound else lines


def released_part(dictionary: Dictionary) -> Dictionary:
    """The dictionary of the released table: columns that leave, fresh keys among them.

    Where the patients' keys are fresh ones, that column still tells which rows are one synthetic patient's.
    """
    patient = dictionary.patient if dictionary.patient in dictionary.leaving else None
    columns = {name: dictionary.columns[name] for name in dictionary.leaving}
    if patient is None:  # nothing tells then which rows are one patient's
        columns = {name: _of_a_row(column) for name, column in columns.items()}
    return dictionary.model_copy(
        update={
            "columns": columns,
            "patient": patient,
            "max_rows_per_patient": None if patient is None else dictionary.max_rows_per_patient,
            "source": Source(),
        }
    )


def _of_a_row(column: Column) -> Column:
    marks = tuple(fact for fact in column.from_data if fact != "per_patient")
    return column.model_copy(update={"per_patient": False, "from_data": marks})


def _column(column: Column) -> dict[str, Any]:
    fields = column.model_dump(exclude_defaults=True)
    for bound in ("minimum", "maximum"):
        if isinstance(fields.get(bound), float) and fields[bound].is_integer():
            fields[bound] = int(fields[bound])
    return fields


def _fields(fields: dict[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in fields.items() if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, (dt.datetime, dt.date)):
        return value.isoformat()
    return repr(value)


def _string(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's too, but TOML also forbids a bare DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
