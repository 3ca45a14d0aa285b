"""Results on standard output: tables for people, tab-separated lines for pipes, JSON lines for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ekiben_client.errors import EkibenError

Row = Sequence[str]


def print_rows(columns: Row, rows: Sequence[Row], *, title: str = "") -> None:
    """A table on a terminal; else lines of columns between tabs, the title in front of each."""
    if not sys.stdout.isatty():
        for row in rows:
            cells = [title, *row] if title else row
            click.echo("\t".join(" ".join(cell.split()) for cell in cells))
        return
    console = Console()
    if title:
        console.print(Text(title, style="bold"))
    table = Table(box=None, padding=(0, 3, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=column != columns[-1])
    for row in rows:
        table.add_row(*row)
    if not rows:
        table.add_row("nothing", *[""] * (len(columns) - 1), style="dim")
    console.print(table)


def print_json(document: Any) -> None:
    click.echo(json.dumps(document, ensure_ascii=False))


def as_document(result: Any) -> dict[str, Any]:
    """A result's fields and its meta apart."""
    fields = asdict(result)
    meta = fields.pop("meta")
    return {"result": fields, "meta": meta}


def error_document(error: EkibenError) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "detail": error.detail,
        "status": error.status,
        "request_id": error.request_id,
        "fields": [asdict(each) for each in error.fields],
    }


def print_error(error: EkibenError, name: str = "") -> None:
    click.echo(f"ekiben: {name}: {error}" if name else f"ekiben: {error}", err=True)
