"""A dataset's budget: charged before rows are read, for ever, over everybody, composed and not added."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from gateway.errors import BudgetExhaustedError, LedgerError
from gateway.ledger import Attempt, Charge, Ledger, Unit
from policies.model import LifetimeBudget
from synth.dp.events import EnvelopeEvent, Event, ExponentialEvent, GaussianEvent, PureEvent, SampledGaussianEvent
from tests.gateway.ledger.conftest import Home

LIFETIME = LifetimeBudget(epsilon=1.0, delta=1e-6)
PATIENT = Unit("pid")
TABLES = GaussianEvent("tables", sigma=100.0, sensitivity=2.0, count=50)  # mu = sqrt(50) * 2 / 100 = 0.1414


def register(ledger: Ledger, dataset: str = "clinic", policy: str = "public") -> Attempt:
    return ledger.register(dataset=dataset, policy=policy, maximum=100, request={"rows": 10})


def charge(
    ledger: Ledger, *events: Event, dataset: str = "clinic", policy: str = "public", source: str = "k:file",
    lifetime: LifetimeBudget = LIFETIME, unit: Unit = PATIENT,
) -> Charge:  # fmt: skip
    return ledger.charge(register(ledger, dataset, policy), dataset, events, lifetime, source=source, unit=unit)


def analytic_epsilon(mu: float, delta: float) -> float:
    """Epsilon of Gaussian mechanisms together mu-GDP, in closed form (Balle and Wang 2018, theorem 8)."""

    def excess(epsilon: float) -> float:
        return float(norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu) - delta)

    return float(brentq(excess, 1e-9, 50.0))


def test_a_charge_holds_every_mechanism_as_it_was_given(ledger: Ledger) -> None:
    plan: tuple[Event, ...] = (
        PureEvent("head count", epsilon=0.01),
        TABLES,
        ExponentialEvent("selection", epsilon=0.02, count=3),
        SampledGaussianEvent("cvae", noise_multiplier=20.0, sampling_rate=0.01, steps=5),
        EnvelopeEvent("rest", epsilon=0.05, delta=1e-8),
    )
    made = charge(ledger, *plan)
    assert made.events == plan
    assert ledger.charges("clinic") == (made,)
    entry = ledger.events()[-1]
    assert entry["kind"] == "charge"
    assert [event["kind"] for event in entry["events"]] == [event.kind for event in plan]
    assert (entry["unit"], entry["neighbours"], entry["source"]) == ("patient", "add_or_remove_one", "k:file")
    assert entry["patientColumn"] == "pid"
    assert ledger.verify() == 2


def test_a_more_generous_policy_does_not_undo_the_lifetime_of_an_earlier_one(ledger: Ledger) -> None:
    charge(ledger, PureEvent("first", epsilon=0.7), lifetime=LifetimeBudget(epsilon=1.0, delta=1e-6))
    with pytest.raises(BudgetExhaustedError):
        charge(ledger, PureEvent("second", epsilon=0.7), policy="other", lifetime=LifetimeBudget(epsilon=9, delta=1e-5))
    assert len(ledger.charges("clinic")) == 1


def test_spending_agrees_with_the_closed_form(ledger: Ledger) -> None:
    """Three charges of 50 Gaussian tables: mu = sqrt(150) / 50; the figure may err upwards only, by 1 percent."""
    for _ in range(3):
        charge(ledger, TABLES, lifetime=LifetimeBudget(epsilon=5.0, delta=1e-6))
    spending = ledger.spending("clinic", LifetimeBudget(epsilon=5.0, delta=1e-6))
    exact = analytic_epsilon(math.sqrt(150) / 50, 1e-6)
    assert exact <= spending.epsilon <= exact * 1.01
    assert spending.remaining_epsilon == pytest.approx(5.0 - spending.epsilon)
    assert spending.rho == pytest.approx(150 / 50**2 / 2)
    assert spending.rho_epsilon is not None
    assert spending.rho_epsilon > spending.epsilon
    assert len(spending.charges) == 3
    assert spending.charges[-1].together == pytest.approx(spending.epsilon)


def test_charges_compose_more_tightly_than_their_epsilons_add(ledger: Ledger) -> None:
    made = [charge(ledger, TABLES) for _ in range(2)]
    assert made[0].alone == made[0].together
    assert made[0].alone < made[1].together < 0.75 * sum(each.alone for each in made)


def test_nothing_is_spent_where_nothing_was_charged(ledger: Ledger) -> None:
    register(ledger)
    spending = ledger.spending("clinic", LIFETIME)
    assert (spending.epsilon, spending.rho, spending.remaining_epsilon, spending.charges) == (0.0, 0.0, 1.0, ())


def test_a_release_beyond_the_budget_is_refused_with_the_figures_and_not_written(ledger: Ledger) -> None:
    """Pure mechanisms at a delta of nearly nothing: 0.7 and 0.7 are 1.4 of 1, with 0.3 left."""
    lifetime = LifetimeBudget(epsilon=1.0, delta=1e-12)
    charge(ledger, PureEvent("first", epsilon=0.7), lifetime=lifetime)
    attempt = register(ledger)
    head = ledger.head()
    with pytest.raises(BudgetExhaustedError) as refusal:
        ledger.charge(attempt, "clinic", [PureEvent("second", epsilon=0.7)], lifetime, source="k:file", unit=PATIENT)
    error = refusal.value
    assert error.spent == pytest.approx(0.7, rel=0.01)
    assert error.remaining == pytest.approx(0.3, rel=0.03)
    assert error.needed == pytest.approx(1.4, rel=0.01)
    assert (error.lifetime, error.delta) == (1.0, 1e-12)
    for figure in ("epsilon 0.700 of 1 ", "delta 1e-12", "0.300 is left", "would be 1.400"):
        assert figure in str(error)
    assert ledger.head() == head
    assert len(ledger.charges("clinic")) == 1


def test_what_is_left_pays_for_a_pure_mechanism_of_that_epsilon(ledger: Ledger) -> None:
    charge(ledger, TABLES)
    left = ledger.spending("clinic", LIFETIME).remaining_epsilon
    charge(ledger, PureEvent("the rest", epsilon=left * 0.99))
    with pytest.raises(BudgetExhaustedError):
        charge(ledger, PureEvent("more", epsilon=left))


def test_the_budget_is_one_over_all_policies_and_requesters(ledger: Ledger) -> None:
    charge(ledger, TABLES, policy="one")
    with pytest.raises(BudgetExhaustedError):
        charge(ledger, PureEvent("more", epsilon=0.9), policy="two")
    charge(ledger, PureEvent("more", epsilon=0.9), dataset="other", source="k:other")  # another dataset pays for itself


def test_charges_at_other_deltas_join_in(ledger: Ledger) -> None:
    """Events are kept, not epsilons: what was charged at one delta is composed at another."""
    charge(ledger, TABLES, lifetime=LifetimeBudget(epsilon=1.0, delta=1e-5))
    spending = ledger.spending("clinic", LifetimeBudget(epsilon=1.0, delta=1e-9))
    exact = analytic_epsilon(math.sqrt(50) / 50, 1e-9)
    assert exact <= spending.epsilon <= exact * 1.01


def test_a_delta_that_alone_exceeds_the_lifetimes_is_refused(ledger: Ledger) -> None:
    with pytest.raises(BudgetExhaustedError):
        charge(ledger, EnvelopeEvent("all", epsilon=0.1, delta=1e-5))


def test_an_attempt_given_back_leaves_its_charge_standing(ledger: Ledger) -> None:
    attempt = register(ledger)
    made = ledger.charge(attempt, "clinic", [TABLES], LIFETIME, source="k:file", unit=PATIENT)
    ledger.conclude(attempt, "unusable", {})
    assert ledger.used(dataset="clinic", policy="public") == 0
    assert ledger.charges("clinic") == (made,)


def test_only_a_registered_attempt_of_the_dataset_is_charged(ledger: Ledger) -> None:
    attempt = register(ledger)
    strangers = [
        Attempt.unregistered("clinic", "public", 1, 3),
        Attempt(7, "clinic", "public", 1, 3, attempt.registered_at),
        Attempt(attempt.sequence, "clinic", "another", 1, 3, attempt.registered_at),
    ]
    for stranger in strangers:
        with pytest.raises(LedgerError, match="registered"):
            ledger.charge(stranger, "clinic", [TABLES], LIFETIME, source="k:file", unit=PATIENT)
    with pytest.raises(LedgerError, match="registered for dataset other"):
        ledger.charge(attempt, "other", [TABLES], LIFETIME, source="k:file", unit=PATIENT)
    with pytest.raises(LedgerError, match="at least one mechanism"):
        ledger.charge(attempt, "clinic", [], LIFETIME, source="k:file", unit=PATIENT)
    assert ledger.charges("clinic") == ()


def test_one_file_has_one_budget_whatever_its_dictionary_calls_it(ledger: Ledger) -> None:
    charge(ledger, TABLES, dataset="clinic", source="k:file")
    with pytest.raises(LedgerError, match="charged as dataset clinic"):
        charge(ledger, TABLES, dataset="clinic-again", source="k:file")
    charge(ledger, TABLES, dataset="clinic-again", source="k:another file")
    charge(ledger, TABLES, dataset="clinic", source="k:another export")


def test_an_edited_charge_breaks_the_chain(ledger: Ledger, home: Home) -> None:
    charge(ledger, TABLES)
    home.tamper("UPDATE event SET body = replace(body, '100.0', '900.0') WHERE kind = 'charge'")
    with pytest.raises(LedgerError, match="chain"):
        ledger.verify()


def test_the_mark_sees_a_charge_taken_back(home: Home, tmp_path: Path) -> None:
    """(I-9): the run crashed after its charge, so no record tells of it."""
    ledger = Ledger.create(home.place, mark=tmp_path / "ledger.mark")
    attempt = register(ledger)
    home.keep()
    ledger.charge(attempt, "clinic", [TABLES], LIFETIME, source="k:file", unit=PATIENT)
    home.put_back()
    with pytest.raises(LedgerError, match="rolled back"):
        ledger.charge(attempt, "clinic", [TABLES], LIFETIME, source="k:file", unit=PATIENT)


@pytest.mark.slow
def test_a_run_killed_after_its_charge_leaves_it_standing(ledger: Ledger, home: Home) -> None:
    """(I-8): SIGKILL, so nothing can be tidied up on the way out."""
    with started(home, "spend()\nsay('charged')\ntime.sleep(60)") as process:
        go(process)
        assert line_of(process) == "charged"
        process.kill()
        assert process.wait(timeout=30) == -signal.SIGKILL
    assert [len(each.events) for each in ledger.charges("clinic")] == [1]
    assert ledger.verify() == 2
    with pytest.raises(BudgetExhaustedError):
        charge(ledger, PureEvent("again", epsilon=0.7))


@pytest.mark.slow
def test_a_run_killed_while_it_writes_leaves_nothing_and_no_lock(ledger: Ledger, home: Home) -> None:
    program = """
with ledger._writing() as page:
    page.append("attempt", "clinic", "public", 1, {})
    say("inside")
    time.sleep(60)
"""
    with started(home, program) as process:
        go(process)
        assert line_of(process) == "inside"
        process.kill()
        process.wait(timeout=30)
    assert register(ledger).number == 1
    assert ledger.verify() == 1


@pytest.mark.slow
def test_of_two_writers_for_the_last_of_a_budget_exactly_one_wins(ledger: Ledger, home: Home) -> None:
    program = """
try:
    spend()
    say("charged")
except BudgetExhaustedError as refusal:
    say(f"refused: {refusal.spent:.2f} spent")
"""
    with started(home, program) as one, started(home, program) as other:
        for racer in (one, other):
            assert line_of(racer) == "ready"
        for racer in (one, other):
            go(racer, ready=False)
        endings = sorted(line_of(racer) for racer in (one, other))
    assert endings == ["charged", "refused: 0.70 spent"]
    assert len(ledger.charges("clinic")) == 1
    assert ledger.verify() == 3  # two attempts, one charge


@contextmanager
def started(home: Home, program: str) -> Iterator[subprocess.Popen[str]]:
    """Another process at the same ledger, imported and waiting; ``spend()`` charges 0.7 of a lifetime of 1."""
    place = f"Path({str(home.place)!r})" if isinstance(home.place, Path) else repr(home.place)
    prelude = f"""
import sys, time
from pathlib import Path
from gateway.errors import BudgetExhaustedError
from gateway.ledger import Ledger, Unit
from policies.model import LifetimeBudget
from synth.dp.accounting import compose_epsilon
from synth.dp.events import PureEvent

def say(line):
    print(line, flush=True)

def spend():
    attempt = ledger.register(dataset="clinic", policy="public", maximum=9, request={{}})
    budget = LifetimeBudget(epsilon=1.0, delta=1e-6)
    ledger.charge(attempt, "clinic", [PureEvent("all", epsilon=0.7)], budget, source="k:file", unit=Unit("pid"))

ledger = Ledger({place})
say("ready")
sys.stdin.readline()
"""
    with subprocess.Popen(
        [sys.executable, "-c", prelude + program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str], *, ready: bool = True) -> None:
    """Let it run, once it says that it has loaded everything."""
    if ready:
        assert line_of(process) == "ready"
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
