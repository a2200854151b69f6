"""Every command: help with an example, exit statuses, JSON where asked for, and a verifier with a small install."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.gateway.conftest import PASSPHRASE, Clinic, clinic_table


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = [((), main), *commands(main)]


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "gateway" for path, _ in ALL])
def test_every_help_text_has_an_example_of_its_own_command(path: tuple[str, ...], command: click.Command) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    example = re.search(r"Example:\n\s+(gateway .*)", result.stdout)
    assert example is not None
    assert example[1].startswith(" ".join(("gateway", *path)))


def test_the_list_of_commands_needs_none_of_them() -> None:
    """Their first lines are those they give themselves, and nothing is imported that the small install lacks (I-2)."""
    told = {" ".join(path): command.get_short_help_str(500) for path, command in ALL[1:] if len(path) == 1}
    program = """
import sys
from click.testing import CliRunner
from gateway.cli import main
result = CliRunner().invoke(main, ["--help"], terminal_width=500, max_content_width=500)
print(result.output)
print("loaded", *sorted({"pydantic", "numpy", "cryptography"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    listed = done.stdout.partition("Commands:\n")[2]
    lines = dict(re.findall(r"^  (\w+) +(.*)$", listed, flags=re.MULTILINE))
    assert lines == told
    assert done.stdout.rstrip().endswith("loaded")


def test_every_option_named_in_an_example_exists() -> None:
    for path, _ in ALL:
        text = CliRunner().invoke(main, [*path, "--help"]).stdout
        for line in re.findall(r"^\s+(gateway .*)$", text[text.index("Example:") :], flags=re.MULTILINE):
            words = line.split()[1:]
            target: click.Command = main
            while isinstance(target, click.Group) and words and not words[0].startswith("-"):
                found = target.get_command(click.Context(target), words.pop(0))
                assert found is not None, line
                target = found
            known = {name for parameter in target.params for name in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= known, line


def test_policies_are_listed_shown_and_checked(tmp_path: Path) -> None:
    run = CliRunner().invoke
    listed = json.loads(run(main, ["policy", "list", "--json"]).stdout)
    assert {"controlled-access", "small-cohort", "public-release"} <= {pack["id"] for pack in listed}
    shown = run(main, ["policy", "show", "small-cohort"])
    assert "nnaa_privacy_loss" in shown.stdout
    (tmp_path / "mine.toml").write_text(shown.stdout, encoding="utf-8")
    assert run(main, ["policy", "check", str(tmp_path / "mine.toml")]).exit_code == 0
    assert run(main, ["policy", "show", "nothing-of-that-name"]).exit_code == 2


def test_init_refuses_a_short_passphrase_and_an_existing_folder(tmp_path: Path) -> None:
    secret = tmp_path / "passphrase.txt"
    arguments = ["init", "--workspace", str(tmp_path / "ws"), "--passphrase-file", str(secret)]
    secret.write_text("short\n", encoding="utf-8")
    assert CliRunner().invoke(main, arguments).exit_code == 2
    assert not (tmp_path / "ws").exists()
    secret.write_text(PASSPHRASE + "\n", encoding="utf-8")
    made = CliRunner().invoke(main, [*arguments, "--json"])
    assert made.exit_code == 0
    assert Path(json.loads(made.stdout)["gatePublicKey"]).is_file()
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert "exists" in again.stderr


def test_without_a_terminal_or_a_file_the_passphrase_is_asked_for_in_words(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["init", "--workspace", str(tmp_path / "ws")])
    assert result.exit_code == 2
    assert "--passphrase-file" in result.stderr


def test_a_draft_can_be_used_as_it_is_and_names_what_it_took_from_the_data(clinic: Clinic) -> None:
    draft = clinic.folder / "draft.toml"
    assert clinic.run("dictionary", "draft", clinic.folder / "table.csv", "--out", draft).exit_code == 0
    checked = clinic.run("dictionary", "check", draft, "--data", clinic.folder / "table.csv", "--json")
    assert checked.exit_code == 0, checked.stderr
    assert json.loads(checked.stdout)["drafted"]
    again = clinic.run("dictionary", "draft", clinic.folder / "table.csv", "--out", draft)
    assert again.exit_code == 2
    assert "not overwritten" in again.stderr


@pytest.mark.slow
def test_check_gates_a_file_of_any_origin(clinic: Clinic) -> None:
    """A copy of the rows it has learned from is denied; without a holdout nothing that compares can be measured."""
    lines = clinic_table(1200, np.random.default_rng(7)).to_csv(index=False).splitlines()
    order = sorted(lines[1:])  # by patient, so that nobody is on both sides
    train, holdout = order[:600], order[600:]
    while holdout[0].split(",")[0] == train[-1].split(",")[0]:
        holdout.pop(0)
    clinic.write("train.csv", "\n".join([lines[0], *train]) + "\n")
    clinic.write("holdout.csv", "\n".join([lines[0], *holdout]) + "\n")
    synthetic = [line.partition(",")[2] for line in [lines[0], *train]]
    clinic.write("synthetic.csv", "\n".join(synthetic) + "\n")
    arguments = (
        "check", clinic.folder / "synthetic.csv", "--real", clinic.folder / "train.csv", "--dictionary",
        clinic.folder / "table.toml", "--policy", "small-cohort", "--json",
    )  # fmt: skip
    report = clinic.folder / "report.html"
    copied = clinic.run(*arguments, "--holdout", clinic.folder / "holdout.csv", "--report", report)
    assert copied.exit_code == 3, copied.stderr
    unmet = {finding["measure"] for finding in json.loads(copied.stdout)["findings"] if not finding["met"]}
    assert {"nnaa_privacy_loss", "exact_copy_excess", "dcr_share"} <= unmet
    assert report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    alone = clinic.run(*arguments)
    assert alone.exit_code == 3
    statuses = {finding["measure"]: finding["status"] for finding in json.loads(alone.stdout)["findings"]}
    assert statuses["nnaa_privacy_loss"] == "inconclusive"


@pytest.mark.slow
def test_the_verifier_runs_with_only_click_and_cryptography_installed(clinic: Clinic) -> None:
    """(I-2): every other third-party package is made unimportable."""
    assert clinic.release().exit_code == 0
    program = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"numpy", "pandas", "torch", "scipy", "sklearn", "pydantic", "pyarrow", "matplotlib",
                                  "jinja2", "imblearn", "policies", "synth"}:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Refuse())
from gateway.cli import main
main(sys.argv[1:])
"""
    arguments = ["verify", str(clinic.folder / "bundle"), "--key", str(clinic.public_key)]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "VERIFIED" in done.stdout
    refused = subprocess.run(
        [sys.executable, "-c", program, "policy", "list"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "gate extra" in refused.stderr
