"""Which attempts were made on the same people? Those under one dataset's name, or on one file under several names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.ledger.chain import Entry


def counted(attempts: Iterable[Entry], unusable: Iterable[Entry]) -> list[Entry]:
    """The attempts that were not given back: what never passed intake has shown nothing."""
    freed = {entry.content["attemptSequence"] for entry in unusable}
    return [entry for entry in attempts if entry.sequence not in freed]


def names_of(attempts: Sequence[Entry], dataset: str, commitment: str | None) -> tuple[str, ...]:
    """Every name the people of ``dataset`` were asked for under, in the order of their first attempt.

    A file is known again by its keyed ``commitment``, so that it stays the same dataset under another name; a name
    stays the same dataset when its file changes, by one row or wholly. Both are followed to the end: a chain of names
    and files is one dataset. A changed file under a new name is a new dataset: nobody can know it without reading it,
    and whoever gives the names can start afresh with each. A later attempt that joins the two counts both.
    """
    names, files = {dataset}, set() if commitment is None else {commitment}
    while True:
        near = [entry for entry in attempts if entry.dataset in names or entry.content.get("commitment") in files]
        found = names | {entry.dataset for entry in near}
        held = files | {str(entry.content["commitment"]) for entry in near if "commitment" in entry.content}
        if (found, held) == (names, files):
            break
        names, files = found, held
    asked = dict.fromkeys(entry.dataset for entry in attempts if entry.dataset in names)
    return tuple(asked) if dataset in asked else (*asked, dataset)
