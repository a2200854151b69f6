"""Tables with known truth, and the shortest way from frames to an audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audit.tables import AuditTables
from policies import Dictionary

SHARES = (0.7, 0.2, 0.07, 0.03)


def declare(
    frame: pd.DataFrame,
    *,
    target: str | None = None,
    quasi_identifiers: Sequence[str] = (),
    sensitive: Sequence[str] = (),
    integers: Sequence[str] = (),
) -> Dictionary:
    """A dictionary that fits ``frame``, with wide bounds."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        dtype = frame[name].dtype
        role = "quasi_identifier" if name in quasi_identifiers else "sensitive" if name in sensitive else "ordinary"
        if isinstance(dtype, pd.CategoricalDtype):
            kind = "ordinal" if dtype.ordered else "category"
            columns[name] = {"type": kind, "categories": tuple(dtype.categories)}
        elif dtype.kind == "M":
            bounds = pd.Timestamp("1900-01-01").to_pydatetime(), pd.Timestamp("2100-01-01").to_pydatetime()
            columns[name] = {"type": "datetime", "minimum": bounds[0], "maximum": bounds[1]}
        else:
            kind = "integer" if name in integers else "number"
            columns[name] = {"type": kind, "minimum": -1e12, "maximum": 1e12}
        columns[name] |= {"role": role, "nullable": True}
    return Dictionary.model_validate({"version": 1, "name": "table", "target": target, "columns": columns})


def put_together(train: pd.DataFrame, holdout: pd.DataFrame, released: pd.DataFrame, **options: Any) -> AuditTables:
    """An audit of three frames; ``options`` of ``declare`` describe the columns, the others go to the audit."""
    described = ("target", "quasi_identifiers", "sensitive", "integers")
    dictionary = declare(train, **{key: options.pop(key) for key in described if key in options})
    options.setdefault("train_people", np.arange(len(train)))
    options.setdefault("holdout_people", np.arange(len(holdout)))
    return AuditTables(dictionary, train, holdout, released, **options)


def levels(values: Sequence[str | None], categories: Sequence[str]) -> pd.Categorical:
    return pd.Categorical(values, categories=list(categories))


def skewed(count: int, width: int, rng: np.random.Generator) -> pd.DataFrame:
    """Independent categorical columns of four levels with shares .7, .2, .07 and .03."""
    codes = rng.choice(4, size=(count, width), p=SHARES)
    return pd.DataFrame(
        {f"c{j}": levels(list(np.array(list("abcd"))[column]), "abcd") for j, column in enumerate(codes.T)}
    )


def patients(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Mixed types as hospitals have them: correlated, skewed, spiked, partly missing, with a target."""
    health = rng.standard_normal(count)
    frame = pd.DataFrame(
        {
            "age": np.round(50 + 15 * rng.standard_normal(count)),
            "pressure": 120 + 15 * health + 5 * rng.standard_normal(count),
            "enzyme": np.exp(0.5 * health + rng.standard_normal(count)),
            "dose": np.where(rng.random(count) < 0.6, 0.0, np.round(rng.exponential(10, count), 1)),
        }
    )
    frame.loc[rng.random(count) < 0.15, "enzyme"] = np.nan
    frame["ward"] = levels(rng.choice(list("abcde"), count, p=[0.4, 0.3, 0.15, 0.1, 0.05]), "abcde")
    frame["sex"] = levels(np.where(rng.random(count) < 0.5, "f", "m"), "fm")
    frame.loc[rng.random(count) < 0.1, "ward"] = np.nan
    frame["outcome"] = levels(np.where(health + rng.standard_normal(count) > 0, "ill", "well"), ["well", "ill"])
    return frame
