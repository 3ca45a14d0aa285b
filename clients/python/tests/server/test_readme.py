"""The README's examples against the real server: those whose tasks it serves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ekiben_client import Client

from ..readme import COMMANDS, PROGRAMS, run_command, run_program
from .serving import Server

TASKS = {
    "classify": "image-classification",
    "detect": "object-detection",
    "detect_objects": "object-detection",
    "faces": "face-detection",
    "detect_faces": "face-detection",
    "style": "style-transfer",
    "styles": "style-transfer",
    "transfer_style": "style-transfer",
    "transcribe": "speech-recognition",
    "recognize_speech": "speech-recognition",
    "stream_speech": "speech-recognition",
    "translate": "translation",
}


def skip_unless_served(server: Server, example: str) -> None:
    words = re.findall(r"(?:client\.|ekiben )(\w+)", example)
    asked = {TASKS[word.removesuffix("_many")] for word in words if word.removesuffix("_many") in TASKS}
    with Client(server.url) as client:
        missing = asked - {model.task for model in client.models()}
    if missing:
        pytest.skip(f"not served: {', '.join(sorted(missing))}")


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_run(program: str, server: Server, admiral: Path, tmp_path: Path) -> None:
    skip_unless_served(server, program)
    assert run_program(program, tmp_path, admiral.read_bytes(), server.url)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run(line: str, server: Server, admiral: Path, tmp_path: Path) -> None:
    skip_unless_served(server, line)
    printed = run_command(line, tmp_path, admiral.read_bytes(), server.url)
    assert printed or " -o out.png" in line
