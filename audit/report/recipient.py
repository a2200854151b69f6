"""What may the requester know? The page that goes with the data, or with the refusal; it holds no measured number."""

from __future__ import annotations

from audit.report.glossary import entry
from audit.report.inputs import RecipientInputs
from audit.report.page import render
from policies import Column

_TYPES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "category": "category",
    "ordinal": "ordered category",
    "date": "date",
    "datetime": "date and time",
}


def render_recipient_page(inputs: RecipientInputs) -> str:
    """One HTML file for the requester: the coarse verdict, what the data are and are not, and how to verify (I-7)."""
    findings = inputs.verdict.findings
    columns = [(name, *_described(inputs.dictionary.columns[name])) for name in inputs.dictionary.released]
    return render(
        "recipient.html.j2",
        {
            "dictionary": inputs.dictionary,
            "allowed": inputs.verdict.allowed,
            "findings": None if findings is None else [(entry(name).title, met) for name, met in findings],
            "columns": columns,
            "units": any(unit for _, _, unit, _, _ in columns),
            "categorical": any(categories for _, _, _, categories, _ in columns),
            "described": any(description for *_, description in columns),
            "files": inputs.files if inputs.verdict.allowed else (),
            "facts": inputs.facts,
            "contact": inputs.contact,
            "bundle": inputs.bundle,
            "public_key": inputs.public_key,
        },
    )


def _described(column: Column) -> tuple[str, str, str, str]:
    """Type, unit, number of categories, description."""
    categories = str(len(column.categories)) if column.categories else ""
    return _TYPES[column.type], column.unit or "", categories, column.description or ""
