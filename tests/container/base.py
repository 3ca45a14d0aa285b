"""The image that ours is built on: the one of the Containerfile, or a stand-in where no registry is in reach."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.container.engine import Engine
from tests.serving import ROOT

STAND_IN = "localhost/ekiben-base:stand-in"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def find(engine: Engine) -> str:
    """The name of a base that this machine has now."""
    wanted: str = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "deploy/Containerfile").read_text(), re.MULTILINE)[0]
    try:
        engine.ask("pull", "--quiet", wanted, timeout=120, stderr=subprocess.DEVNULL)
        return wanted
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        print(f"no registry gives {wanted}: Debian's root file system and its Python 3.11 stand in for it", flush=True)
    if not engine.has(STAND_IN):
        make(engine)
    return STAND_IN


def make(engine: Engine) -> None:
    """Needs root, debootstrap and Debian's packages."""
    root = engine.folder / "base"
    packages = "python3,python3-venv,ca-certificates"
    command = ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    for leftover in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / leftover)
    # The named base has pip and setuptools in /usr/local, and an image must not.
    subprocess.run(["chroot", str(root), "python3", "-m", "venv", "/usr/local"], check=True)
    # Whom this machine trusts, so that pip finds its index.
    shutil.copyfile(Path("/") / CERTIFICATES, root / CERTIFICATES)
    archive = engine.folder / "base.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    shutil.rmtree(root)
    engine.ask("import", f"--change=ENV PIP_CERT=/{CERTIFICATES}", str(archive), STAND_IN)
    archive.unlink()
