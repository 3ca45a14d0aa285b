"""File arguments: paths, patterns that the shell left alone, and `-` for standard input."""

from __future__ import annotations

import glob
import sys
from pathlib import Path

import click

from ekiben_client.errors import UnreadableInput

STANDARD_INPUT = "-"


def expand(arguments: tuple[str, ...]) -> list[str]:
    """The files that are meant; standard input where nothing is named and something is piped in.

    Raises `click.UsageError`.
    """
    if not arguments:
        if sys.stdin.isatty():
            raise click.UsageError("Name a file, or pipe one in.")
        return [STANDARD_INPUT]
    names: list[str] = []
    for argument in arguments:
        if argument != STANDARD_INPUT and glob.has_magic(argument) and not Path(argument).exists():
            found = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
            if not found:
                raise click.UsageError(f"No file matches {argument!r}.")
            names += found
        else:
            names.append(argument)
    if names.count(STANDARD_INPUT) > 1:
        raise click.UsageError("Standard input can be read only once.")
    return names


def open_input(name: str) -> str | bytes:
    """What the client takes for a name: a path, or all of standard input."""
    return sys.stdin.buffer.read() if name == STANDARD_INPUT else name


def outputs(names: list[str], output: str, suffix: str) -> dict[str, Path]:
    """Where to write for each input: to the file `output`; to a folder of that name for several inputs.

    Raises `click.UsageError`.
    """
    target = Path(output)
    if len(names) == 1 and not target.is_dir() and not output.endswith(("/", "\\")):
        return {names[0]: target}
    if target.exists() and not target.is_dir():
        raise click.UsageError(f"{output} is a file; several inputs need a folder.")
    paths = {name: target / f"{'stdin' if name == STANDARD_INPUT else Path(name).stem}{suffix}" for name in names}
    if len(set(paths.values())) < len(set(names)):
        raise click.UsageError(f"Two inputs would be written to the same file in {output}.")
    target.mkdir(parents=True, exist_ok=True)
    return paths


def write(path: Path, data: bytes) -> None:
    """Raises `UnreadableInput`, so that one output that cannot be written does not lose the others."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UnreadableInput(f"{path} cannot be written: {error}") from error
