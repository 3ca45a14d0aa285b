"""`make bentocheck`: pack the bento, make an environment of its requirements alone, serve it, ask it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import httpx

from tests import photographs
from tests.serving import ROOT, clean_environment, serving


def main() -> None:
    bentoml = Path(sys.executable).with_name("bentoml")
    built = subprocess.run(
        [bentoml, "build", "--output", "tag"],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    tag = built.stdout.strip().removeprefix("__tag__:")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(f"{tag}: making an environment of requirements/runtime.txt", flush=True)
        venv.create(folder / "environment", with_pip=True)
        python = folder / "environment/bin/python"
        requirements = ROOT / "requirements/runtime.txt"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        print("serving", flush=True)
        started = time.monotonic()
        with serving(folder / "log", service=tag, folder=folder, python=python) as server:
            print(f"ready after {time.monotonic() - started:.1f} s", flush=True)
            picture = photographs.path("coffee").read_bytes()
            response = httpx.post(f"{server.url}/v1/image-classification", content=picture, timeout=60)
            print(response.status_code, response.text)
            assert response.json()[0]["label"] == "espresso"
    subprocess.run([bentoml, "delete", "--yes", tag], env=clean_environment(), check=True)


if __name__ == "__main__":
    main()
