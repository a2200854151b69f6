"""What a policy may say of remedies."""

from __future__ import annotations

import pytest

from policies import Policy, PolicyError, parse_policy

BASE = """
version = 1
id = "mending"
purpose = "Tests of remedies"
context = "internal"
[attempts]
max = 4
[limits]
exact_copy_excess = { max = 0.1 }
"""


def parsed(remedies: str) -> Policy:
    return parse_policy((BASE + remedies).encode())


def test_remedies_have_offences_of_their_own_by_default() -> None:
    remedies = parsed("[remedies]\nsuppress = { max_share = 0.02 }\ncoarsen = { max_share = 0.05 }\n").remedies
    assert remedies is not None
    assert remedies.offences == ("small_classes", "exact_copies", "near_copies", "rare_copies")


def test_a_second_stage_halves_the_error_of_every_look() -> None:
    assert parsed("").looks == 4
    assert parsed("[remedies]\nsuppress = { max_share = 0.02 }\n").looks == 8


@pytest.mark.parametrize(
    ("remedies", "word"),
    [
        ("[remedies]\n", "name suppress, coarsen or both"),
        ("[remedies]\nsuppress = { max_share = 0.0 }\n", "greater than 0"),
        ("[remedies]\nsuppress = { max_share = 0.5 }\n", "less than or equal to 0.2"),
        ("[remedies]\nsuppress = { max_share = nan }\n", "finite"),
        ("[remedies]\nsuppress = { }\n", "required"),
        ("[remedies]\nsuppress = { max_share = 0.1, offences = [] }\n", "at least 1 item"),
        ("[remedies]\nsuppress = { max_share = 0.1, offences = ['all'] }\n", "exact_copies"),
        ("[remedies]\nsuppress = { max_share = 0.1, offences = ['near_copies', 'near_copies'] }\n", "named twice"),
        ("[remedies]\nblur = { max_share = 0.1 }\n", "unknown key"),
        (
            "[remedies]\nsuppress = { max_share = 0.1 }\ncoarsen = { max_share = 0.1, offences = ['near_copies'] }\n",
            "two remedies",
        ),
    ],
)
def test_remedies_that_cannot_be_used_are_refused(remedies: str, word: str) -> None:
    with pytest.raises(PolicyError, match=word):
        parsed(remedies)


def test_remedies_do_not_go_with_differential_privacy() -> None:
    """Whoever removes rows because of real people looks at them, and nobody has paid for that."""
    with pytest.raises(PolicyError, match="look at real people without a charge"):
        parsed("[remedies]\nsuppress = { max_share = 0.1 }\n[differential_privacy]\nepsilon = 1.0\ndelta = 1e-6\n")
