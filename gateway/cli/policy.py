"""``gateway policy``: the policies that ship, one in full, whether a file can be used, and how two differ."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.shared import FILE, failing_cleanly, json_option, print_json
from gateway.exits import Exit
from gateway.formats.finding import bounds
from gateway.statements import read_policy
from policies import Comparison, Limit, Policy, compare, load_pack, pack_names


@click.group()
def policy() -> None:
    """List, show, check and compare policies.

    \b
    Example:
        gateway policy list
    """


@policy.command("list")
@json_option
@failing_cleanly
def list_packs(as_json: bool) -> None:
    """List the policies that ship with Sluice, and what each one cites.

    \b
    Example:
        gateway policy list --json
    """
    packs = [load_pack(name) for name in pack_names()]
    if as_json:
        print_json(
            [
                {
                    "id": pack.id,
                    "context": pack.context,
                    "purpose": pack.purpose,
                    "cites": list(pack.cites),
                    "underReview": pack.under_review,
                    "notHeld": list(pack.not_held),
                    "differentialPrivacy": budget(pack),
                }
                for pack in packs
            ]
        )
        return
    width = max(len(pack.id) for pack in packs)
    for pack in packs:
        click.echo(f"{pack.id:{width}} {pack.context:11} {pack.purpose}{budget_in_words(pack)}")
        for line in pack.cites:
            click.echo(f"{'':{width}} cites {line}")
        if pack.under_review:
            click.echo(f"{'':{width}} UNDER REVIEW: {pack.under_review}")


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
    """Check that FILE is a usable policy, names only measures that exist and does not rest on distances alone.

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


@policy.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "--fail-on",
    type=click.Choice(["different", "looser"]),
    help="End with status 1 where the two differ in more than words, or where B may allow what A denies.",
)
@json_option
@failing_cleanly
def diff(a: str, b: str, fail_on: str | None, as_json: bool) -> None:
    """Compare two policies, each a shipped policy's name or a file: what B changes, what lets more through first.

    Ends with status 0 whatever the difference, unless --fail-on says otherwise.

    \b
    Example:
        gateway policy diff controlled-access policies/research-extract.toml --fail-on looser
    """
    (before, first), (after, second) = read_policy(a), read_policy(b)
    comparison = compare(first, second)
    if as_json:
        digests = {"aSha256": hashlib.sha256(before).hexdigest(), "bSha256": hashlib.sha256(after).hexdigest()}
        print_json({**comparison.to_dict(), "inWords": comparison.in_words, **digests})
    else:
        echo_comparison(comparison)
    fails = {"different": ("stricter", "looser", "incomparable"), "looser": ("looser", "incomparable")}
    sys.exit(Exit.UNEXPECTED if fail_on and comparison.verdict in fails[fail_on] else Exit.ALLOWED)


def echo_comparison(comparison: Comparison) -> None:
    """The changes, one line each, and the verdict below."""
    width = max((len(change.field) for change in comparison.changes), default=0)
    for change in comparison.changes:
        line = f"{change.effect:10} {change.field:{width}}"
        if change.effect != "reworded":
            line += f"  {_value(change.field, change.before)} -> {_value(change.field, change.after)}"
        click.echo(line.rstrip())
    click.echo(comparison.in_words)


def _value(field: str, value: Any) -> str:
    """A field's value on one line, without the sources it cites."""
    if value is None:
        return "none"
    if field.startswith("limits."):
        return bounds(Limit.model_validate(value))
    if isinstance(value, dict):
        return ", ".join(
            f"({key}: {_value('', item)})" if isinstance(item, dict) else f"{key} {_value('', item)}"
            for key, item in value.items()
            if key != "source"
        )
    if isinstance(value, list):
        return ", ".join(_value("", item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe(model: Policy) -> str:
    """One line about a policy."""
    from audit.measures import MEASURE_NAMES

    limits = f"{len(model.limits)} limits of {len(MEASURE_NAMES)} measures"
    bounded = ((name, limit.most_rows) for name, limit in model.limits.items() if limit.most_rows is not None)
    reach = "".join(f"; {name} is asked up to {most} rows learned from" for name, most in bounded)
    return f"{model.id}, {model.context}, {limits}{reach}{budget_in_words(model)}"


def budget(model: Policy) -> dict[str, Any] | None:
    """What one release may cost a patient, and all releases of a dataset together; None where no claim is demanded."""
    claim = model.differential_privacy
    if claim is None:
        return None
    lifetime, gate = claim.lifetime_budget, model.private_gate
    private = (
        {} if gate is None else {"privateGate": {"epsilon": gate.epsilon, "parts": gate.parts, "share": gate.share}}
    )
    return {
        "epsilon": claim.epsilon,
        "delta": claim.delta,
        "lifetime": {"epsilon": lifetime.epsilon, "delta": lifetime.delta},
        **private,
    }


def budget_in_words(model: Policy) -> str:
    """The same at the end of a line."""
    claim = model.differential_privacy
    if claim is None:
        return ""
    lifetime, gate = claim.lifetime_budget, model.private_gate
    return (
        f"; demands differential privacy of epsilon {claim.epsilon:g}, delta {claim.delta:g}, and of epsilon "
        f"{lifetime.epsilon:g}, delta {lifetime.delta:g} over all releases of a dataset"
        + (
            ""
            if gate is None
            else f"; decides by a noisy vote of {gate.parts} parts, epsilon {gate.epsilon:g} of these"
        )
    )
