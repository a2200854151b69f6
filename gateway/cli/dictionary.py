"""``gateway dictionary``: propose a data dictionary for a table, and check one."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.shared import FILE, failing_cleanly, json_option, print_json
from gateway.files import write_private
from gateway.intake import draft_dictionary, read_table, type_table
from gateway.statements import read_dictionary


@click.group()
def dictionary() -> None:
    """Draft and check data dictionaries.

    \b
    Example:
        gateway dictionary draft table.csv --out table.toml
    """


@dictionary.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", type=FILE, help="Write here instead of to stdout.")
@click.option("--name", help="Name of the dataset; the file's name by default.")
@failing_cleanly
def draft(data: Path, out: Path | None, name: str | None) -> None:
    """Propose a dictionary for DATA (CSV or Parquet).

    Every fact read off the data is marked from_data: confirm or replace it, then remove the mark. A policy that demands
    differential privacy takes no dictionary with such marks, needs max_rows_per_patient where patient is named, and
    spends less of its budget where people says how many patients the table is publicly known to hold, roughly.

    \b
    Example:
        gateway dictionary draft table.csv --out table.toml
    """
    text = draft_dictionary(read_table(data), name or data.name.split(".")[0])
    if out is None:
        click.echo(text, nl=False)
        return
    write_private(out, text.encode())
    click.echo(f"Wrote {out}. Read every line of it before you rely on it.", err=True)


@dictionary.command()
@click.argument("dictionary_file", metavar="DICTIONARY", type=FILE)
@click.option("--data", type=click.Path(path_type=Path), help="Also hold this table against it.")
@json_option
@failing_cleanly
def check(dictionary_file: Path, data: Path | None, as_json: bool) -> None:
    """Check that DICTIONARY is usable and, with --data, that a table fits it.

    Do this before a release under differential privacy: that one charges the budget before it reads the table, and the
    charge stands where the table then does not fit.

    \b
    Example:
        gateway dictionary check table.toml --data table.csv
    """
    _, model = read_dictionary(dictionary_file)
    warnings: tuple[str, ...] = ()
    rows = None
    if data is not None:
        typed = type_table(read_table(data), model)
        warnings, rows = typed.warnings, len(typed.frame)
    if as_json:
        print_json(
            {
                "usable": True,
                "name": model.name,
                "columns": len(model.columns),
                "released": len(model.released),
                "drafted": list(model.drafted),
                "rows": rows,
                "warnings": list(warnings),
            }
        )
        return
    for warning in warnings:
        click.echo(f"Note: {warning}", err=True)
    if model.drafted:
        click.echo(f"Note: {len(model.drafted)} columns still hold facts read off the data (from_data)", err=True)
    click.echo(f"{dictionary_file.name}: usable; {len(model.columns)} columns, {len(model.released)} of them released")
