"""What do the declared values of functional dependencies make of a row?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from policies import Dictionary


def with_declared_values(frame: pd.DataFrame, dictionary: Dictionary) -> pd.DataFrame:
    """(m, c) typed frame in which every cell that the dictionary's dependencies determine is what they say.

    A row whose source is missing, or not listed, is left as it is. Nothing but the dictionary is looked at, so under
    differential privacy this is post-processing.
    """
    for each in dictionary.dependencies:
        if each.values is None:
            continue
        source, column = frame[each.source], dictionary.columns[each.determines]
        listed = [each.values.get(level) for level in source.cat.categories]
        known = np.array([*(text is not None for text in listed), False])[source.cat.codes]
        cells: Any
        if column.categories is None:
            cells = frame[each.determines].to_numpy(dtype=np.float64, copy=True)
            told = np.array([*(np.nan if text is None else float(text) for text in listed), np.nan])
            cells[known] = told[source.cat.codes][known]
        else:
            place = {text: code for code, text in enumerate(column.categories)}
            codes = frame[each.determines].cat.codes.to_numpy(copy=True).astype(np.int64)
            told_codes = np.array([*(-1 if text is None else place[text] for text in listed), -1])
            codes[known] = told_codes[source.cat.codes][known]
            kind = pd.CategoricalDtype(list(column.categories), ordered=column.type != "category")
            cells = pd.Categorical.from_codes(codes, dtype=kind)
        frame = frame.assign(**{each.determines: cells})
    return frame
