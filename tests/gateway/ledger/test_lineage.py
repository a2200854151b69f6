"""What counts as one more look at the same people, however the request is dressed up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import AttemptsExhaustedError
from gateway.ledger import Attempt, Ledger
from gateway.ledger.chain import Entry
from gateway.ledger.lineage import counted, names_of


def register(ledger: Ledger, dataset: str = "clinic", policy: str = "strict", file: str = "f0") -> Attempt:
    return ledger.register(dataset=dataset, policy=policy, maximum=3, request={"commitment": file, "rows": 10})


def refused(ledger: Ledger, **request: str) -> None:
    head = ledger.head()
    with pytest.raises(AttemptsExhaustedError, match="under any policy"):
        register(ledger, **request)
    assert ledger.head() == head


def test_another_policy_another_name_and_another_row_are_no_fresh_start(ledger: Ledger) -> None:
    assert [register(ledger, policy=policy).number for policy in ("strict", "lenient", "strict")] == [1, 2, 3]
    refused(ledger, policy="new")
    refused(ledger, dataset="renamed", policy="new")  # the same file under another name
    refused(ledger, file="one-row-less")  # another file under the same name
    assert register(ledger, dataset="other", file="f9").number == 1
    assert ledger.looks("clinic", None) == ledger.looks("renamed", "f0") == 3


def test_names_and_files_are_followed_along_a_chain(ledger: Ledger) -> None:
    register(ledger, "a", file="f1")
    register(ledger, "b", file="f1")  # known by the file
    register(ledger, "b", file="f2")  # known by the name
    refused(ledger, dataset="c", file="f2")
    assert ledger.names("c", "f2") == ("a", "b", "c")
    assert ledger.names("a", None, before=1) == ("a",)


def test_an_attempt_that_was_given_back_counts_for_nobody_and_joins_nothing(ledger: Ledger) -> None:
    ledger.conclude(register(ledger, "clinic", file="wrong-file"), "unusable", {})
    assert ledger.looks("clinic", None) == 0
    assert ledger.names("other", "wrong-file") == ("other",)


def test_a_thousand_tries_that_keep_the_name_or_the_file_gain_no_more_than_three(tmp_path: Path) -> None:
    """Each try differs from all others in policy, in name or in file, and never in name and file at once."""
    ledger, granted = Ledger.create(tmp_path / "ledger.sqlite"), 0
    for number in range(1000):
        disguise = [
            {"policy": f"policy-{number}"}, {"dataset": f"name-{number}", "policy": f"policy-{number}"},
            {"file": f"permuted-{number}"}, {"file": f"one-row-less-{number}", "policy": f"policy-{number}"},
        ][number % 4]  # fmt: skip
        try:
            register(ledger, **disguise)
            granted += 1
        except AttemptsExhaustedError:
            pass
    assert granted == 3


def test_a_new_name_with_a_new_file_is_a_new_dataset(ledger: Ledger) -> None:
    """What no ledger can prevent: whoever writes dictionaries and changes the file as well starts afresh each time."""
    attempts = [register(ledger, f"name-{number}", file=f"permuted-{number}") for number in range(20)]
    assert [attempt.number for attempt in attempts] == [1] * 20
    assert ledger.names("name-7", "permuted-7") == ("name-7",)
    assert register(ledger, "name-7", file="permuted-8").number == 3  # one try that joins them counts both


attempts = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 6)), max_size=12)


def chain(asked: list[tuple[str, int]]) -> list[Entry]:
    return [
        Entry(place, "", "", "", "attempt", dataset, "policy", 1, f'{{"commitment": "f{file}"}}')
        for place, (dataset, file) in enumerate(asked, start=1)
    ]


@given(attempts, st.sampled_from("abcde"), st.integers(0, 6))
def test_being_the_same_people_goes_both_ways_and_onwards(
    asked: list[tuple[str, int]], dataset: str, file: int
) -> None:
    entries = chain([*asked, (dataset, file)])
    group = set(names_of(entries, dataset, None))
    for name in "abcde":
        other = set(names_of(entries, name, None))
        assert other == group if name in group else other.isdisjoint(group)


@given(attempts, st.permutations(range(12)))
def test_the_order_of_attempts_does_not_matter(asked: list[tuple[str, int]], order: list[int]) -> None:
    shuffled = [asked[place] for place in order if place < len(asked)]
    assert {*names_of(chain(asked), "a", "f1")} == {*names_of(chain(shuffled), "a", "f1")}


def test_what_was_given_back_is_told_by_its_sequence() -> None:
    freed = Entry(9, "", "", "", "unusable", "a", "policy", 1, '{"attemptSequence": 2}')
    assert [entry.sequence for entry in counted(chain([("a", 1), ("a", 2), ("a", 3)]), [freed])] == [1, 3]
