"""``gateway ledger``: what each dataset has spent, what is left, and whether the ledger is whole."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click

from audit.record.errors import RecordError
from gateway.cli.shared import failing_cleanly, json_option, print_json, workspace_option
from gateway.errors import LedgerError
from gateway.exits import Exit
from gateway.ledger import Charge, Ledger, Spending, Unit, figures
from gateway.workspace import Workspace
from policies.model import LifetimeBudget

_BAR = 24


@click.group()
def ledger() -> None:
    """Show and verify the ledger of attempts and privacy charges.

    \b
    Example:
        gateway ledger show --workspace ws
    """


@ledger.command()
@click.option("--dataset", help="Only the dataset of this name (its dictionary's name).")
@workspace_option
@json_option
@failing_cleanly
def show(dataset: str | None, workspace_folder: Path, as_json: bool) -> None:
    """Show what each dataset has spent over all requesters and policies, and what is left.

    All charges of a dataset have one unit of privacy: patient, where the dictionary names the patient column, or row,
    where each row counts as another patient. Epsilon is composed over all mechanisms of all charges, at the delta of
    the lifetime budget that the newest charge was held to. rho is the zero-concentrated figure, where every mechanism
    has one; the epsilon it implies also holds where later releases were planned in view of earlier ones.

    \b
    Example:
        gateway ledger show --dataset heart-disease --workspace ws
        gateway ledger show --json --workspace ws
    """
    kept = Workspace.open(workspace_folder).ledger
    asked = kept.datasets()
    if dataset is not None and dataset not in asked:
        raise LedgerError(f"the ledger holds no dataset of that name, but {len(asked)} others; leave --dataset out")
    found = [_dataset(kept, name, attempts) for name, attempts in asked.items() if dataset in (None, name)]
    if as_json:
        print_json({"head": kept.head(), "datasets": [_to_dict(*each) for each in found]})
        return
    for each in found:
        _echo(*each)
    if not found:
        click.echo("The ledger is empty.")


@ledger.command()
@workspace_option
@json_option
@failing_cleanly
def verify(workspace_folder: Path, as_json: bool) -> None:
    """Verify that the ledger is whole, and that it contains the state every signed record cites.

    Exit status 0: whole. 1: edited, put back to an earlier state, or replaced.

    \b
    Example:
        gateway ledger verify --workspace ws
    """
    workspace = Workspace.open(workspace_folder)
    try:
        entries, records = workspace.check_ledger()
        head = workspace.ledger.head()
    except (LedgerError, RecordError) as cause:
        if as_json:
            print_json({"verified": False, "problem": str(cause)})
        click.echo(f"NOT VERIFIED: {cause}", err=True)
        sys.exit(Exit.UNEXPECTED)
    if as_json:
        print_json({"verified": True, "entries": entries, "records": records, "head": head})
    else:
        click.echo(f"VERIFIED: {entries} entries in one chain, with the state that each of {records} records cites")
        click.echo(f"head      {head}")


def _dataset(
    kept: Ledger, name: str, attempts: dict[str, int]
) -> tuple[str, dict[str, int], Spending | None, LifetimeBudget | None]:
    """Name, attempts per policy, and the spending against the lifetime budget of the newest charge, if there is one."""
    charges = kept.charges(name)
    if not charges:
        return name, attempts, None, None
    lifetime = charges[-1].lifetime
    return name, attempts, kept.spending(name, lifetime), lifetime


def _to_dict(
    name: str, attempts: dict[str, int], spending: Spending | None, lifetime: LifetimeBudget | None
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "dataset": name, "unit": None, "patientColumn": None, "attempts": attempts, "spent": None, "charges": [],
    }  # fmt: skip
    if spending is None or lifetime is None:
        return shown
    shown |= spending.charges[-1].unit.to_dict()
    shown["spent"] = {
        "epsilon": _finite(spending.epsilon), "delta": spending.delta, "lifetimeEpsilon": lifetime.epsilon,
        "remainingEpsilon": spending.remaining_epsilon, "rho": spending.rho, "rhoEpsilon": spending.rho_epsilon,
    }  # fmt: skip
    shown["charges"] = [charge.to_dict() for charge in spending.charges]
    return shown


def _echo(name: str, attempts: dict[str, int], spending: Spending | None, lifetime: LifetimeBudget | None) -> None:
    click.secho(name, bold=True)
    if spending is None or lifetime is None:
        click.echo("  spent     nothing: no differentially private release was charged")
    else:
        click.echo(
            f"  spent     epsilon {figures.spent(spending.epsilon)} of {lifetime.epsilon:g} at delta "
            f"{lifetime.delta:g}, {_bar(spending.epsilon, lifetime.epsilon)} "
            f"{figures.left(spending.remaining_epsilon)} left"
        )
        if spending.rho is not None and spending.rho_epsilon is not None:
            click.echo(
                f"  zCDP      rho {spending.rho:.4g}: epsilon {figures.spent(spending.rho_epsilon)} at the same delta"
            )
        click.echo(f"  unit      {_unit(spending.charges[-1].unit)}")
        for charge in spending.charges:
            click.echo(f"  charge    {_charge(charge)}")
    used = ", ".join(f"{number} under {policy}" for policy, number in attempts.items())
    click.echo(f"  attempts  {used}")


def _unit(unit: Unit) -> str:
    return "row: each counts as another patient" if unit.patient is None else f"patient (column {unit.patient})"


def _charge(charge: Charge) -> str:
    mechanisms = charge.to_dict()["mechanisms"]
    return (
        f"{charge.at}  {charge.policy}, attempt {charge.attempt}: {mechanisms} mechanisms, epsilon "
        f"{figures.spent(charge.alone)} by itself, {figures.spent(charge.together)} with all before"
    )


def _bar(spent: float, whole: float) -> str:
    full = min(_BAR, math.ceil(_BAR * min(spent / whole, 1.0)))
    return f"[{'#' * full}{'-' * (_BAR - full)}]"


def _finite(epsilon: float) -> float | None:
    """JSON knows no infinity."""
    return epsilon if math.isfinite(epsilon) else None
