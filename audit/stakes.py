"""What must a measure say of a leak, by its own definition? Counted, to know what a control may ask of it.

A copied row of somebody who shares what an attacker knows with a crowd points at nobody, so a measure that sees
nothing there is right. Here it is counted on the control's rows, person by person and without the measure's own
arithmetic, what its figure must be where train itself is released, or rows on lines, or noised copies. Only where that
is enough to be told from nothing does ``audit.controls`` ask the measure to see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.classes import coded, combine, knowledge, value_codes
from audit.columns import common_codes, levels, numbers
from audit.combinations import combinations
from audit.copy_stakes import repeated
from audit.line_stakes import leaning, met, mixed, on_lines
from audit.link_stakes import linked
from audit.measures.all_columns import NAMED, POINTED
from audit.noise_stakes import near
from audit.plan import Stake
from audit.sides import Side, draw_people
from audit.tables import AuditTables

SYSTEMS = 400  # class systems counted, at most
FEW_SYSTEMS = 100  # where each costs a product of matrices
ASKED = 300  # class systems a measure may draw in turn, at least

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


Stakes = Callable[[AuditTables, np.random.Generator], Mapping[str, Stake]]


def alone(tables: AuditTables, rng: np.random.Generator) -> dict[str, Stake]:
    """``replicated_uniques``: share of train rows whose known values, as they stand, only one real person has."""
    known = knowledge(tables, (), rng)
    values = value_codes(tables)
    sizes = {name: size for name, (_, size) in values.items()}
    real = _Real.of(tables)
    shares = []
    for subset in _some(known.subsets, SYSTEMS, rng):
        ids, total = combine([values[name][0] for name in subset], sizes, subset)
        together = real.train.people(ids["train"], total) + real.holdout.people(ids["holdout"], total)
        shares.append(float((together[ids["train"]] == 1).mean()))
    return {"replicated_uniques": _over(shares, known.possible)}


def pointed_at(tables: AuditTables, rng: np.random.Generator) -> dict[str, Stake]:
    """``k_map_excess``: share of train rows whose class holds few train people, minus that of few holdout people.

    ``identity_disclosure_risk``: mean over train people of one over the real people in their smallest class.
    """
    known, codes, real, small = knowledge(tables, (), rng), coded(tables), _Real.of(tables), tables.attacker_class_size
    excess, risk = [], []
    for subset in _some(known.subsets, SYSTEMS, rng):
        ids, total = codes.classes(subset)
        seen, unseen = real.train.people(ids["train"], total), real.holdout.people(ids["holdout"], total)
        own, others = seen[ids["train"]], unseen[ids["train"]]
        excess.append(float((own < small).mean() - ((others > 0) & (others < small)).mean()))
        risk.append(float(real.train.most(1.0 / (own + others)).mean()))
    return {
        "k_map_excess": _over(excess, known.possible),
        "identity_disclosure_risk": _over(risk, known.possible),
    }


def named(tables: AuditTables, rng: np.random.Generator) -> dict[str, Stake]:
    """``homogeneity_excess``: share of people whose train class has one sensitive value and theirs, of both tables."""
    sensitive = tables.dictionary.secrets
    known, codes, real = knowledge(tables, sensitive, rng), coded(tables), _Real.of(tables)
    excess = []
    for subset in _some(known.subsets, SYSTEMS, rng):
        ids, total = codes.classes(subset)
        for column in sensitive:
            size, value = codes.sizes[column], codes.codes
            there = np.unique(ids["train"] * size + value["train"][column])  # each pair of a class and a value it has
            single = np.bincount(there // size, minlength=total) == 1
            right = single[ids["holdout"]] & np.isin(ids["holdout"] * size + value["holdout"][column], there)
            seen = real.train.most(single[ids["train"]].astype(np.float64))
            excess.append(float(seen.mean() - real.holdout.most(right.astype(np.float64)).mean()))
    return {"homogeneity_excess": _over(excess, known.possible * len(sensitive))}


def gained(tables: AuditTables, rng: np.random.Generator) -> dict[str, Stake]:
    """``t_closeness_excess``: how much nearer the train class brings a guess of a sensitive value than all of train."""
    sensitive = tables.dictionary.secrets
    known, codes, real = knowledge(tables, sensitive, rng), coded(tables), _Real.of(tables)
    apart = {name: _distances(tables, name) for name in sensitive}
    excess = []
    for subset in _some(known.subsets, FEW_SYSTEMS, rng):
        ids, total = codes.classes(subset)
        classes, own = np.unique(ids["train"], return_inverse=True)
        place = np.full(total, -1, dtype=np.int64)
        place[classes] = np.arange(len(classes))
        for values, distance in apart.values():
            width = len(distance)
            held = np.bincount(own * width + values["train"], minlength=len(classes) * width).reshape(-1, width)
            overall = held.sum(axis=0) @ distance / len(own)
            gain = overall - held @ distance / held.sum(axis=1)[:, None]  # by class and true value
            met = place[ids["holdout"]]
            theirs = np.where(met >= 0, gain[met, values["holdout"]], 0.0)
            ours = real.train.most(gain[own, values["train"]])
            excess.append(float(ours.mean() - real.holdout.most(theirs).mean()))
    return {"t_closeness_excess": _over(excess, known.possible * len(sensitive))}


def told(tables: AuditTables, rng: np.random.Generator) -> dict[str, Stake]:
    """Both excesses over all columns: a person is told by combinations that few real people share.

    A copy of train misses nothing of train people and of holdout people what no train row shares; see
    ``audit.exposure`` for the scores.
    """
    names, small, sensitive = tables.dictionary.released, tables.attacker_class_size, tables.dictionary.secrets
    known, real, cut = coded(tables), _Real.of(tables), len(tables.train)
    value = [np.concatenate([known.codes["train"][name], known.codes["holdout"][name]]) for name in names]
    width = [known.sizes[name] for name in names]
    everybody = real.together()
    secrets = [names.index(name) for name in sensitive if len(names) > 1]
    score = {place: _Score(len(value[0]), small, cut) for place in (-1, *secrets)}
    for chosen in combinations(len(names), tables.attacker_known_columns, 3 * cut, rng).chosen:
        ids, total = value[chosen[0]], width[chosen[0]]
        for place in chosen[1:]:
            ids, total = _dense(ids * width[place] + value[place], total * width[place])
        people = everybody.people(ids, total)[ids]
        score[-1].add(people, _held(ids, total, cut))
        for place in secrets:
            if place not in chosen:
                pair, pairs = _dense(ids * width[place] + value[place], total * width[place])
                kinds = np.zeros(total, dtype=np.int64)
                first = np.unique(pair[:cut], return_index=True)[1]
                np.add.at(kinds, ids[first], 1)
                score[place].add(people, _held(pair, pairs, cut) & (kinds[ids] == 1))
    found = {"all_columns_k_map_excess": Stake(real.excess(score[-1].of_rows() >= POINTED))}
    if secrets:
        given = np.max([score[place].of_rows() for place in secrets], axis=0) >= NAMED
        found["all_columns_homogeneity_excess"] = Stake(real.excess(given))
    return found


STAKES: Mapping[str, Stakes] = {
    "uniques": alone,
    "anonymity": pointed_at,
    "homogeneity": named,
    "closeness": gained,
    "all_columns": told,
    "reconstruction": met,
    "segments": on_lines,
    "parents": mixed,
    "noised": near,
}

# of plants that show on nearly any table, by figure: asked where the figure did not show one
SHOWN: Mapping[str, Callable[[AuditTables, np.random.Generator], Stake]] = {
    "linkability": linked,
    "segment_share": leaning,
    "partial_copy_excess": repeated,
}


@dataclass(frozen=True)
class _Group:
    """Who the rows of a table belong to: (n,) codes in ``range(count)``."""

    person: Codes
    count: int

    @classmethod
    def of(cls, people: Codes) -> _Group:
        person = np.unique(people, return_inverse=True)[1].astype(np.int64)
        return cls(person, int(person.max()) + 1)

    def people(self, ids: Codes, total: int) -> Codes:
        """How many people have a row in each class."""
        if self.count < len(self.person):
            ids = np.unique(ids * self.count + self.person) // self.count
        return np.bincount(ids, minlength=total)

    def most(self, values: Floats) -> Floats:
        """The largest value of each person's rows."""
        if self.count == len(self.person):
            return values
        result = np.full(self.count, -np.inf)
        np.maximum.at(result, self.person, values)
        return result


@dataclass(frozen=True)
class _Real:
    train: _Group
    holdout: _Group

    @classmethod
    def of(cls, tables: AuditTables) -> _Real:
        return cls(_Group.of(tables.people["train"]), _Group.of(tables.people["holdout"]))

    def together(self) -> _Group:
        """Train rows first; nobody is in both tables."""
        shifted = np.concatenate([self.train.person, self.train.count + self.holdout.person])
        return _Group(shifted, self.train.count + self.holdout.count)

    def excess(self, rows: Flags) -> float:
        """Share of train people with such a row, minus the same of holdout people; train rows come first."""
        cut = len(self.train.person)
        seen, unseen = self.train.most(rows[:cut].astype(np.float64)), self.holdout.most(rows[cut:].astype(np.float64))
        return float(seen.mean() - unseen.mean())


class _Score:
    """Per real row and number of people, how many combinations tell the row's person, and how many the copy shows."""

    def __init__(self, rows: int, small: int, cut: int) -> None:
        self.telling, self.showing = np.zeros((rows, small)), np.zeros((rows, small))
        self.small, self.cut = small, cut

    def add(self, people: Codes, shown: Flags) -> None:
        rows = np.flatnonzero(people < self.small)
        self.telling[rows, people[rows]] += 1
        self.showing[rows, people[rows]] += shown[rows]

    def of_rows(self) -> Floats:
        few = np.arange(1, self.small)
        telling, showing = self.telling[:, 1:], self.showing[:, 1:]
        chance = np.ones(len(few))
        for place in range(len(few)):
            asked = slice(self.cut, None) if telling[self.cut :, place].any() else slice(None)
            chance[place] -= showing[asked, place].sum() / max(telling[asked, place].sum(), 1)
        expected, missed = telling @ (chance / few), (telling - showing) @ (1 / few)
        score: Floats = (expected - missed) / (expected + 1.0)
        return score


def _over(systems: Sequence[float], possible: int) -> Stake:
    """Mean over some of ``possible`` class systems; a measure may draw others, ``ASKED`` of them at least."""
    if not systems:
        return Stake(0.0)
    if len(systems) == 1:
        return Stake(systems[0])
    left = sum(1 / drawn - 1 / possible for drawn in (min(len(systems), possible), min(ASKED, possible)))
    return Stake(float(np.mean(systems)), float(np.std(systems, ddof=1)) * left**0.5)


def _some(systems: tuple[tuple[str, ...], ...], most: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    return [systems[place] for place in draw_people(np.arange(len(systems), dtype=np.int64), most, rng)]


def _dense(ids: Codes, total: int) -> tuple[Codes, int]:
    """The same classes, with few enough codes to count them one by one."""
    if total <= 16 * len(ids):
        return ids, total
    distinct, place = np.unique(ids, return_inverse=True)
    return place.astype(np.int64), len(distinct)


def _held(ids: Codes, total: int, cut: int) -> Flags:
    """Whose class one of the first ``cut`` rows is in as well."""
    there = np.zeros(total, dtype=np.bool_)
    there[ids[:cut]] = True
    return there[ids]


def _distances(tables: AuditTables, name: str) -> tuple[Mapping[Side, Codes], Floats]:
    """One code per row of each table for a sensitive value, and the distance of every two codes."""
    column = tables.dictionary.columns[name]
    if column.is_categorical and column.type != "ordinal":
        codes = {side: levels(frame, name, column) for side, frame in tables.frames.items()}
        return codes, 1.0 - np.eye(len(column.categories or ()) + 1)
    codes, distinct = common_codes({side: numbers(frame, name) for side, frame in tables.frames.items()})
    missing = np.isnan(distinct)
    known = max(int((~missing).sum()), 1)
    rank = np.where(missing, (known - 1) // 2, np.arange(len(distinct)))
    far = np.abs(rank[:, None] - rank[None, :]) / max(known - 1, 1)
    return codes, far + 0.5 * (missing[:, None] != missing[None, :])
