"""Run the tests that need no server with the oldest and the newest Python that are here: `tests/every_python.py`.

Interpreters are looked for on the PATH and among pyenv's versions; each gets an environment of its own, with the
newest packages that it can have. The oldest also runs against the oldest httpx that the client takes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
MINORS = range(9, 20)
REQUIREMENTS = ("click", "hypothesis", "numpy", "packaging", "pillow", "pytest", "rich")


def interpreters() -> dict[int, Path]:
    """By minor version."""
    found: dict[int, Path] = {}
    for minor in MINORS:
        candidates = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
        paths = [each / "bin/python" for folder in candidates for each in folder.glob(f"3.{minor}.*")]
        if command := shutil.which(f"python3.{minor}"):
            paths.append(Path(command))
        for path in paths:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            if done.returncode == 0 and re.fullmatch(rf"Python 3\.{minor}\.\S+", done.stdout.strip()):
                found[minor] = path
                break
    return found


def run_tests(python: Path, httpx: str, folder: Path) -> int:
    """pytest's exit code."""
    subprocess.run([str(python), "-m", "venv", str(folder)], check=True)
    inside = str(folder / "bin/python")
    subprocess.run([inside, "-m", "pip", "install", "--quiet", httpx, *REQUIREMENTS], check=True)
    print(subprocess.run([inside, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout, flush=True)
    command = [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--ignore=tests/server"]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def main() -> int:
    found = interpreters()
    assert found, "no Python from 3.9 is here"
    oldest, newest = min(found), max(found)
    codes = []
    for minor, httpx in ((oldest, "httpx==0.27.0"), (oldest, "httpx<1"), (newest, "httpx<1")):
        print(f"Python 3.{minor} ({found[minor]}), {httpx}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            codes.append(run_tests(found[minor], httpx, Path(folder)))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
