"""Where does a measured interval lie against its limit? A little picture, drawn without matplotlib."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from audit.report.glossary import Entry
from audit.report.wording import bound_in_words, limit_in_words, numbers
from policies import Finding

WIDTH, LEFT, RIGHT = 260.0, 8.0, 252.0


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    def __call__(self, value: float) -> float:
        """Horizontal place of a value in pixels, held inside the track."""
        share = (value - self.low) / (self.high - self.low)
        return round(LEFT + min(1.0, max(0.0, share)) * (RIGHT - LEFT), 2)


def interval_bar(finding: Finding, about: Entry, *, key: str) -> Markup:
    """Inline SVG: what the policy allows (shaded), its limit (tick), the interval (bar) and the value (dot)."""
    limit = finding.limit
    scale = _scale(finding, about)
    allowed = (
        scale.low if limit.min is None else limit.min,
        scale.high if limit.max is None else limit.max,
    )
    parts = [
        Markup('<rect class="track" x="{}" y="21" width="{}" height="10" rx="2"/>').format(LEFT, RIGHT - LEFT),
        Markup('<rect class="allowed" x="{}" y="21" width="{}" height="10"/>').format(
            scale(allowed[0]), round(scale(allowed[1]) - scale(allowed[0]), 2)
        ),
    ]
    for edge in {edge for edge in (limit.min, limit.max) if edge is not None}:
        x = scale(edge)
        text = f"limit {limit_in_words(limit, count=about.count).split()[-1]}" if limit.min != limit.max else "limit"
        if limit.min is not None and limit.max is not None:
            text = bound_in_words(edge, count=about.count)
        parts.append(Markup('<line class="limit" x1="{0}" x2="{0}" y1="16" y2="36"/>').format(x))
        parts.append(_text(x, 12, text, "ink"))
    parts += _measured(finding, scale)
    for end, anchor in ((scale.low, "start"), (scale.high, "end")):
        parts.append(
            Markup('<text class="quiet" x="{}" y="50" text-anchor="{}">{}</text>').format(
                LEFT if anchor == "start" else RIGHT, anchor, bound_in_words(round(end, 9), count=about.count)
            )
        )
    state = "met" if finding.met else "unmet"
    return Markup(
        '<svg class="bar {}" viewBox="0 0 {} 54" role="img" aria-labelledby="{}-t"><title id="{}-t">{}</title>{}</svg>'
    ).format(state, int(WIDTH), key, key, _said(finding, about), Markup("").join(parts))


def _measured(finding: Finding, scale: _Scale) -> list[Markup]:
    if not _has_number(finding):
        return [Markup('<text class="quiet" x="{}" y="30" text-anchor="middle">no number</text>').format(WIDTH / 2)]
    ends = [
        scale(end if math.isfinite(end) else outer)
        for end, outer in ((finding.lower, scale.low), (finding.upper, scale.high))
    ]
    parts = []
    if ends[1] > ends[0]:
        parts.append(Markup('<line class="interval" x1="{}" x2="{}" y1="26" y2="26"/>').format(*ends))
    parts.append(Markup('<circle class="value" cx="{}" cy="26" r="5"/>').format(scale(finding.value)))
    return parts


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    """Centred on ``x`` unless it would leave the picture."""
    anchor = "start" if x < 40 else "end" if x > WIDTH - 40 else "middle"
    place = {"start": max(x - 8, 1), "end": min(x + 8, WIDTH - 1), "middle": x}[anchor]
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, round(place, 2), y, anchor, text
    )


def _scale(finding: Finding, about: Entry) -> _Scale:
    """Round ends around everything drawn, within what the measure can be; 0 is shown where it is near."""
    measured = [finding.value, finding.lower, finding.upper] if _has_number(finding) else []
    shown = [finding.limit.min, finding.limit.max, *measured]
    values = [value for value in shown if value is not None and math.isfinite(value)]
    if about.low is None or about.low <= 0:
        values.append(0.0)
    low, high = min(values), max(values)
    room = (high - low) * 0.25 or abs(high) * 0.5 or 1.0
    low, high = (low if low == 0 and about.low == 0 else low - room), high + room
    step = 10.0 ** math.floor(math.log10(high - low)) / 2
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    if about.low is not None:
        low = max(low, min(about.low, *values))
    if about.high is not None:
        high = min(high, max(about.high, *values))
    return _Scale(low, high if high > low else low + 1.0)


def _has_number(finding: Finding) -> bool:
    """A number that a control has voided is no number: it is not drawn either."""
    return (finding.status == "measured" or finding.undecided) and math.isfinite(finding.value)


def _said(finding: Finding, about: Entry) -> str:
    """The same in words."""
    limit = f"Limit {limit_in_words(finding.limit, count=about.count)}"
    if not _has_number(finding):
        return f"{limit}; no number was measured."
    value, lower, upper = numbers((finding.value, finding.lower, finding.upper), count=about.count)
    interval = "" if finding.lower == finding.upper else f", interval {lower} to {upper}"
    return f"{limit}; measured {value}{interval}."
