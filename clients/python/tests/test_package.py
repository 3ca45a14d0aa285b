"""The distribution: what it brings, how heavy it is, how fast it is imported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from statistics import median

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .readme import INSTALLS, PROJECT

BUILT = shutil.ignore_patterns("__pycache__", "build", "*.egg-info", ".*")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this project where the repository has it, for a build to leave its traces in."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(PROJECT, folder / "clients/python", ignore=BUILT)
    return folder


@pytest.fixture(scope="module")
def python(repository: Path) -> Path:
    """The interpreter of an empty environment into which the README's first line installed the client."""
    subprocess.run([sys.executable, "-m", "venv", str(repository / "environment")], check=True)
    interpreter = repository / "environment/bin/python"
    install(interpreter, repository, INSTALLS[0])
    return interpreter


def install(python: Path, repository: Path, line: str) -> None:
    variables = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    variables.pop("PYTHONPATH", None)
    subprocess.run(["/bin/sh", "-c", f"{line} --quiet"], cwd=repository, env=variables, check=True, timeout=300)


REQUIREMENTS = """
import json
from importlib import metadata
print(json.dumps({each.metadata["Name"]: each.requires or [] for each in metadata.distributions()}))
"""


def needed(name: str, requirements: dict[str, list[str]]) -> set[str]:
    """The distribution and all that it needs here."""
    found = {name}
    for requirement in map(Requirement, requirements[name]):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found |= needed(canonicalize_name(requirement.name), requirements)
    return found


def test_the_library_brings_httpx_and_what_that_needs_and_nothing_else(python: Path) -> None:
    printed = subprocess.run([python, "-c", REQUIREMENTS], stdout=subprocess.PIPE, check=True).stdout
    requirements: dict[str, list[str]] = {canonicalize_name(name): lines for name, lines in json.loads(printed).items()}
    direct = [Requirement(line) for line in requirements["ekiben-client"]]
    assert [each.name for each in direct if each.marker is None] == ["httpx"]
    assert set(requirements) - {"pip", "setuptools", "wheel"} == needed("ekiben-client", requirements)


def test_it_is_imported_in_less_than_three_tenths_of_a_second(python: Path) -> None:
    # Its own time: the clock on the wall also counts what else runs on the machine.
    program = "from time import process_time as now; start = now(); import ekiben_client; print(now() - start)"
    seconds = [
        float(subprocess.run([python, "-c", program], stdout=subprocess.PIPE, check=True).stdout) for _ in range(5)
    ]
    assert median(seconds) < 0.3, seconds


def test_without_its_extra_the_command_says_what_is_missing_and_with_it_runs(python: Path, repository: Path) -> None:
    command = [str(python.parent / "ekiben"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "pip install 'ekiben-client[cli]'" in done.stderr
    install(python, repository, INSTALLS[1])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "ekiben, version 0.1.0\n"


def test_the_wheel_is_light_and_typed(repository: Path, python: Path) -> None:
    arguments = ["--quiet", "--no-deps", "--wheel-dir", str(repository), "./clients/python"]
    command = [str(python), "-m", "pip", "wheel", *arguments]
    subprocess.run(command, cwd=repository, check=True, timeout=300)
    [wheel] = repository.glob("*.whl")
    assert wheel.stat().st_size < 100_000
    names = zipfile.ZipFile(wheel).namelist()
    assert {"ekiben_client/py.typed", "ekiben_client/cli/commands.py"} <= set(names)
    assert not [name for name in names if not name.startswith(("ekiben_client/", "ekiben_client-"))]
