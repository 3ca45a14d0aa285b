"""`python -m benchmarks.speech_quality`: word error rates beside those of the reference runtimes.

Words are compared after Whisper's own normaliser for English. What the references heard is in `tests/golden`:
CTranslate2 and faster-whisper for Whisper, the package's own graphs for Moonshine.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jiwer

from exporters.transformers_import import transformers as transformers  # before the normaliser, which is part of it
from models import find_model
from models.model import Model
from models.speech.audio import RATE
from models.speech_recognition import SpeechParameters, SpeechRecognition
from models.task import Request
from services.engine import Engine, Timings
from services.settings import Settings
from tests import recordings
from tests.golden.test_speech_recognition import MOONSHINE_TEXTS
from tests.serving import ROOT

GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/golden/whisper_tiny_en.json").read_text("utf-8"))


@dataclass(frozen=True)
class Case:
    """Recordings, heard one by one or as one, and what each reference heard."""

    title: str
    names: Sequence[str]
    as_one: bool = False

    @property
    def spoken(self) -> list[str]:
        texts = [recordings.TEXTS[name] for name in self.names]
        return [" ".join(texts)] if self.as_one else texts

    @property
    def seconds(self) -> str:
        lengths = [len(recordings.samples(name)) / RATE for name in self.names]
        return f"{sum(lengths):.0f}" if self.as_one else f"{min(lengths):.0f}-{max(lengths):.0f}"

    def data(self) -> list[bytes]:
        if self.as_one:
            return [recordings.encoded(recordings.joined(list(self.names)))]
        return [recordings.data(name) for name in self.names]


LIBRIVOX = [name for name in recordings.CLIPS if name.startswith("librivox")]
CARDS = [name for name in recordings.CLIPS if name.startswith("cards")]
JOINED = GOLDEN["long"]["joined"]["recordings"]
CASES = [
    Case("playing cards", CARDS),
    Case("LibriVox", LIBRIVOX),
    Case("Beckett", ["beckett"]),
    Case("LibriVox, joined", LIBRIVOX, as_one=True),
    Case("Two Cities", ["two_cities"], as_one=True),
    Case("all, joined", JOINED, as_one=True),
]


def reference(model: Model, case: Case) -> list[str] | None:
    """What the reference runtime heard; None where it was not asked."""
    if model.id == "moonshine-tiny-en":
        known = not case.as_one and set(case.names) <= set(MOONSHINE_TEXTS)
        return [MOONSHINE_TEXTS[name] for name in case.names] if known else None
    if not case.as_one:
        return [GOLDEN["clips"][name]["text"] for name in case.names]
    for long in GOLDEN["long"].values():
        if list(case.names) == long["recordings"]:
            return [" ".join(text for _, _, text in long["segments"])]
    return None


def error_rate(spoken: Sequence[str], heard: Sequence[str]) -> float:
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    normal: Any = EnglishTextNormalizer({})  # type: ignore[no-untyped-call]
    return float(jiwer.wer([normal(text) for text in spoken], [normal(text) for text in heard]))


async def hear(engine: Engine, model: Model, data: Sequence[bytes]) -> list[str]:
    deadline = asyncio.get_running_loop().time() + 3600

    async def one(body: bytes) -> str:
        request = Request({"audio": body}, SpeechParameters())
        answer = await engine.answer(SpeechRecognition(), model, request, deadline=deadline, timings=Timings())
        return str(answer.text)

    return list(await asyncio.gather(*(one(body) for body in data)))


async def table() -> str:
    models = (find_model("whisper-tiny-en"), find_model("moonshine-tiny-en"))
    engine = Engine(Settings(device="cpu", models=models))
    engine.start()
    try:
        return await rows(engine, models)
    finally:
        await engine.stop()


async def rows(engine: Engine, models: Sequence[Model]) -> str:
    while not engine.ready:
        assert engine.failure is None, engine.failure
        await asyncio.sleep(0.1)
    lines = [
        "| recordings | seconds | words | model | error rate | reference's |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for case in CASES:
        for model in models:
            heard = error_rate(case.spoken, await hear(engine, model, case.data()))
            known = reference(model, case)
            theirs = "" if known is None else f"{error_rate(case.spoken, known):.3f}"
            words = sum(len(text.split()) for text in case.spoken)
            lines.append(f"| {case.title} | {case.seconds} | {words} | {model.id} | {heard:.3f} | {theirs} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(asyncio.run(table()))
