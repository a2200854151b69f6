"""What stands in one result file, and under which title?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.results import Figure, Record, cpu_seconds, figure_at

Column = tuple[str, Figure, int]

TABLES = ("wdbc", "heart-disease", "heart-failure", "adult", "diabetes-130")
NAMES: Mapping[str, str] = {
    "ours": "**ours**",
    "ours-paper": "ours, one person a knot",
    "ours-paper-two": "ours, two people a knot",
    "smote": "SMOTE",
    "gmm": "GMM per class",
    "arfpy": "arfpy",
    "synthpop": "py-synthpop",
    "forestdiffusion": "ForestDiffusion",
    "mostlyai": "mostlyai-engine",
    "marginals": "*marginals alone*",
    "bootstrap": "*bootstrap*",
}
HOLDOUT = "real-holdout"
MODELS = ("lr", "rf", "hgb")
SCORES = ("accuracy", "macro_f1", "roc_auc", "g_mean")


def figure(*path: str) -> Figure:
    """A number inside ``figures``, or None where it is not."""
    return figure_at("figures", *path)


def within_one_error(record: Record) -> float | None:
    """How many of the twelve scores (four of three models) lie no more than one standard error below train-on-real."""
    found = record.get("figures")
    if found is None:
        return None
    gaps = [
        found["trtr"][model][score] - found["tstr"][model][score] <= found["trtr_standard_error"][model][score]
        for model in MODELS
        for score in SCORES
    ]
    return float(sum(gaps))


CLOSENESS: tuple[Column, ...] = (
    ("C2ST", figure("c2st_auc_vs_holdout"), 3),
    ("C2ST, all real", figure("c2st_auc"), 3),
    ("KS", figure("ks_mean_vs_holdout"), 4),
    ("W", figure("w1_mean_vs_holdout"), 4),
    ("TVD", figure("tvd_mean_vs_holdout"), 4),
    ("pair trend", figure("pair_trend_vs_holdout"), 4),
    ("correlation", figure("corr_diff_vs_holdout"), 4),
    ("3-way", figure("three_way_tvd"), 4),
    ("class KS", figure("within_class_ks"), 4),
    ("class TVD", figure("within_class_tvd"), 4),
    ("site KS", figure("within_site_ks"), 4),
    ("site TVD", figure("within_site_tvd"), 4),
    ("KS, train", figure("ks_mean"), 4),
    ("W, train", figure("w1_mean"), 4),
    ("pair trend, train", figure("pair_trend"), 4),
)
FLOORS: Mapping[str, Figure] = {
    "KS": figure("ks_mean_floor"),
    "W": figure("w1_mean_floor"),
    "TVD": figure("tvd_mean_floor"),
    "pair trend": figure("pair_trend_floor"),
    "correlation": figure("corr_diff_floor"),
    "3-way": figure("three_way_tvd_floor"),
    "class KS": figure("within_class_ks_floor"),
    "class TVD": figure("within_class_tvd_floor"),
    "site KS": figure("within_site_ks_floor"),
    "site TVD": figure("within_site_tvd_floor"),
}
PRIVACY: tuple[Column, ...] = (
    ("NNAA loss", figure("nnaa_privacy_loss"), 4),
    ("NNAA, train", figure("nnaa_train"), 4),
    ("DCR share", figure("dcr_share"), 4),
    ("membership AUC", figure("mia_auc"), 4),
    ("copies", figure("dup_rate_train"), 4),
    ("copies, excess", figure("dup_excess"), 4),
    ("values reused", figure("value_reuse"), 3),
    ("values reused, excess", figure("value_reuse_excess"), 4),
    ("excess, worst column", figure("value_reuse_excess_max"), 4),
    ("over the holdout's", figure("value_reuse_gap"), 4),
    ("extremes published", figure("extremes_published"), 1),
    ("of", figure("extremes"), 1),
    ("by chance", figure("extremes_by_chance"), 1),
    ("of these", figure("extremes_holdout"), 1),
    ("beyond train's range", figure("out_of_train_range"), 4),
)
UTILITY: tuple[Column, ...] = (
    ("AUC", figure("tstr", "mean", "roc_auc"), 3),
    ("AUC LR", figure("tstr", "lr", "roc_auc"), 3),
    ("AUC RF", figure("tstr", "rf", "roc_auc"), 3),
    ("AUC boosting", figure("tstr", "hgb", "roc_auc"), 3),
    ("accuracy", figure("tstr", "mean", "accuracy"), 3),
    ("macro F1", figure("tstr", "mean", "macro_f1"), 3),
    ("G-mean", figure("tstr", "mean", "g_mean"), 3),
    ("of 12 within one error", within_one_error, 1),
    ("CPU s", cpu_seconds, 0),
    ("fit CPU s", figure_at("fit_cpu_seconds"), 1),
    ("draw CPU s", figure_at("sample_cpu_seconds"), 1),
    ("wall s", figure_at("cost", "wall_seconds"), 0),
    ("MB", figure_at("cost", "peak_mb"), 0),
)
FIGURE_OF = {title: measure for title, measure, _ in (*CLOSENESS, *PRIVACY, *UTILITY)}
COSTS = ("CPU s", "fit CPU s", "draw CPU s", "wall s", "MB")


def runs_of(records: Sequence[Record], table: str, method: str) -> list[Record]:
    return [record for record in records if record["table"] == table and record["method"] == method]


def one_a_seed(records: Sequence[Record]) -> list[Record]:
    """What hangs on the split alone is the same in every run of a seed: each split counts once."""
    return list({record["seed"]: record for record in records if "figures" in record}.values())
