"""What does each picture of the evidence report look like? Drawn from cells and matrices, never from rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from audit.report.cells import Cells
from audit.report.drawing import INK, LINE, QUIET, REAL, SYNTHETIC, TEXT_SIZE, canvas, picture
from audit.report.inputs import Distances
from audit.report.wording import number, shortened

BLUE, ORANGE = (0.13, 0.40, 0.67), (0.80, 0.33, 0.06)  # negative and positive, told apart by colour-blind readers
ABSENT = (0.5, 0.5, 0.5, 0.35)
EVERY_NUMBER = 16  # up to so many columns every one is numbered, beyond that every fifth
NAMED_AXES = 12  # up to so many columns an association map writes their names, beyond that their numbers


def marginal_plot(cells: Cells, *, key: str, name: str, unit: str = "", dates: bool = False) -> Markup:
    """Real (filled) beside synthetic (outlined) shares of one column."""
    title = f"Distribution of {name}, real beside synthetic"
    if cells.edges is None:
        return _bars_plot(cells, key, title)
    return _bins_plot(cells, cells.edges, key, title, unit, dates)


def column_plot(cells: Cells, *, key: str, name: str, unit: str = "", dates: bool = False) -> Markup:
    """Shares of one column of real rows, with nothing beside them."""
    title = f"Distribution of {name}"
    if cells.edges is None:
        return _bars_plot(cells, key, title, alone=True)
    return _bins_plot(cells, cells.edges, key, title, unit, dates, alone=True)


def association_map(matrix: NDArray[np.float64], names: Sequence[str], *, key: str, title: str, scale: float) -> Markup:
    """A square map of ``matrix`` (d, d): orange positive, blue negative, clear zero; ``scale`` is the full colour."""
    d, size = len(names), 380
    named = d <= NAMED_AXES
    left = 118 if named else 20
    figure, axes = canvas(size, size - left + 20, (left, 18, size - 2, size - left + 18))
    strength = np.clip(np.abs(np.nan_to_num(matrix)) / scale, 0, 1)
    colours = np.where((np.nan_to_num(matrix) > 0)[..., None], ORANGE, BLUE)
    image = np.concatenate([colours, strength[..., None]], axis=2)
    image[np.isnan(matrix)] = ABSENT
    axes.imshow(image, interpolation="none", extent=(0, d, d, 0), aspect="auto")
    axes.set(xlim=(0, d), ylim=(d, 0))
    _frame(axes)
    ticks = np.arange(d) if d <= EVERY_NUMBER else np.array([0, *range(4, d, 5)])
    if d > EVERY_NUMBER:
        for edge in range(5, d, 5):
            axes.axhline(edge, color=QUIET, linewidth=0.4, alpha=0.6)
            axes.axvline(edge, color=QUIET, linewidth=0.4, alpha=0.6)
    axes.set_xticks(ticks + 0.5, [str(t + 1) for t in ticks])
    axes.xaxis.tick_top()
    axes.tick_params(pad=2)
    words = {f"@{i}": f"{shortened(name, 15)} {i + 1}" for i, name in enumerate(names)}
    labels = [f"@{t}" if named else str(t + 1) for t in ticks]
    axes.set_yticks(ticks + 0.5, labels)
    strongest = _strongest(matrix, names)
    return picture(figure, key=key, title=title, description=f"{d} by {d} columns. {strongest}", words=words)


def distance_plot(distances: Distances, *, key: str) -> Markup:
    """How far released rows lie from their nearest real row: to train (line) over to holdout (filled)."""
    train, holdout = distances.released_to_train, distances.released_to_holdout
    known = [values[np.isfinite(values)] for values in (train, holdout)]
    top = float(np.quantile(np.concatenate(known), 0.99)) or 1.0
    edges = np.linspace(0, top, 31)
    shares = [np.histogram(np.clip(values, 0, top), edges)[0] / max(len(values), 1) for values in known]
    figure, axes = canvas(380, 210, (40, 8, 368, 162))
    axes.stairs(shares[1], edges, fill=True, color=REAL, clip_on=False)
    axes.stairs(shares[0], edges, color=SYNTHETIC, linewidth=2, clip_on=False)
    axes.set(xlim=(0, top), ylim=(0, max(map(float, map(np.max, shares))) * 1.05 or 1))
    _share_axis(axes)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("distance to the nearest real row", fontsize=TEXT_SIZE, color=QUIET, labelpad=6)
    medians = [number(float(np.median(values))) for values in known]
    return picture(
        figure,
        key=key,
        title="Nearest-neighbour distances of released rows",
        description=f"Median distance to train {medians[0]}, to holdout {medians[1]}.",
    )


def weights_plot(weights: Mapping[str, float], *, key: str) -> Markup:
    """One bar per component, the heaviest first."""
    ranked = sorted(weights.items(), key=lambda item: -item[1])
    height = 26 * len(ranked) + 6
    figure, axes = canvas(380, height, (140, 3, 336, height - 3))
    places = np.arange(len(ranked))
    values = np.array([value for _, value in ranked])
    top = max(float(values.max()), 1e-9)
    axes.barh(places, values, height=0.6, color=SYNTHETIC, clip_on=False)
    axes.set(xlim=(0, top), ylim=(len(ranked) - 0.5, -0.5), xticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.set_yticks(places, [f"@{i}" for i in places], color=INK)
    for place, value in zip(places, values, strict=True):
        axes.text(value + top * 0.02, float(place), number(float(value)), va="center", fontsize=TEXT_SIZE, color=QUIET)
    words = {f"@{i}": shortened(name, 20) for i, (name, _) in enumerate(ranked)}
    said = ", ".join(f"{name} {number(value)}" for name, value in ranked)
    return picture(figure, key=key, title="Weight of each component", description=said, words=words)


def trace_plot(rewards: NDArray[np.float64], *, key: str) -> Markup:
    """Reward of each evaluation (dots) and the best so far (line); ``rewards`` (n,), n >= 1, finite."""
    figure, axes = canvas(380, 210, (46, 8, 368, 162))
    steps = np.arange(1, len(rewards) + 1)
    best = np.maximum.accumulate(rewards)
    axes.plot(steps, rewards, "o", color=REAL, markersize=4, markeredgewidth=0, clip_on=False)
    axes.step(steps, best, where="post", color=SYNTHETIC, linewidth=2, clip_on=False)
    low, high = float(rewards.min()), float(rewards.max())
    room = (high - low) * 0.06 or 0.1
    axes.set(xlim=(0.5, len(rewards) + 0.5), ylim=(low - room, high + room))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.grid(True, color=LINE, linewidth=0.7)
    axes.set_xlabel("evaluation", fontsize=TEXT_SIZE, color=QUIET, labelpad=6)
    said = f"{len(rewards)} evaluations; first reward {number(float(rewards[0]))}, best {number(high)}."
    return picture(figure, key=key, title="Reward by evaluation", description=said)


def percent(share: float) -> str:
    """A share of rows in whole percent; what is not nothing, or not all, is not rounded to it."""
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 - 1e-12 else f"{100 * share:.0f} %"


def _bins_plot(
    cells: Cells,
    edges: NDArray[np.float64],
    key: str,
    title: str,
    unit: str,
    dates: bool,
    *,
    alone: bool = False,
) -> Markup:
    widths = np.diff(edges)
    per_bin = widths / widths.min()
    figure, axes = canvas(300, 150, (38, 6, 284, 128))
    real, synthetic = cells.real / per_bin, cells.synthetic / per_bin
    axes.stairs(real, edges, fill=True, color=REAL, clip_on=False)
    if not alone:
        axes.stairs(synthetic, edges, color=SYNTHETIC, linewidth=1.8, clip_on=False)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, max(float(real.max()), float(synthetic.max())) * 1.04 or 1))
    _share_axis(axes)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if dates:
        _date_axis(axes, edges)
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _brief(value)))
    told = int(np.argmax(np.abs(cells.real - cells.synthetic)))
    first, last = (_day(edge) if dates else number(float(edge)) for edge in edges[told : told + 2])
    between = f"between {first} and {last}{' ' + unit if unit else ''}."
    real_share, synthetic_share = percent(cells.real[told]), percent(cells.synthetic[told])
    if alone:
        said = f"Histogram on {len(widths)} bins. The fullest: {real_share} of rows {between}"
    else:
        gap = f"{real_share} of real and {synthetic_share} of synthetic rows"
        said = f"Histogram on {len(widths)} shared bins. Largest gap: {gap} {between}"
    return picture(figure, key=key, title=title, description=said)


def _bars_plot(cells: Cells, key: str, title: str, *, alone: bool = False) -> Markup:
    rows = len(cells.labels)
    height = (22 if alone else 30) * rows + 6
    left, right = 104, 256
    figure, axes = canvas(300, height, (left, 3, right, height - 3))
    top = max(float(cells.real.max()), float(cells.synthetic.max()), 1e-9)
    places = np.arange(rows)
    sides = [(0.0, 0.6, cells.real, REAL)]
    if not alone:
        sides = [(-0.19, 0.36, cells.real, REAL), (0.19, 0.36, cells.synthetic, SYNTHETIC)]
    for shift, thick, shares, colour in sides:
        axes.barh(places + shift, shares, height=thick, color=colour, clip_on=False)
    axes.set(xlim=(0, top), ylim=(rows - 0.5, -0.5), xticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(True)
    axes.spines["left"].set_color(LINE)
    axes.set_yticks(places, [f"@{i}" for i in places], color=INK)
    for place in places:
        for shift, _, shares, _ in sides:
            share = float(shares[place])
            axes.text(share + top * 0.03, place + shift, percent(share), va="center", fontsize=9.5, color=QUIET)
    words = {f"@{i}": shortened(label, 15) for i, label in enumerate(cells.labels)}
    said = "; ".join(
        f"{label}: {percent(a)}" if alone else f"{label}: {percent(a)} real, {percent(b)} synthetic"
        for label, a, b in zip(cells.labels, cells.real, cells.synthetic, strict=True)
    )
    return picture(figure, key=key, title=title, description=said, words=words)


def _share_axis(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(100 * value, 4):g} %"))
    axes.yaxis.grid(True, color=LINE, linewidth=0.7)


def _frame(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(LINE)
        spine.set_linewidth(0.8)


def _date_axis(axes: Axes, edges: NDArray[np.float64]) -> None:
    """Both ends, anchored inwards, and an edge near the middle where there is one: bins are not equally wide."""
    span = edges[-1] - edges[0]
    middle = edges[np.argmin(np.abs(edges - (edges[0] + edges[-1]) / 2))]
    clear = min(middle - edges[0], edges[-1] - middle) > 0.4 * span
    wanted = [edges[0], middle, edges[-1]] if clear else [edges[0], edges[-1]]
    long = span > 3 * 365 * 86_400
    axes.set_xticks(wanted, [_day(edge)[: 7 if long else 10] for edge in wanted])
    axes.get_xticklabels()[0].set_horizontalalignment("left")
    axes.get_xticklabels()[-1].set_horizontalalignment("right")


def _day(seconds: float) -> str:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=float(seconds))).strftime("%Y-%m-%d")


def _brief(value: float) -> str:
    """A tick label of at most six characters or so."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}".replace("-", "\N{MINUS SIGN}")
    return f"{round(value, 10):g}".replace("-", "\N{MINUS SIGN}")


def _strongest(matrix: NDArray[np.float64], names: Sequence[str]) -> str:
    """The largest entry off the diagonal in words."""
    lower = np.abs(np.tril(np.nan_to_num(matrix), -1))
    if lower.max(initial=0) == 0:
        return "Every pair is 0 or cannot be told."
    i, j = divmod(int(np.argmax(lower)), len(names))
    return f"Largest: {names[j]} with {names[i]}, {number(float(matrix[i, j]))}."
