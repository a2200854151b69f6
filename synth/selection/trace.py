"""What was evaluated during selection, with what result?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Source = Literal["single", "uniform", "reinforce", "gaussian_process", "given"]


@dataclass(frozen=True)
class Terms:
    """What a mixture is worth on validation rows.

    Attributes
    ----------
    pair_distance : root mean square distance of the tables of binned pairs of columns; 0 is best.
    leaf_distance : root mean square distance of leaf shares in a forest that tells the rows apart; 0 is best.
    utility : AUC on validation rows of a classifier of the target trained on the mixture; 0.5 without a target.
    diversity : entropy of the weights over the greatest possible, in [0, 1].
    nnaa_loss : adversarial accuracy on validation rows minus that on fit rows, in [-1, 1]; 0 is best.
    dcr_share : share of mixture rows nearer to a fit row than to a validation row, in [0, 1]; 0.5 is best.
    membership : AUC of telling fit from validation rows by distance to the mixture; 0.5 is best.
    violation : by how much the privacy terms exceed their tolerances, summed; 0 is allowed.
    """

    pair_distance: float
    leaf_distance: float
    utility: float
    diversity: float
    nnaa_loss: float
    dcr_share: float
    membership: float
    violation: float


@dataclass(frozen=True)
class Point:
    """One weighting: who proposed it, its weights by component, its reward and the reward's terms if evaluated."""

    source: Source
    weights: dict[str, float]
    reward: float | None = None
    terms: Terms | None = None


@dataclass(frozen=True)
class SelectionTrace:
    """Every evaluated point in order, the one chosen, and how the reward was set up.

    ``chosen`` is a place in ``points``. ``fit_rows`` and ``validation_rows`` are what the reward was computed on, a
    sample of the table on a large one.
    """

    points: tuple[Point, ...]
    chosen: int
    fit_rows: int
    validation_rows: int
    tolerance: float
    reason: str = ""

    @property
    def weights(self) -> dict[str, float]:
        return dict(self.points[self.chosen].weights)

    def best(self, source: Source) -> Point | None:
        """The best point of one source, for comparison; None if it proposed none."""
        own = [point for point in self.points if point.source == source and point.reward is not None]
        return max(own, key=lambda point: point.reward or 0.0) if own else None

    def comparison(self) -> dict[str, float]:
        """Best reward of every source. Sources were given different numbers of evaluations: see :attr:`points`."""
        sources: Iterable[Source] = ("uniform", "single", "reinforce", "gaussian_process")
        found = {source: self.best(source) for source in sources}
        return {
            source: point.reward for source, point in found.items() if point is not None and point.reward is not None
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a record."""
        return asdict(self)
