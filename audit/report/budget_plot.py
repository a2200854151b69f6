"""How does a dataset's spending over time look? A staircase of epsilon under the line it may never cross."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from audit.report.drawing import INK, LINE, QUIET, SYNTHETIC, TEXT_SIZE, canvas, picture
from audit.report.period_inputs import Budget


def budget_plot(budget: Budget, since: datetime, until: datetime, *, key: str) -> Markup:
    """Epsilon spent by all charges (line) and the lifetime budget (dashed) from ``since`` to ``until``.

    What was spent before ``since`` is where the line begins. A mark stands at each charge.
    """
    start, end = since.timestamp(), until.timestamp()
    at = np.array([min(max(charge.at.timestamp(), start), end) for charge in budget.charges])
    spent = np.array([charge.spent for charge in budget.charges])
    lifetime = np.array([charge.lifetime for charge in budget.charges])
    before = spent[at <= start].max(initial=0.0)
    figure, axes = canvas(420, 190, (44, 14, 404, 150))
    steps, levels = np.r_[start, at, end], np.r_[before, spent, spent[-1]]
    axes.step(steps, levels, where="post", color=SYNTHETIC, linewidth=2)
    axes.fill_between(steps, levels, step="post", color=SYNTHETIC, alpha=0.14, linewidth=0)
    during = np.array([charge.at >= since for charge in budget.charges])
    axes.plot(at[during], spent[during], "o", color=SYNTHETIC, markersize=4.5, markeredgewidth=0, clip_on=False)
    axes.step(
        np.r_[start, at, end], np.r_[lifetime[0], lifetime, lifetime[-1]], where="post", color=INK, linewidth=1.4,
        linestyle=(0, (4, 3)),
    )  # fmt: skip
    top = max(float(lifetime.max()), float(spent.max()))
    axes.set(xlim=(start, end), ylim=(0, top * 1.18))
    label = f"lifetime {lifetime[-1]:g}"
    axes.text(end, float(lifetime[-1]) + 0.03 * top, label, ha="right", fontsize=TEXT_SIZE, color=QUIET)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.grid(True, color=LINE, linewidth=0.7)
    axes.set_xticks([start, end], [_label(each, end - start) for each in (since, until)])
    axes.get_xticklabels()[0].set_horizontalalignment("left")
    axes.get_xticklabels()[-1].set_horizontalalignment("right")
    axes.set_ylabel("epsilon", fontsize=TEXT_SIZE, color=QUIET, labelpad=4)
    said = (
        f"{int(during.sum())} charges in the period; epsilon {float(before):.3f} spent at its beginning and "
        f"{float(spent[-1]):.3f} at its end, of a lifetime budget of {float(lifetime[-1]):g}."
    )
    return picture(figure, key=key, title=f"Budget of {budget.dataset} over time", description=said)


def _label(moment: datetime, seconds: float) -> str:
    """The day; for less than three days the time too, or both ends would read the same."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%d}" if seconds >= 3 * 86_400 else f"{moment:%m-%d %H:%M}"
