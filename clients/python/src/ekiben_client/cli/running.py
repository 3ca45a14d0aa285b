"""Options that every command has, and what running over many inputs is like."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Callable, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ekiben_client._many import Outcome
from ekiben_client._many import Progress as Callback
from ekiben_client.cli.exits import exit_code
from ekiben_client.cli.printing import as_document, error_document, print_error, print_json
from ekiben_client.client import Client
from ekiben_client.errors import EkibenError

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def with_client(command: F) -> F:
    """Give a command the options of the connection, and a `client` made from them; errors end it with their code."""

    @click.option("--url", envvar="EKIBEN_URL", default="http://localhost:3000", show_default=True, show_envvar=True)
    @click.option("--api-key", envvar="EKIBEN_API_KEY", show_envvar=True)
    @click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds for each input, with retries.")
    @click.option("--retries", type=click.IntRange(0), default=4, show_default=True)
    @functools.wraps(command)
    def run(
        *arguments: Any, url: str, api_key: str | None, timeout: float | None, retries: int, **options: Any
    ) -> None:
        try:
            client = Client(url, api_key=api_key, timeout=timeout, retries=retries)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        with client:
            try:
                command(*arguments, client=client, **options)
            except EkibenError as error:
                print_error(error)
                sys.exit(exit_code(error))

    return run  # type: ignore[return-value]


def for_each(
    names: Sequence[str],
    ask_many: Callable[[Callback], Iterator[Outcome[Any, T]]],
    show: Callable[[str, Any, T], None],
    *,
    as_json: bool,
) -> None:
    """Show each result as it comes, or why there is none; exit with the worst code of them."""
    worst = 0
    with _progress(len(names)) as progress:
        for name, outcome in zip(names, ask_many(progress)):
            try:
                result = outcome.result()
                show(name, outcome.input, result)
            except EkibenError as error:  # noqa: PERF203 (one input a turn)
                worst = max(worst, exit_code(error))
                if as_json:
                    print_json({"input": name, "error": error_document(error)})
                else:
                    print_error(error, name)
            else:
                if as_json:
                    print_json({"input": name, **as_document(result)})
    if worst:
        sys.exit(worst)


@contextmanager
def _progress(total: int) -> Iterator[Callback]:
    """A bar on standard error, where that is a terminal and there is more than one input."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda done, of: None
        return
    columns = TextColumn("ekiben"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    # Where results go into a pipe, the bar must leave standard output alone.
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, of: bar.update(task, completed=done)
