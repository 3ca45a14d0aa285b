"""Folders of servers that are gone are removed, those of servers that run are not."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from services.telemetry.metrics_folder import PREFIX, VARIABLE, _identity, use_own_folder


def test_each_server_has_a_folder_and_stale_ones_go(tmp_path: Path) -> None:
    running = tmp_path / f"{PREFIX}{_identity(psutil.Process())}"
    stale = tmp_path / f"{PREFIX}{os.getpid()}-1"  # this process id, of an earlier time
    for folder in (running, stale):
        folder.mkdir()
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(tmp_path / "prometheus_multiproc_dir")
    try:
        use_own_folder()
        own = Path(os.environ[VARIABLE])
        use_own_folder()
        assert os.environ[VARIABLE] == str(own), "once is enough"
    finally:
        del os.environ[VARIABLE]
        if before is not None:
            os.environ[VARIABLE] = before
    assert own.parent == tmp_path
    assert str(os.getppid()) in own.name
    assert running.exists()
    assert not stale.exists()
