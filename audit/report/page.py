"""How does a template become one HTML file that needs nothing else and runs nothing?"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from audit.report.wording import printable

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)


def render(template: str, context: dict[str, Any]) -> str:
    """One page; every string of ``context`` is escaped unless it is markup made here."""
    style = (resources.files("audit.report") / "assets" / "report.css").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template(template)
        .render(
            **context,
            policy=CONTENT_SECURITY_POLICY,
            style=Markup(style),  # noqa: S704  # our own file
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("audit.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )


def _finalize(value: object) -> object:
    """Outside text loses its control characters on the way into the page; markup made here passes."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
