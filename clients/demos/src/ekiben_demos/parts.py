"""Pieces of HTML that several pages show; what comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def bars(caption: str, shares: Iterable[tuple[str, float]]) -> str:
    """A table of names with a share of 1 each, drawn as bars too."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td class='bar'><span style='width:{share:.1%}'></span></td>"
        f"<td>{share:.1%}</td></tr>"
        for name, share in shares
    )
    return f"<table class='bars'><caption>{escape(caption)}</caption>{rows}</table>"


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table whose first column names its rows."""
    head = "".join(f"<th scope='col'>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th scope='row'>{escape(str(first))}</th>{''.join(f'<td>{escape(str(cell))}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    return f"<table class='rows'><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def note(text: str) -> str:
    """A sentence about the result, read out when it changes."""
    return f"<p class='note' role='status'>{escape(text)}</p>"


def hint(text: str) -> str:
    """What will be in this place."""
    return f"<p class='hint'>{escape(text)}</p>"
