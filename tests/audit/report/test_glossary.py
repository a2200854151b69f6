"""Every measure has words and a direction."""

from __future__ import annotations

import pytest

from audit.report.glossary import GLOSSARY, entry

# The names the policy packs rest on; the registry may hold more.
FIXED = (
    "nnaa_train", "nnaa_holdout", "nnaa_privacy_loss", "dcr_share", "exact_copy_excess", "near_copy_excess",
    "rare_copies", "membership_auc", "k_anonymity", "k_map", "k_map_excess", "identity_disclosure_risk", "l_diversity",
    "homogeneity_excess", "utility_gap", "dp_epsilon", "dp_delta", "rows_per_real_row",
    *(f"{f}_{side}" for f in ("ks", "wasserstein", "total_variation", "pair_trend", "correlation_difference")
      for side in ("train", "holdout")),
    *(f"floor_{f}" for f in ("ks", "wasserstein", "total_variation", "pair_trend", "correlation_difference")),
    *(f"{arm}_{score}" for arm in ("tstr", "trtr") for score in ("accuracy", "macro_f1", "g_mean", "auc")),
)  # fmt: skip


def test_every_registered_measure_has_an_entry() -> None:
    from audit.measures import MEASURE_NAMES

    assert set(MEASURE_NAMES) <= GLOSSARY.keys()


@pytest.mark.parametrize("name", FIXED)
def test_every_name_has_a_title_one_sentence_and_a_direction(name: str) -> None:
    about = GLOSSARY[name]
    assert about.title
    assert about.direction
    assert about.plain[0].isupper()
    assert about.plain.endswith(".")


def test_agreement_is_better_high_and_distance_is_better_low() -> None:
    assert entry("pair_trend_train").direction == "higher is closer"
    assert entry("ks_train").direction == "lower is closer"


def test_an_unknown_measure_is_shown_under_its_own_name() -> None:
    assert entry("my_new_measure").title == "my new measure"
    assert entry("my_new_measure").direction is None


def test_titles_are_told_apart() -> None:
    titles = [about.title for about in GLOSSARY.values()]
    assert len(set(titles)) == len(titles)
