"""Every example of the README, against the real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..readme import COMMANDS, PROGRAMS, run_command, run_program
from .serving import Server


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_run(program: str, server: Server, admiral: Path, talk: bytes, tmp_path: Path) -> None:
    assert run_program(program, tmp_path, admiral.read_bytes(), talk, server.url)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run(line: str, server: Server, admiral: Path, talk: bytes, tmp_path: Path) -> None:
    printed = run_command(line, tmp_path, admiral.read_bytes(), talk, server.url)
    assert printed or " -o out.png" in line
