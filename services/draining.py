"""Stopping without losing a request: first readiness drops, then the listener closes, runners stop last."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

log = logging.getLogger("ekiben.draining")


class Drain:
    """What SIGTERM begins.

    1. `/readyz` says 503, and answers ask their clients to close the connection; for `wait_seconds`, while
       balancers notice, requests are served as ever.
    2. Nobody is let in any more; what is in flight is finished, for `grace_seconds` at most.
    3. The application's shutdown stops the runners, and the process exits.
    """

    def __init__(self, *, wait_seconds: float, grace_seconds: float) -> None:
        self.begun = False
        self._wait_seconds = wait_seconds
        self._grace_seconds = grace_seconds
        self._exit: Callable[[int, None], Any] | None = None

    def install(self) -> None:
        """Take SIGTERM over from uvicorn, whose handler (which ends the serving) is called when it is time."""
        handler = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is threading.main_thread() and callable(handler):
            self._exit = handler
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._begin)

    def _begin(self) -> None:
        if not self.begun:
            self.begun = True
            log.info("draining", extra={"wait_seconds": self._wait_seconds})
            asyncio.get_running_loop().call_later(self._wait_seconds, self._close)

    def _close(self) -> None:
        assert self._exit is not None
        self._refuse_connections()
        self._exit(signal.SIGTERM, None)
        # To uvicorn a second signal, SIGINT, means: wait no longer.
        asyncio.get_running_loop().call_later(self._grace_seconds, self._exit, signal.SIGINT, None)

    def _refuse_connections(self) -> None:
        """Let the kernel refuse connections. BentoML's supervisor holds the listening socket too: without this,
        connections would be taken until it exits, and then be reset with their requests unread."""
        server = getattr(self._exit, "__self__", None)
        for listener in getattr(server, "servers", ()):
            for each in listener.sockets:
                with socket.socket(fileno=os.dup(each.fileno())) as duplicate:
                    duplicate.shutdown(socket.SHUT_RDWR)
