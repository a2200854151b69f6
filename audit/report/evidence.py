"""What does the custodian need to see to stand by a verdict? The evidence report, which stays with the custodian."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from audit.report.cells import MINIMUM_PEOPLE
from audit.report.gallery import Associations, Marginals, associations, marginals
from audit.report.glossary import FIDELITY, UTILITY, Entry, entry
from audit.report.inputs import EvidenceInputs
from audit.report.interval_bar import interval_bar
from audit.report.page import render
from audit.report.plots import distance_plot, trace_plot, weights_plot
from audit.report.privacy import in_figures
from audit.report.wording import (
    finding_in_words,
    limit_in_words,
    number,
    numbers,
    status_in_words,
    verdict_in_words,
)
from policies import Finding, Measurement

TABLE_DECIMALS = 3


def render_evidence_report(inputs: EvidenceInputs) -> str:
    """One HTML file with the exact values and the plots: for the custodian and the compliance officer only (I-7).

    Parts that were not handed over (tables, distances, weights) are left out, and a measure without a number is
    shown as such. Plots show no cell of 1 to 10 real people; see ``audit.report.cells``.
    """
    measured = {measurement.name: measurement for measurement in inputs.measurements}
    columns, maps = _tables(inputs)
    limited = {finding.measure for finding in inputs.decision.findings}
    return render(
        "evidence.html.j2",
        {
            "dictionary": inputs.dictionary,
            "decision": inputs.decision,
            "stopped": inputs.stopped,
            "allowed": inputs.decision.allowed and not inputs.stopped,
            "verdict": verdict_in_words(inputs.decision, inputs.stopped),
            "rows_real": None if inputs.train is None else f"{len(inputs.train):,}",
            "rows_released": None if inputs.released is None else f"{len(inputs.released):,}",
            "limits": [_limit(f, measured.get(f.measure), i) for i, f in enumerate(inputs.decision.findings)],
            "closest": _closest(inputs.decision.asked) if inputs.decision.allowed and not inputs.stopped else "",
            "fidelity": _fidelity(measured),
            "utility": _utility(measured),
            "gap": _value(measured, "utility_gap"),
            "others": [_Row.of(m) for m in inputs.measurements if m.name not in limited],
            "marginals": columns,
            "associations": maps,
            "minimum": MINIMUM_PEOPLE,
            "distances": _distances(inputs),
            "weights": weights_plot(inputs.weights, key="weights") if _drawable(inputs.weights.values()) else None,
            "trace": _trace(inputs),
            "tried": _tried(inputs),
            "seconds": [(stage, _duration(seconds)) for stage, seconds in inputs.seconds.items()],
            "total": _duration(math.fsum(inputs.seconds.values())),
            "facts": inputs.facts,
            "not_covered": inputs.not_covered,
            "privacy": in_figures(inputs.privacy),
        },
    )


@dataclass(frozen=True)
class _Row:
    """One measurement as the tables print it."""

    name: str
    about: Entry
    value: str
    interval: tuple[str, str]
    n: str
    status: str
    method: str

    @classmethod
    def of(cls, m: Measurement) -> _Row:
        about = entry(m.name)
        value, interval = _measured(m)
        return cls(m.name, about, value, interval, f"{m.n:,}" if m.n else "", m.reason, m.method)


def _limit(finding: Finding, m: Measurement | None, place: int) -> dict[str, Any]:
    about = entry(finding.measure)
    edges = tuple(edge for edge in (finding.limit.min, finding.limit.max) if edge is not None)
    stands = m is not None and (finding.status == "measured" or finding.undecided)
    value, interval = _measured(m, edges) if m is not None and stands else ("no number", ("", ""))
    return {
        "name": finding.measure,
        "about": about,
        "value": value,
        "interval": interval,
        "limit": limit_in_words(finding.limit, count=about.count) + _reach(finding.limit.most_rows),
        "source": finding.limit.source,
        "status": status_in_words(finding),
        "state": "met" if finding.met else "unmet" if finding.status == "measured" else "open",
        "reason": finding.reason if finding.status != "missing" else "",
        "bar": interval_bar(finding, about, key=f"limit-{place}"),
    }


def _reach(most_rows: int | None) -> str:
    return "" if most_rows is None else f", asked up to {most_rows:,} rows learned from"


def _measured(m: Measurement, beside: tuple[float, ...] = ()) -> tuple[str, tuple[str, str]]:
    """The value, and its interval as (what it is, its ends); a measure without a number says its status."""
    if m.status != "measured" or not math.isfinite(m.value):
        return (m.status if m.status != "measured" else "no number"), ("", "")
    count = entry(m.name).count
    if m.confidence == 1 and m.lower == m.upper:
        how = "computed" if m.name.startswith("dp_") else "counted"
        return number(m.value, count=count, beside=beside), (how, "")
    value, lower, upper = numbers((m.value, m.lower, m.upper), count=count, beside=beside)
    return value, (f"{100 * m.confidence:.4g} % interval", f"{lower} to {upper}")


def _closest(findings: Iterable[Finding]) -> str:
    """Of an allowed release, the limit that was met most narrowly, relative to the limit's size."""

    def room(finding: Finding) -> float:
        upper = math.inf if finding.limit.max is None else finding.limit.max - finding.upper
        lower = math.inf if finding.limit.min is None else finding.lower - finding.limit.min
        bound = finding.limit.max if upper < lower else finding.limit.min
        return min(upper, lower) / (abs(bound or 0.0) or 1.0)

    found = list(findings)
    estimated = [finding for finding in found if finding.lower < finding.upper]
    return finding_in_words(min(estimated or found, key=room))


def _fidelity(measured: dict[str, Measurement]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Measure, the value that means equal, and its three numbers: to train, to holdout, real to real."""
    rows = []
    for measure in FIDELITY:
        names = (f"{measure}_train", f"{measure}_holdout", f"floor_{measure}")
        if any(name in measured for name in names):
            about = entry(names[0])
            equal = "1" if about.direction == "higher is closer" else "0"
            rows.append((about.title.partition(",")[0], equal, tuple(_value(measured, name) for name in names)))
    return rows


def _utility(measured: dict[str, Measurement]) -> list[tuple[str, str, str]]:
    rows = []
    for score in UTILITY:
        names = (f"tstr_{score}", f"trtr_{score}")
        if any(name in measured for name in names):
            title = entry(names[0]).title.partition(": ")[2]
            rows.append((title[0].upper() + title[1:], _value(measured, names[0]), _value(measured, names[1])))
    return rows


def _value(measured: dict[str, Measurement], name: str) -> str:
    m = measured.get(name)
    if m is None:
        return "not measured"
    return number(m.value, decimals=TABLE_DECIMALS) if m.status == "measured" and math.isfinite(m.value) else m.status


def _tables(inputs: EvidenceInputs) -> tuple[Marginals | None, Associations | None]:
    train, released = inputs.train, inputs.released
    if train is None or released is None or len(train) == 0 or len(released) == 0:
        return None, None
    people = np.arange(len(train)) if inputs.train_people is None else inputs.train_people
    columns, ranked = marginals(inputs.dictionary, train, released, people)
    return columns, associations(inputs.dictionary, train, released, ranked)


def _distances(inputs: EvidenceInputs) -> Markup | None:
    given = inputs.distances
    if given is None or not all(np.isfinite(d).any() for d in (given.released_to_train, given.released_to_holdout)):
        return None
    return distance_plot(given, key="distances")


def _trace(inputs: EvidenceInputs) -> Markup | None:
    rewards = np.array([reward for _, reward in inputs.trace if math.isfinite(reward)])
    return trace_plot(rewards, key="trace") if len(rewards) else None


def _tried(inputs: EvidenceInputs) -> list[tuple[str, str, str]]:
    """What was tried, how often, and its best reward, the best first."""
    by_label: dict[str, list[float]] = {}
    for label, reward in inputs.trace:
        by_label.setdefault(label, []).append(reward if math.isfinite(reward) else -math.inf)
    best: Callable[[str], float] = lambda label: max(by_label[label])  # noqa: E731
    return [
        (label, f"{len(by_label[label]):,}", number(best(label)) if math.isfinite(best(label)) else "no number")
        for label in sorted(by_label, key=lambda label: -best(label))
    ]


def _drawable(values: Iterable[float]) -> bool:
    found = list(values)
    return bool(found) and all(map(math.isfinite, found))


def _duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "not known"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
