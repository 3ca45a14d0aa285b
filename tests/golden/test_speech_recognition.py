"""Tokens, texts and times against the reference runtimes (`reference` in the golden file says which)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio

from models import find_model
from models.model import Model, Stepwise
from models.speech.audio import RATE, Samples
from models.speech.model import SpeechModel, Transcript, Wish
from models.speech_recognition import SpeechParameters, SpeechRecognition
from models.task import Conversation, Item, Request, Submit
from services.engine import Engine, Timings
from services.exports import find_export
from services.settings import Settings
from tests import recordings
from tests.stepping import BoundSession, load, step_together

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("whisper_tiny_en.json").read_text("utf-8"))
MODEL = find_model("whisper-tiny-en")
MOONSHINE = find_model("moonshine-tiny-en")

# By the package's own graphs in ONNX Runtime, greedy.
MOONSHINE_TEXTS = {
    "librivox-0870": "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his "
    "power to do for them.",
    "librivox-0880": "He was not an ill-sposed young man.",
    "librivox-0890": "Unless to be rather cold-hearted and rather selfish, is to be ill-disposed,",
    "librivox-0920": "Had he married a more amiable woman, he might have been made still more respectable than he was.",
    "librivox-0930": "He might even have been made amiable himself.",
    "cards-001": "Ten of clubs.",
    "cards-002": "Four queen of gloves.",
    "cards-003": "Seven of clubs.",
    "cards-004": "Five, five.",
    "cards-005": "Eight of spades, four of cloves, seven of hearts.",
    "beckett": "Ever tried, ever failed, no matter, try again, fail again, fail better.",
}
GREEDY = 0.0


class Transcribing(SpeechRecognition):
    """The task on samples, with the whole transcript for its answer."""

    def __init__(self, samples: Samples, *, timestamps: bool = False) -> None:
        self._samples = samples
        self._wish = Wish(timestamps=timestamps, temperature=GREEDY)

    def converse(self, model: SpeechModel, request: Request[SpeechParameters]) -> Conversation[Transcript]:
        return model.transcribe([self._samples], self._wish, request.opened[model.id])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[Engine]:
    made = Engine(Settings(device="cpu", models=(MODEL, MOONSHINE)))
    made.start()
    assert made._loading is not None
    await made._loading
    assert made.ready, made.failure
    yield made
    await made.stop()


async def transcribe(engine: Engine, samples: Samples, *, timestamps: bool = False, model: Model = MODEL) -> Transcript:
    task = Transcribing(samples, timestamps=timestamps)
    deadline = asyncio.get_running_loop().time() + 600
    request = Request({}, SpeechParameters())
    answer = await engine.answer(task, model, request, deadline=deadline, timings=Timings())
    assert isinstance(answer, Transcript)
    return answer


@pytest.mark.asyncio(loop_scope="module")
async def test_clips_have_the_reference_s_tokens_in_any_company(engine: Engine) -> None:
    golden = GOLDEN["clips"]
    asked = {name: recordings.samples(name)[: 30 * RATE] for name in golden}
    answers = await asyncio.gather(*(transcribe(engine, samples) for samples in asked.values()))
    for name, answer in zip(asked, answers, strict=True):
        [segment] = answer.segments
        assert list(segment.tokens) == golden[name]["tokens"], name
        assert answer.text == golden[name]["text"]
        assert segment.no_speech_probability == pytest.approx(golden[name]["no_speech"], abs=0.01)


def test_clips_have_the_reference_s_tokens_where_the_cache_stays_on_a_device() -> None:
    assert isinstance(MODEL, SpeechModel) and isinstance(MODEL.protocol, Stepwise)
    export = find_export(MODEL)
    opened, wish = MODEL.open(export.file), Wish(temperature=GREEDY)
    items: list[Item] = []
    for name in GOLDEN["clips"]:
        actions = MODEL.transcribe([recordings.samples(name)[: 30 * RATE]], wish, opened)
        items += next(action.items for action in actions if isinstance(action, Submit))
    written = step_together(load(MODEL.protocol, export, BoundSession), items, range(0, 3 * len(items), 3))
    for (name, golden), each in zip(GOLDEN["clips"].items(), written, strict=True):
        assert list(each.tokens) == golden["tokens"], name


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", GOLDEN["long"])
async def test_segments_of_a_long_recording_are_the_reference_s(engine: Engine, name: str) -> None:
    golden = GOLDEN["long"][name]
    answer = await transcribe(engine, recordings.joined(golden["recordings"]), timestamps=True)
    assert answer.duration == pytest.approx(golden["seconds"])
    assert [each.text.strip() for each in answer.segments] == [text for _, _, text in golden["segments"]]
    times = np.array([(each.start, each.end) for each in answer.segments])
    assert times == pytest.approx(np.array([(start, end) for start, end, _ in golden["segments"]]), abs=0.011)


@pytest.mark.parametrize("name", ["librivox-0880", "cards-005", "beckett"])
def test_texts_over_http_are_the_reference_s(speech: httpx.Client, name: str) -> None:
    response = speech.post("/v1/speech-recognition", content=recordings.data(name), params={"temperature": 0})
    assert response.json() == {"text": GOLDEN["clips"][name]["text"]}


@pytest.mark.asyncio(loop_scope="module")
async def test_moonshine_s_texts_are_those_of_its_package_in_any_company(engine: Engine) -> None:
    answers = await asyncio.gather(
        *(transcribe(engine, recordings.samples(name), model=MOONSHINE) for name in MOONSHINE_TEXTS)
    )
    assert dict(zip(MOONSHINE_TEXTS, (each.text for each in answers), strict=True)) == MOONSHINE_TEXTS
