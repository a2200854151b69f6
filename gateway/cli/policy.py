"""``gateway policy``: the policies that ship, one in full, and whether a file can be used."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click

from audit.measures import MEASURE_NAMES
from gateway.cli.shared import FILE, failing_cleanly, json_option, print_json
from gateway.statements import read_policy
from policies import Policy, load_pack, pack_names


@click.group()
def policy() -> None:
    """List, show and check policies.

    \b
    Example:
        gateway policy list
    """


@policy.command("list")
@json_option
@failing_cleanly
def list_packs(as_json: bool) -> None:
    """List the policies that ship with Sluice.

    \b
    Example:
        gateway policy list --json
    """
    packs = [load_pack(name) for name in pack_names()]
    if as_json:
        print_json(
            [
                {"id": pack.id, "context": pack.context, "purpose": pack.purpose, "differentialPrivacy": budget(pack)}
                for pack in packs
            ]
        )
        return
    for pack in packs:
        click.echo(f"{pack.id:20} {pack.context:11} {pack.purpose}{budget_in_words(pack)}")


@policy.command()
@click.argument("policy_name", metavar="POLICY")
@json_option
@failing_cleanly
def show(policy_name: str, as_json: bool) -> None:
    """Show POLICY, a shipped policy's name or a file.

    \b
    Example:
        gateway policy show small-cohort
    """
    content, model = read_policy(policy_name)
    if as_json:
        print_json({"sha256": hashlib.sha256(content).hexdigest(), "policy": model.model_dump(mode="json")})
    else:
        click.echo(content.decode("utf-8-sig"), nl=False)
        click.echo(f"# sha256 {hashlib.sha256(content).hexdigest()}")


@policy.command()
@click.argument("policy_file", metavar="FILE", type=FILE)
@json_option
@failing_cleanly
def check(policy_file: Path, as_json: bool) -> None:
    """Check that FILE is a usable policy and names only measures that exist.

    \b
    Example:
        gateway policy check policies/research-extract.toml
    """
    _, model = read_policy(str(policy_file))
    if as_json:
        print_json(
            {"usable": True, "id": model.id, "limits": len(model.demands()), "differentialPrivacy": budget(model)}
        )
    else:
        click.echo(f"{policy_file.name}: usable; {describe(model)}")


def describe(model: Policy) -> str:
    """One line about a policy."""
    limits = f"{len(model.limits)} limits of {len(MEASURE_NAMES)} measures"
    return f"{model.id}, {model.context}, {limits}{budget_in_words(model)}"


def budget(model: Policy) -> dict[str, Any] | None:
    """What one release may cost a patient, and all releases of a dataset together; None where no claim is demanded."""
    claim = model.differential_privacy
    if claim is None:
        return None
    lifetime = claim.lifetime_budget
    return {
        "epsilon": claim.epsilon,
        "delta": claim.delta,
        "lifetime": {"epsilon": lifetime.epsilon, "delta": lifetime.delta},
    }


def budget_in_words(model: Policy) -> str:
    """The same at the end of a line."""
    claim = model.differential_privacy
    if claim is None:
        return ""
    lifetime = claim.lifetime_budget
    return (
        f"; demands differential privacy of epsilon {claim.epsilon:g}, delta {claim.delta:g}, and of epsilon "
        f"{lifetime.epsilon:g}, delta {lifetime.delta:g} over all releases of a dataset"
    )
