"""The processes that run one model elsewhere: how each of them is, and which gets the next item."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pydantic import ValidationError

from models.manifest import declaration_digest
from models.model import Model
from services.http.connections import Address, Connections
from services.placement.messages import FLOW, PRESENCE, PULSE_SECONDS, RUN, SECONDS, Facts, Pulse

log = logging.getLogger("ekiben.replicas")

RECONNECT_SECONDS = 0.2
SILENCE_SECONDS = 10 * PULSE_SECONDS
"""A runner that has said nothing for so long is away, whatever its connections look like."""
RESOLVE_SECONDS = 5.0
"""How often a name is looked up again: replicas come and go."""

LookUp = Callable[[Address], Awaitable[set[Address]]]


class RunnerAway(ConnectionError):
    """The process cannot be reached, or is not ready; it may have been sent the item (`sent`) or not."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the runner is away")
        self.sent = sent


class Replica:
    """One process that runs the model, as its presence tells."""

    def __init__(self, model: Model, address: Address, on_change: Callable[[], None]) -> None:
        self.address = address
        self.in_flight = 0
        self.pulse: Pulse | None = None
        self.facts: Facts | None = None
        self.listed = True
        """Its name still leads to it."""
        self._model = model
        self._refused = False
        self._on_change = on_change
        self._connections = Connections(address)
        self._watching = asyncio.create_task(self._watch())

    @property
    def available(self) -> bool:
        return self.pulse is not None

    @property
    def leaving(self) -> bool:
        """It still answers, but will not for long."""
        return not self.listed or (self.pulse is not None and self.pulse.state != "ready")

    async def run(self, flow: str, seconds: float, item: bytes) -> bytes:
        """The result of an item. Raises `RunnerAway`."""
        headers = {FLOW: flow, SECONDS: f"{seconds:.3f}"}
        self.in_flight += 1
        try:
            status, body = await self._connections.post(RUN, headers, item)
        except ConnectionResetError as error:
            raise RunnerAway(sent=True) from error
        except OSError as error:
            self._lose()
            raise RunnerAway(sent=False) from error
        finally:
            self.in_flight -= 1
            self._on_change()
        if status == 503:
            self._lose()
            raise RunnerAway(sent=False)
        if status != 200:
            raise RuntimeError(f"the runner of {self._model.id} answered {status}")
        return body

    @property
    def closing(self) -> bool:
        """It waits for what gateways have with it, and then ends."""
        return self.pulse is not None and self.pulse.state == "closing"

    def let_go(self) -> None:
        """Be with it no longer; it may come again."""
        self.pulse = None
        self._connections.close()  # the presence too

    def close(self) -> None:
        self._watching.cancel()
        self._connections.close()

    def _lose(self) -> None:
        """It is away until it is heard of again; nothing that it has is waited for."""
        if self.pulse is not None:
            log.warning("a runner is away", extra={"model": self._model.id, "address": str(self.address)})
            self.let_go()
            self._on_change()

    def _refuse(self, reason: str) -> None:
        """It is there, and of no use: the log says so once."""
        if not self._refused:
            log.critical(reason, extra={"model": self._model.id, "address": str(self.address)})
        self._refused = True
        self._connections.close()

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                await self._follow()
            self._lose()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        rest = b""
        async with asyncio.timeout(SILENCE_SECONDS) as silence:

            def hear(data: bytes) -> None:
                nonlocal rest
                silence.reschedule(loop.time() + SILENCE_SECONDS)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._hear(line)

            await self._connections.follow(PRESENCE, hear)

    def _hear(self, line: bytes) -> None:
        try:
            pulse = Pulse.model_validate_json(line)
        except ValidationError:
            self._refuse("a runner says what this version does not understand")
            return
        if pulse.facts:
            if pulse.facts.manifest.declaration != declaration_digest(self._model):
                self._refuse("a runner has its model as another version declares it")
                return
            self.facts = pulse.facts
            self._refused = False
            log.info("a runner is there", extra={"model": self._model.id, "address": str(self.address)})
        changed = self.pulse is None or self.pulse.state != pulse.state
        self.pulse = pulse
        if changed:
            self._on_change()


async def look_up(address: Address) -> set[Address]:
    """All addresses that a host's name has now; none where it is not known, or nobody tells."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {replace(address, host=str(host)) for *_, (host, *_) in found}


class Replicas:
    """All processes behind one URL: one for each address that its name has."""

    def __init__(self, model: Model, url: str, *, needed: Callable[[], bool], look_up: LookUp = look_up) -> None:
        self._look_up = look_up
        self._model = model
        self._address = Address.parse(url)
        self._needed = needed
        self._replicas: dict[Address, Replica] = {}
        self._came = asyncio.Event()
        self._resolving = asyncio.create_task(self._resolve())

    @property
    def available(self) -> list[Replica]:
        return [each for each in self._replicas.values() if each.available]

    async def choose(self, wait_seconds: float) -> Replica | None:
        """The available one that has the least to do, one that is leaving only where there is no other.

        Where there is none it is waited for; None where none has come after `wait_seconds`.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                while not self.available:
                    self._came.clear()
                    await self._came.wait()
        return min(self.available, key=lambda each: (each.leaving, each.in_flight), default=None)

    def release(self) -> None:
        """Let go of those that are leaving and have nothing to do; of the last one not while it is needed."""
        staying = any(not each.leaving for each in self.available)
        for address, each in list(self._replicas.items()):
            last = not staying and not (each.closing and not self._needed())
            if each.leaving and not each.in_flight and not last:
                each.let_go()
            if not each.listed and not each.available:
                each.close()
                del self._replicas[address]

    def close(self) -> None:
        self._resolving.cancel()
        for each in self._replicas.values():
            each.close()

    def _add(self, address: Address) -> None:
        if address not in self._replicas:
            self._replicas[address] = Replica(self._model, address, self._on_change)

    def _on_change(self) -> None:
        if self.available:
            self._came.set()
        self.release()

    async def _resolve(self) -> None:
        """Keep to the addresses that the name has now."""
        while True:
            # No address at all: none is ready, or the name server is away; those that are known tell by themselves.
            if listed := {self._address} if self._address.path else await self._look_up(self._address):
                for address in listed:
                    self._add(address)
                for address, each in self._replicas.items():
                    each.listed = address in listed
                self.release()
            await asyncio.sleep(RESOLVE_SECONDS)
