"""What does a release under differential privacy do in another order? Public facts, then the charge, then the rows."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Self

from audit.outcome import FEWEST
from audit.record.claim import PrivacyClaim
from audit.sides import REFERENCE_ROWS
from gateway.assessment import threads_for
from gateway.claim import claim_sheet
from gateway.errors import BudgetExhaustedError
from gateway.halves import HOLDOUT_SHARE, LoneHalves, split_key, vote_key
from gateway.intake import TypedTable
from gateway.ledger import Attempt, Charge, Ledger, Unit, UnitError
from gateway.outlook_gate import LEAST_LARGE_ENOUGH, enough_parts
from gateway.progress import Progress
from gateway.settings import SynthesizerSettings
from policies import Dictionary, DictionaryError, Policy, PolicyError
from policies.model import LifetimeBudget, PrivateGate
from synth import PrivateHybridSynthesizer
from synth.dp.budget import PrivacyBudget
from synth.dp.events import Event, PureEvent
from synth.dp.provenance import Traced
from synth.dp.votes import decision_event

LARGEST_BLIND_DELTA = 1e-5  # where the number of patients is not public; house


@dataclass(frozen=True)
class PlannedRelease:
    """Everything that can be settled without the table: which mechanisms will run, with how much noise.

    ``gate`` is the last of the plan where the policy asks for a private gate, the noisy vote that decides.
    """

    dictionary: Dictionary
    synthesizer: PrivateHybridSynthesizer
    plan: tuple[Event, ...]
    lifetime: LifetimeBudget
    key: bytes
    gate: PureEvent | None = None
    vote_key: bytes | None = None

    @classmethod
    def prepare(
        cls, dictionary: Dictionary, policy: Policy, settings: SynthesizerSettings, secret: bytes
    ) -> Self | None:
        """The plan for what ``policy`` demands; None where it demands no differential privacy.

        Raises
        ------
        DictionaryError
            Its facts are not public, or one patient's contribution is unbounded.
        PolicyError
            Delta is not below one in the number of patients; or, under a private gate, the dictionary states fewer
            people than the policy asks for, or too few for its parts.
        GatewayError
            The settings name what does not exist under differential privacy.
        SynthesisError
            No plan costs as little as the policy demands.
        """
        demanded = policy.differential_privacy
        if demanded is None:
            return None
        check_dictionary(dictionary)
        people = dictionary.people
        check_deltas(policy.id, people, demanded.delta, demanded.lifetime_budget.delta)
        asked = policy.private_gate
        if asked is not None and people is not None:
            check_people(policy.id, people, policy.minimum_people, asked)
        gate = None if asked is None else decision_event(asked.epsilon)
        synthesizer = PrivateHybridSynthesizer(
            dictionary,
            demanded.epsilon,
            demanded.delta,
            people=None if people is None else max(round(people * (1 - HOLDOUT_SHARE)), 1),
            beside=() if gate is None else (gate,),
            **settings.private_arguments(),
        )
        key = split_key(secret, dictionary.name)
        votes = None if gate is None else vote_key(secret, dictionary.name)
        return cls(dictionary, synthesizer, synthesizer.plan(), demanded.lifetime_budget, key, gate, votes)

    def charge(self, ledger: Ledger, attempt: Attempt, source: str) -> ChargedRelease:
        """Write the whole plan into the ledger; only then may the table be read (I-8).

        Raises
        ------
        BudgetExhaustedError
            The dataset cannot pay. Nothing is written.
        UnitError
            The dataset was charged under another unit of privacy. Nothing is charged, and the attempt is given back.
        LedgerError
            The ledger cannot be written, or knows the file under another name.
        """
        name, unit = self.dictionary.name, Unit(self.dictionary.patient)
        try:
            charge = ledger.charge(attempt, name, self.plan, self.lifetime, source=source, unit=unit)
        except UnitError:
            ledger.conclude(
                attempt, "unusable", {"why": "unit"}
            )  # the dictionary is to be mended; no row was looked at
            raise
        charges = tuple(each for each in ledger.charges(name) if each.sequence <= charge.sequence)
        bare = released_without_claim(ledger, charge)
        return ChargedRelease(self, charges, bare, PrivacyBudget(self.plan))


@dataclass(frozen=True)
class ChargedRelease:
    """A release that has been paid for, with the budget that holds exactly what was charged.

    ``charges`` are the dataset's, oldest first; the last is this release's. ``bare`` is the number of earlier releases
    of the same people, as far as the ledger knows them, that were allowed without differential privacy.
    """

    planned: PlannedRelease
    charges: tuple[Charge, ...]
    bare: int
    budget: PrivacyBudget

    @property
    def halves(self) -> LoneHalves:
        """Rows to learn from and rows held out; every patient's side, and part in a vote, is a lot of their own."""
        return LoneHalves(self.planned.dictionary, self.planned.key, self.planned.vote_key)

    def fit(self, train: TypedTable, progress: Progress) -> PrivateHybridSynthesizer:
        """The synthesizer, learned from ``train`` by the charged mechanisms alone.

        Raises
        ------
        SynthesisError
            The rows do not fit the declared domain.
        """
        tell = progress.stage("fitting the synthesizer with differential privacy")
        # rounding depends on the number of threads, so that may not depend on the number of rows
        with threads_for(self.planned.dictionary.people or 0):
            return self.planned.synthesizer.fit(
                train.frame, people_codes=train.people, budget=self.budget, progress=tell
            )

    def people(self) -> int:
        """How many people the table holds: the dictionary's number, or else the one that was counted with noise."""
        stated = self.planned.dictionary.people
        return round(self.planned.synthesizer.settings_["people"] / (1 - HOLDOUT_SHARE)) if stated is None else stated

    def claim(self, votes: Traced[int] | None = None) -> PrivacyClaim | None:
        """The claim about what was fitted and sampled so far; None where a taint has cancelled it (I-15).

        ``votes`` are those that a private gate decided by. Where the policy asks for one, there is no claim unless they
        came from its one charged mechanism and from nothing else.
        """
        gate = self.planned.gate
        if gate is not None:
            drawn = [name for name, event in self.budget.used if event == gate]
            if votes is None or len(drawn) != 1 or votes.sources != frozenset(drawn):
                return None
        return claim_sheet(self.planned.synthesizer, self.budget, self.charges, self.bare, self.planned.dictionary)


def check_deltas(policy: str, people: int | None, *deltas: float) -> None:
    """Refuse a delta, of one release or of the lifetime, within which whole patients could be published.

    Raises
    ------
    PolicyError
        Not below one in the public number of patients; or, where that is not public, above 1e-5.
    """
    for delta in deltas:
        if people is not None and delta * people >= 1:
            raise PolicyError(
                f"{policy}: delta {delta:g} is not below 1 / {people} patients: whole patients could be "
                "published within it; a tenth of that or less is usual"
            )
        if people is None and delta > LARGEST_BLIND_DELTA:
            raise PolicyError(
                f"{policy}: delta {delta:g} is above {LARGEST_BLIND_DELTA:g}, and the dictionary does not say how many "
                "people the table is publicly known to hold: state people there, or a smaller delta"
            )


def check_people(policy: str, people: int, minimum: int, gate: PrivateGate) -> None:
    """Refuse so few stated people that a private gate could only say no: that would cost as much as a release.

    Raises
    ------
    PolicyError
        Fewer than ``minimum``; or more likely than not too few parts have the people that an audit asks for.
    """
    stated = f"{policy}: the dictionary says the table holds {people} people"
    if people < minimum:
        raise PolicyError(
            f"{stated}, fewer than the {minimum} the policy asks for: collect more people before asking for a release"
        )
    if enough_parts(gate, people) < LEAST_LARGE_ENOUGH:
        raise PolicyError(
            f"{stated}, about {people / gate.parts:.3g} in each of the private gate's {gate.parts} parts: fewer than "
            f"the {gate.quorum} parts it needs would have {FEWEST} people learned from and {FEWEST} held out, without "
            "which rates and distances are inconclusive; ask for fewer parts, or collect more people"
        )


def earlier_names(ledger: Ledger, policy: Policy, dataset: str, commitment: str, before: int) -> tuple[str, ...]:
    """The names under which earlier releases of the same people count, as of ledger entry ``before``.

    Under a private gate that is the dataset's own: whether this very file was asked for under another name is a fact
    about all of its rows at once, and one patient more or less would change every part's vote by it.
    """
    return (dataset,) if policy.private_gate is not None else ledger.names(dataset, commitment, before=before)


def check_rows(policy: Policy, rows: int) -> None:
    """Refuse to make more rows than the parts of a private gate can be shown whole.

    Raises
    ------
    PolicyError
        A private gate is asked for, and more rows than an audit compares.
    """
    if policy.private_gate is not None and rows > REFERENCE_ROWS:
        raise PolicyError(
            f"{policy.id}: under a private gate at most {REFERENCE_ROWS} rows can be released, {rows} were asked for: "
            "in a larger table a part would not see all rows that come near to its people"
        )


def check_dictionary(dictionary: Dictionary) -> None:
    """Refuse a dictionary whose facts are not public, or that leaves one patient's contribution unbounded (I-3).

    Raises
    ------
    DictionaryError
        It names the columns, and what to do.
    """
    problems = []
    if dictionary.drafted:
        named = ", ".join(dictionary.drafted[:10])
        more = f" and {len(dictionary.drafted) - 10} more" if len(dictionary.drafted) > 10 else ""
        problems.append(
            f"{len(dictionary.drafted)} columns still hold facts read off the data ({named}{more}): replace these "
            "by what is publicly known, or confirm that they are, then remove the from_data marks"
        )
    if dictionary.patient is not None and dictionary.max_rows_per_patient is None:
        problems.append(
            f"the patient column {dictionary.patient} is named without max_rows_per_patient: state how many rows of "
            "one patient may be used; of patients with more, that many are drawn at random"
        )
    if problems:
        raise DictionaryError(f"{dictionary.name}: differential privacy needs more of it: {'; '.join(problems)}")


def released_without_claim(ledger: Ledger, charge: Charge) -> int:
    """How many releases of the same people were allowed before ``charge`` that no charge was made for.

    The same people: those of the dataset's name, and of its files under whatever other names the ledger has seen them
    (``gateway.ledger.lineage``).
    """
    events = [event for event in ledger.events() if event["sequence"] < charge.sequence]
    commitment = next(e.get("commitment") for e in events if e["sequence"] == charge.attempt_sequence)
    names = ledger.names(charge.dataset, commitment, before=charge.sequence)
    charged = {event["attemptSequence"] for event in events if event["kind"] == "charge"}
    return sum(
        (event["kind"], event.get("decision")) == ("decision", "allowed")
        and event["dataset"] in names
        and event["attemptSequence"] not in charged
        for event in events
    )


def fresh_commitment(secret: bytes, commitment: str, salt: bytes) -> str:
    """A commitment that does not show whether two records are about one and the same file.

    HMAC-SHA256 of the salt (kept in the evidence) and the file's keyed commitment: equal commitments would tell that no
    patient came or went between two releases, which is a fact about raw rows.
    """
    return hmac.new(secret, b"sluice release" + salt + bytes.fromhex(commitment), hashlib.sha256).hexdigest()


def refusal_of(cause: BudgetExhaustedError) -> str:
    """What the requester is told when the budget cannot pay; its figures come from public plans alone."""
    return (
        f"the dataset's privacy budget cannot pay: epsilon {cause.spent:.3g} of {cause.lifetime:g} at delta "
        f"{cause.delta:g} is spent, {cause.remaining:.3g} is left, {cause.needed:.3g} would be; no row was used"
    )
