"""What may the requester know? The page that goes with the data, or with the refusal; it holds no measured number."""

from __future__ import annotations

from audit.report import closeness
from audit.report.glossary import entry
from audit.report.inputs import RecipientInputs
from audit.report.page import render
from audit.report.privacy import in_plain_words
from policies import Column

_TRUST = "--trust trust.dsse.json --root root.pub.pem"
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "category": "category",
    "ordinal": "ordered category",
    "date": "date",
    "datetime": "date and time",
    "identifier": "fresh random key",
}


def render_recipient_page(inputs: RecipientInputs) -> str:
    """One HTML file for the requester: the coarse verdict, what the data are and are not, and how to verify (I-7)."""
    findings = inputs.verdict.findings
    approvals = inputs.approvals if inputs.verdict.allowed else 0
    columns = [(name, *_described(inputs.dictionary.columns[name])) for name in inputs.dictionary.leaving]
    return render(
        "recipient.html.j2",
        {
            "dictionary": inputs.dictionary,
            "allowed": inputs.verdict.allowed,
            "findings": None if findings is None else [(entry(name).title, met) for name, met in findings],
            "unasked": [entry(name).title for name in inputs.verdict.unasked],
            "columns": columns,
            "units": any(unit for _, _, unit, _, _ in columns),
            "categorical": any(categories for _, _, _, categories, _ in columns),
            "described": any(description for *_, description in columns),
            "files": inputs.files if inputs.verdict.allowed else (),
            "facts": inputs.facts,
            "contact": inputs.contact,
            "bundle": inputs.bundle,
            "key_options": _TRUST if approvals else f"--key {inputs.public_key}",
            "approvals": approvals,
            "privacy": in_plain_words(inputs.privacy) if inputs.verdict.allowed else None,
            "closeness": _graded(inputs),
        },
    )


def _graded(inputs: RecipientInputs) -> tuple[tuple[str, str], ...]:
    """Nothing of a refusal, under a silent policy, or under a claim, which grades of real rows are outside of."""
    silent = not inputs.verdict.allowed or inputs.verdict.findings is None or inputs.privacy is not None
    return () if silent or inputs.closeness is None else closeness.in_plain_words(inputs.closeness)


def _described(column: Column) -> tuple[str, str, str, str]:
    """Type, unit, number of categories, description."""
    categories = str(len(column.categories)) if column.categories else ""
    return _TYPES[column.type], column.unit or "", categories, column.description or ""
