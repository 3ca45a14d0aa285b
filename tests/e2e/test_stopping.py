"""SIGTERM under load loses nothing: what was let in is answered, what comes too late is refused at the door."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from services.draining import SETTLE_SECONDS, STAY_SECONDS
from tests import photographs
from tests.serving import Server, serving

TIMES = int(os.environ.get("STOPS", "2"))
"""How often; set it higher to hunt for a race."""


UNDER_WAY = 30
"""Answers, before the signal is sent."""


def request(data: bytes) -> bytes:
    head = f"POST /v1/image-classification HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


async def ask_until_refused(port: int, data: bytes, seen: Counter[str], under_way: asyncio.Event) -> None:
    """Ask again and again, over a kept connection where the server keeps it, until it refuses connections."""
    reader = writer = None
    while True:
        if seen["200"] >= UNDER_WAY:
            under_way.set()
        if writer is None or reader is None:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                seen["refused"] += 1
                return
        try:
            writer.write(data)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError):
            seen["lost"] += 1
            writer, reader = None, None
            continue
        seen[head.split(b" ")[1].decode()] += 1
        if b"connection: close" in head:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            writer, reader = None, None


async def stop_under_load(server: Server) -> Counter[str]:
    seen: Counter[str] = Counter()
    under_way = asyncio.Event()
    data = request(photographs.path("grace_hopper").read_bytes())
    port = int(server.url.rpartition(":")[2])
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(ask_until_refused(port, data, seen, under_way))
        await under_way.wait()
        os.kill(server.process.pid, signal.SIGTERM)
    return seen


@pytest.mark.parametrize("time_of", range(TIMES))
@pytest.mark.parametrize("placement", ["embedded", "services"])
def test_sigterm_under_load_loses_no_request(tmp_path: Path, placement: str, time_of: int) -> None:
    with serving(tmp_path / "log", {"EKIBEN_DRAIN_SECONDS": "0.5", "EKIBEN_RUNNERS": placement}) as server:
        seen = asyncio.run(stop_under_load(server))
        assert server.process.wait(20) == 0
    assert set(seen) == {"200", "refused"}, seen


def test_readiness_drops_while_requests_are_still_served(tmp_path: Path) -> None:
    with serving(tmp_path / "log", {"EKIBEN_DRAIN_SECONDS": "3"}) as server, httpx.Client(timeout=20) as client:
        os.kill(server.process.pid, signal.SIGTERM)
        until = time.monotonic() + 10
        while client.get(f"{server.url}/readyz").status_code == 200:
            assert time.monotonic() < until
        picture = photographs.path("coffee").read_bytes()
        response = client.post(f"{server.url}/v1/image-classification", content=picture)
        assert response.status_code == 200
        assert response.headers["connection"] == "close"
        assert server.process.wait(20) == 0


def test_runners_stop_after_what_their_gateway_has_under_way(tmp_path: Path) -> None:
    """A text whose sentences are still being sent to a runner long after both got their SIGTERM."""
    settings = {"EKIBEN_DRAIN_SECONDS": "0.2", "EKIBEN_RUNNERS": "services", "EKIBEN_MODELS": "bergamot-tiny-en-pt"}
    sentences = [f"This is sentence number {number} of a long text about the weather." for number in range(2000)]
    body = {"inputs": " ".join(sentences), "parameters": {"src_lang": "en", "tgt_lang": "pt"}}
    with serving(tmp_path / "log", settings) as server, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, f"{server.url}/v1/translation", json=body, timeout=120)
        until = time.monotonic() + 60
        while "ekiben_batch_size_count" not in httpx.get(f"{server.url}/metrics", timeout=20).text:
            assert time.monotonic() < until
        os.kill(server.process.pid, signal.SIGTERM)
        told = time.monotonic()
        response = answer.result()
        assert response.status_code == 200, response.text
        assert time.monotonic() - told > 0.2 + STAY_SECONDS + SETTLE_SECONDS, "too short a text to show anything"
        assert server.process.wait(20) == 0
