"""``gateway plan``: what can be known of a release before anything is charged."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from gateway.cli.shared import (
    LOCATION,
    dictionary_option,
    failing_cleanly,
    json_option,
    policy_option,
    print_json,
    quiet_option,
)
from gateway.intake import take_snapshot, type_table
from gateway.outlook import LimitOutlook, Outlook, outlook
from gateway.outlook_gate import GateOutlook
from gateway.progress import Progress
from gateway.statements import read_dictionary, read_policy

_UNIT = {"patient": "patient", "row": "row, each counted as another patient"}
_MARK = {
    "decidable": "yes",
    "too few people": "NO",
    "not an estimate": "counted",
    "not tried": "not tried",
    "not asked": "not asked",
}


@click.command()
@click.argument("data", type=LOCATION, required=False)
@dictionary_option
@policy_option
@quiet_option
@json_option
@failing_cleanly
def plan(data: str | None, dictionary_file: Path, policy_name: str, quiet: bool, as_json: bool) -> None:
    """Look ahead: size, expected time and memory, DP noise, and which limits so few people can decide.

    Under a private gate: how many people a part has, what its noise does, and what innocent parts would say.

    Nothing is charged, registered or written. Under a policy that demands differential privacy DATA is not read, since
    a plan made after a look at the rows would be outside the claim: state people in the dictionary instead. Otherwise
    limits are tried with a third of the table's own people in the place of a release; keep what it prints to yourself.

    \b
    Example:
        gateway plan table.csv --dictionary table.toml --policy controlled-access
    """
    _, policy = read_policy(policy_name)
    _, dictionary = read_dictionary(dictionary_file)
    table = None
    with Progress(quiet=quiet) as progress:
        if policy.differential_privacy is not None:
            if data is not None:
                progress.note("the policy demands differential privacy: the table is not read for a plan")
        elif data is None:
            raise click.UsageError("DATA is needed where the policy demands no differential privacy")
        else:
            progress.stage("reading the table")
            table = type_table(take_snapshot(data, dictionary.source).table(), dictionary)
        progress.stage("trying the limits on an innocent table")
        found = outlook(dictionary, policy, table, np.random.default_rng())
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo("\n".join(_lines(found)))


def _lines(found: Outlook) -> list[str]:
    lines = []
    if found.rows is not None:
        lines.append(f"rows                  {found.rows}")
    lines.append(f"people                {_told(found.people)}; learned from {_told(found.learned_from)}")
    lines.append(
        f"columns               {found.columns}, {found.encoded_width} dimensions; people learned from per dimension "
        f"{'unknown' if found.people_per_dimension is None else f'{found.people_per_dimension:.1f}'}"
    )
    if found.seconds is not None and found.mebibytes is not None:
        lines.append(
            f"expected              {found.seconds[0]:.0f} to {found.seconds[1]:.0f} CPU seconds and about "
            f"{found.mebibytes / 1024:.1f} GiB"
        )
    if found.unit is not None:
        lines.append(f"unit of privacy       {_UNIT[found.unit]}; the first charge settles it for the dataset")
    if found.epsilon is not None:
        lines += ["", f"Noise at epsilon {found.epsilon:g}, standard deviations of a cell's count"]
        lines.append(f"{'column':<28}{'cells':>7}{'noise':>9}{'sampling':>10}{'ratio':>8}")
        for each in found.noise:
            ratio = each.noise / each.sampling if each.sampling else float("inf")
            lines.append(f"{each.column[:27]:<28}{each.cells:>7}{each.noise:>9.1f}{each.sampling:>10.1f}{ratio:>8.2f}")
        if not found.noise:
            lines.append("unknown: state people in the dictionary")
    if found.gate is not None:
        return lines + _gate(found.gate)
    basis = "a third of the table's people as a release" if found.looked_at_rows else "random tables of the same shape"
    lines += ["", f"Limits, tried on {basis}"]
    wide = max([14, *(len(each.limit) for each in found.limits)]) + 2
    lines.append(f"{'measure':<30}{'limit':<{wide}}{'can be decided':<16}{'needed on each side':>19}{'there are':>11}")
    lines += [_line(each, wide) for each in found.limits]
    advice = [f"  {each.measure}: {each.advice}" for each in found.limits if each.advice]
    if advice:
        lines += ["", "What would make them decidable", *advice]
    return lines


def _gate(gate: GateOutlook) -> list[str]:
    lines = [
        "",
        f"Private gate: {gate.quorum} yes-votes of {gate.parts} parts, counted with noise at epsilon {gate.epsilon:g}",
        f"people in a part      {_told(gate.people)}",
        f"refused by noise      {gate.refused_by_noise:.2%} of the releases that every part admits",
        f"let out by noise      {gate.half_let_out:.2%} of those that half of the parts admit",
        f"                      {gate.none_let_out:.2%} of those that none of them admits",
        f"parts large enough    {_sure(gate.large_enough)}",
        f"innocent parts        {gate.admitted} of {gate.trials} parts of random people admitted a release of such",
        "",
        f"{'limit, at point values in a part':<34}{'met in':>10}",
        *(
            f"{name:<34}{'not asked' if name in gate.unasked else f'{count} of {gate.trials}':>10}"
            f"{', if asked' if name in gate.in_doubt else ''}"
            for name, count in gate.met.items()
        ),
    ]
    return [*lines, *(["", *(f"WARNING: {each}" for each in gate.warnings)] if gate.warnings else [])]


def _line(each: LimitOutlook, wide: int) -> str:
    needed = "" if each.needed is None else str(each.needed)
    return f"{each.measure:<30}{each.limit:<{wide}}{_MARK[each.outcome]:<16}{needed:>19}{each.people:>11}"


def _sure(chance: float | None) -> str:
    return "unknown" if chance is None else f"enough of them by chance {chance:.1%}"


def _told(number: int | None) -> str:
    return "unknown" if number is None else str(number)
