"""Whom do lines between people give away, to somebody who knows which rows they run through? See ``audit.stakes``."""

from __future__ import annotations

import numpy as np

from audit.columns import categorical_columns, levels, numbers, numeric_columns
from audit.gaps import nearest_known
from audit.measures.reconstruction import CROSSING, GAP, REBUILT
from audit.pair_search import has_pair
from audit.plan import Stake
from audit.straight import straighten
from audit.tables import AuditTables
from audit.traced import of_rows

FEWEST = 4  # numbers, below which too many lines nearly meet by chance
ENOUGH = 10  # pencils, to count on any to be found
FOUND = 0.4  # part of the people given away whom a search for the lines finds, at the least
NOBODY = {"line_reconstruction": Stake(0.0)}
BETWEEN = 3  # numbers that no train person has, from which on a row on a line lies on no line of strangers
ASKED = 1_000  # rows on lines for which it is counted whether strangers explain them, at most: all of a control
TOLD = 0.5  # part of those whom pairs explain better than their like do, at the least
STRAIGHTEST = 0.5  # part of rows on lines whose line is among those tried, at the least


def on_lines(tables: AuditTables, _: np.random.Generator) -> dict[str, Stake]:
    """``segment_excess`` of rows on lines: share of those that are on theirs to the last digit, in three numbers.

    That is where no number or time is rounded, and where three of a row's numbers are no train person's, so that its
    line has two ends. Fewer leave room for lines of strangers.
    """
    names = numeric_columns(tables.dictionary)
    between = np.zeros(len(tables.released), dtype=np.int64)
    if any(tables.dictionary.columns[name].type != "number" for name in names):
        return {"segment_excess": Stake(0.0)}
    for name in names:
        value = numbers(tables.released, name)
        between += ~np.isnan(value) & ~np.isin(value, numbers(tables.train, name))
    return {"segment_excess": Stake(float((between >= BETWEEN).mean()), part=STRAIGHTEST)}


def mixed(tables: AuditTables, rng: np.random.Generator) -> dict[str, Stake]:
    """``two_parent_excess`` of rows on lines: share of those that no two holdout people have between them.

    ``traced_to_two`` is a number of them, where there are ``FEWEST`` numbers: categories alone leave room for doubt.

    Two people have a row between them if its every category is that of one of them, and no number lies below or above
    both; a number that is missing on one side only is no objection where it is the row's that is known. Where strangers
    have the row between them too, nobody can tell whose it is. Counted on a sample of at most ``ASKED`` rows.
    """
    share, spread = _alone(tables, rng)
    enough = len(numeric_columns(tables.dictionary)) >= FEWEST
    counted = of_rows(share, len(tables.released), spread) if enough else Stake(0.0)
    return {"two_parent_excess": Stake(share, spread, part=TOLD), "traced_to_two": counted}


def leaning(tables: AuditTables, rng: np.random.Generator) -> Stake:
    """``segment_share`` of rows on lines: in a table of categories half the share that no two holdout people have.

    There a row on a line is a mixture, and of one that holdout people have between them as well nobody can tell whose
    it is. Where there is a number a line is told by being straight, and all is at stake.
    """
    if numeric_columns(tables.dictionary):
        return Stake(0.5)
    share, spread = _alone(tables, rng)
    return Stake(share / 2, spread / 2, part=TOLD)


def _alone(tables: AuditTables, rng: np.random.Generator) -> tuple[float, float]:
    """Share of released rows that no two holdout people have between them, and its standard error."""
    chosen = rng.permutation(len(tables.released))[:ASKED]
    released, holdout = tables.released.iloc[chosen], tables.holdout
    objections = []
    for name in categorical_columns(tables.dictionary):
        column = tables.dictionary.columns[name]
        objections.append(levels(released, name, column)[:, None] != levels(holdout, name, column))
    for name in numeric_columns(tables.dictionary):
        value, held = numbers(released, name)[:, None], numbers(holdout, name)[None, :]
        slack = 0.0 if tables.dictionary.columns[name].type == "number" else 0.5
        objections += [held < value - slack, held > value + slack, np.isnan(value) & ~np.isnan(held)]
    alone = [not has_pair(against) for against in np.stack(objections, axis=1)]
    share, drawn = float(np.mean(alone)), len(alone) / len(tables.released)
    return share, float(np.sqrt(share * (1 - share) * (1 - drawn) / len(alone)))


def met(tables: AuditTables, _: np.random.Generator) -> dict[str, Stake]:
    """``line_reconstruction`` of pencils: share of train people whom the two lines of a four still meet, as rounded.

    Whoever knows which four rows belong together has nothing to look for; the measure has.
    """
    straight = straighten(tables)
    rows, real, person = straight["released"].numbers, straight["train"].numbers, tables.people["train"]
    use = [j for j, column in enumerate(rows.T) if len(np.unique(column[~np.isnan(column)])) > 1]
    real = real[:, use]
    if len(use) < FEWEST:
        return NOBODY
    fours = rows[: len(rows) // 4 * 4, use].reshape(-1, 4, len(use))
    fours = fours[(~np.isnan(fours).any(axis=1)).sum(axis=1) >= FEWEST]
    if len(fours) < ENOUGH:
        return NOBODY
    unknown = np.isnan(fours).any(axis=1, keepdims=True)
    fours = np.where(unknown, 0.0, fours)
    towards, other, apart = fours[:, 0] - fours[:, 1], fours[:, 2] - fours[:, 3], fours[:, 2] - fours[:, 0]
    squares = [np.einsum("nd,nd->n", *pair) for pair in ((towards, towards), (other, other), (towards, other))]
    along = [np.einsum("nd,nd->n", arrow, apart) for arrow in (towards, other)]
    sine = squares[0] * squares[1] - squares[2] ** 2
    clear = sine > 2 * CROSSING * squares[0] * squares[1]
    sine = np.where(clear, sine, 1.0)
    first = (along[0] * squares[1] - along[1] * squares[2]) / sine
    second = (along[0] * squares[2] - along[1] * squares[0]) / sine
    clear &= (first > 0) & (second > 0)
    meeting = (fours[:, 0] + first[:, None] * towards + fours[:, 2] + second[:, None] * other) / 2
    meeting = np.where(unknown[:, 0], np.nan, meeting)[clear]
    found = nearest_known(meeting, real)
    met_by, index = meeting[found.index >= 0], found.index[found.index >= 0]
    known = np.where(np.isnan(met_by), np.nan, real[index])
    room = nearest_known(known, real, person[index], person, GAP).distance
    rebuilt = np.unique(person[index[found.distance[found.index >= 0] <= REBUILT * room]])
    return {"line_reconstruction": Stake(len(rebuilt) / max(len(np.unique(person)), 1), part=FOUND)}
