"""The seams for the hard tasks: what speech and translation need fits the contracts of tasks and runners.

`Dictation` is built as speech recognition will be: windows of a recording, each starting where the last one
ended, with partial answers on the way. `Letters` is built as translation will be: one text, many rows, taken
in order while others still run. Neither adds anything to `services`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import thread_time
from typing import Any, ClassVar

import numpy as np
import pytest
from prometheus_client import REGISTRY

from models.errors import DeadlineExceeded, InvalidInput, Overloaded
from models.media import PICTURE
from models.model import Model, OneShot, Stepwise
from models.task import NEXT, PAUSE, Conversation, Input, Item, Parameters, Partial, Request, Submit, Task, run
from services.engine import Engine, Timings
from services.routes.open_inference.conversation import infer
from services.routes.open_inference.graphs import NamedGraph
from services.runners.runner import make_runner
from services.runners.session import available_cpus
from services.settings import Settings
from tests.service import tiny_models as tiny

Numbers = list[int]


class TinyTask(Task[Model, Parameters]):
    """What the tasks below share: bytes in, each of them a number."""

    name: ClassVar[str] = "tiny"
    title: ClassVar[str] = "Tiny"
    description: ClassVar[str] = "Numbers."
    inputs = (Input("numbers", PICTURE),)
    answer_type = Numbers
    example: ClassVar[Numbers] = []
    parameters = Parameters
    models: tuple[Model, ...] = ()


class Dictation(TinyTask):
    """Windows of three numbers; the next one begins after as many numbers as the last one's answer was long."""

    def converse(self, model: Model, request: Request[Parameters]) -> Conversation[Numbers]:
        recording = list(request.media["numbers"])
        heard: Numbers = []
        seek = 0
        while seek + 3 <= len(recording):
            [tokens] = yield from run([tiny.cache_item(recording[seek : seek + 3], tiny.Greedy(most=4))])
            yield Partial(tokens)
            heard += tokens
            seek += 1 + len(tokens)
        return heard


def dictate(recording: bytes) -> list[Numbers]:
    """What `Dictation` hears in each window, by hand."""
    windows, seek = [], 0
    while seek + 3 <= len(recording):
        windows.append(tiny.cache_tokens(recording[seek : seek + 3], tiny.Greedy(most=4)))
        seek += 1 + len(windows[-1])
    return windows


class Letters(TinyTask):
    """Every number is a text of its own; all are submitted at once and taken in order."""

    def converse(self, model: Model, request: Request[Parameters]) -> Conversation[Numbers]:
        texts = [[number] * (1 + number % 4) for number in request.media["numbers"]]
        yield Submit([tiny.state_item(text, tiny.Greedy(most=3)) for text in texts])
        written: Numbers = []
        for _ in texts:
            tokens = yield NEXT
            yield Partial(tokens)
            written += tokens
        return written


@dataclass
class Doubling(TinyTask):
    """One item, with hooks to see and to hinder."""

    before: Callable[[], None] = lambda: None
    closed: threading.Event = field(default_factory=threading.Event)

    def converse(self, model: Model, request: Request[Parameters]) -> Conversation[Any]:
        try:
            self.before()
            numbers = np.frombuffer(request.media["numbers"], np.uint8).astype(np.float32)
            [output] = yield from run([Item({"numbers": numbers}, cost=10)])
            return output["doubled"].tolist()
        finally:
            self.closed.set()


@pytest.fixture
async def engines(tmp_path: Path) -> AsyncIterator[Callable[..., Engine]]:
    """Makes engines that serve one tiny model; all are stopped at the end."""
    made: list[Engine] = []

    def make(protocol: OneShot | Stepwise, *, queue_requests: int = 64) -> Engine:
        model = tiny.tiny_model(protocol)
        settings = Settings(device="cpu", models=(model,), queue_requests=queue_requests)
        engine = Engine(settings)
        folder = tmp_path / str(len(made))
        folder.mkdir()
        runner = make_runner(model, tiny.tiny_export(model, folder), settings, engine.pool)
        runner.start()
        engine.runners[model.id] = runner
        made.append(engine)
        return engine

    yield make
    for engine in made:
        await engine.stop()


async def ask(engine: Engine, task: TinyTask, numbers: bytes, **options: Any) -> Any:
    [model] = engine.settings.models
    request = Request({"numbers": numbers}, Parameters())
    deadline = asyncio.get_running_loop().time() + options.pop("seconds", 60.0)
    return await engine.answer(task, model, request, deadline=deadline, timings=Timings(), **options)


async def test_windows_of_a_recording_follow_from_each_other(engines: Callable[..., Engine]) -> None:
    engine = engines(tiny.CACHE)
    recordings = [bytes(range(start, start + 30)) for start in range(8)]
    answers = await asyncio.gather(*(ask(engine, Dictation(), recording) for recording in recordings))
    assert answers == [sum(dictate(recording), []) for recording in recordings]


async def test_partial_answers_come_in_order_before_the_whole(engines: Callable[..., Engine]) -> None:
    engine = engines(tiny.CACHE)
    recording = bytes(range(40))
    heard: list[Numbers] = []

    async def listen(tokens: Numbers) -> None:
        heard.append(tokens)

    answer = await ask(engine, Dictation(), recording, on_partial=listen)
    assert len(heard) > 3
    assert heard == dictate(recording)
    assert answer == sum(heard, [])


async def test_one_text_becomes_many_rows_beside_those_of_others(engines: Callable[..., Engine]) -> None:
    # The queue's bound is far below the rows of one text: what does not fit yet waits.
    engine = engines(tiny.STATE, queue_requests=4)
    texts = [bytes(range(start, start + 60)) for start in (0, 50, 100)]
    answers = await asyncio.gather(*(ask(engine, Letters(), text) for text in texts))
    for text, answer in zip(texts, answers, strict=True):
        rows = [tiny.state_tokens([number] * (1 + number % 4), tiny.Greedy(most=3)) for number in text]
        assert answer == sum(rows, [])


@pytest.mark.parametrize(("protocol", "running"), [(tiny.ONE_SHOT, available_cpus()), (tiny.STATE, 8)])
async def test_so_many_lone_requests_wait_beside_those_that_run(
    engines: Callable[..., Engine], protocol: OneShot | Stepwise, running: int
) -> None:
    """Rows of a stepwise model are counted once, however many workers step them."""
    engine = engines(protocol, queue_requests=4)
    runner = engine.runner(engine.settings.models[0])
    flows = [runner.open(asyncio.get_running_loop().time() + 60) for _ in range(4 + running)]
    with pytest.raises(Overloaded):
        runner.check_capacity()
    flows[0].close()
    runner.check_capacity()
    for flow in flows[1:]:
        flow.close()


async def test_what_waits_is_told_also_where_it_leaves_without_having_run(engines: Callable[..., Engine]) -> None:
    """Runners are scaled by it: callers who gave up are no reason for another."""
    runner = engines(tiny.ONE_SHOT).runners["tiny"]

    def told() -> float | None:
        return REGISTRY.get_sample_value("ekiben_queue_cost", {"model": runner.model.id})

    assert told() == 0
    flow = runner.open(asyncio.get_running_loop().time() + 60)
    for _ in range(3):
        await flow.submit(Item({"numbers": np.zeros(1, np.float32)}, cost=10))
    assert told() == 30
    flow.close()
    assert told() == 0


async def test_a_conversation_may_run_without_any_item(engines: Callable[..., Engine]) -> None:
    assert await ask(engines(tiny.CACHE), Dictation(), b"") == []


async def test_who_pauses_lets_others_in(engines: Callable[..., Engine]) -> None:
    engine = engines(tiny.CACHE)
    begun: set[int] = set()
    requests = 8 + len(os.sched_getaffinity(0))

    class Patient(TinyTask):
        def converse(self, model: Model, request: Request[Parameters]) -> Conversation[bool]:
            begun.add(request.media["numbers"][0])
            for _ in range(1000):
                if len(begun) == requests:
                    return True
                yield PAUSE
            return False

    assert all(await asyncio.gather(*(ask(engine, Patient(), bytes([number])) for number in range(requests))))


async def test_many_short_steps_let_others_in_too(engines: Callable[..., Engine]) -> None:
    """They stay on the event loop, where nobody else has a turn unless one is given."""
    turns: list[int] = []

    def write() -> Conversation[None]:
        for _ in range(1500):
            until = thread_time() + 1e-4
            while thread_time() < until:
                pass
            turns.append(turn)
            yield Partial(None)

    engine = engines(tiny.ONE_SHOT)
    turn = 0
    writing = asyncio.create_task(converse(engine, write()))
    while not writing.done():
        turn += 1
        await asyncio.sleep(0)
    # The first ones are in a thread: it is not known yet that they are short.
    assert turns[-1] - turns[500] > 10


async def test_an_error_in_the_conversation_is_the_answer(engines: Callable[..., Engine]) -> None:
    def refuse() -> None:
        raise InvalidInput.of("numbers", "are not to my taste")

    engine = engines(tiny.ONE_SHOT)
    with pytest.raises(InvalidInput, match="not to my taste"):
        await ask(engine, Doubling(refuse), b"\1")
    assert await ask(engine, Doubling(), b"\1\2") == [2, 4]


async def test_a_refused_request_is_no_work_for_the_garbage_collector(engines: Callable[..., Engine]) -> None:
    engine = engines(tiny.ONE_SHOT)
    left: list[weakref.ref[InvalidInput]] = []

    def watched(error: InvalidInput) -> InvalidInput:
        left.append(weakref.ref(error))
        return error

    def refuse() -> None:
        raise watched(InvalidInput.of("numbers", "are not to my taste"))

    gc.disable()
    try:
        with contextlib.suppress(InvalidInput):
            await ask(engine, Doubling(refuse), b"1")
        await engine.stop()  # its threads have put down what they held
        assert left[0]() is None
    finally:
        gc.enable()


async def test_a_deadline_that_passes_while_decoding_is_answered_and_nothing_runs(
    engines: Callable[..., Engine],
) -> None:
    engine = engines(tiny.ONE_SHOT)
    with pytest.raises(DeadlineExceeded):
        await ask(engine, Doubling(), b"\1", seconds=0.0)
    assert await ask(engine, Doubling(), b"\1") == [2]


async def test_a_conversation_is_closed_when_its_caller_goes_away(engines: Callable[..., Engine]) -> None:
    engine = engines(tiny.ONE_SHOT)
    inside, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        go_on.wait()

    task = Doubling(wait)
    asking = asyncio.ensure_future(ask(engine, task, b"\1"))
    await asyncio.to_thread(inside.wait)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not task.closed.is_set(), "a thread is still in it"
    go_on.set()
    assert await asyncio.to_thread(task.closed.wait, 10)
    assert await ask(engine, Doubling(), b"\3") == [6], "its place in the queue is free"


async def test_requests_of_different_lengths_share_a_one_shot_model(engines: Callable[..., Engine]) -> None:
    engine = engines(tiny.ONE_SHOT)
    asked = [bytes(range(length)) for length in (1, 5, 3, 5, 1, 9, 5, 5)]
    answers = await asyncio.gather(*(ask(engine, Doubling(), numbers) for numbers in asked))
    assert answers == [[2 * number for number in numbers] for numbers in asked]


async def converse(engine: Engine, conversation: Conversation[Any]) -> Any:
    [model] = engine.settings.models
    deadline = asyncio.get_running_loop().time() + 60
    return await engine.converse("a test", model, conversation, deadline=deadline, timings=Timings())


async def test_a_graph_runs_by_itself_beside_rows_that_step(engines: Callable[..., Engine]) -> None:
    engine = engines(tiny.CACHE)
    [model] = engine.settings.models
    encoder = NamedGraph("tiny.encoder", model, tiny.CACHE.encoder)
    decoder = NamedGraph("tiny.decoder", model, tiny.CACHE.decoder)
    features = np.arange(12, dtype=np.float32).reshape(4, 3)
    feeds = {
        "ids": np.array([[1, 4], [2, 5]]),
        "positions": np.zeros(2, np.int64),
        "cache": np.zeros((2, 0), np.float32),
        "real": np.zeros((2, 0), np.float32),
        "memory": features[:2],
    }
    recording = bytes(range(30))
    heard, encoded, decoded, heard_too = await asyncio.gather(
        ask(engine, Dictation(), recording),
        converse(engine, infer(encoder, {"features": features})),
        converse(engine, infer(decoder, feeds)),
        ask(engine, Dictation(), recording),
    )
    assert heard == heard_too == sum(dictate(recording), [])
    np.testing.assert_array_equal(encoded["memory"], features)
    # each id and three times its position, by hand
    np.testing.assert_array_equal(decoded["new_cache"], [[1, 7], [2, 8]])
    assert decoded["logits"].shape == (2, 2, tiny.VOCABULARY)


async def test_rows_of_a_batch_are_items_of_their_own(engines: Callable[..., Engine]) -> None:
    engine = engines(tiny.ONE_SHOT)
    [model] = engine.settings.models
    numbers = np.arange(15, dtype=np.float32).reshape(5, 3)
    conversation = infer(NamedGraph("tiny", model, tiny.ONE_SHOT.graph), {"numbers": numbers})
    submitted = next(conversation)
    assert isinstance(submitted, Submit)
    assert [item.graph for item in submitted.items] == [None] * 5  # so that they share batches with a task's items
    conversation.close()
    conversation = infer(NamedGraph("tiny", model, tiny.ONE_SHOT.graph), {"numbers": numbers})
    np.testing.assert_array_equal((await converse(engine, conversation))["doubled"], 2 * numbers)
