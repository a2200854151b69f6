"""``gateway dictionary``: propose a data dictionary for a table, and check one."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.shared import FILE, LOCATION, failing_cleanly, json_option, print_json
from gateway.files import write_private
from gateway.intake import propose_dictionary, propose_snapshot, take_snapshot, type_table
from gateway.statements import read_dictionary
from policies import Source


@click.group()
def dictionary() -> None:
    """Draft and check data dictionaries.

    \b
    Example:
        gateway dictionary draft table.csv --out table.toml
    """


@dictionary.command()
@click.argument("data", type=LOCATION)
@click.option("--out", type=FILE, help="Write here instead of to stdout.")
@click.option("--page", type=FILE, help="Write a page with plots and the grounds of each proposal here.")
@click.option("--name", help="Name of the dataset; the file's name by default.")
@click.option("--sheet", help="Sheet of a workbook; the first by default.")
@click.option("--table", help="Table of a database, with or without its schema.")
@click.option("--query", help="One SELECT, instead of a table.")
@failing_cleanly
def draft(
    data: str,
    out: Path | None,
    page: Path | None,
    name: str | None,
    sheet: str | None,
    table: str | None,
    query: str | None,
) -> None:
    """Propose a dictionary for DATA: a file (CSV, Parquet, .xlsx), a folder of Parquet parts, or a database's URL.

    How a text is written (encoding, delimiter, decimal comma) is found out here and stated in the dictionary; from then
    on a file that is written otherwise is refused.

    Every fact read off the data is marked from_data: confirm or replace it, then remove the mark. A policy that demands
    differential privacy takes no dictionary with such marks, needs max_rows_per_patient where patient is named, and
    spends less of its budget where people says how many patients the table is publicly known to hold, roughly.

    --page shows the same in a browser, with a plot of every column. Both files sum up real rows: they are yours alone.

    \b
    Example:
        gateway dictionary draft table.csv --out table.toml --page table.html
        gateway dictionary draft postgresql://reader@db.example/clinic --table visits --out visits.toml
    """
    if table is not None and query is not None:
        raise click.UsageError("--table and --query exclude each other")
    snapshot, how = propose_snapshot(data, Source(sheet=sheet, table=table, query=query))
    title = name or table or Path(snapshot.shown).name.split(".")[0]
    drafted = propose_dictionary(snapshot.table(), title, snapshot.source, how)
    if page is not None:
        from gateway.draft_page import render_draft_page  # plots, which take a second to load

        write_private(page, render_draft_page(drafted).encode())
        click.echo(f"Wrote {page}. It sums up real rows: it stays with you.", err=True)
    if out is None:
        click.echo(drafted.toml, nl=False)
        return
    write_private(out, drafted.toml.encode())
    click.echo(f"Wrote {out}. Read every line of it before you rely on it.", err=True)


@dictionary.command()
@click.argument("dictionary_file", metavar="DICTIONARY", type=FILE)
@click.option("--data", type=LOCATION, help="Also hold this table against it, part after part.")
@json_option
@failing_cleanly
def check(dictionary_file: Path, data: str | None, as_json: bool) -> None:
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
        typed = type_table(take_snapshot(data, model.source).table(), model)
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
