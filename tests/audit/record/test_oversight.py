"""Whose word counts about a release, and when: approvals, refusals, overrides, revocations, supersessions."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.record import canonical, merkle
from audit.record.approval import MEANINGS, PREDICATE_TYPE, ROLES, Action, ReleaseAction, same_person
from audit.record.envelope import IN_TOTO, sign
from audit.record.errors import RecordError, VerificationError
from audit.record.note import Checkpoint
from audit.record.oversight import Logged, check, evaluate, parse, to_bytes
from audit.record.parts import Oversight
from audit.record.proof import LogProof, entry_of
from audit.record.statement import ReleaseRecord
from audit.record.trust import Revocation, TrustedKey, TrustFile
from audit.record.verdict import summary, to_dict
from audit.record.verify import verify_record
from tests.audit.record.test_schema import fits
from tests.conformance.parts import (
    APPROVER,
    DATA,
    DECIDED,
    DENIED,
    EXPIRES,
    GATE,
    LOG,
    ORIGIN,
    OTHER,
    PAST,
    Key,
    key,
    record,
    signed,
)

ADA, BEN, EVE, OFFICER, ASKER = APPROVER, key(7), key(8), key(9), key(10)
PEOPLE: tuple[tuple[Any, str, Key], ...] = (
    ("approver", "Dr Ada Example", ADA),
    ("approver", "Ben Example", BEN),
    ("approver", "Dr  ADA example", EVE),  # Ada's second key
    ("officer", "Olga Officer", OFFICER),
    ("officer", "Rosa Requester", ASKER),
)
TERMS = Oversight("Rosa Requester", "Otto Operator", 2, ("approver", "officer"))
MINUTE = timedelta(minutes=1)
NOW = DECIDED + timedelta(days=365)


class Room:
    """A record in a log, and people who say something about it, one entry after the other."""

    def __init__(self, **changes: Any) -> None:
        changes = {"oversight": TERMS} | changes
        files = {"index.html": b""} if changes.get("decision") == "denied" else DATA
        self.record: ReleaseRecord = record(files, 0, **changes)
        self.wrapped = signed(self.record.to_payload())
        self.entries = [self.wrapped]
        self.said: list[tuple[int, bytes]] = []
        self.keys = [TrustedKey(role, name, holder.public_key(), PAST, EXPIRES) for role, name, holder in PEOPLE]
        self.log = LOG
        self.keys.append(TrustedKey("log", "the log", LOG.public_key(), PAST, EXPIRES))

    def say(self, action: Any, who: Key, reason: str = "looked at it", **changes: Any) -> None:
        role, name = next((role, name) for role, name, holder in PEOPLE if holder is who)
        at = changes.pop("at", DECIDED + MINUTE * len(self.entries))
        digest = changes.pop("record_sha256", entry_of(self.wrapped).hex())
        statement = ReleaseAction(action, digest, changes.pop("by", name), role, reason, at, **changes)
        self.enter(statement.sign(who))

    def enter(self, envelope: bytes) -> None:
        self.said.append((len(self.entries), envelope))
        self.entries.append(envelope)

    def proof(self, index: int) -> LogProof:
        leaves = [merkle.leaf_hash(entry_of(each)) for each in self.entries]
        head = Checkpoint(ORIGIN, len(leaves), merkle.root(leaves)).sign(self.log)
        return LogProof(index, len(leaves), merkle.inclusion_proof(leaves, index), head)

    @property
    def content(self) -> bytes | None:
        return to_bytes(Logged(envelope, self.proof(index)) for index, envelope in self.said) if self.said else None

    @property
    def gates(self) -> TrustFile:
        """The trust file with the gate's key in it."""
        gate = TrustedKey("gate", "the gate", GATE.public_key(), PAST, EXPIRES)
        return TrustFile(1, PAST, (gate, *self.keys))

    @property
    def trust(self) -> TrustFile:
        return TrustFile(1, PAST, tuple(self.keys))

    def check(self) -> Any:
        return check(self.record, self.wrapped, self.content, self.trust, NOW)

    def refused(self, problem: str) -> None:
        with pytest.raises(VerificationError, match=problem):
            self.check()


def test_two_people_who_had_no_part_in_it_approve_a_release() -> None:
    room = Room()
    room.refused("0 of 2 approvals")
    room.say("approve", ADA)
    room.refused("1 of 2 approvals")
    room.say("approve", OFFICER)
    assert [each.by for each in room.check().approved] == ["Dr Ada Example", "Olga Officer"]


def test_requester_and_operator_cannot_approve_their_own() -> None:
    room = Room(oversight=Oversight("ROSA  requester", "Ben Example", 1, ("approver", "officer")))
    room.say("approve", ASKER)
    room.say("approve", BEN)
    room.refused("0 of 1 approvals")
    room.say("approve", ADA)
    assert [each.by for each in room.check().approved] == ["Dr Ada Example"]


def test_one_person_with_two_keys_counts_once() -> None:
    room = Room()
    room.say("approve", ADA)
    room.say("approve", EVE)
    room.refused("1 of 2 approvals")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("José", unicodedata.normalize("NFD", "José"), True),
        ("Ada", "\uff21da", True),  # full width
        ("Ada  Example", "ada\u00a0EXAMPLE", True),  # no-break space
        ("Straße", "STRASSE", True),
        ("Ada", "Ad\u00e1", False),
        ("Ada", "\u0410da", False),  # Cyrillic: another letter
    ],
)
def test_a_name_is_one_persons_however_it_is_spelled(one: str, other: str, same: bool) -> None:
    assert (same_person(one) == same_person(other)) is same


def test_a_requester_spelled_compatibly_cannot_approve_their_own() -> None:
    room = Room(oversight=Oversight("\uff32osa Requester", "Otto Operator", 1, ("officer",)))
    room.say("approve", ASKER)
    room.refused("0 of 1 approvals")


def test_a_decomposed_name_is_refused_wherever_people_are_named() -> None:
    name = unicodedata.normalize("NFD", "José Requester")
    for make in (
        lambda: Oversight(name, "Otto Operator"),
        lambda: Oversight("Rosa Requester", name),
        lambda: ReleaseAction("approve", "a" * 64, name, "approver", "fine", DECIDED),
        lambda: TrustedKey("approver", name, ADA.public_key(), PAST, EXPIRES),
    ):
        with pytest.raises(RecordError, match="must be in Unicode normal form C"):
            make()


def test_a_role_that_the_policy_does_not_ask_for_does_not_count() -> None:
    room = Room(oversight=Oversight("R", "O", 1, ("officer",)))
    room.say("approve", ADA)
    room.refused("0 of 1")
    room.say("approve", OFFICER)
    room.check()


def test_a_refusal_stands_until_its_author_approves() -> None:
    room = Room()
    for who in (ADA, OFFICER):
        room.say("approve", who)
    room.say("refuse", BEN, "the cohort is known in town")
    room.refused("1 person refuses this release, such as Ben Example .*known in town")
    room.say("refuse", ADA)
    room.refused("2 people refuse this release")
    room.say("approve", ADA)
    room.say("approve", BEN)
    assert len(room.check().approved) == 3


def test_a_later_refusal_takes_an_approval_back() -> None:
    room = Room(oversight=Oversight("R", "O", 1, ("approver",)))
    room.say("approve", ADA)
    room.check()
    room.say("refuse", ADA)
    room.refused("1 person refuses this release")
    room.say("override", OFFICER)
    room.refused("0 of 1 approvals")  # overruling is not agreeing


def test_an_officer_overrides_a_refusal_and_everybody_sees_it() -> None:
    room = Room()
    room.say("approve", ADA)
    room.say("refuse", BEN)
    room.say("override", OFFICER, "board decision 7")
    room.refused("1 of 2 approvals")
    room.say("approve", OFFICER)
    assert [each.by for each in room.check().overridden] == ["Ben Example"]
    room.say("refuse", BEN)  # again, after the override
    room.refused("1 person refuses this release")


def test_the_requester_cannot_override_a_refusal_of_their_own_release() -> None:
    room = Room(oversight=Oversight("Rosa Requester", "O", 1, ("approver",)))
    room.say("approve", ADA)
    room.say("refuse", BEN)
    room.say("override", ASKER)
    room.refused("1 person refuses this release")


def test_a_refusal_by_the_requester_ends_by_an_officer_who_is_somebody_else_and_in_no_other_way() -> None:
    room = Room(oversight=Oversight("Rosa Requester", "O", 1, ("approver",)))
    room.say("approve", ADA)
    for action in ("refuse", "approve", "override"):
        room.say(action, ASKER)
    room.refused("1 person refuses this release, such as Rosa Requester")
    room.say("override", OFFICER)
    assert [each.by for each in room.check().overridden] == ["Rosa Requester"]


def test_a_revocation_is_final() -> None:
    room = Room(oversight=Oversight())
    room.check()
    room.say("revoke", OFFICER, "a patient withdrew consent")
    room.say("approve", ADA)
    room.refused("revoked by Olga Officer .*withdrew consent")
    denied = Room(**{**DENIED, "oversight": Oversight()})
    denied.say("revoke", OFFICER)
    denied.refused("revoked")


def test_a_superseded_record_is_genuine_and_says_so() -> None:
    room = Room(oversight=Oversight())
    room.say("supersede", OFFICER, superseded_by="b" * 64)
    assert room.check().superseded_by == "b" * 64


def test_a_denial_needs_no_approval() -> None:
    assert Room(**DENIED).check().actions == ()


@pytest.mark.parametrize("action", ["override", "revoke", "supersede"])
def test_what_only_an_officer_may_an_approver_cannot_even_write(action: Any) -> None:
    with pytest.raises(RecordError, match="only officer may"):
        ReleaseAction(action, "a" * 64, "Ada", "approver", "because", DECIDED, superseded_by="b" * 64)
    assert set(ROLES) == set(MEANINGS)


def test_an_act_by_nobody_who_is_listed_or_about_another_record_makes_the_file_a_foreign_one() -> None:
    stranger = Room(oversight=Oversight())
    statement = ReleaseAction("approve", entry_of(stranger.wrapped).hex(), "Mallory", "approver", "me too", DECIDED)
    stranger.enter(statement.sign(OTHER))
    stranger.refused("good signatures by 0.*get the newest trust file")
    room = Room(oversight=Oversight())
    room.say("approve", ADA, record_sha256="a" * 64)
    room.refused("about another record")


VOID: dict[str, tuple[dict[str, Any], str]] = {  # what is wrong with Ben's act, and the words for it
    "another's name": ({"by": "Dr Ada Example"}, "is not signed by the approver key of whom it names"),
    "too early": ({"at": DECIDED - MINUTE}, "was made before the record it is about"),
    "expired": ({"valid_until": DECIDED}, "was valid until"),
    "not yet": ({"valid_from": NOW}, "is valid from"),
    "revoked": ({"revocation": Revocation(DECIDED, "left")}, "is revoked since"),
    "stolen": ({"revocation": Revocation(NOW, "stolen", True, 1)}, "is revoked from log entry 1 on"),
}


def with_void(case: str, action: str) -> Room:
    """Ada and Olga approve, and between them Ben says something that he may not."""
    changes = VOID[case][0]
    room = Room()
    room.say("approve", ADA)
    room.say(action, BEN, **{name: changes[name] for name in ("by", "at") if name in changes})
    room.say("approve", OFFICER)
    of_key = {name: value for name, value in changes.items() if name not in ("by", "at")}
    room.keys = [replace(each, **of_key) if each.holder == "Ben Example" else each for each in room.keys]
    return room


@pytest.mark.parametrize(
    ("action", "case"),
    # a refusal is heard whatever a clock says: the log shows that it came later
    [("approve", case) for case in VOID] + [("refuse", case) for case in VOID if case != "too early"],
)
def test_a_void_act_neither_blocks_a_release_nor_helps_it_and_everybody_is_told(case: str, action: str) -> None:
    room, problem = with_void(case, action), VOID[case][1]
    overseen = room.check()
    assert [each.by for each in overseen.approved] == ["Dr Ada Example", "Olga Officer"]
    assert [each.action for each in overseen.actions] == ["approve", "approve"]
    [void] = overseen.void
    assert (void.action.action, void.log_index) == (action, 2)
    assert problem in void.problem
    verified = verify_record(room.wrapped, room.proof(0).to_bytes(), room.gates, actions=room.content, now=NOW)
    assert f"VOID      {action} by {void.action.by} (approver) in log entry 2 is void: " in summary(verified)
    [told] = to_dict(verified)["voidActions"]
    assert (told["action"], told["logIndex"], told["problem"]) == (action, 2, void.problem)
    assert len(to_dict(verified)["actions"]) == 2
    room.said.pop()  # without Olga there are too few, and the void one is named
    room.refused(f"1 of 2 approvals.*in log entry 2 is void: .*{problem}")


def test_an_officers_stolen_key_neither_revokes_nor_overrides_nor_supersedes() -> None:
    for action in ("revoke", "override", "supersede"):
        room = Room()
        for who in (ADA, BEN):
            room.say("approve", who)
        more = {"superseded_by": "b" * 64} if action == "supersede" else {}
        room.say(action, OFFICER, **more)
        stolen(room, "Olga Officer", 3)
        overseen = room.check()
        assert (overseen.superseded_by, overseen.overridden) == (None, ())
        assert [each.action.action for each in overseen.void] == [action]
        stolen(room, "Olga Officer", 4)  # her own word after all
        if action == "revoke":
            room.refused("revoked by Olga Officer")
        else:
            assert room.check().void == ()


def test_a_refusal_dated_before_the_record_is_heard_where_the_log_shows_that_it_came_later() -> None:
    with_void("too early", "refuse").refused("refuses this release, such as Ben Example")


def test_an_approval_dated_ahead_is_void_and_a_refusal_dated_ahead_is_heard() -> None:
    room = Room(oversight=Oversight("R", "O", 1, ("approver",)))
    room.say("approve", ADA, at=NOW + MINUTE * 4)  # two clocks differ
    assert room.check().void == ()
    room.say("approve", BEN, at=NOW + MINUTE * 6)
    assert [each.action.by for each in room.check().void] == ["Ben Example"]
    room.say("refuse", BEN, at=NOW + MINUTE * 6)
    room.refused("1 person refuses")


@pytest.mark.parametrize("change", [{"valid_until": DECIDED}, {"revocation": Revocation(DECIDED, "left", True, 0)}])
def test_an_act_whose_place_a_void_log_key_shows_is_void(change: dict[str, Any]) -> None:
    room = Room(oversight=Oversight("R", "O", 1, ("approver",)))
    room.say("approve", ADA)
    room.keys = [replace(each, **change) if each.role == "log" else each for each in room.keys]
    room.refused("0 of 1 approvals.*the log key .*(was valid until|is revoked since)")


def stolen(room: Room, holder: str, from_log_index: int) -> None:
    theft = Revocation(DECIDED + MINUTE * 60, "laptop stolen", True, from_log_index)
    room.keys = [replace(each, revocation=theft) if each.holder == holder else each for each in room.keys]


@pytest.mark.parametrize(("who", "name"), [(ADA, "Dr Ada Example"), (OFFICER, "Olga Officer")])
def test_an_action_that_a_stolen_key_dates_back_is_refused_by_its_place_in_the_log(who: Key, name: str) -> None:
    room = Room(oversight=Oversight("R", "O", 1, ("approver", "officer")))
    room.say("approve", who)  # entry 1, dated before the theft
    stolen(room, name, 2)
    room.check()
    stolen(room, name, 1)
    room.refused("revoked from log entry 1 on .* its date was set back")


def test_where_a_signers_and_the_log_key_were_stolen_an_action_needs_a_proof_by_a_later_log_key() -> None:
    room = Room(oversight=Oversight("R", "O", 1, ("approver",)))
    room.say("approve", ADA)
    stolen(room, "the log", 2)
    room.check()
    stolen(room, "Dr Ada Example", 2)
    room.refused("were both stolen")
    room.log = key(11)
    room.keys.append(TrustedKey("log", "the next log", room.log.public_key(), DECIDED + MINUTE * 60, EXPIRES))
    room.check()


def test_an_action_that_is_not_in_the_log_is_refused() -> None:
    room = Room()
    room.say("approve", ADA)
    index, envelope = room.said.pop()
    room.said.append((index - 1, envelope))  # another entry's proof
    room.refused("entry 0: inclusion proof")
    room.said[:] = [(index, envelope)]
    room.entries[index] = b"another entry"
    room.refused("inclusion proof")


def test_without_a_trust_file_nobody_can_tell_whose_word_counts() -> None:
    room = Room()
    with pytest.raises(VerificationError, match=r"2 approvals are demanded.*--trust"):
        check(room.record, room.wrapped, None, None, NOW)
    plain = Room(oversight=Oversight())
    assert check(plain.record, plain.wrapped, None, None, NOW).actions == ()
    one = Room(oversight=Oversight("R", "O", 1, ("approver",)))
    with pytest.raises(VerificationError, match="1 approval is demanded"):
        check(one.record, one.wrapped, None, None, NOW)
    plain.say("revoke", OFFICER)
    with pytest.raises(VerificationError, match=r"there is actions\.json.*--trust"):
        check(plain.record, plain.wrapped, plain.content, None, NOW)


def test_the_verifier_names_the_step() -> None:
    room = Room()
    with pytest.raises(VerificationError) as caught:
        verify_record(room.wrapped, room.proof(0).to_bytes(), key(1).public_key())
    assert caught.value.why == "oversight"


def test_every_single_byte_change_of_an_actions_file_is_refused() -> None:
    room = Room(oversight=Oversight())
    room.say("approve", ADA)
    content = room.content
    assert content is not None
    check(room.record, room.wrapped, content, room.trust, NOW)
    for position in range(len(content)):
        changed = content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
        try:
            check(room.record, room.wrapped, changed, room.trust, NOW)
        except VerificationError:
            continue
        pytest.fail(f"byte {position} was not noticed")


def test_actions_out_of_order_or_twice_are_refused() -> None:
    room = Room()
    for who in (ADA, BEN):
        room.say("approve", who)
    document = canonical.parse(room.content or b"", maximum=10**6, what="actions")
    first, second = document["actions"]
    for wrong in ([second, first], [first, first], [], [{}], [7]):
        with pytest.raises(VerificationError, match=r"actions.json"):
            parse(canonical.encode({"version": 1, "actions": wrong}))
    with pytest.raises(VerificationError, match="version 1"):
        parse(canonical.encode({"version": 2, "actions": [first]}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("_type",), "other"),
        (("predicateType",), "https://sluice.dev/release-record/v1"),
        (("subject",), []),
        (("subject", 0, "name"), "data.csv"),
        (("predicate", "action"), "bless"),
        (("predicate", "action"), ["approve"]),
        (("predicate", "role"), "gate"),
        (("predicate", "by"), "two\nlines"),
        (("predicate", "meaning"), ""),
        (("predicate", "reason"), ""),
        (("predicate", "at"), "now"),
        (("predicate", "supersededBy"), {"sha256": "b" * 64}),
        (("predicate", "more"), 1),
    ],
)
def test_a_malformed_action_is_refused_whoever_signed_it(path: tuple[Any, ...], value: Any) -> None:
    room = Room(oversight=Oversight())
    digest = entry_of(room.wrapped).hex()
    document = ReleaseAction("approve", digest, "Dr Ada Example", "approver", "fine", DECIDED + MINUTE).to_dict()
    place: Any = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    room.enter(sign(canonical.encode(document), IN_TOTO, ADA))
    room.refused("release action")


NAMES = ("Ada", "Ben", "Olga", "Rosa Requester", "Otto Operator")
words = st.lists(
    st.tuples(st.sampled_from(["approve", "refuse", "override", "revoke", "supersede"]), st.sampled_from(NAMES)),
    max_size=8,
)


def stands(said: Sequence[tuple[str, str]], count: int = 2) -> bool:
    """Whether a release stands after these words by officers, in this order."""
    terms = Oversight("Rosa Requester", "Otto Operator", count, ("officer",))
    actions = [
        ReleaseAction(
            cast("Action", action), "a" * 64, name, "officer", "because", DECIDED,
            superseded_by="b" * 64 if action == "supersede" else None,
        )
        for action, name in said
    ]  # fmt: skip
    try:
        evaluate(record(DATA, oversight=terms), tuple(actions))
    except VerificationError:
        return False
    return True


@given(words, st.integers(0, 8))
def test_a_revocation_anywhere_ends_it(said: list[tuple[str, str]], place: int) -> None:
    assert not stands([*said[:place], ("revoke", "Olga"), *said[place:]])


@given(words)
def test_what_requester_and_operator_agree_to_changes_nothing(said: list[tuple[str, str]]) -> None:
    without = [(action, name) for action, name in said if action not in ("approve", "override") or " " not in name]
    assert stands(said) == stands(without)


@given(words)
def test_a_release_that_stands_has_enough_people_behind_it_and_nobody_against(said: list[tuple[str, str]]) -> None:
    last = {name: action for action, name in said if action in ("approve", "refuse")}
    behind = {name for name, action in last.items() if action == "approve" and " " not in name}
    if stands(said):
        assert len(behind) >= 2
        refusing = [place for place, (action, _) in enumerate(said) if action == "refuse"]
        overruled = max((place for place, word in enumerate(said) if word[0] == "override"), default=-1)
        assert all(place < overruled or last[said[place][1]] == "approve" for place in refusing)


@given(words, st.sampled_from(NAMES))
def test_a_last_refusal_is_always_heard(said: list[tuple[str, str]], name: str) -> None:
    assert not stands([*said, ("refuse", name)], count=1)


@pytest.mark.parametrize(
    "terms",
    [
        {"count": 1},
        {"count": 1, "roles": ("approver",)},
        {"count": 1, "roles": ("approver",), "requester": "R"},
        {"count": 0, "roles": ("approver",), "requester": "R", "operator": "O"},
        {"count": 1, "roles": ("officer", "approver"), "requester": "R", "operator": "O"},
        {"count": 1, "roles": ("gate",), "requester": "R", "operator": "O"},
        {"count": -1},
        {"count": True},
        {"requester": "two\nlines"},
    ],
)
def test_terms_that_nobody_could_check_cannot_be_made(terms: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        Oversight(**terms)


def test_the_schema_of_an_action_says_what_the_software_does() -> None:
    folder = resources.files("audit.record")
    schema = json.loads((folder / "release-action.v1.json").read_text("utf-8"))
    shared = json.loads((folder / "release-record.v1.json").read_text("utf-8"))["$defs"]
    assert all(shared[name] == each for name, each in schema["$defs"].items())
    assert schema["$id"] == schema["properties"]["predicateType"]["const"] == PREDICATE_TYPE
    document = ReleaseAction("supersede", "a" * 64, "Olga", "officer", "new", DECIDED, superseded_by="b" * 64).to_dict()
    predicate = schema["properties"]["predicate"]
    assert list(predicate["required"]) == list(predicate["properties"]) == list(document["predicate"])
    assert set(predicate["properties"]["action"]["enum"]) == set(ROLES)
    assert fits(document, schema)
    assert fits(ReleaseAction("approve", "a" * 64, "Ada", "approver", "fine", DECIDED).to_dict(), schema)
    for name, wrong in (("action", "bless"), ("role", "gate"), ("at", "now"), ("by", ""), ("more", 1)):
        assert not fits({**document, "predicate": {**document["predicate"], name: wrong}}, schema)
