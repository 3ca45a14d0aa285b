"""OpenAI's own client, unmodified, against our server: formats, streaming, and its exceptions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from tests import recordings
from tests.e2e.speech import BECKETT, OPENAI, long_recording
from tests.serving import Server


@pytest.fixture
def client(speech_server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{speech_server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, name: str = "beckett", **options: Any) -> Any:
    file = options.pop("file", recordings.path(name))
    return client.audio.transcriptions.create(**{"model": "whisper-1", "file": file, **options})


def test_json_is_the_text(client: openai.OpenAI) -> None:
    assert ask(client).text == BECKETT
    assert ask(client, model="whisper-tiny-en", response_format="json", temperature=0, language="en").text == BECKETT
    assert ask(client, response_format="text") == BECKETT + "\n"


@pytest.fixture(scope="module")
def verbose(speech_server: Server) -> Any:
    """Two Cities, 44 seconds: what other formats are compared with."""
    with openai.OpenAI(base_url=f"{speech_server.url}/v1", api_key="none", max_retries=0) as client:
        return ask(client, "two_cities", response_format="verbose_json", timestamp_granularities=["segment"])


def test_verbose_json_has_segments(verbose: Any) -> None:
    answer = verbose
    assert answer.language == "english"
    assert answer.duration == pytest.approx(44.374)
    assert [segment.id for segment in answer.segments] == list(range(len(answer.segments)))
    assert (answer.segments[0].start, answer.segments[0].end) == (0.0, 5.08)
    assert "".join(segment.text for segment in answer.segments).strip() == answer.text
    assert all(-1 < segment.avg_logprob < 0 and segment.no_speech_prob < 0.6 for segment in answer.segments)


CUE = re.compile(r"(\d\d:\d\d:\d\d[,.]\d{3}) --> (\d\d:\d\d:\d\d[,.]\d{3})\n(.+)\n")


def test_subtitles(client: openai.OpenAI, verbose: Any) -> None:
    srt = ask(client, "two_cities", response_format="srt")
    assert srt.startswith("1\n00:00:00,000 --> 00:00:05,080\nIt was the best of times")
    assert [cue[2] for cue in CUE.findall(srt)] == [segment.text.strip() for segment in verbose.segments]
    assert len(CUE.findall(srt)) == 10
    vtt = ask(client, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> ")
    assert " ".join(cue[2] for cue in CUE.findall(vtt)) == BECKETT


def test_a_stream_is_the_text_in_pieces(client: openai.OpenAI, verbose: Any) -> None:
    events = list(ask(client, "two_cities", stream=True))
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == verbose.text


def steps(speech: httpx.Client) -> float:
    """How many steps the models have taken, by the metrics."""
    counts = re.findall(r"^ekiben_batch_size_count{.*} (\S+)$", speech.get("/metrics").text, re.MULTILINE)
    return sum(map(float, counts))


def test_the_first_words_of_a_long_recording_come_early(
    client: openai.OpenAI, speech: httpx.Client, tmp_path: Path
) -> None:
    file = tmp_path / "long.flac"
    file.write_bytes(recordings.encoded(long_recording(150), "flac", "flac"))
    before = steps(speech)
    stream = iter(ask(client, file=file, stream=True))
    next(stream)
    first = steps(speech) - before
    assert len(list(stream)) >= 4
    assert first < (steps(speech) - before) / 2


def gone(speech: httpx.Client) -> float:
    """How many clients of this route have gone away before their answer ended, by the metrics."""
    counts = re.findall(r"^ekiben_requests_total{(.*)} (\S+)$", speech.get("/metrics").text, re.MULTILINE)
    return sum(float(count) for labels, count in counts if f'route="{OPENAI}"' in labels and 'status="499"' in labels)


def test_a_listener_who_goes_away_frees_the_place(client: openai.OpenAI, speech: httpx.Client, tmp_path: Path) -> None:
    file = tmp_path / "long.flac"
    file.write_bytes(recordings.encoded(long_recording(100), "flac", "flac"))
    before = gone(speech)
    stream = ask(client, file=file, stream=True)
    next(iter(stream))
    assert gone(speech) == before
    stream.close()
    started = perf_counter()
    while gone(speech) == before:
        assert perf_counter() - started < 5, "the server goes on for nobody"


def test_silence_streams_an_empty_text(client: openai.OpenAI) -> None:
    events = list(ask(client, file=("silence.wav", recordings.encoded(np.zeros(16_000))), stream=True))
    assert [(event.type, event.text) for event in events] == [("transcript.text.done", "")]


def test_a_prompt_steers_the_spelling(client: openai.OpenAI) -> None:
    assert "Clubs" in ask(client, "cards-001", prompt="Ace of Clubs. Ten of Clubs. Queen of Clubs.").text


NO_SOUND = ("notes.wav", b"It was the best of times " * 50)
REFUSED: dict[str, tuple[dict[str, Any], type[openai.APIStatusError], str | None]] = {
    "a model that there is not": ({"model": "gpt-4o-transcribe"}, openai.NotFoundError, "model"),
    "a model of another task": ({"model": "efficientnet-lite0"}, openai.NotFoundError, "model"),
    "an empty file": ({"file": ("empty.wav", b"")}, openai.BadRequestError, "file"),
    "a file that is no sound": ({"file": NO_SOUND}, openai.BadRequestError, "file"),
    "no sound, streamed": ({"file": NO_SOUND, "stream": True}, openai.BadRequestError, "file"),
    "a text file": ({"file": ("notes.txt", b"notes")}, openai.BadRequestError, None),
    "times of words": ({"timestamp_granularities": ["word"]}, openai.BadRequestError, "timestamp_granularities[]"),
    "times of a model without": (
        {"model": "moonshine-tiny-en", "response_format": "verbose_json"},
        openai.BadRequestError,
        "response_format",
    ),
    "a format": ({"response_format": "xml"}, openai.BadRequestError, "response_format"),
    "streamed subtitles": ({"response_format": "srt", "stream": True}, openai.BadRequestError, "response_format"),
    "a language": ({"language": "pt"}, openai.BadRequestError, "language"),
    "a temperature": ({"temperature": 3}, openai.BadRequestError, "temperature"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_the_client_s_own_exceptions(client: openai.OpenAI, name: str) -> None:
    options, kind, parameter = REFUSED[name]
    with pytest.raises(kind) as caught:
        ask(client, **options)
    body: Any = caught.value.body
    assert set(body) == {"message", "type", "param", "code"}
    assert body["type"] == "invalid_request_error"
    assert body["param"] == parameter


def test_beyond_the_budget_is_413(client: openai.OpenAI, speech: httpx.Client) -> None:
    long = recordings.encoded(np.zeros(301 * 48_000), "ogg", "libopus", rate=48_000, bit_rate=6_000)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, file=("long.ogg", long))
    assert caught.value.status_code == 413
    assert speech.post(OPENAI, content=b"plain").status_code == 400
