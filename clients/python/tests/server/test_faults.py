"""The server is killed and comes back while requests are under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ekiben_client import AsyncClient, Client, errors

from .serving import Server


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that tests may kill; they leave it running."""
    running = Server(tmp_path_factory.mktemp("mortal"), EKIBEN_MODELS="efficientnet-lite0")  # is soon back
    running.start()
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


PICTURES, KILLED_AT = 120, 30


def test_with_retries_no_picture_is_lost(mortal: Server, admiral: Path) -> None:
    with Client(mortal.url, retries=20, timeout=90) as client:
        expected = client.classify(admiral)
        attempts = []
        for number, outcome in enumerate(client.classify_many([admiral] * PICTURES, in_flight=8)):
            if number == KILLED_AT:
                mortal.kill()
                mortal.start()
            assert outcome.result() == expected
            attempts.append(outcome.result().meta.attempts)
    assert len(attempts) == PICTURES
    assert max(attempts) > 1


def test_with_retries_no_picture_is_lost_on_asyncio(mortal: Server, admiral: Path) -> None:
    async def run() -> list[int]:
        async with AsyncClient(mortal.url, retries=20, timeout=90) as client:
            expected = await client.classify(admiral)
            attempts: list[int] = []
            async for outcome in client.classify_many([admiral] * PICTURES, in_flight=8):
                if len(attempts) == KILLED_AT:
                    mortal.kill()
                    mortal.start()
                assert outcome.result() == expected
                attempts.append(outcome.result().meta.attempts)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return attempts

    attempts = asyncio.run(run())
    assert len(attempts) == PICTURES
    assert max(attempts) > 1


def test_without_retries_what_is_lost_says_so_and_the_rest_is_answered(mortal: Server, admiral: Path) -> None:
    with Client(mortal.url, retries=0) as client:
        expected = client.classify(admiral)
        lost = []

        def pictures() -> Iterator[Path]:
            yield from [admiral] * KILLED_AT
            mortal.kill()
            yield from [admiral] * 20
            mortal.start()
            mortal.wait_until_ready()
            yield from [admiral] * KILLED_AT

        for outcome in client.classify_many(pictures(), in_flight=4):
            if outcome.error is None:
                assert outcome.result() == expected
            else:
                lost.append(outcome.error)
    assert lost
    assert {type(error) for error in lost} <= {errors.ConnectionFailed, errors.Unavailable}
    assert all(error.request_id for error in lost)
