"""Speech recognition over HTTP: the three request forms, timestamps, odd recordings, and company."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from models.speech.audio import RATE, Samples
from tests import recordings
from tests.e2e.checks import problem
from tests.e2e.speech import BECKETT, ROUTE, long_recording, words
from tests.serving import Server


def text(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"text"}
    return str(response.json()["text"])


def test_raw_bytes_a_form_and_json_give_one_answer(speech: httpx.Client) -> None:
    data = recordings.data("beckett")
    answers = [
        speech.post(ROUTE, content=data, headers={"Content-Type": "audio/wav"}),
        speech.post(ROUTE, content=data),
        speech.post(ROUTE, files={"audio": ("beckett.wav", data)}),
        speech.post(ROUTE, json={"inputs": base64.b64encode(data).decode()}),
    ]
    assert [text(answer) for answer in answers] == [BECKETT] * 4
    assert answers[0].headers["X-Ekiben-Model"] == "whisper-tiny-en"


def test_timestamps_are_seconds_of_the_recording(speech: httpx.Client) -> None:
    data = recordings.data("two_cities")
    response = speech.post(ROUTE, content=data, params={"return_timestamps": "segment"})
    document = response.json()
    assert document["text"].startswith("It was the best of times, it was the worst of times.")
    times = [tuple(chunk["timestamp"]) for chunk in document["chunks"]]
    assert times[0] == (0.0, 5.08)
    assert times == sorted(times)
    assert 40 < times[-1][1] <= len(recordings.samples("two_cities")) / RATE
    assert " ".join(chunk["text"] for chunk in document["chunks"]) == document["text"]


@pytest.mark.parametrize(
    ("container", "codec", "rate", "media_type"),
    [
        ("mp3", "libmp3lame", 44_100, "audio/mpeg"),
        ("webm", "libopus", 48_000, "video/webm"),
        ("ipod", "aac", 44_100, "audio/x-m4a"),
        ("wav", "pcm_mulaw", 8_000, "audio/wav"),
        ("wav", "pcm_s16le", 96_000, "audio/x-wav"),
    ],
)
def test_what_people_record_is_understood(
    speech: httpx.Client, container: str, codec: str, rate: int, media_type: str
) -> None:
    samples = recordings.samples("beckett")
    times = np.arange(len(samples) * rate // RATE) * RATE / rate
    resampled = np.interp(times, np.arange(len(samples)), samples)
    data = recordings.encoded(resampled, container, codec, rate=rate, layout="stereo")
    heard = text(speech.post(ROUTE, content=data, headers={"Content-Type": media_type}))
    assert words(heard) == words(BECKETT)


def tone(seconds: float) -> Samples:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


NOBODY_SPEAKS: dict[str, Samples] = {
    "silence": np.zeros(5 * RATE, np.float32),
    "a minute of silence": np.zeros(60 * RATE, np.float32),
    "noise": np.random.default_rng(0).normal(0, 0.1, 5 * RATE).astype(np.float32),
    "a tone": tone(5),
    "0.05 s": recordings.samples("beckett")[20_000:20_800],
    "one sample": recordings.samples("beckett")[:1],
}


@pytest.mark.parametrize("name", NOBODY_SPEAKS)
def test_where_nobody_speaks_there_is_no_text(speech: httpx.Client, name: str) -> None:
    assert text(speech.post(ROUTE, content=recordings.encoded(NOBODY_SPEAKS[name]))) == ""


def test_speech_that_really_repeats_is_all_there(speech: httpx.Client) -> None:
    again = np.tile(recordings.samples("beckett"), 3)
    heard = text(speech.post(ROUTE, content=recordings.encoded(again[: 29 * RATE])))
    assert words(heard).count("better") + words(heard).count("tried") >= 5, heard


def test_what_is_no_recording_is_422(speech: httpx.Client) -> None:
    problem(speech.post(ROUTE, content=b"It was the best of times " * 50), 422, field="audio")
    half = recordings.encoded(recordings.samples("beckett"), "ipod", "aac")[:40_000]
    problem(speech.post(ROUTE, content=half), 422, field="audio")
    problem(speech.post(ROUTE, content=b""), 422, field="audio")


def test_other_media_are_415(speech: httpx.Client) -> None:
    problem(speech.post(ROUTE, content=b"\x89PNG\r\n\x1a\n" + bytes(100)), 415)
    problem(speech.post(ROUTE, content=recordings.data("beckett"), headers={"Content-Type": "image/png"}), 415)


def test_a_language_that_the_model_does_not_know_is_422(speech: httpx.Client) -> None:
    data = recordings.data("librivox-0880")
    problem(speech.post(ROUTE, content=data, params={"language": "pt"}), 422, field="language")
    assert text(speech.post(ROUTE, content=data, params={"language": "EN"})).startswith("He was")


def test_moonshine_hears_and_gives_no_times(speech: httpx.Client) -> None:
    moonshine = {"model": "moonshine-tiny-en"}
    data = recordings.data("two_cities")
    heard = words(text(speech.post(ROUTE, content=data, params=moonshine)))
    assert len(set(heard) & set(recordings.TEXTS["two_cities"].split())) > 50
    asked = speech.post(ROUTE, content=data, params={**moonshine, "return_timestamps": True})
    problem(asked, 422, field="return_timestamps", says="no timestamps")


def test_a_small_file_that_unfolds_beyond_the_budget_is_413(speech: httpx.Client) -> None:
    bomb = recordings.encoded(np.zeros(301 * 48_000), "ogg", "libopus", rate=48_000, bit_rate=6_000)
    assert len(bomb) < 300_000
    problem(speech.post(ROUTE, content=bomb), 413, says="300 seconds")


def test_short_clips_do_not_wait_for_a_long_one(speech: httpx.Client, speech_server: Server) -> None:
    clip = recordings.data("librivox-0880")

    def ask(data: bytes) -> None:
        with httpx.Client(base_url=speech_server.url, timeout=300) as client:
            assert client.post(ROUTE, content=data).status_code == 200

    with ThreadPoolExecutor(1) as executor:
        long = executor.submit(ask, recordings.encoded(long_recording(150), "flac", "flac"))
        answered = 0
        while not long.done():
            ask(clip)
            answered += 1
        long.result()
    assert answered > 4, "all but the last came before the long one was done"


def test_many_at_once_have_the_answers_of_each_alone(speech: httpx.Client) -> None:
    names = [*recordings.CLIPS[:7], "beckett"]
    alone = {name: text(speech.post(ROUTE, content=recordings.data(name))) for name in names}
    with ThreadPoolExecutor(8) as executor:
        together = list(executor.map(lambda name: text(speech.post(ROUTE, content=recordings.data(name))), names))
    assert dict(zip(names, together, strict=True)) == alone
