"""Every example of the README, against the stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from .readme import COMMANDS, INSTALLS, PROGRAMS, README, run_command, run_program
from .stand_in import picture

PHOTO = picture("JPEG")
TALK = b"ID3"


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_run(program: str, stand_in: str, tmp_path: Path) -> None:
    assert run_program(program, tmp_path, PHOTO, TALK, stand_in)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run(line: str, stand_in: str, tmp_path: Path) -> None:
    printed = run_command(line, tmp_path, PHOTO, TALK, stand_in)
    assert printed or " -o out.png" in line


def test_no_example_is_left_out() -> None:
    assert README.count("\n```python\n") == len(PROGRAMS) == 6
    assert (len(COMMANDS), len(INSTALLS)) == (10, 2)
