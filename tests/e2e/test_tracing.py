"""Spans reach a collector where tracing is switched on."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import httpx

from tests import photographs
from tests.serving import serving

ROUTE = b"/v1/image-classification"


class Collector(BaseHTTPRequestHandler):
    """Takes what an OTLP exporter posts."""

    received = threading.Event()
    bodies: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies.append((self.path, body))
        self.send_response(200)
        self.end_headers()
        if ROUTE in body:  # spans of /readyz, while the models loaded, may have come before
            self.received.set()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def test_a_request_leaves_a_span_with_the_collector(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
        with serving(tmp_path / "log", {"EKIBEN_TRACING_ENDPOINT": endpoint}) as server:
            picture = photographs.path("coffee").read_bytes()
            assert httpx.post(f"{server.url}/v1/image-classification", content=picture, timeout=60).status_code == 200
            assert Collector.received.wait(30)
        collector.shutdown()
    assert {path for path, _ in Collector.bodies} == {"/v1/traces"}
