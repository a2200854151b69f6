"""What does each measure mean, in plain words, and which way is safe?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal[
    "lower is safer",
    "higher is safer",
    "nearer 0.5 is better",
    "lower is closer",
    "higher is closer",
    "higher is more useful",
    "lower is better",
]


@dataclass(frozen=True)
class Entry:
    """One measure for a reader who is no statistician; ``low`` and ``high`` bound what the number can be."""

    title: str
    plain: str
    direction: Direction | None
    low: float | None = None
    high: float | None = None
    count: bool = False


def entry(name: str) -> Entry:
    """The entry of a measure; one that is not listed is shown under its own name, without a direction."""
    found = GLOSSARY.get(name)
    if found is not None:
        return found
    return Entry(name.replace("_", " "), "This measure has no explanation here; see its method.", None)


def _share(title: str, plain: str, direction: Direction) -> Entry:
    return Entry(title, plain, direction, 0.0, 1.0)


def _excess(title: str, plain: str) -> Entry:
    return Entry(title, plain, "lower is safer", -1.0, 1.0)


def _number(title: str, plain: str) -> Entry:
    """Of rows, beyond what chance gives."""
    return Entry(title, plain, "lower is safer", count=True)


def _smallest(title: str, plain: str) -> Entry:
    """Of groups: how many people, rows or values it has."""
    return Entry(title, plain, "higher is safer", 0.0, count=True)


def _fidelity() -> dict[str, Entry]:
    words = {
        "ks": (
            "Kolmogorov-Smirnov distance",
            "The largest gap between two cumulative distributions, averaged over number and date columns",
        ),
        "wasserstein": (
            "Wasserstein distance",
            (
                "How far values must be moved to turn one distribution into the other, as a share of the real range, "
                "averaged over number and date columns"
            ),
        ),
        "total_variation": (
            "total variation",
            (
                "The share of rows that would have to change category for the tables to agree, averaged over category "
                "columns"
            ),
        ),
        "pair_trend": (
            "pair trend agreement",
            "How well the joint behaviour of two columns agrees, 1 being equal, averaged over all pairs of columns",
        ),
        "correlation_difference": (
            "correlation difference",
            "How much the correlation of two columns differs, averaged over all pairs of number columns",
        ),
    }
    against = {
        "{}_train": ("synthetic against train", "between synthetic rows and the rows the synthesizer saw."),
        "{}_holdout": ("synthetic against holdout", "between synthetic rows and real rows the synthesizer never saw."),
        "floor_{}": (
            "real against real",
            (
                "between train and holdout: what chance alone does to two real samples, and the best a synthetic table "
                "can honestly reach."
            ),
        ),
    }
    found = {}
    for measure, (title, plain) in words.items():
        high = None if measure == "wasserstein" else 2.0 if measure == "correlation_difference" else 1.0
        for pattern, (suffix, ending) in against.items():
            heading = f"{title[0].upper()}{title[1:]}, {suffix}"
            direction: Direction = "higher is closer" if measure == "pair_trend" else "lower is closer"
            found[pattern.format(measure)] = Entry(heading, f"{plain}, {ending}", direction, 0.0, high)
    return found


def _utility() -> dict[str, Entry]:
    scores = {
        "accuracy": ("accuracy", "the share of holdout rows classified rightly"),
        "macro_f1": ("macro F1", "precision and recall, every class counting the same"),
        "g_mean": ("geometric mean of recalls", "which falls to 0 if any one class is never found"),
        "auc": ("area under the ROC curve", "how well classes are ranked; 0.5 is guessing"),
    }
    sources = {
        "tstr": (
            "Trained on synthetic",
            "Models learn the target from synthetic rows and are tested on real holdout rows",
        ),
        "trtr": (
            "Trained on real",
            "The same models learn from the real train rows: what the synthetic table is compared with",
        ),
    }
    return {
        f"{source}_{score}": _share(f"{heading}: {title}", f"{plain}; {meaning}.", "higher is more useful")
        for source, (heading, plain) in sources.items()
        for score, (title, meaning) in scores.items()
    }


GLOSSARY: dict[str, Entry] = {
    "nnaa_privacy_loss": Entry(
        "NNAA privacy loss",
        "How much closer synthetic rows lie to the people the synthesizer learned from than to people it never saw; "
        "0 means no closer, 1 means it copied them.",
        "lower is safer",
        -1.0,
        1.0,
    ),
    "nnaa_train": _share(
        "NNAA on train",
        "How well a nearest-neighbour test tells synthetic rows from the people the synthesizer learned from: 0.5 "
        "means it cannot, towards 0 means copies, towards 1 means the table is unlike them.",
        "nearer 0.5 is better",
    ),
    "nnaa_holdout": _share(
        "NNAA on holdout",
        "The same test against real people the synthesizer never saw: the value to compare the one on train with.",
        "nearer 0.5 is better",
    ),
    "nnaa_gower_privacy_loss": Entry(
        "NNAA privacy loss by Gower's distance",
        "The privacy loss measured once more with every column weighing the same, numbers over their range and a "
        "missing value as a value; 0 means no closer to train, 1 means copies.",
        "lower is safer",
        -1.0,
        1.0,
    ),
    "nnaa_gower_train": _share(
        "NNAA on train by Gower's distance",
        "The nearest-neighbour test against train with every column weighing the same: 0.5 means it cannot tell, "
        "towards 0 means copies, towards 1 means the table is unlike them.",
        "nearer 0.5 is better",
    ),
    "nnaa_gower_holdout": _share(
        "NNAA on holdout by Gower's distance",
        "The same test against real people the synthesizer never saw.",
        "nearer 0.5 is better",
    ),
    "dcr_share": _share(
        "Share of rows closer to train",
        "The share of synthetic rows whose closest real row is one the synthesizer learned from, beside an equally "
        "large sample it never saw; above 0.5 it leans on the people it saw.",
        "nearer 0.5 is better",
    ),
    "exact_copy_excess": _excess(
        "Exact copies beyond chance",
        "The share of synthetic rows equal to a train row in every column, minus the share equal to a holdout row; "
        "each counts by the chance that it is a copy and no coincidence.",
    ),
    "near_copy_excess": _excess(
        "Near copies beyond chance",
        "The share of synthetic rows closer to a train row than real strangers usually are to each other, minus the "
        "same for holdout rows.",
    ),
    "rare_copies": _number(
        "Copies of rare people",
        "How many synthetic rows repeat a train person who has no close peers, beyond what happens for holdout people.",
    ),
    "membership_auc": _share(
        "Membership attack",
        "How well an attacker who holds the synthetic table tells who was in the training data; 0.5 is guessing, 1 is "
        "certain.",
        "lower is safer",
    ),
    "cumulative_nnaa_privacy_loss": Entry(
        "Privacy loss of all releases together",
        "The same as the privacy loss, for this table and every earlier release of the dataset as one table.",
        "lower is safer",
        -1.0,
        1.0,
    ),
    "cumulative_dcr_share": _share(
        "Share of all released rows closer to train",
        "The same as the share of rows closer to train, for this table and every earlier release as one table.",
        "nearer 0.5 is better",
    ),
    "cumulative_near_copy_excess": _excess(
        "Near copies in all releases together",
        "The same as near copies beyond chance, as a share of all rows that were ever released of the dataset.",
    ),
    "cumulative_membership_auc": _share(
        "Membership attack on all releases together",
        "How well an attacker who holds this table and every earlier release tells who was in the training data; "
        "averaging over many releases shows here.",
        "lower is safer",
    ),
    "cumulative_traced_to_one": _number(
        "Rows of all releases traced to one person",
        "How many rows of this table and every earlier release, of up to 2,500 looked at, are one train person's "
        "beyond doubt, beyond what happens for holdout people; a few in each of many releases show here.",
    ),
    "membership_tpr": _share(
        "Membership attack, sure accusations",
        "The share of people in the training data whom an attacker who holds the synthetic table accuses rightly "
        "while accusing one in a hundred others; 0.01 is guessing.",
        "lower is safer",
    ),
    "membership_outlier_auc": _share(
        "Membership attack on outliers",
        "The same attack on the people most unlike everybody else; 0.5 is guessing, 1 is certain.",
        "lower is safer",
    ),
    "partial_copy_excess": _excess(
        "Partial copies beyond chance",
        "The share of synthetic rows that agree with one train person on values that hardly agree by chance, minus the "
        "same for holdout people.",
    ),
    "replicated_uniques": _excess(
        "Unique people repeated",
        "The share of synthetic rows with a combination that only one train person has, minus the same for holdout "
        "people.",
    ),
    "segment_share": _share(
        "Share of rows nearer to lines of train",
        "The share of synthetic rows that lie nearer to a line between two people the synthesizer learned from than "
        "between two it never saw; interpolated rows bring it near 1.",
        "nearer 0.5 is better",
    ),
    "segment_excess": _excess(
        "Rows on lines between people",
        "The share of synthetic rows that lie unusually near to a line between two train people, minus the same for "
        "holdout people.",
    ),
    "two_parent_excess": _excess(
        "Mixtures of two people",
        "The share of synthetic rows that two train people, mixed, explain unusually well, column by column, minus the "
        "same for holdout people.",
    ),
    "one_parent_excess": _excess(
        "People with noise",
        "The share of synthetic rows that one train person, with noise on the numbers, explains unusually well, minus "
        "the same for holdout people.",
    ),
    "traced_to_two": _number(
        "Rows traced to two people",
        "How many synthetic rows, of up to 2,500 looked at, are mixtures of two train people beyond doubt, beyond what "
        "happens for holdout people.",
    ),
    "traced_to_one": _number(
        "Rows traced to one person",
        "How many synthetic rows, of up to 2,500 looked at, are one train person's beyond doubt, copied or with noise "
        "on the numbers, beyond what happens for holdout people.",
    ),
    "line_reconstruction": _excess(
        "People rebuilt from lines",
        "The share of train people on whom lines through synthetic rows meet, which rebuilds them, minus the same for "
        "holdout people.",
    ),
    "k_anonymity": _smallest(
        "Smallest group in the released table",
        "The fewest released rows that share one combination of the columns an intruder may know (k-anonymity). The "
        "rows are synthetic, so this says little about real people by itself.",
    ),
    "k_map": _smallest(
        "Smallest real group pointed at",
        "The fewest real people who share a combination that also appears in the released table (k-map).",
    ),
    "k_map_excess": _excess(
        "Rows pointing at small real groups",
        "The share of released rows that point at a small group of train people, minus the same share for holdout "
        "people, whom the synthesizer cannot know.",
    ),
    "identity_disclosure_risk": _share(
        "Identity disclosure risk",
        "The average chance that a train person is matched to a released row and picked out among those who look alike "
        "(El Emam, Mosquera and Bass 2020).",
        "lower is safer",
    ),
    "l_diversity": _smallest(
        "Fewest sensitive values in a group",
        "The smallest number of different sensitive values in any released group that looks alike (l-diversity); 1 "
        "means that a group tells the value.",
    ),
    "homogeneity_excess": _excess(
        "Sensitive values given away",
        "The share of train people whose sensitive value is rightly told by a released group that holds only one "
        "value, minus the same share of holdout people.",
    ),
    "singling_out": _excess(
        "Singling out",
        "The share of released rows that, put as a statement, fit exactly one train person, beyond the share that fit "
        "exactly one holdout person by chance.",
    ),
    "linkability": _excess(
        "Linking two records",
        "The share of train people two of whose records in different hands the release would join, beyond the same "
        "share of holdout people.",
    ),
    "attribute_inference": _excess(
        "Inferring a secret",
        "The share of train people of whom the release gives away a secret that is not plain from the population, "
        "beyond the same share of holdout people.",
    ),
    "t_closeness": _share(
        "Sensitive values out of proportion",
        "How far the sensitive values of some released group are from those of the whole table at most (t-closeness), "
        "from 0 for the same mixture to 1 for one far end.",
        "lower is safer",
    ),
    "t_closeness_excess": _excess(
        "Sensitive values brought nearer",
        "How much nearer a released group brings a guess to the sensitive value of train people, on average, than to "
        "that of holdout people.",
    ),
    "all_columns_k_anonymity": _smallest(
        "Smallest group on any few columns",
        "The fewest released rows that share one combination of any few columns, those included that no intruder is "
        "expected to know.",
    ),
    "all_columns_k_map_excess": _excess(
        "People pointed at on any few columns",
        "The share of train people for whom the released table shows nearly all combinations of few columns that set "
        "them apart, minus the same share of holdout people.",
    ),
    "all_columns_l_diversity": _smallest(
        "Fewest sensitive values on any few columns",
        "The smallest number of different sensitive values among released rows that share any few other columns.",
    ),
    "all_columns_homogeneity_excess": _excess(
        "Sensitive values given away on any few columns",
        "The share of train people whose sensitive value is rightly told by most combinations of few columns that set "
        "them apart, minus the same share of holdout people.",
    ),
    **_fidelity(),
    **_utility(),
    "utility_gap": Entry(
        "Utility lost",
        "How much area under the ROC curve is lost when models learn from synthetic instead of real rows; 0 means "
        "nothing is lost.",
        "lower is better",
        -1.0,
        1.0,
    ),
    "rows_per_real_row": Entry(
        "Released rows per real row",
        "How many synthetic rows are asked for, for each row of the real table; many rows average out what protects "
        "a patient.",
        "lower is safer",
        0.0,
        None,
    ),
    "rows_learned_from": Entry(
        "Rows learned from",
        "How many real rows the synthesizer learned from; of more than so many the policy does not ask every limit.",
        None,
        0.0,
        None,
        True,
    ),
    **{
        f"safe_harbor_{group}": Entry(title, plain, "lower is safer", 0.0, None, True)
        for group, title, plain in (
            ("dates", "Columns with full dates", "How many released columns hold dates finer than a year."),
            ("ages", "Columns with ages over 90", "How many released columns may hold an age over 90."),
            ("places", "Columns with small places", "How many released columns hold places smaller than a state."),
            ("numbers", "Columns with identifiers", "How many released columns look like contact data or identifiers."),
        )
    },
    "private_gate_votes": Entry(
        "Private gate: yes-votes",
        "The patients are dealt to parts that share nobody; each part votes for or against the release by all limits "
        "of the policy, and the votes are counted with random noise. Noise may make them more than there are parts, "
        "or fewer than none.",
        "higher is safer",
        None,
        None,
        count=True,
    ),
    "people_told_privately": Entry(
        "Private gate: patients",
        "How many patients the table holds, as the dictionary states it or as counted with noise; nobody counted them "
        "exactly for this decision.",
        "higher is safer",
        None,
        None,
        count=True,
    ),
    "dp_epsilon": Entry(
        "Differential privacy: epsilon",
        "How much one patient can at most change what is released; smaller protects more. A release without a claim "
        "has no such number.",
        "lower is safer",
        0.0,
        None,
    ),
    "dp_delta": Entry(
        "Differential privacy: delta",
        "The probability left over in which the bound epsilon may not hold.",
        "lower is safer",
        0.0,
        1.0,
    ),
}

FIDELITY: tuple[str, ...] = ("ks", "wasserstein", "total_variation", "pair_trend", "correlation_difference")
UTILITY: tuple[str, ...] = ("accuracy", "macro_f1", "g_mean", "auc")
