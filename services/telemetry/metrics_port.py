"""`/metrics` on a port of its own: for who watches the server, and for nobody whom it serves."""

from __future__ import annotations

import socket

from bentoml import server_context
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

FIRST_WORKER = 1
"""The figures of all processes lie in one folder, so any of them can tell all: the first one does."""


class PortUnavailable(Exception):
    """The metrics' port cannot be opened."""


def check(host: str, port: int) -> None:
    """Raises `PortUnavailable`."""
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise PortUnavailable(f"EKIBEN_METRICS_PORT: {host} port {port} cannot be opened: {error.strerror}") from None


def serve(host: str, port: int) -> None:
    """Answer, in a thread, from the first worker of a server; it ends with its process."""
    if server_context.worker_index == FIRST_WORKER:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        start_http_server(port, host, registry)
