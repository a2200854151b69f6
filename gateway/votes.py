"""Would disjoint parts of the people let the candidate out? The private gate: limits held in each part, votes counted.

Each person, with all rows, is dealt to one part by a lot of their own, and whatever happens in a part hangs on its own
rows and on what is public or was released with noise: the candidate, earlier releases, dictionary, policy, controls on
generated rows, a seed. Rows are ordered and people numbered by lots, so that not even the order of rows in the file
tells a part of anybody outside. So one person more or less changes one vote at most, and ``synth.dp.votes`` counts them
with noise.

*Point values.* In a part every limit is held at the measured value, not at the unfavourable end of its interval, which
so few people would leave too wide to allow anything. Chance is met by the number of parts: a release whose true figure
lies at a limit is as likely as not to get each part's vote, and seldom reaches the quorum.

*Near rows.* A part's people are a few of all: copies of the others would look like strangers, and a share of the
candidate's rows would shrink with the number of parts. So measures that ask how near released rows come to people see
those rows of the candidate that are nearest to the part's people, as many people of either side, and of these the
closest, no more than the part's share of the candidate: if a tenth of it are copies, so is about a tenth of what a part
sees. Train and holdout are treated alike in that, so an innocent candidate is as near to the one as to the other, as
ever. Measures that ask what a table says about people, or how useful it is, see the whole candidate.

*Controls* (I-16) are taken on generated rows only: three draws of the fitted synthesizer stand for train, holdout and
release. On real rows outside the parts they would be an uncharged look, and in each part people are too few for planted
leaks to be told at 99 %, so that every part would say no. So they show that a measure can fail on rows of this kind,
and not that it can in a part. Generated rows cost nothing, so a control that fails is taken again on others, five times
in all; so a measure that cannot see a leak passes by luck five times as often, in 2.5 % of releases at most. One that
fails all five is met in no part.

What this gate does not see and the plain one does are leaks that take two people of different parts to be seen, such as
rows on the line between them; and releases of the very same file under another dataset's name, since that it is the
same is a fact about all of its rows. And limits on numbers of people, such as ``k_map``, are held among a part's
people: there they are the stricter the more parts there are. Where a limit is asked of tables up to so many rows, a
part is the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from audit.controls import PLANS, ROWS, Control, run_controls
from audit.encoding import Encoder
from audit.measures import NAMES_OF, REGISTRY
from audit.measures.cumulative import OF, follow
from audit.neighbours import nearest
from audit.sides import draw_people
from gateway.assessment import held_back, tables_of
from gateway.earlier import Earlier
from gateway.intake import TypedTable
from gateway.intake.lone_split import Lots
from gateway.safe_harbor import safe_harbor
from policies import Decision, Dictionary, Measurement, Policy
from policies.decide import asked_of, met_at_point

CONTROL_DRAWS = 5
FEWEST_NEAR = 100  # rows that a part sees near its people
LARGEST_PART = 20_000  # rows of a part's side that are looked at, people kept whole
_NEAR = (
    "nnaa",
    "dcr",
    "copies",
    "noised",
    "partial",
    "uniques",
    "segments",
    "reconstruction",
    "membership",
    "cumulative",
)

Draw = Callable[[int, np.random.Generator], tuple[pd.DataFrame, NDArray[np.int64]]]


@dataclass(frozen=True)
class Part:
    """The rows of a part's people, seen and held out by the synthesizer."""

    train: TypedTable
    holdout: TypedTable


@dataclass(frozen=True)
class Voted:
    """How a private gate came to its decision; ``met`` and ``void`` stay with the custodian.

    ``measurements`` are those that it rests on, told by charged mechanisms alone. ``met`` says of each limit in how
    many of ``parts`` it was met, ``void`` why a measure counted in none, ``unasked`` in how many parts there were more
    rows than a limit is asked of.
    """

    decision: Decision
    measurements: tuple[Measurement, ...]
    parts: int
    met: Mapping[str, int]
    void: Mapping[str, str]
    unasked: Mapping[str, int]


@dataclass(frozen=True)
class Ballot:
    """What every part is asked: may ``candidate`` out, under ``policy``?

    ``void`` says of measures why they count in no part. ``seeds`` holds one row per part; none of it comes from the
    rows of the table.
    """

    candidate: TypedTable
    dictionary: Dictionary
    policy: Policy
    void: Mapping[str, str]
    earlier: Earlier
    seeds: NDArray[np.int64]

    def findings(self, part: Part, place: int) -> dict[str, bool]:
        """Which limits the measures' values meet among the people of part number ``place``.

        All of them are named but those that are not asked of so many rows; every policy has one that is.

        Raises
        ------
        Exception
            The part has fewer than two people on a side, or else cannot be measured: it says no.
        """
        rng = np.random.default_rng(self.seeds[place])
        with threadpool_limits(1):  # rounding depends on their number, and that must not depend on rows
            measured = {each.name: each for each in self._measured(part, rng)}
        return {
            name: name in measured and met_at_point(limit, measured[name])
            for name, limit in self.policy.limits.items()
            if asked_of(limit, part.train.row_count)
        }

    @property
    def parts(self) -> int:
        """How many parts the people are dealt to; a trial asks fewer of them."""
        return len(self.seeds) if self.policy.private_gate is None else self.policy.private_gate.parts

    def _measured(self, part: Part, rng: np.random.Generator) -> tuple[Measurement, ...]:
        train, holdout = (_at_most(side, LARGEST_PART, rng) for side in (part.train, part.holdout))
        given = (train, holdout, self.dictionary, self.policy)
        whole = tables_of(self.candidate, *given)
        drawn = min(train.row_count, holdout.row_count)
        beside = [_at_most(side, drawn, rng).frame for side in (train, holdout)]
        earlier = self.earlier.frame
        near = tables_of(
            self.candidate.take(_nearest(self.candidate.frame, beside, self.dictionary, self.parts)),
            *given,
            replace(
                self.earlier,
                frame=None if earlier is None else _near_frame(earlier, beside, self.dictionary, self.parts),
            ),
        )
        wanted = self.policy.limits.keys() | {OF[name] for name in self.policy.limits.keys() & OF.keys()}
        seeds = rng.integers(0, 2**63, size=(len(REGISTRY), 4))
        found: list[Measurement] = []
        for seed, (name, measure) in zip(seeds, REGISTRY.items(), strict=True):
            if not wanted & set(NAMES_OF[name]) or (name == "cumulative" and near.earlier is None):
                continue
            try:
                found += measure(near if name in _NEAR else whole, np.random.default_rng(seed))
            except Exception:  # noqa: BLE001, S112  # its limits are met by nothing, and a message may carry a value
                continue
        held = [
            replace(each, status="inconclusive", reason=self.void[each.name]) if each.name in self.void else each
            for each in found
        ]
        ratio = Measurement.exact(
            "rows_per_real_row",
            self.candidate.row_count / self.parts / (part.train.row_count + part.holdout.row_count),
            n=self.candidate.row_count,
            method="released rows over parts over rows of the part",
        )
        return (*held_back(follow(held), self.earlier), ratio, *safe_harbor(self.dictionary))


def deal(train: TypedTable, holdout: TypedTable, lots: tuple[Lots, Lots], parts: int) -> Callable[[int], Part]:
    """The rows of each part's people, by number; nothing in a part tells of the rows of another, nor of their order.

    Parameters
    ----------
    lots : one per row of train and of holdout, the same for all rows of a person.

    Raises
    ------
    RuntimeError
        A person has two lots: a fault of ours, and no claim would hold.
    """
    for table, own in zip((train, holdout), lots, strict=True):
        if len(pd.DataFrame({"person": table.people, "lot": own}).drop_duplicates()) != table.people_count:
            raise RuntimeError("a person of the private gate has two lots")

    def part(place: int) -> Part:
        sides = [_side(table, own, place, parts) for table, own in zip((train, holdout), lots, strict=True)]
        first = sides[0].people_count
        return Part(sides[0], replace(sides[1], people=sides[1].people + first))

    return part


def failed_controls(
    draw: Draw, dictionary: Dictionary, policy: Policy, rng: np.random.Generator
) -> tuple[Control, ...]:
    """The controls that fail on ``CONTROL_DRAWS`` draws of the synthesizer, as they did the last time.

    Drawn anew only while a measure that the policy limits lacks its control.
    """
    failed: dict[str, Control] | None = None
    for _ in range(CONTROL_DRAWS):
        now = {each.name: each for each in _controls(draw, dictionary, policy, rng) if not each.passed}
        failed = now if failed is None else {name: now[name] for name in failed.keys() & now.keys()}
        if not {OF.get(name, name) for name in policy.limits} & void_measures(failed.values()).keys():
            break
    return tuple((failed or {}).values())


def generated_controls(
    draw: Draw, dictionary: Dictionary, policy: Policy, rng: np.random.Generator
) -> tuple[Control, ...]:
    """Controls of every measure on rows that the synthesizer drew.

    Parameters
    ----------
    draw : gives typed rows and their people's codes, as post-processing of what was charged.
    """
    sides = [draw(2 * ROWS, rng) for _ in range(3)]
    train, holdout, released = (TypedTable(frame, people, len(frame), (), ()) for frame, people in sides)
    holdout = replace(holdout, people=holdout.people + int(train.people.max()) + 1)
    with threadpool_limits(1):
        return run_controls(tables_of(released, train, holdout, dictionary, policy), rng)


def void_measures(controls: Iterable[Control]) -> dict[str, str]:
    """Measures that count in no part, and why: the control of one of them failed on generated rows."""
    return {
        name: f"control of {each.name} on generated rows: {each.fault}"
        for each in controls
        if not each.passed
        for name in PLANS[each.name].voids
    }


def ballot_seeds(rng: np.random.Generator, parts: int) -> NDArray[np.int64]:
    """One row of seeds for each part; the first thing that is drawn, so that a replay has the same."""
    return rng.integers(0, 2**63, size=(parts, 4))


def count_met(findings: Sequence[Mapping[str, bool]], policy: Policy) -> dict[str, int]:
    """Of each limit, in how many parts it was met."""
    met: Counter[str] = Counter(name for part in findings for name, holds in part.items() if holds)
    return {name: met[name] for name in policy.limits}


def count_unasked(findings: Sequence[Mapping[str, bool]], policy: Policy) -> dict[str, int]:
    """Of each limit that was not asked in every part, in how many it was not."""
    unasked = Counter(name for part in findings for name in policy.limits.keys() - part.keys())
    return {name: unasked[name] for name in policy.limits if unasked[name]}


def _controls(draw: Draw, dictionary: Dictionary, policy: Policy, rng: np.random.Generator) -> tuple[Control, ...]:
    try:
        return generated_controls(draw, dictionary, policy, rng)
    except Exception as cause:  # noqa: BLE001  # controls that cannot run bear nothing out
        fault = f"stopped by {type(cause).__name__}"
        return tuple(Control(name, plan.innocent, fault=fault) for name, plan in PLANS.items())


def _side(table: TypedTable, lots: Lots, place: int, parts: int) -> TypedTable:
    rows = np.flatnonzero(lots % np.uint64(parts) == place)  # off uniform by less than parts / 2^64
    rows = rows[np.argsort(lots[rows], kind="stable")]
    part = table.take(rows.astype(np.int64))
    return replace(part, people=pd.factorize(part.people)[0].astype(np.int64))


def _at_most(table: TypedTable, rows: int, rng: np.random.Generator) -> TypedTable:
    return table.take(draw_people(table.people, rows, rng))


def _nearest(
    frame: pd.DataFrame, real: Sequence[pd.DataFrame], dictionary: Dictionary, parts: int
) -> NDArray[np.int64]:
    """Positions of the rows of ``frame`` that are nearest to some row of ``real``, each once, in order.

    The closest of them are taken where they are more than one in ``parts`` of all, or than ``FEWEST_NEAR``.
    """
    encoder = Encoder.fit(dictionary, real, (frame,))
    among = encoder.encode(frame)
    found = [nearest(encoder.encode(side), among) for side in real]
    index, distance = (
        np.concatenate(both) for both in zip(*((each.index, each.distance) for each in found), strict=True)
    )
    _, first = np.unique(index[closest := np.argsort(distance, kind="stable")], return_index=True)
    rows: NDArray[np.int64] = index[closest[np.sort(first)]][: max(len(frame) // parts, FEWEST_NEAR)]
    return np.sort(rows)


def _near_frame(frame: pd.DataFrame, real: Sequence[pd.DataFrame], dictionary: Dictionary, parts: int) -> pd.DataFrame:
    return frame.iloc[_nearest(frame, real, dictionary, parts)].reset_index(drop=True)
