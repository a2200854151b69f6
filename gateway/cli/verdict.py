"""How a decision reads on a terminal."""

from __future__ import annotations

from typing import Literal

import click

from gateway.formats.finding import bounds, doubt, measured
from policies import Decision


def echo_decision(decision: Decision) -> None:
    """One line per limit on stderr."""
    width = max((len(finding.measure) for finding in decision.findings), default=0)
    for finding in decision.findings:
        mark = click.style("ok  ", fg="green") if finding.met else click.style("DENY", fg="red")
        mark = mark if finding.asked else "--  "
        limit = f"limit {bounds(finding.limit)}{doubt(finding)}"
        click.echo(f"{mark} {finding.measure:{width}}  {measured(finding)}  {limit}", err=True)


def in_brief(decision: Decision, disclosure: Literal["verdict", "findings"] = "findings") -> str:
    """The decision in a line; how many limits are not met only where that may be told."""
    unasked = len(decision.unasked)
    beside = f"; {unasked} limit{'' if unasked == 1 else 's'} not asked of so many rows" if unasked else ""
    if decision.allowed:
        return f"ALLOWED{beside}"
    if disclosure == "verdict":
        return f"DENIED{beside}"
    return f"DENIED: {len(decision.unmet)} of {len(decision.asked)} limits{beside}"
