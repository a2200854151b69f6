"""How do synthetic marginals come to agree with real ones without repeating real values?"""

from synth.calibration.groups import STEPS, Calibration
from synth.calibration.methods import METHODS
from synth.calibration.quantiles import Quantiles, exact_quantiles, smoothed_quantiles
from synth.calibration.target import Target

DEFAULT_CALIBRATION: tuple[str, ...] = ("full", "association")

__all__ = [
    "DEFAULT_CALIBRATION",
    "METHODS",
    "STEPS",
    "Calibration",
    "Quantiles",
    "Target",
    "exact_quantiles",
    "smoothed_quantiles",
]
