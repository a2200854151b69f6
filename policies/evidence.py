"""Which measures can carry an allowance, and which ones never alone?

Nearest-neighbour adversarial accuracy and distances to the closest record miss what matters: a table with one real
patient in ten copied has an NNAA of 0.53, and released rows are nobody, so that their own classes and their likeness
to the real ones show no patient safe either (Pilgram et al., A consensus privacy metrics framework for synthetic data,
Patterns 2025; Ganev and De Cristofaro, The inadequacy of similarity-based privacy metrics, 2023). A policy must limit
at least one measure that asks what an intruder gains about a real person, or demand differential privacy.
"""

from __future__ import annotations

from policies.model import Policy

ATTACKS: dict[str, tuple[str, ...]] = {
    "membership": ("membership_auc", "membership_tpr", "membership_outlier_auc", "cumulative_membership_auc"),
    "copies": (
        "exact_copy_excess",
        "near_copy_excess",
        "rare_copies",
        "partial_copy_excess",
        "replicated_uniques",
        "one_parent_excess",
        "traced_to_one",
        "cumulative_near_copy_excess",
        "cumulative_traced_to_one",
    ),
    "classes of real patients": (
        "k_map",
        "k_map_excess",
        "identity_disclosure_risk",
        "homogeneity_excess",
        "t_closeness_excess",
        "all_columns_k_map_excess",
        "all_columns_homogeneity_excess",
    ),
    "singling out, linkability, inference": ("singling_out", "linkability", "attribute_inference"),
    "reconstruction": ("line_reconstruction", "segment_share", "segment_excess", "two_parent_excess", "traced_to_two"),
}


def held_to_no_attack(policy: Policy) -> str:
    """Why nothing that this policy limits could show an attack; empty where something does.

    A name that is not listed here counts for nothing, so that a measure added later has to be placed; nor does a limit
    that is not asked of every table.
    """
    if policy.differential_privacy is not None:
        return ""
    asked = {name for name, limit in policy.limits.items() if limit.most_rows is None}
    if asked & {name for names in ATTACKS.values() for name in names}:
        return ""
    examples = ", ".join(names[0] for names in ATTACKS.values())
    return (
        "NNAA, distances, likeness and the released table's own classes never allow by themselves; limit at least one "
        f"measure of an attack, such as {examples}, in tables of any size, or demand [differential_privacy]"
    )
