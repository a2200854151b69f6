"""Is a synthetic table nearer to the people it was made from than to others, and does it repeat their values?

Empirical attacks, no guarantee. Rows are compared in one encoding for all methods: numbers in standard deviations of
the train rows (missing: the train median and a flag), levels as indicators, Euclidean distance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.hybrid.reading import Columns, Floats

QUERY_ROWS = 5_000
"""Rows on a side of a nearest-neighbour figure, at most."""
FAR = 1e4
_CHUNK_CELLS = 20_000_000

Matrix = NDArray[np.float32]


class Encoder:
    """Rows as points; scales, medians and levels are those of train, levels also of the other tables."""

    def __init__(self, train: pd.DataFrame, others: Sequence[pd.DataFrame], columns: Columns) -> None:
        every = [train, *others]
        self.numeric = columns.numeric
        self.median = train[self.numeric].median().fillna(0.0)
        filled = train[self.numeric].fillna(self.median)
        self.mean = filled.mean()
        self.deviation = filled.std(ddof=0).replace(0, 1.0).fillna(1.0)
        self.gaps = [name for name in self.numeric if any(table[name].isna().any() for table in every)]
        self.levels = {
            name: sorted(set().union(*(table[name].unique() for table in every))) for name in columns.categorical
        }

    def __call__(self, table: pd.DataFrame) -> Matrix:
        """(n, d) points."""
        numbers = (table[self.numeric].fillna(self.median) - self.mean) / self.deviation
        parts = [numbers.to_numpy(np.float32)]
        parts += [table[[name]].isna().to_numpy(np.float32) for name in self.gaps]
        for name, levels in self.levels.items():
            codes = pd.Categorical(table[name], categories=levels).codes
            indicators = np.zeros((len(table), len(levels)), np.float32)
            indicators[np.arange(len(table)), codes] = 1.0
            parts.append(indicators)
        points: Matrix = np.clip(np.hstack(parts), -FAR, FAR)
        return points


def nearest(rows: Matrix, reference: Matrix, *, leave_self: bool = False) -> Floats:
    """(n,) distance of every row to its nearest reference row; ``leave_self``: both are the same, itself left out."""
    result = np.empty(len(rows), np.float64)
    squares = np.einsum("ij,ij->i", reference, reference).astype(np.float64)
    step = max(1, _CHUNK_CELLS // max(1, len(reference)))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        distances = (block @ reference.T).astype(np.float64)
        distances *= -2.0
        distances += squares
        distances += np.einsum("ij,ij->i", block, block).astype(np.float64)[:, None]
        if leave_self:
            distances[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        # the winner's distance again, without the round-off of the expansion in single precision
        winner = reference[distances.argmin(1)].astype(np.float64)
        result[start : start + step] = np.sqrt(((block.astype(np.float64) - winner) ** 2).sum(1))
    return result


def adversarial_accuracy(real: Matrix, synthetic: Matrix) -> float:
    """Nearest-neighbour adversarial accuracy of equally many rows, in [0, 1]; 0.5 cannot tell, towards 0 copies.

    References
    ----------
    Yale et al., Generation and evaluation of privacy preserving synthetic health data, Neurocomputing 416 (2020).
    """
    rows = min(len(real), len(synthetic))
    real, synthetic = real[:rows], synthetic[:rows]
    across, back = nearest(real, synthetic), nearest(synthetic, real)
    within, other = nearest(real, real, leave_self=True), nearest(synthetic, synthetic, leave_self=True)
    return float(0.5 * ((across > within).mean() + (back > other).mean()))


def distances(
    train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, columns: Columns, rng: np.random.Generator
) -> dict[str, float | int]:
    """NNAA, its privacy loss, share of rows nearer to train (0.5 neutral), and membership by distance.

    Train and holdout are cut to equally many rows, so that neutral is neutral.
    """
    encode = Encoder(train, [holdout, synthetic], columns)
    shuffled = synthetic.iloc[rng.permutation(len(synthetic))].reset_index(drop=True)
    seen, unseen, made = encode(train), encode(holdout), encode(shuffled)
    rows = min(QUERY_ROWS, len(seen), len(unseen), len(made))
    some_seen = seen[rng.permutation(len(seen))[:rows]]
    some_unseen = unseen[rng.permutation(len(unseen))[:rows]]
    found: dict[str, float | int] = {
        "nnaa_train": adversarial_accuracy(some_seen, made[:rows]),
        "nnaa_holdout": adversarial_accuracy(some_unseen, made[:rows]),
    }
    found["nnaa_privacy_loss"] = found["nnaa_holdout"] - found["nnaa_train"]
    sides = min(len(seen), len(unseen))
    left, right = seen[rng.permutation(len(seen))[:sides]], unseen[rng.permutation(len(unseen))[:sides]]
    to_seen, to_unseen = nearest(made[:QUERY_ROWS], left), nearest(made[:QUERY_ROWS], right)
    found["dcr_share"] = float((to_seen < to_unseen).mean() + 0.5 * (to_seen == to_unseen).mean())
    for name, values in (("train", to_seen), ("holdout", to_unseen)):
        found[f"dcr_median_{name}"] = float(np.median(values))
        found[f"dcr_p5_{name}"] = float(np.percentile(values, 5))
    persons = min(QUERY_ROWS, sides)
    members, strangers = nearest(left[:persons], made), nearest(right[:persons], made)
    truth = np.r_[np.ones(persons), np.zeros(persons)]
    found["mia_auc"] = float(roc_auc_score(truth, -np.r_[members, strangers]))
    threshold = np.sort(-strangers)[::-1][max(0, int(0.1 * persons) - 1)]
    found["mia_tpr_at_fpr10"] = float((-members > threshold).mean())
    return found | {"rows_nnaa": rows, "rows_dcr_reference": sides, "rows_membership": persons}


def copies(
    train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, columns: Columns
) -> dict[str, float | None]:
    """Share of rows equal to a real row in every column (numbers to six digits), and the excess of train's."""
    seen, unseen, made = (_keys(table, columns.numeric) for table in (train, holdout, synthetic))
    of_train, of_holdout = float(np.isin(made, seen).mean()), float(np.isin(made, unseen).mean())
    return {
        "dup_rate_train": of_train,
        "dup_rate_holdout": of_holdout,
        "dup_excess": of_train - of_holdout,
    }


def reuse(
    train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, columns: Columns
) -> dict[str, float | int | None]:
    """Single values of numeric columns that come back.

    - ``value_reuse``: share of present synthetic cells that equal a train value of their column, mean over columns.
      ``value_reuse_holdout`` is the same of holdout cells, which is what rounding alone makes, and
      ``value_reuse_excess`` the difference, with that of the worst column. ``value_reuse_gap`` is the share of
      synthetic cells that equal a train value minus the share that equal a holdout value: 0 where both are strangers.
    - ``extremes``: train minima and maxima that one train row alone holds and no holdout row: their number, and how
      many of them the synthetic column holds. ``extremes_holdout`` and ``extremes_by_chance`` are the same with the
      sides changed: what rounding makes of extremes that the synthesizer has not seen.
    """
    shares, floors, gaps = [], [], []
    extremes, strangers = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)  # how many there are, and came back
    for name in columns.numeric:
        seen, unseen, made = (_digits(table[name]) for table in (train, holdout, synthetic))
        if not len(seen) or not len(unseen):
            continue
        shares.append(float(np.isin(made, seen).mean()) if len(made) else 0.0)
        floors.append(float(np.isin(unseen, seen).mean()))
        gaps.append(shares[-1] - (float(np.isin(made, unseen).mean()) if len(made) else 0.0))
        extremes += _lone_extremes(seen, unseen, made)
        strangers += _lone_extremes(unseen, seen, made)
    excess = [share - floor for share, floor in zip(shares, floors, strict=True)]
    return {
        "value_reuse": float(np.mean(shares)) if shares else None,
        "value_reuse_holdout": float(np.mean(floors)) if floors else None,
        "value_reuse_excess": float(np.mean(excess)) if excess else None,
        "value_reuse_excess_max": max(excess) if excess else None,
        "value_reuse_gap": float(np.mean(gaps)) if gaps else None,
        "extremes": int(extremes[0]),
        "extremes_published": int(extremes[1]),
        "extremes_holdout": int(strangers[0]),
        "extremes_by_chance": int(strangers[1]),
    }


def _lone_extremes(own: Floats, other: Floats, made: Floats) -> NDArray[np.int64]:
    lone = [value for value in {own.min(), own.max()} if (own == value).sum() == 1 and value not in other]
    return np.array([len(lone), sum(value in made for value in lone)], dtype=np.int64)


def _keys(table: pd.DataFrame, numeric: Sequence[str]) -> NDArray[np.uint64]:
    """(n,) one hash per row."""
    text = {
        name: table[name].map(lambda v: "" if pd.isna(v) else f"{v:.6g}") if name in numeric else table[name]
        for name in table.columns
    }
    hashes = pd.util.hash_pandas_object(pd.DataFrame(text).astype(str), index=False)
    return np.asarray(hashes, dtype=np.uint64)


def _digits(cells: pd.Series) -> Floats:
    """Present cells to nine significant digits: what a CSV file's rounding leaves of a value is the same value."""
    present = cells.dropna().to_numpy(dtype=np.float64)
    values, places = np.unique(present, return_inverse=True)
    return np.array([float(f"{value:.9g}") for value in values], dtype=np.float64)[places]
