"""Which forms of our synthesizer are measured, and what does each change of the defaults?

A form's name says what differs: ``ours`` has every default; ``ours-without-X`` and ``ours-only-X`` leave a component
out or alone; ``ours-calibration-X`` has one calibration alone; ``ours-selector-X`` chooses the weights otherwise.
``ours-calibration-full`` is what stands without the calibration of associations. ``ours-rows-X`` leaves out one or both
ways of choosing among the rows that are made. ``ours-paper`` and ``ours-paper-two`` match the marginals alone, fully,
and average over one and two people where the defaults average over three: how near the hybrid comes to its source's
headline (Mahin et al., arXiv:2510.10513) if it publishes real values, or means of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from synth import components
from synth.calibration import STEPS
from synth.hybrid import DEFAULT_COMPONENTS

OURS = "ours"
PAPER, PAPER_TWO = "ours-paper", "ours-paper-two"
SELECTORS = ("uniform", "single", "grid", "bayesian")


def settings(form: str) -> dict[str, Any]:
    """Keyword arguments of the synthesizer of one form of ``FORMS``, beside ``selector`` where another search chooses.

    Raises
    ------
    ValueError
        No form has that name.
    """
    if form not in FORMS:
        raise ValueError(
            f"expected one of {len(FORMS)} forms of ours, found {form!r}; see benchmarks/hybrid/variants.py"
        )
    return dict(FORMS[form])


def _forms() -> dict[str, dict[str, Any]]:
    forms: dict[str, dict[str, Any]] = {OURS: {}}
    forms |= {
        paper: {"people_per_knot": people, "calibration": ("full",)} for paper, people in ((PAPER, 1), (PAPER_TWO, 2))
    }
    if len(DEFAULT_COMPONENTS) > 1:
        for name in DEFAULT_COMPONENTS:
            others = tuple(other for other in DEFAULT_COMPONENTS if other != name)
            forms[f"{OURS}-without-{name}"] = {"components": others}
    for name in components.REGISTRY:
        forms[f"{OURS}-only-{name}"] = {"components": (name,)}
    forms[f"{OURS}-calibration-none"] = {"calibration": ()}
    for name in STEPS:
        forms[f"{OURS}-calibration-{name.replace('_', '-')}"] = {"calibration": (name,)}
    forms[f"{OURS}-rows-unspaced"] = {"spacing": False}
    forms[f"{OURS}-rows-unbalanced"] = {"balancing": False}
    forms[f"{OURS}-rows-by-chance"] = {"spacing": False, "balancing": False}
    for name in SELECTORS:
        forms[f"{OURS}-selector-{name}"] = {"selection": "uniform"} if name == "uniform" else {"selector": name}
    return forms


FORMS: Mapping[str, Mapping[str, Any]] = MappingProxyType(_forms())
ABLATION: tuple[str, ...] = (OURS, *(form for form in FORMS if form not in (OURS, PAPER, PAPER_TWO)))
