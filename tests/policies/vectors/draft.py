"""What would the test vectors of a pack be? ``python -m tests.policies.vectors.draft PACK...`` writes them for review.

A vector file pins a pack: whoever changes a number there sees it here again, as a changed line to be read. The drafts
know nothing of ``decide``: they are the numbers on each bound and one step beyond it.
"""

from __future__ import annotations

import json
import math
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

from policies import Limit, Policy, load_pack

FOLDER = Path(__file__).parent
COUNTS = ("k_map", "k_anonymity", "l_diversity", "rare_copies", "traced_to_", "cumulative_traced_to_", "safe_harbor_")
STEP, WIDTH = "0.0001", "0.02"


def draft(policy: Policy) -> dict[str, Any]:
    """The vectors of every limit, and the numbers that stand beside the limits."""
    return {
        "pack": policy.id,
        "fields": fields(policy),
        "limits": {
            name: {"clause": limit.source, "vectors": _vectors(name, limit)} for name, limit in policy.demands().items()
        },
    }


def fields(policy: Policy) -> dict[str, Any]:
    """Every number and choice of a policy beside its limits, by its place in the file."""
    document = policy.model_dump(mode="json", exclude_none=True)
    words = {"id", "version", "purpose", "cites", "under_review", "not_held", "sources", "limits"}
    return dict(_leaves({key: value for key, value in document.items() if key not in words}))


def to_text(vectors: dict[str, Any]) -> str:
    """One vector per line, so that a changed number is a changed line."""
    limits = ",\n".join(
        f'    {json.dumps(name)}: {{\n      "clause": {json.dumps(found["clause"], ensure_ascii=False)},\n'
        '      "vectors": [\n'
        + ",\n".join(f"        {json.dumps(vector)}" for vector in found["vectors"])
        + "\n      ]\n    }"
        for name, found in vectors["limits"].items()
    )
    values = ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in vectors["fields"].items())
    return (
        f'{{\n  "pack": {json.dumps(vectors["pack"])},\n  "fields": {{\n{values}\n  }},\n'
        f'  "limits": {{\n{limits}\n  }}\n}}\n'
    )


def _vectors(name: str, limit: Limit) -> list[dict[str, Any]]:
    counted = name.startswith(COUNTS) and not name.endswith("excess")
    step = 1 if counted else float(STEP)
    width = 0 if counted or name in ("dp_epsilon", "dp_delta", "rows_per_real_row") else float(WIDTH)
    if name in ("dp_epsilon", "dp_delta"):
        step = (limit.max or 1.0) / 1000
    n = limit.fewest or 1000
    found = []
    if limit.max is not None:
        top, low = limit.max, limit.max - 2 * width
        found += [
            _vector("ends on the limit", top - width, low, top, n, met=True),
            _vector("one step above it", top + step, low + step, top + step, n, met=False),
        ]
        if width:
            found += [
                _vector("value within, interval not", top - width, low, top + step, n, met=False, could=_could(n)),
                _vector("value on the limit, interval not", top, low, top + step, n, met=False, could=None),
            ]
    if limit.min is not None:
        bottom, high = limit.min, limit.min + 2 * width
        found += [
            _vector("begins on the limit", bottom, bottom, high, n, met=True),
            _vector("one step below it", bottom - step, bottom - step, high - step, n, met=False),
        ]
        if width:
            found += [
                _vector(
                    "value within, interval not", bottom + width, bottom - step, high, n, met=False, could=_could(n)
                ),
                _vector("value on the limit, interval not", bottom, bottom - step, high, n, met=False, could=None),
            ]
    if limit.fewest is not None and limit.max is not None:
        few = _vector(
            "too few attacks", limit.max - width, limit.max - 2 * width, limit.max, limit.fewest - 1, met=False
        )
        found.append(few | {"found": "inconclusive"})
    found += [{"why": why, "status": why, "met": False} for why in ("missing", "inconclusive", "failed")]
    return found


def _vector(
    why: str, value: float, lower: float, upper: float, n: int, *, met: bool, **could: int | None
) -> dict[str, Any]:
    """``could`` is how many could decide where only the interval is outside, None where no number could."""
    value, lower, upper = (round(number, 12) for number in (value, lower, upper))
    numbers = {"why": why, "value": value, "lower": lower, "upper": upper, "n": n, "met": met}
    return {**numbers, "found": "inconclusive", **could} if could else numbers


def _could(n: int) -> int:
    """Half-widths shrink with the root of n: one of WIDTH + STEP is WIDTH at so many."""
    return math.ceil(n * ((Fraction(WIDTH) + Fraction(STEP)) / Fraction(WIDTH)) ** 2)


def _leaves(value: Any, place: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [
            leaf
            for key, item in value.items()
            if key != "source"
            for leaf in _leaves(item, f"{place}.{key}" if place else key)
        ]
    return [(place, value)]


if __name__ == "__main__":
    for pack in sys.argv[1:]:
        (FOLDER / f"{pack}.json").write_text(to_text(draft(load_pack(pack))), encoding="utf-8")
