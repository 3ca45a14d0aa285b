"""Two servers on one machine do not meddle with each other."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.e2e.checks import ROUTE, photograph
from tests.serving import serving


def test_each_keeps_its_own_metrics(tmp_path: Path) -> None:
    with serving(tmp_path / "first") as first:
        assert httpx.post(first.url + ROUTE, content=photograph(), timeout=60).status_code == 200
        with serving(tmp_path / "second") as second:
            figures = {server: httpx.get(f"{server.url}/metrics").text for server in (first, second)}
    counted = f'ekiben_requests_total{{route="{ROUTE}",status="200"}} 1.0'
    assert counted in figures[first]
    assert counted not in figures[second]
