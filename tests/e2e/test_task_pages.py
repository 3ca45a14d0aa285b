"""What the pages of the tasks show was run: their commands give their answers."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import photographs, recordings
from tests.serving import ROOT, Server

PAGES = sorted((ROOT / "docs" / "tasks").glob("*.md"))
SERVERS = {"speech-recognition": "speech_server", "translation": "translation_server"}
"""Who serves a task's models; the fixture `server` serves those of pictures."""

EXAMPLES = [
    pytest.param(SERVERS.get(page.stem, "server"), command, answer, id=f"{page.stem} {place}")
    for page in PAGES
    for place, (command, answer) in enumerate(
        re.findall(r"```sh\n(curl [^`]*?)```(?:\s+```(?:json)?\n([^`]*?)```)?", page.read_text("utf-8"))
    )
]


def rounded(value: Any) -> Any:
    """As the pages show it."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return {name: rounded(each) for name, each in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(("fixture", "command", "answer"), EXAMPLES)
def test_a_pages_command_gives_the_pages_answer(
    request: pytest.FixtureRequest, tmp_path: Path, fixture: str, command: str, answer: str
) -> None:
    server: Server = request.getfixturevalue(fixture)
    for name in photographs.FILES:
        shutil.copy(photographs.path(name), tmp_path)
    shutil.copy(recordings.path("beckett"), tmp_path)
    words = shlex.split(command.replace("http://localhost:3000", server.url).replace("\\\n", ""))
    done = subprocess.run([*words, "-sS", "--fail"], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    if answer.startswith("data: "):
        assert done.stdout.decode().strip() == answer.strip()
        return
    if answer:
        assert rounded(json.loads(done.stdout)) == json.loads(answer)
        return
    if fixture == "speech_server":
        assert json.loads(done.stdout)["chunks"][0]["timestamp"][0] == 0
        return
    [painted] = tmp_path.glob("painted.*")
    with Image.open(painted) as image:
        assert image.format == painted.suffix[1:].upper() and image.size == (451, 300)


def test_every_page_shows_a_command() -> None:
    assert len(EXAMPLES) > len(PAGES) >= 4
