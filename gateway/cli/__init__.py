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


class LazyGroup(click.Group):
    """Imports a subcommand's module only when that subcommand runs, so ``verify`` needs no more than it uses (I-2)."""

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
