"""The ``gateway`` command: one thin click function per subcommand, loaded when it is called."""

from __future__ import annotations

import importlib
import sys
import warnings

import click

_COMMANDS = {
    "init": "gateway.cli.init:init",
    "dictionary": "gateway.cli.dictionary:dictionary",
    "policy": "gateway.cli.policy:policy",
    "plan": "gateway.cli.plan:plan",
    "release": "gateway.cli.release:release",
    "check": "gateway.cli.check:check",
    "verify": "gateway.cli.verify:verify",
    "replay": "gateway.cli.replay:replay",
    "keys": "gateway.cli.keys:keys",
    "timestamp": "gateway.cli.timestamp:timestamp",
    "ledger": "gateway.cli.ledger:ledger",
    "approve": "gateway.cli.act:approve",
    "refuse": "gateway.cli.act:refuse",
    "override": "gateway.cli.act:override",
    "revoke": "gateway.cli.act:revoke",
    "supersede": "gateway.cli.act:supersede",
    "log": "gateway.cli.log:log",
    "audit": "gateway.cli.audit:audit",
    "demo": "gateway.cli.demo:demo",
}
_LINES = {  # the first line of each one's help
    "init": "Make a workspace: keys, ledger, log, folders with strict permissions.",
    "dictionary": "Draft and check data dictionaries.",
    "policy": "List, show, check and compare policies.",
    "plan": "Look ahead: size, expected time and memory, DP noise, and which limits so few people can decide.",
    "release": "Synthesize DATA, audit the result against its policy, and write a signed release or a signed refusal.",
    "check": "Hold SYNTHETIC (CSV or Parquet, made by any tool) against a policy.",
    "verify": "Verify BUNDLE offline: signature, every file, and the place in the transparency log.",
    "replay": (
        "Compute the audit behind RECORD (a bundle, or a record's file) again, and compare every value with "
        "the evidence."
    ),
    "keys": "Make, list, rotate and revoke keys; make the trust file by which others verify.",
    "timestamp": (
        "Have a timestamp authority say that BUNDLE's record exists now; its answer lies beside it as record.tsr."
    ),
    "ledger": "Show and verify the ledger of attempts and privacy charges.",
    "approve": "Approve the release in BUNDLE (or a record's file), as an approver or officer who had no part in it.",
    "refuse": "Refuse the release in BUNDLE: nobody may rely on it until you approve, or an officer overrides you.",
    "override": "Overrule, as an officer, those who refuse the release in BUNDLE.",
    "revoke": "Withdraw, as an officer, the release in BUNDLE for good: verification refuses it from then on.",
    "supersede": "Say, as an officer, that another release takes the place of the one in BUNDLE.",
    "log": "Show, check and export the transparency log; watch somebody else's.",
    "audit": "Show, compare, export and report what was released and refused.",
    "demo": "Run the main job on the Wisconsin breast cancer table: one refusal, one release, both verified.",
}


class LazyGroup(click.Group):
    """Imports a subcommand's module only when that subcommand runs, so ``verify`` needs no more than it uses (I-2).

    The list of commands needs none of them: it is there at once, and in the small install.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        try:
            command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as cause:
            raise click.ClickException(
                f"gateway {cmd_name} needs the package {cause.name}, which is not installed; "
                "install Sluice with its gate extra: pip install 'sluice-gate[gate]'"
            ) from None
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        limit = formatter.width - 6 - max(map(len, _LINES))  # as click has it
        rows = [(name, click.Command(name, help=line).get_short_help_str(limit)) for name, line in _LINES.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="sluice-gate", prog_name="gateway")
def main() -> None:
    """Sluice: the gate between a real patient table and the world.

    \b
    Exit status:
        0  allowed (or: done, valid, verified)
        3  denied by the policy
        2  unusable policy, dictionary, table, option or workspace
        1  anything else, a bundle that fails verification included

    \b
    Example:
        gateway init --workspace ws
        gateway release table.csv --dictionary table.toml --policy small-cohort --rows 500 --out bundle --workspace ws
        gateway verify bundle --key ws/keys/gate.pub.pem
    """


def run() -> None:
    """The installed command. Libraries' warnings are for developers, and may quote what they warn of."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    main()
