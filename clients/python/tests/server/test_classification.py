"""Image classification by the real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ekiben_client import AsyncClient, Client, errors

from .serving import Server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as opened:
        yield opened


def test_every_form_of_a_picture_gives_the_same_labels(client: Client, server: Server, cat: Path) -> None:
    by_path = client.classify(cat)
    assert by_path.best.label == "tiger cat"
    with Image.open(cat) as image, cat.open("rb") as file:
        for picture in (cat.read_bytes(), file, image, np.asarray(image)):
            assert client.classify(picture) == by_path

    async def ask() -> None:
        async with AsyncClient(server.url) as asynchronous:
            assert await asynchronous.classify(cat) == by_path

    asyncio.run(ask())


def test_the_meta_is_the_servers(client: Client, cat: Path) -> None:
    meta = client.classify(cat, top_k=1, model="efficientnet-lite0").meta
    assert (meta.model, meta.provider, meta.attempts) == ("efficientnet-lite0", "CPUExecutionProvider", 1)
    assert 0 < meta.timing.infer_ms / 1e3 < meta.elapsed_seconds


def test_refusals_name_the_field(client: Client, cat: Path) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        client.classify(cat, top_k=5_000)
    assert caught.value.fields[0].field == "top_k"
    with pytest.raises(errors.InvalidInput) as caught:
        client.classify(b"not a picture")
    assert caught.value.fields[0].field == "image"
    with pytest.raises(errors.NotFound):
        client.classify(cat, model="nobody")
    with pytest.raises(errors.UnsupportedMedia):
        client.classify(b"GIF89a" + bytes(100))
    with pytest.raises(errors.BudgetExceeded):
        client.classify(bytes(26_000_000))


def test_models_and_readiness(client: Client) -> None:
    assert client.ready()
    [model] = [model for model in client.models() if model.id == "efficientnet-lite0"]
    assert (model.task, model.default, model.provider) == ("image-classification", True, "CPUExecutionProvider")


def test_metrics_count_what_was_asked(client: Client, cat: Path) -> None:
    client.classify(cat)
    assert 'ekiben_requests_total{route="/v1/image-classification",status="200"}' in client.metrics()


def test_a_deadline_that_cannot_be_kept_is_missed(client: Client, cat: Path) -> None:
    with pytest.raises(errors.DeadlineExceeded):
        client.classify(cat, timeout=0.002)
