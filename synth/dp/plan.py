"""How is the budget laid out, by public facts alone?

Everything here follows from the dictionary, epsilon, delta and the public number of patients: which mechanisms run how
often with how much noise, and how fine the cells are. What the mechanisms answer may decide which table is measured,
never how noisily.

What a table can tell depends on ``signal = people * rho``, with rho the zCDP of the whole plan: a count of a share s of
all rows stands out of its noise by about ``s * sqrt(people * signal)``. The rules below are in terms of it; their
constants are ours, set on public benchmark tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies import Dictionary
from synth.dp.accounting import calibrate
from synth.dp.domain import Domain, domain_of
from synth.dp.events import (
    EnvelopeEvent,
    Event,
    ExponentialEvent,
    GaussianEvent,
    PrivacyError,
    PureEvent,
    SampledGaussianEvent,
)
from synth.dp.mechanisms import SMALLEST_SIGMA

HEAD_COUNT_SHARE = 0.02
"""Part of epsilon for counting patients where their number is not public."""
_MANY_LEVELS = 24
"""An unordered column of more levels is measured alone first, so that rare levels can be put together."""


NETWORK_SIGNAL = 500.0
NETWORK_ROWS = 50.0
"""A network is paid for above this signal, and with as many patients per cell it has to answer for.

Below some 50 rows per encoded column DP-SGD autoencoders learn nothing of use (the second figure is from a benchmark of
such networks; the first is ours).
"""
_NETWORK_SHARE = 0.1
_MOST_ROUNDS = 60
_FEW_COLUMNS = 20
"""Above these, time is what a round costs: it looks at every pair of columns."""
_STEPS = 600
_BATCH = 1024
_FEWEST_CELLS = 8


@dataclass(frozen=True)
class Layout:
    """Shares of the budget, and how fine to look; all by public facts.

    Attributes
    ----------
    fine, star : shares of rho for one-way tables of fine cells, and for tables of each column by the target.
    select : share of what rounds get that goes into choosing.
    rounds : tables chosen one after the other.
    cells : fine cells of a number; coarse : coarse cells of a column.
    by_label : pairs may be chosen by the label as well, as three-way tables.
    """

    fine: float
    star: float
    select: float
    rounds: int
    cells: int
    coarse: int
    by_label: bool


@dataclass(frozen=True)
class Plan:
    """The mechanisms of one fit; ``None`` where a stage does not run.

    ``fine_columns`` are measured by ``fine``, every column but the label with the label by ``star`` (alone where there
    is no label), then ``layout.rounds`` times ``choose`` and ``measure``; ``train`` is DP-SGD.
    """

    people: int
    signal: float
    layout: Layout
    fine_columns: tuple[int, ...]
    star: GaussianEvent
    fine: GaussianEvent | None = None
    choose: ExponentialEvent | None = None
    measure: GaussianEvent | None = None
    train: SampledGaussianEvent | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        listed = (self.fine, self.star, self.choose, self.measure, self.train)
        return tuple(event for event in listed if event is not None)


def layout_of(columns: int, signal: float) -> Layout:
    """The layout for a table of so many columns and so much signal.

    Little signal goes into tables by the target almost alone; the more there is, the more tables are chosen.
    """
    if signal < 20:  # one table of a column must do: its cells are few and public
        return Layout(fine=0.0, star=0.9, select=0.1, rounds=max(1, columns // 4), cells=8, coarse=8, by_label=False)
    if signal < 40:
        return Layout(fine=0.08, star=0.8, select=0.1, rounds=max(1, columns // 4), cells=16, coarse=8, by_label=False)
    if signal < 400:
        return Layout(fine=0.08, star=0.6, select=0.1, rounds=max(1, columns // 2), cells=16, coarse=8, by_label=False)
    rounds = min(columns * (2 if signal < 2_000 else 3), _MOST_ROUNDS)
    by_label = signal >= 2_000 and columns <= _FEW_COLUMNS
    return Layout(fine=0.08, star=0.2, select=0.1, rounds=rounds, cells=128, coarse=64, by_label=by_label)


def plan_of(
    dictionary: Dictionary,
    people: int,
    epsilon: float,
    delta: float,
    *,
    network: bool = False,
    beside: tuple[PureEvent, ...] = (),
) -> tuple[Domain, Plan]:
    """The domain and the plan for a table of ``people`` patients at (``epsilon``, ``delta``).

    ``network`` asks for a DP-SGD network, which is in the plan only where the number of patients carries it. What is
    spent ``beside`` the plan costs no more together with it than (``epsilon``, ``delta``).

    Raises
    ------
    PrivacyError
        The dictionary was drafted from data, bounds no rows per patient, or the budget is out of range.
    """
    if people < 1:
        raise PrivacyError(f"people must be 1 or more, found {people}")
    if not (0 < epsilon < math.inf and 0 < delta < 1):
        raise PrivacyError(f"epsilon must be finite and above 0 and delta in (0, 1), found {epsilon} and {delta}")
    signal = people * usual_rho(epsilon, delta)
    layout = layout_of(len(domain_of(dictionary, _FEWEST_CELLS).columns), signal)
    domain = domain_of(dictionary, layout.cells)
    fine_columns = tuple(
        place
        for place, cells in enumerate(domain.columns)
        if layout.fine and place != domain.label and (cells.starts is not None or cells.size > _MANY_LEVELS)
    )
    answers = sum(min(cells.size, layout.coarse) for cells in domain.columns)
    trained = network and signal >= NETWORK_SIGNAL and people / answers >= NETWORK_ROWS
    shares = _Shares.of(layout, domain, len(fine_columns), trained)
    limit = float(dictionary.max_rows_per_patient or 1)

    def build(scale: float) -> Plan:
        return Plan(
            people,
            signal,
            layout,
            fine_columns,
            _tables("star", scale * limit, limit, shares.stars, shares.star),
            _tables("fine", scale * limit, limit, len(fine_columns), shares.fine) if fine_columns else None,
            ExponentialEvent("choose", 2.0 * math.sqrt(shares.select / layout.rounds) / scale, layout.rounds)
            if shares.select
            else None,
            _tables("measure", scale * limit, limit, layout.rounds, shares.measure) if shares.measure else None,
            _descent(scale, people, shares.train) if trained else None,
        )

    events = calibrate(lambda scale: (*build(scale).events, *beside), epsilon, delta)
    found = {event.stage: event for event in events[: len(events) - len(beside)]}
    return domain, Plan(people, signal, layout, fine_columns, **found)  # type: ignore[arg-type]  # stages name fields


@dataclass(frozen=True)
class _Shares:
    """Parts of rho, adding up to 1; ``stars`` is the number of label tables."""

    stars: int
    fine: float
    star: float
    select: float
    measure: float
    train: float

    @classmethod
    def of(cls, layout: Layout, domain: Domain, fine_columns: int, trained: bool) -> _Shares:
        stars = max(1, len(domain.columns) - (domain.label is not None))
        train = _NETWORK_SHARE if trained else 0.0
        fine = layout.fine * (1 - train) if fine_columns else 0.0
        # without two columns beside the label there is no pair to choose
        star = layout.star * (1 - train) if stars > 1 else 1 - train - fine
        rest = max(0.0, 1 - train - fine - star) if stars > 1 else 0.0
        return cls(stars, fine, star, layout.select * rest, (1 - layout.select) * rest, train)


def _tables(stage: str, scale: float, limit: float, count: int, share: float) -> GaussianEvent:
    return GaussianEvent(stage, max(scale * math.sqrt(count / share), SMALLEST_SIGMA), limit, count)


def _descent(scale: float, people: int, share: float) -> SampledGaussianEvent:
    """DP-SGD of about this share: ``steps`` steps tend to a Gaussian mechanism (Dong, Roth and Su, JRSS B 84, 2022)."""
    rate = min(1.0, _BATCH / people)
    multiplier = 1.0 / math.sqrt(math.log1p(share / (scale**2 * rate**2 * _STEPS)))
    return SampledGaussianEvent("train", multiplier, rate, _STEPS)


def head_count_events(
    epsilon: float, delta: float, beside: tuple[PureEvent, ...] = ()
) -> tuple[PureEvent, EnvelopeEvent]:
    """What is charged where the number of patients is not public: a noisy count, then a plan within the rest.

    What is spent ``beside`` them comes off first.
    """
    left = epsilon - math.fsum(event.count * event.epsilon for event in beside)
    part = HEAD_COUNT_SHARE * left
    rest = math.nextafter(left - part, 0.0)  # or the two could add up to a rounding error above epsilon
    for _ in range(4 * len(beside)):  # each sum may round up once more
        rest = math.nextafter(rest, 0.0)
    return PureEvent("head count", part), EnvelopeEvent("plan", rest, delta)


def usual_rho(epsilon: float, delta: float) -> float:
    """zCDP that (epsilon, delta) is worth: the largest rho with ``rho + 2 sqrt(rho log(1/delta)) <= epsilon``.

    Bun and Steinke (2016); loose by a quarter, which a rule of thumb can bear.
    """
    root = math.sqrt(math.log(1 / delta))
    return (math.sqrt(root**2 + epsilon) - root) ** 2
