"""Do real tables make the whole way, from a drafted dictionary to a decision, with only the edits the draft suggests?

    python -m benchmarks.journeys.run --source FOLDER --work FOLDER [--tables adult heart-failure]

For every table below ``--source``, and the Wisconsin breast cancer table of scikit-learn: ``gateway dictionary draft``;
the draft's own suggestions accepted (the outcome it names as target, missing spellings, dependencies and rules it holds
out for uncommenting); ``gateway plan``; ``gateway release``; ``gateway verify``. What ``gateway release`` cost stands
beside what ``gateway plan`` said it would. The results are printed and kept in ``--work``.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.demo import breast_cancer_table

GATEWAY = (sys.executable, "-c", "from gateway.cli import run; run()")
TABLES = {
    "heart-failure": ("heart-failure/heart-failure.csv", "small-cohort"),
    "heart-disease": ("heart-disease/heart-disease.csv", "small-cohort"),
    "adult": ("adult/adult.csv", "controlled-access"),
    "diabetes-130": ("diabetes-130/diabetes-130.csv.gz", "controlled-access"),
    "wdbc": ("", "small-cohort"),
}
_IF_MISSING = re.compile(
    r"^# if they are missing, (?:strike it from categories and )?write:  (missing = \[.*\])  and  nullable = true$",
    re.MULTILINE,
)
_PASSPHRASE = "a passphrase of the benchmark"  # noqa: S105  # of a workspace that lives for one run


@dataclass(frozen=True)
class Journey:
    """One table's way; ``unmet`` are the limits that were not met, ``forecast_*`` what the plan said beforehand."""

    table: str
    policy: str
    rows: int
    traps: int
    edits: tuple[str, ...]
    decision: str
    unmet: tuple[str, ...]
    wall_s: float
    cpu_s: float
    peak_mib: float
    forecast_s: tuple[float, float]
    forecast_mib: float


def accepted(draft: str) -> tuple[str, tuple[str, ...]]:
    """The draft with what it suggests accepted, and what that was."""
    edits = []
    text = draft
    if found := re.search(r'^# target = .*perhaps ("[^"]+")', text, re.MULTILINE):
        text = text.replace(found[0], f"target = {found[1]}", 1)
        edits.append(f"target = {found[1]}")
    blocks = re.split(r"(?m)^(?=\[columns\.)", text)
    for place, block in enumerate(blocks):
        spelled = [text for found in _IF_MISSING.findall(block) for text in re.findall(r'"[^"]*"', found)]
        if spelled:
            missing = f"missing = [{', '.join(dict.fromkeys(spelled))}]"
            changed = re.sub(r"(?m)^nullable = .*\n|^missing = .*\n", "", block)
            for level in spelled:
                changed = _without_level(changed, level)
            blocks[place] = changed.replace("\nfrom_data", f"\nnullable = true\n{missing}\nfrom_data", 1)
            edits.append(f"{block.split(chr(10), 1)[0]} {missing}")
        if "write:  surrogate = true" in block:
            blocks[place] = block.replace("\nfrom_data", "\nsurrogate = true\nfrom_data", 1)
            edits.append(f"{block.split(chr(10), 1)[0]} surrogate = true")
    text = "".join(blocks)
    for section in ("dependencies", "rules"):
        found_sections = re.findall(rf"(?m)^# (\[\[{section}\]\])$", text)
        edits += [f"{section}: {len(found_sections)}"] if found_sections else []
    text = re.sub(r"(?m)^# (\[\[(?:dependencies|rules)\]\]|source = |determines = |check = )", r"\1", text)
    return text, tuple(edits)


def journey(name: str, source: Path, work: Path) -> Journey:
    """Run one table through the installed command."""
    file, policy = TABLES[name]
    home = work / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "passphrase").write_text(_PASSPHRASE, encoding="utf-8")
    data = source / file
    if name == "wdbc":
        data = home / "wdbc.csv"
        data.write_text(breast_cancer_table(), encoding="utf-8")
    draft = _gateway("dictionary", "draft", data, "--name", name)[1]
    text, edits = accepted(draft)
    (home / "draft.toml").write_text(draft, encoding="utf-8")
    (home / "dictionary.toml").write_text(text, encoding="utf-8")
    common = ("--dictionary", home / "dictionary.toml", "--policy", policy)
    told = _gateway("plan", data, *common, "--quiet", "--json")[1]
    (home / "plan.json").write_text(told, encoding="utf-8")
    plan = json.loads(told)
    space = ("--workspace", home / "workspace", "--passphrase-file", home / "passphrase")
    _gateway("init", *space)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    out = ("--rows", plan["rows"] // 2, "--out", home / "bundle", "--json", "--quiet")
    code, answer = _gateway("release", data, *common, *out, *space, allowed=(0, 3))
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = json.loads(answer)
    _gateway("verify", home / "bundle", "--key", home / "workspace/keys/gate.pub.pem")
    return Journey(
        name,
        policy,
        plan["rows"],
        len(re.findall(r"(?m)^# TRAP", draft)),
        edits,
        "released" if code == 0 else "refused",
        tuple(each["measure"] for each in result["findings"] if not each["met"] and each["status"] != "not asked"),
        wall,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        result["peakMebibytes"],
        (plan["seconds"][0], plan["seconds"][1]),
        plan["mebibytes"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    options = parser.parse_args()
    for name in options.tables:
        found = journey(name, options.source, options.work)
        (options.work / f"{name}.json").write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
        sys.stdout.write(
            f"{found.table}: {found.decision} under {found.policy}, {found.wall_s:.0f} s ({found.cpu_s:.0f} CPU s), "
            f"{found.peak_mib:.0f} MiB; forecast {found.forecast_s[0]:.0f} to {found.forecast_s[1]:.0f} s, "
            f"{found.forecast_mib:.0f} MiB; {found.traps} traps told; edits: {'; '.join(found.edits) or 'none'}; "
            f"not met: {', '.join(found.unmet) or 'none'}\n"
        )


def _without_level(block: str, level: str) -> str:
    """A column's lines without one of its categories, whether they stand in one line or in several."""
    before, found, lines = block.partition("\ncategories = [")
    if not found:
        return block
    levels, end, after = lines.partition("]\n")
    kept = re.sub(rf"(?m)^    {re.escape(level)},\n|{re.escape(level)}, |, {re.escape(level)}$", "", levels)
    return before + found + kept + end + after


def _gateway(*arguments: object, allowed: tuple[int, ...] = (0,)) -> tuple[int, str]:
    command = [*GATEWAY, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    if result.returncode not in allowed:
        raise SystemExit(f"gateway {arguments[0]} ended with {result.returncode}: {result.stderr[-800:]}")
    return result.returncode, result.stdout


if __name__ == "__main__":
    main()
