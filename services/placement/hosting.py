"""The runner's side of a process of its own: an ASGI application that runs items for gateways."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.task import Item
from models.wire import MalformedValue, decode, encode
from services.http.bodies import client_gone
from services.placement.messages import FLOW, PRESENCE, PULSE_SECONDS, RUN, SECONDS, Facts, Fault, Pulse, Result
from services.runners.core_pool import CorePool
from services.runners.queueing import Flow
from services.runners.runner import Runner

MOST_BYTES: Final = 1 << 29
"""What an item may take: more than any task sends, less than would end the process."""

LONGEST_SECONDS: Final = 86_400.0


@dataclass
class _SharedFlow:
    """A request's flow, and how many of its items are here."""

    flow: Flow
    items: int = 0


class Host:
    """Runs the items of one model, one flow for each request that they belong to.

    Everything but `/run` and `/presence` goes to `system`: BentoML's `/livez`, `/readyz` and `/metrics`.
    """

    def __init__(self, pool: CorePool, *, stuck_seconds: float, draining: Callable[[], bool]) -> None:
        self.runner: Runner | None = None
        self.pool = pool
        self._stuck_seconds = stuck_seconds
        self._draining = draining
        self._flows: dict[str, _SharedFlow] = {}
        self._present = 0
        self._nobody_present = asyncio.Event()
        self._closing = asyncio.Event()
        self._ended = asyncio.Event()

    def over(self, system: ASGIApp) -> ASGIApp:
        """The application, with `system` for what is not ours."""

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope.get("path")
            if scope["type"] == "http" and path == RUN:
                await self._serve_run(scope, receive, send)
            elif scope["type"] == "http" and path == PRESENCE:
                await self._serve_presence(receive, send)
            else:
                await system(scope, receive, send)

        return application

    @property
    def hangs(self) -> bool:
        return self.pool.watch.hangs(self._stuck_seconds)

    # One item.

    async def _serve_run(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if self.runner is None or body is None:
            await _respond(send, 503 if self.runner is None else 413)
            return
        headers = dict(scope["headers"])
        try:
            flow, seconds = headers[FLOW.encode()].decode("ascii"), float(headers[SECONDS.encode()])
            item = decode(body)
            if not isinstance(item, Item) or not 0 <= seconds <= LONGEST_SECONDS:
                raise MalformedValue("not an item, or no time that it may wait")
        except (KeyError, ValueError):
            await _respond(send, 400)
            return
        running = asyncio.ensure_future(self._run(self.runner, flow, item, seconds))
        gone = asyncio.ensure_future(client_gone(receive))
        try:
            await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await _respond(send, 200, running.result())
        finally:
            gone.cancel()
            running.cancel()  # nobody waits for it any more

    async def _run(self, runner: Runner, id: str, item: Item, seconds: float) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            with self._flow(runner, id, loop.time() + seconds) as flow:
                ticket = await flow.submit(item)
                output = await ticket.future
            started = ticket.started or ticket.finished
            return encode(Result(output, None, started - ticket.submitted, ticket.finished - started))
        except Exception as error:  # the gateway raises it again, or logs it as a fault of ours
            return encode(Result(None, Fault.of(error)))

    @contextlib.contextmanager
    def _flow(self, runner: Runner, id: str, deadline: float) -> Iterator[Flow]:
        """The flow of a request that has items here; the last of them to end closes it."""
        shared = self._flows.get(id)
        if shared is None:
            shared = self._flows[id] = _SharedFlow(runner.open(deadline))
        shared.items += 1
        try:
            yield shared.flow
        finally:
            shared.items -= 1
            if not shared.items:
                shared.flow.close()
                del self._flows[id]

    # Who is there.

    async def _serve_presence(self, receive: Receive, send: Send) -> None:
        runner = self.runner
        if runner is None or self._draining():
            await _respond(send, 503)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        pulse = Pulse(facts=facts_of(runner), hangs=self.hangs)
        gone, closing, ended = (
            asyncio.ensure_future(each) for each in (client_gone(receive), self._closing.wait(), self._ended.wait())
        )
        self._present += 1
        try:
            while True:
                await send(_body(pulse.model_dump_json().encode() + b"\n", more=True))
                awaited = {gone, ended} if closing.done() else {gone, ended, closing}
                await asyncio.wait(awaited, timeout=PULSE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if gone.done() or ended.done():
                    break
                state: Literal["ready", "draining", "closing"] = "draining" if self._draining() else "ready"
                pulse = Pulse(state="closing" if closing.done() else state, hangs=self.hangs)
            await send(_body(b""))
        finally:
            for each in (gone, closing, ended):
                each.cancel()
            self._present -= 1
            if not self._present:
                self._nobody_present.set()

    async def until_nobody_is_present(self) -> None:
        """Tell gateways that this runner stops, and wait until none of them has anything with it."""
        self._closing.set()
        try:
            while self._present:
                self._nobody_present.clear()
                await self._nobody_present.wait()
        finally:
            self._ended.set()


def facts_of(runner: Runner) -> Facts:
    return Facts(
        provider=runner.provider,
        arrangement=runner.arrangement,
        manifest=runner.manifest,
        requests=runner.queue.bound // runner.model.item_cost,
        running=runner.most_running,
    )


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None where it is too long, or whoever sends it goes away."""
    chunks: list[bytes] = []
    length, more = 0, True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        length += len(chunks[-1])
        more = message.get("more_body", False)
        if length > MOST_BYTES or message["type"] == "http.disconnect":
            return None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _respond(send: Send, status: int, body: bytes = b"") -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send(_body(body))


def _body(data: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
