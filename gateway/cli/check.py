"""``gateway check``: gate any file, made by any tool, without synthesis."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from gateway.bundle import check_output
from gateway.check import Checked, check_file
from gateway.cli.shared import (
    FILE,
    LOCATION,
    dictionary_option,
    failing_cleanly,
    policy_option,
    quiet_option,
)
from gateway.cli.verdict import echo_decision, in_brief
from gateway.exits import Exit
from gateway.files import write_private
from gateway.formats.finding import sentence
from gateway.formats.junit import junit
from gateway.formats.sarif import sarif
from gateway.progress import Progress


@click.command()
@click.argument("synthetic", type=click.Path(path_type=Path))
@click.option("--real", required=True, type=LOCATION, help="The real rows the tool has learned from.")
@click.option(
    "--holdout",
    type=LOCATION,
    help="Real rows of other people that the tool has never seen. Without it nothing that compares the two can be "
    "measured, and a policy that limits such a measure denies.",
)
@click.option(
    "--earlier",
    multiple=True,
    type=FILE,
    help="A file made of the same people and given away before; repeat for each. The cumulative limits are held "
    "against all of them together with SYNTHETIC; without any, against SYNTHETIC alone.",
)
@dictionary_option
@policy_option
@click.option("--report", type=FILE, help="Also write the report page here.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "sarif", "junit"]),
    default="text",
    show_default=True,
    help="text and json: every finding with its exact values; sarif: SARIF 2.1.0 for code scanning; junit: JUnit XML "
    "for test reports, both without measured values.",
)
@click.option("--json", "output_format", flag_value="json", help="The same as --format json.")
@click.option(
    "--exact",
    is_flag=True,
    help="Put the measured values into sarif and junit as well: such a file stays with the custodian.",
)
@click.option(
    "--out", type=FILE, help="Write what --format asks for to this file, readable by its owner alone, not to stdout."
)
@quiet_option
@failing_cleanly
def check(
    synthetic: Path,
    real: str,
    holdout: str | None,
    earlier: tuple[Path, ...],
    dictionary_file: Path,
    policy_name: str,
    report: Path | None,
    output_format: str,
    exact: bool,
    out: Path | None,
    quiet: bool,
) -> None:
    """Hold SYNTHETIC (CSV or Parquet, made by any tool) against a policy. Writes no record and uses no attempt.

    Text, json and the report page are exact and stay with the custodian: repeated to a requester they are an oracle.
    Keep them out of logs and reports that others can read. sarif and junit say which limits are met, or the verdict
    alone where the policy discloses no more; they hold measured values only with --exact.

    The same files, policy and dictionary get the same answer, number for number. A changed byte in any of them is a new
    look with new random draws, and no look is counted: bound the looks of whoever may change a file and ask again.

    A holdout that shares more rows with the real table than chance explains is refused: it hides copies. It needs as
    many rows and people as the real table / 1.1: segment_share, segment_excess, two_parent_excess, traced_to_two,
    k_map_excess and identity_disclosure_risk compare tables of equal size and are inconclusive with fewer, so that a
    policy that limits one of them denies.

    \b
    Example:
        gateway check synthetic.csv --real train.csv --holdout holdout.csv --dictionary table.toml --policy small-cohort
    """
    if out is not None:
        check_output(out)
    with Progress(quiet=quiet) as progress:
        checked = check_file(
            synthetic,
            real,
            holdout,
            dictionary_file,
            policy_name,
            report,
            earlier=earlier,
            progress=progress,
        )
    decision = checked.decision
    if out is not None:
        write_private(out, _formatted(checked, synthetic, output_format, exact=exact).encode())
        holds = "holds exact values and stays with the custodian"
        if output_format in ("sarif", "junit") and not exact:
            holds = "holds no measured value"
        click.echo(f"{in_brief(decision, checked.policy.disclosure)}; {out.name} {holds}", err=True)
    elif output_format == "text":
        echo_decision(decision)
        click.echo(in_brief(decision))
    else:
        click.echo(_formatted(checked, synthetic, output_format, exact=exact), nl=False)
    sys.exit(Exit.ALLOWED if decision.allowed else Exit.DENIED)


def _formatted(checked: Checked, synthetic: Path, output_format: str, *, exact: bool) -> str:
    decision = checked.decision
    if output_format == "sarif":
        return sarif(decision, checked.policy, synthetic, exact=exact)
    if output_format == "junit":
        return junit(decision, checked.policy, checked.seconds, exact=exact)
    if output_format == "json":
        return json.dumps(decision.to_dict(), indent=2, allow_nan=False) + "\n"
    return "\n".join([*map(sentence, decision.findings), in_brief(decision)]) + "\n"
