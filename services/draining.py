"""Stopping without losing a request: first readiness drops, then the listener closes, runners stop last."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger("ekiben.draining")

SETTLE_SECONDS = 0.25
"""How long what was accepted last has to send its request."""

STAY_SECONDS = 1.0
"""How much longer than its gateway, which gets its SIGTERM at the same moment, a runner lets new requests in."""

EXIT_SECONDS = 5.0
"""How long a process may take to end after its grace. One whose run hangs would never: nobody can end its thread."""


class Drain:
    """What SIGTERM begins.

    1. `/readyz` says 503, and answers ask their clients to close the connection; for `wait_seconds`, while
       balancers notice, requests are served as ever.
    2. Nobody is let in any more; what is in flight is finished, for `grace_seconds` at most. A runner in a process
       of its own first waits `until` no gateway needs it, within the same time.
    3. The application's shutdown stops the runners, and the process exits; where a run hangs, with code 1.
    """

    def __init__(
        self, *, wait_seconds: float, grace_seconds: float, until: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.begun = False
        self._wait_seconds = wait_seconds
        self._grace_seconds = grace_seconds
        self._until = until
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
            self._task = asyncio.create_task(self._stop())

    async def _stop(self) -> None:
        assert self._exit is not None
        await asyncio.sleep(self._wait_seconds)
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._grace_seconds
        if self._until:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(ends):
                    await self._until()
        server = getattr(self._exit, "__self__", None)
        for listener in getattr(server, "servers", ()):
            for each in listener.sockets:
                await _refuse_connections(each.fileno())
        await asyncio.sleep(SETTLE_SECONDS)
        self._exit(signal.SIGTERM, None)
        # To uvicorn a second signal, SIGINT, means: wait no longer.
        remaining = max(0.0, ends - loop.time())
        loop.call_later(remaining, self._exit, signal.SIGINT, None)
        last_resort = threading.Timer(remaining + EXIT_SECONDS, os._exit, (1,))
        last_resort.daemon = True  # gone with a process that ends by itself
        last_resort.start()


async def _refuse_connections(descriptor: int) -> None:
    """Let the kernel refuse connections from now on.

    BentoML's supervisor holds the listening socket too: without this, connections would be taken until it
    exits, and then be reset with their requests unread. What waits to be accepted would be reset here, so the
    moment is one when nothing waits.
    """
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        until = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while _waiting(listener) and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0)
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _waiting(listener: socket.socket) -> int:
    """How many connections wait to be accepted, where the system says it: Linux, of TCP, in `tcpi_unacked`."""
    if not sys.platform.startswith("linux") or listener.family not in (socket.AF_INET, socket.AF_INET6):
        return 0
    return int.from_bytes(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)[24:28], sys.byteorder)
