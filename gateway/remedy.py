"""What may be done with released rows that point at somebody? Left out or made coarser, as the policy allows.

A mended candidate is another candidate: it is serialised and measured like the first, and that measurement decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.classes import bin_starts
from audit.columns import numbers
from audit.offending import offending_rows
from audit.tables import AuditTables
from policies import Dictionary
from policies.model import Offence, Remedies

DRAWS = 5  # times that substitutes are drawn before a remedy is given up
_FEWEST_DRAWN = 50  # rows

Draw = Callable[[int], pd.DataFrame]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Mended:
    """What came of the remedies. ``frame`` is the mended candidate, None where none was made; ``why`` says why not.

    ``offending`` counts released rows by offence as they were found; ``coarsened`` and ``replaced`` count the rows that
    were changed. All counts stay with the custodian.
    """

    frame: pd.DataFrame | None
    offending: Mapping[Offence, int]
    coarsened: int = 0
    replaced: int = 0
    why: str = ""

    @property
    def ran(self) -> tuple[str, ...]:
        """The remedies that changed something, by their names in the policy."""
        done = {"coarsen": self.coarsened, "suppress": self.replaced}
        return tuple(name for name, rows in done.items() if rows) if self.frame is not None else ()


def mend(tables: AuditTables, remedies: Remedies, draw: Draw) -> Mended:
    """The candidate ``tables.released`` with its offending rows mended; it keeps its number of rows.

    Coarsening comes first: numbers and times of an offending row become the median of the released values in their bin
    (as many bins as leave each ``attacker_class_size`` released rows), categories with fewer released rows than that
    become missing where they may. A coarsened row that still offends, or breaks a row rule, is suppressed where the
    policy allows that too, and else stays as it was. A suppressed row's place is taken by a row of the same
    synthesizer that does not offend, of the same class of the target where one was drawn: how many rows the release
    has tells nothing.

    Parameters
    ----------
    draw : gives as many further rows of the synthesizer as it is asked for.
    """
    found = offending_rows(tables, remedies.offences)
    offending = {offence: int(rows.sum()) for offence, rows in found.items()}
    released = tables.released
    coarse = _any(found, remedies.coarsen.offences if remedies.coarsen else (), len(released))
    out = _any(found, remedies.suppress.offences if remedies.suppress else (), len(released))
    for name, rows, remedy in (("coarsen", coarse, remedies.coarsen), ("suppress", out, remedies.suppress)):
        if remedy is not None and rows.mean() > remedy.max_share:
            why = f"{rows.mean():.1%} of the rows offend, {name} is allowed for {remedy.max_share:.1%}"
            return Mended(None, offending, why=why)
    if not (coarse | out).any():
        return Mended(None, offending, why="no row offends")
    coarse &= ~out
    frame, unmended = _coarsened(tables, remedies, coarse)
    if remedies.suppress is not None:
        out = out | unmended
        if out.mean() > remedies.suppress.max_share:
            allowed = remedies.suppress.max_share
            why = f"{out.mean():.1%} of the rows still offend, suppress is allowed for {allowed:.1%}"
            return Mended(None, offending, why=why)
    coarsened, replaced = int((coarse & ~unmended).sum()), int(out.sum())
    if not coarsened and not replaced:
        return Mended(None, offending, why="no offending row could be mended")
    whole = _refilled(frame, out, tables, remedies.offences, draw) if replaced else frame
    if whole is None:
        return Mended(None, offending, why=f"{DRAWS} draws did not hold {replaced} rows that do not offend")
    return Mended(whole, offending, coarsened, replaced)


def _any(found: Mapping[Offence, Flags], offences: tuple[Offence, ...], rows: int) -> Flags:
    flags = np.zeros(rows, dtype=np.bool_)
    for offence in offences:
        flags |= found[offence]
    return flags


def _coarsened(tables: AuditTables, remedies: Remedies, rows: Flags) -> tuple[pd.DataFrame, Flags]:
    """The frame with ``rows`` made coarser, and those of them that this does not mend, which stay as they were."""
    if remedies.coarsen is None or not rows.any():
        return tables.released, np.zeros(len(rows), dtype=np.bool_)
    coarser = _rounded(tables.released, tables.dictionary, tables.attacker_class_size)
    frame = _mixed(tables.released, coarser, rows)
    still = _any(
        offending_rows(replace(tables, released=frame), remedies.coarsen.offences), remedies.coarsen.offences, len(rows)
    )
    for rule in tables.dictionary.rules:
        still |= ~rule.holds(frame)
    unmended = rows & still
    return _mixed(tables.released, coarser, rows & ~unmended), unmended


def _rounded(frame: pd.DataFrame, dictionary: Dictionary, people: int) -> pd.DataFrame:
    columns = {}
    tied = {name for each in dictionary.dependencies for name in (each.source, each.determines)}
    for name in dictionary.released:
        values = frame[name]
        if name in tied:  # a dependency holds in every released row
            columns[name] = values
            continue
        if dictionary.columns[name].is_categorical:
            codes = values.cat.codes.to_numpy()
            rare = (codes >= 0) & (np.bincount(codes[codes >= 0], minlength=len(values.cat.categories))[codes] < people)
            columns[name] = values.mask(rare) if dictionary.columns[name].nullable else values
        else:
            columns[name] = values.iloc[_medians(numbers(frame, name), people)].reset_index(drop=True)
    return pd.DataFrame(columns)


def _medians(values: NDArray[np.float64], people: int) -> NDArray[np.int64]:
    """For each row, a row that holds the lower median of its bin; itself where the value is missing."""
    places = np.arange(len(values), dtype=np.int64)
    known = np.flatnonzero(~np.isnan(values))
    bins = np.searchsorted(bin_starts(values, np.ones(len(values)), people)[1:], values[known], side="right")
    for number in np.unique(bins):
        members = known[bins == number]
        places[members] = members[np.argsort(values[members], kind="stable")[(len(members) - 1) // 2]]
    return places


def _mixed(frame: pd.DataFrame, other: pd.DataFrame, rows: Flags) -> pd.DataFrame:
    """``frame`` with these rows taken from ``other``."""
    order = np.where(rows, np.arange(len(frame)) + len(frame), np.arange(len(frame)))
    return pd.concat([frame, other], ignore_index=True).iloc[order].reset_index(drop=True)


def _refilled(
    frame: pd.DataFrame, out: Flags, tables: AuditTables, offences: tuple[Offence, ...], draw: Draw
) -> pd.DataFrame | None:
    """``frame`` with rows of further draws in the places ``out``; None where those do not suffice."""
    target, places = tables.dictionary.target, np.flatnonzero(out)
    reserve: list[pd.DataFrame] = []
    for _ in range(DRAWS):
        drawn = draw(max(4 * len(places), _FEWEST_DRAWN))
        again = _any(offending_rows(replace(tables, released=drawn), offences), offences, len(drawn))
        reserve.append(drawn[~again])
        if sum(len(part) for part in reserve) >= 2 * len(places):
            break
    spare = pd.concat(reserve, ignore_index=True)
    if len(spare) < len(places):
        return None
    free = np.ones(len(spare), dtype=np.bool_)
    chosen = np.empty(len(places), dtype=np.int64)
    classes = None if target is None else spare[target].cat.codes.to_numpy()
    for number, place in enumerate(places):
        alike = free if classes is None else free & (classes == frame[target].cat.codes.iloc[place])
        chosen[number] = np.flatnonzero(alike if alike.any() else free)[0]
        free[chosen[number]] = False
    order = np.arange(len(frame), dtype=np.int64)
    order[places] = len(frame) + chosen
    return pd.concat([frame, spare], ignore_index=True).iloc[order].reset_index(drop=True)
