"""How a decision reads on a terminal."""

from __future__ import annotations

import math

import click

from policies import Decision, Finding, Limit


def echo_decision(decision: Decision) -> None:
    """One line per limit on stderr."""
    width = max((len(finding.measure) for finding in decision.findings), default=0)
    for finding in decision.findings:
        mark = click.style("ok  ", fg="green") if finding.met else click.style("DENY", fg="red")
        click.echo(f"{mark} {finding.measure:{width}}  {_measured(finding)}  limit {bounds(finding.limit)}", err=True)


def bounds(limit: Limit) -> str:
    """The limit in words."""
    parts = []
    if limit.min is not None:
        parts.append(f"at least {limit.min:g}")
    if limit.max is not None:
        parts.append(f"at most {limit.max:g}")
    return " and ".join(parts)


def _measured(finding: Finding) -> str:
    if finding.status != "measured" or not math.isfinite(finding.value):
        return f"{finding.status}{': ' + finding.reason if finding.reason else ''}"
    if finding.lower == finding.upper:
        return f"{finding.value:.4g}"
    return f"{finding.value:.3f} [{finding.lower:.3f}, {finding.upper:.3f}]"
