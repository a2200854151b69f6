"""What has been released and refused in a period, who stood for it, and what did it cost? One page for the officer."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from audit.report.budget_plot import budget_plot
from audit.report.glossary import entry
from audit.report.page import render
from audit.report.period_inputs import Budget, Decided, PeriodInputs, Said, Unfinished

_SLACK = 1e-7  # of the last place shown: 0.3 that floating point made 0.30000000000000004 is still 0.300
_STATES = {"in force": "met", "superseded": "open", "expired": "open", "withheld": "unmet", "revoked": "unmet"}
_ACTIONS = {
    "approve": ("Approved", "met"),
    "refuse": ("Refused", "unmet"),
    "override": ("Overridden", "override"),
    "revoke": ("Revoked", "unmet"),
    "supersede": ("Superseded", "open"),
}


def render_period_report(inputs: PeriodInputs) -> str:
    """One HTML file about a period. It names people and reasons, and holds no measured number (I-7)."""
    allowed = [each for each in inputs.decided if each.allowed]
    denied = [each for each in inputs.decided if not each.allowed]
    overrides = [each for each in inputs.said if each.action == "override"]
    sound = not inputs.broken and not inputs.problems
    return render(
        "period.html.j2",
        {
            "period": _period(inputs.since, inputs.until),
            "made": _minute(inputs.made_at),
            "sound": sound,
            "good": sound and not overrides and not any(each.standing == "withheld" for each in allowed),
            "verdict": _verdict(len(allowed), len(denied), len(overrides), sound=sound),
            "counts": _counts(inputs, allowed, denied, len(overrides)),
            "chosen": inputs.chosen,
            "problems": inputs.problems,
            "broken": inputs.broken,
            "overrides": [_said(each) for each in overrides],
            "allowed": [_decided(each) for each in allowed],
            "denied": [_decided(each) for each in denied],
            "private": any(each.epsilon is not None for each in allowed),
            "named": (any(each.requester for each in allowed), any(each.requester for each in denied)),
            "budgets": [_budget(each, place, inputs) for place, each in enumerate(inputs.budgets)],
            "said": [_said(each) for each in inputs.said],
            "unfinished": [_unfinished(each) for each in inputs.unfinished],
            "facts": inputs.facts,
        },
    )


def _verdict(allowed: int, denied: int, overrides: int, *, sound: bool) -> str:
    total = allowed + denied
    if not total:
        decisions = "No decision in this period"
    else:
        decisions = f"{_counted(total, 'decision')}: {allowed} released, {denied} refused"
    overruled = f" {_counted(overrides, 'override')} by an officer." if overrides else ""
    holds = "Every record holds." if sound else "Not everything holds: see below before relying on it."
    return f"{decisions}.{overruled} {holds}"


def _counts(
    inputs: PeriodInputs, allowed: list[Decided], denied: list[Decided], overrides: int
) -> list[tuple[str, str]]:
    standing = [each.standing for each in allowed]
    counts = [
        ("Released", len(allowed)),
        ("Refused", len(denied)),
        ("Of the released, in force", standing.count("in force")),
        ("Withdrawn", standing.count("revoked")),
        ("Not to be relied on", standing.count("withheld")),
        ("Overrides", overrides),
        ("Without a decision", len(inputs.unfinished)),
        ("Broken records", len(inputs.broken)),
    ]
    always = ("Released", "Refused", "Overrides", "Broken records")
    return [(name, f"{count:,}") for name, count in counts if count or name in always]


def _decided(each: Decided) -> dict[str, Any]:
    return {
        "place": each.place or "none",
        "at": _minute(each.at),
        "dataset": each.dataset,
        "policy": each.policy,
        "requester": each.requester or "not named",
        "rows": f"{each.rows:,}",
        "epsilon": "none" if each.epsilon is None else up(each.epsilon),
        "delta": "" if each.delta is None else f"{each.delta:g}",
        "reason": each.reason,
        "unmet": ", ".join(entry(name).title for name in each.unmet),
        "standing": each.standing[0].upper() + each.standing[1:],
        "state": _STATES.get(each.standing, "open"),
        "remark": each.remark,
        "overridden": each.overridden,
    }


def _said(each: Said) -> dict[str, str]:
    what, state = _ACTIONS.get(each.action, (each.action, "open"))
    return {
        "at": _minute(each.at),
        "what": what,
        "state": state,
        "about": each.about,
        "by": each.by,
        "role": each.role,
        "reason": each.reason,
    }


def _unfinished(each: Unfinished) -> tuple[str, str, str, str]:
    return _minute(each.at), each.dataset, each.policy, each.how


def _budget(each: Budget, place: int, inputs: PeriodInputs) -> dict[str, Any]:
    before = max((charge.spent for charge in each.charges if charge.at < inputs.since), default=0.0)
    last = each.charges[-1]
    during = sum(charge.at >= inputs.since for charge in each.charges)
    return {
        "dataset": each.dataset,
        "delta": f"{each.delta:g}",
        "before": up(before),
        "spent": up(last.spent),
        "lifetime": f"{last.lifetime:g}",
        "left": down(max(last.lifetime - last.spent, 0.0)),
        "charges": _counted(during, "charge") if during else "none",
        "mixed": each.mixed,
        "by_row": each.unit == "row",
        "plot": budget_plot(each, inputs.since, inputs.until, key=f"budget-{place}"),
    }


def up(epsilon: float) -> str:
    """Three decimals, rounded up: what is spent never looks less."""
    return f"{math.ceil(epsilon * 1000 - _SLACK) / 1000:.3f}" if math.isfinite(epsilon) else "beyond all bounds"


def down(epsilon: float) -> str:
    """Three decimals, rounded down: what is left never looks more."""
    return f"{math.floor(epsilon * 1000 + _SLACK) / 1000:.3f}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _period(since: datetime, until: datetime) -> str:
    """The first and the last day, or moments where the period does not begin and end with a day."""
    if all(_is_midnight(each) for each in (since, until)):
        first, last = since.date(), (until - timedelta(days=1)).date()
        return f"{first}" if first == last else f"{first} to {last}"
    return f"{_minute(since)} to {_minute(until)}"


def _is_midnight(moment: datetime) -> bool:
    return moment.astimezone(UTC).time() == datetime.min.time()


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
