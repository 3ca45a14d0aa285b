"""The one connection to the server, which every demo shares: a client may be used by many threads."""

from __future__ import annotations

from ekiben_client import Client

_connected: list[Client] = []


def connect(url: str) -> None:
    """Say which server the demos talk to. Nothing is sent yet."""
    disconnect()
    _connected.append(Client(url))


def client() -> Client:
    """The client. Raises `RuntimeError` before `connect`."""
    if not _connected:
        raise RuntimeError("no server: call connect() first")
    return _connected[0]


def disconnect() -> None:
    while _connected:
        _connected.pop().close()
