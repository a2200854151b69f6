"""A period with everything in it that the page can show, and one with hostile and endless words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from audit.report.period_inputs import Budget, Charged, Decided, PeriodInputs, Said, Unfinished

SINCE, UNTIL = datetime(2031, 1, 1, tzinfo=UTC), datetime(2031, 4, 1, tzinfo=UTC)


def moment(month: int, day: int) -> datetime:
    return datetime(2031, month, day, 9, 30, tzinfo=UTC)


def released(place: str, at: datetime, **changes: Any) -> Decided:
    given = Decided(
        place, at, "heart", "small-cohort", True, "all 14 limits of the policy are met", "in force", rows=500
    )
    return replace(given, **changes)


def refused(place: str, at: datetime, **changes: Any) -> Decided:
    given = Decided(place, at, "heart", "small-cohort", False, "2 of 14 limits of the policy are not met", "denied")
    return replace(given, **changes)


OVERRIDE = Said(moment(2, 4), "override", "7", "Olga Officer", "officer", "board decision 7 of 2031")
FULL = PeriodInputs(
    SINCE,
    UNTIL,
    moment(4, 2),
    decided=(
        released("3", moment(1, 9), requester="Rosa Requester"),
        released("4", moment(1, 20), epsilon=1.0, delta=1e-6, standing="superseded", remark="by another record"),
        released("7", moment(2, 2), epsilon=2.0, delta=1e-6, overridden=True),
        released("9", moment(2, 12), standing="withheld", remark="0 of 1 approvals that the policy demands"),
        refused("5", moment(1, 22), unmet=("nnaa_privacy_loss", "k_map")),
        refused("8", moment(2, 3), requester="Rosa Requester", reason="the budget of the dataset cannot pay"),
    ),
    said=(
        Said(moment(2, 3), "refuse", "7", "Ben Example", "approver", "the cohort is known in town"),
        OVERRIDE,
        Said(moment(2, 5), "approve", "7", "Dr Ada Example", "approver", "small cells checked by hand"),
    ),
    budgets=(
        Budget("diabetes", 1e-5, (Charged(datetime(2030, 11, 1, tzinfo=UTC), 0.8, 4.0), Charged(moment(2, 2), 2.4, 4))),
        Budget("heart", 1e-5, (Charged(moment(1, 20), 0.97, 3.0), Charged(moment(3, 1), 1.9004, 3.0))),
    ),
    unfinished=(Unfinished(moment(3, 1), "heart", "private", "the run did not end; its charge stands"),),
    broken=(("6, 00000006-aaaaaaaaaaaa.dsse.json", "good signatures by 0 of 4 trusted keys: altered"),),
    problems=("log: entries were removed: restore them",),
    chosen={"dataset": "heart"},
    facts={"Log": "sluice.log/c7ce903319e85b5e", "Head of the ledger": "f" * 64},
)


def endless(word: str) -> PeriodInputs:
    """The same with one word in every place where words come from outside."""
    return replace(
        FULL,
        decided=(
            released("1", moment(1, 2), dataset=word, policy=word, reason=word, remark=word, requester=word),
            refused("2", moment(1, 3), dataset=word, policy=word, reason=word, requester=word, unmet=(word,)),
        ),
        said=(replace(OVERRIDE, by=word, reason=word),),
        budgets=(replace(FULL.budgets[0], dataset=word),),
        unfinished=(replace(FULL.unfinished[0], dataset=word, policy=word),),
        broken=((word, word),),
        problems=(word,),
        chosen={"dataset": word},
        facts={word: word},
    )
