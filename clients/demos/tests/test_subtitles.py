"""Subtitles: recordings are cut at pauses, speech becomes sentences with times, cues become files."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import FilePayload, Page, expect

from ekiben_demos.faults import CannotDo
from ekiben_demos.media import example
from ekiben_demos.speech.cue_list import cue_list, files
from ekiben_demos.speech.pauses import RATE, Piece, cut, pieces_of
from ekiben_demos.speech.sentences import Said, complete_sentences, cues_of, sentences_of
from ekiben_demos.speech.subtitles import Cue, short_clock, srt, vtt

SENTENCES = "He was not an ill-disposed young man. Unless to be rather cold-hearted is to be ill-disposed! Is it?"


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).integers(-9000, 9000, int(seconds * RATE)).astype(np.int16)


@settings(max_examples=25)
@given(st.lists(st.floats(0.05, 9.0), max_size=6))
def test_pieces_are_the_whole_recording(blocks: list[float]) -> None:
    whole = [noise(seconds) for seconds in blocks]
    pieces = list(cut(iter(whole)))
    nothing = noise(0)
    assert np.array_equal(
        np.concatenate([nothing, *(each.samples for each in pieces)]), np.concatenate([nothing, *whole])
    )
    assert all(4 <= each.seconds <= 14 for each in pieces[:-1])
    ends = np.cumsum([0.0, *(each.seconds for each in pieces)])
    assert [each.start for each in pieces] == pytest.approx(list(ends[:-1]))


def test_the_cut_is_in_the_pause() -> None:
    recording = np.concatenate([noise(7.0), np.zeros(RATE // 2, np.int16), noise(12.0)])
    [first, _] = cut(iter([recording]))
    assert 7.0 < first.seconds < 7.5


def test_the_reading_is_cut_between_sentences() -> None:
    pieces = list(pieces_of(example("sense-and-sensibility.mp3")))
    assert len(pieces) > 1
    assert sum(each.seconds for each in pieces) == pytest.approx(27.2, abs=0.1)
    for piece in pieces[1:]:  # the reader pauses there
        assert np.abs(piece.samples[: RATE // 20].astype(int)).mean() < 200


def test_what_has_no_sound_is_refused() -> None:
    with pytest.raises(CannotDo, match="no sound"):
        list(pieces_of(example("street.mp4")))
    with pytest.raises(av.error.InvalidDataError):
        list(pieces_of(example("LICENCES.md")))


def test_a_piece_is_a_wav() -> None:
    with wave.open(io.BytesIO(Piece(0.0, noise(1.0)).wav())) as read:
        assert (read.getframerate(), read.getnchannels(), read.getnframes()) == (RATE, 1, RATE)
        assert np.array_equal(np.frombuffer(read.readframes(RATE), "<i2"), noise(1.0))


def test_sentences_over_several_chunks_have_one_cue() -> None:
    said = [Said("He was not", 1.0, 2.0), Said(" an ill-disposed young man. Is", 2.0, 4.9), Said("it? ", 4.9, 5.4)]
    first, second = cues_of(said)
    assert (first.text, second.text) == ("He was not an ill-disposed young man.", "Is it?")
    assert first.start == 1.0
    assert first.end == pytest.approx(2.0 + 2.9 * 26 / 29)
    assert first.end < second.start < 4.9
    assert second.end == pytest.approx(5.4)


@given(st.lists(st.tuples(st.sampled_from(SENTENCES.split()), st.floats(0.1, 5)), max_size=30))
def test_cues_say_everything_in_order(words: list[tuple[str, float]]) -> None:
    said, now = [], 0.0
    for word, seconds in words:
        said.append(Said(f" {word}", now, now + seconds))
        now += seconds
    cues = cues_of(said)
    assert " ".join(cue.text for cue in cues).split() == [word for word, _ in words]
    times = [time for cue in cues for time in (cue.start, cue.end)]
    assert times == sorted(times)
    assert times[:1] in ([], [0.0])
    assert times[-1:] in ([], [now])


@given(st.data())
def test_a_text_in_pieces_has_the_same_words(data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(SENTENCES)), max_size=8)))
    pieces = [SENTENCES[a:b] for a, b in zip([0, *places], [*places, len(SENTENCES)], strict=True)]
    assert " ".join(complete_sentences(pieces)).split() == SENTENCES.split()


def test_a_sentence_is_out_as_soon_as_the_next_one_begins() -> None:
    taken: list[str] = []

    def pieces() -> object:
        for word in SENTENCES.split(" "):
            taken.append(word)
            yield f"{word} "

    assert next(complete_sentences(pieces())) == sentences_of(SENTENCES)[0]  # type: ignore[arg-type]
    assert len(taken) < len(SENTENCES.split(" "))


CUES = [Cue(0.0, 1.5, "One <b> & two"), Cue(3661.25, 3662.0, "a --> b\n\nc")]


def test_files_of_subtitles() -> None:
    assert srt(CUES) == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne <b> & two\n\n2\n01:01:01,250 --> 01:01:02,000\na → b c\n\n"
    )
    assert vtt(CUES).startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne &lt;b&gt; &amp; two\n\n01:01:01.250")
    assert (short_clock(7.9), short_clock(3661)) == ("0:07", "1:01:01")


def test_what_is_said_cannot_break_the_page() -> None:
    assert "<b>" not in cue_list(CUES, CUES)
    assert '"><' not in files('a"><i>', CUES, CUES).partition("href")[0]


COUNT_ROWS = """
window.counts = [];
const count = () => counts.push(document.querySelectorAll('.cues li').length);
new MutationObserver(count).observe(document.querySelector('#cue-list'), {childList: true, subtree: true});
"""


def test_a_recording_gets_subtitles_while_it_is_heard(page: Page, examples: Path) -> None:
    page.goto("/subtitles")
    page.locator("#cue-list").wait_for(state="attached")
    page.evaluate(COUNT_ROWS)
    page.locator("#subtitles-audio input[type=file]").set_input_files(examples / "sense-and-sensibility.mp3")
    rows = page.locator(".cues li")
    expect(rows.first).to_contain_text("John Dashwood", timeout=60_000)
    expect(rows.first).to_contain_text("John Dashwood tinha")
    expect(page.locator("#subtitles-status")).to_contain_text("5 sentences.", timeout=60_000)
    expect(rows).to_have_count(5)
    assert page.evaluate("counts.some(count => 0 < count && count < 5)")  # before all of it was heard

    rows.nth(3).get_by_role("button", name="Play from 0:17").click()
    expect(rows.nth(3)).to_have_class("now")
    tracks = page.evaluate(
        "[...document.querySelector('video').textTracks].map(each => [each.language, each.cues.length])"
    )
    assert tracks == [["en", 5], ["pt", 5]]
    assert 17 <= page.evaluate("document.querySelector('video').currentTime") < 27
    expect(page.locator(".caption [lang=en]")).to_contain_text("Had he married a more amiable woman")
    expect(page.locator(".caption [lang=pt]")).to_contain_text("mulher mais amável")


def test_subtitles_are_downloaded_as_files(page: Page, examples: Path) -> None:
    page.goto("/subtitles")
    page.locator("#subtitles-audio input[type=file]").set_input_files(examples / "not-ill-disposed.mp3")
    downloads = {}
    for link in ("English, .srt", "Português, .vtt"):
        with page.expect_download(timeout=60_000) as download:
            page.get_by_role("link", name=link).click(timeout=60_000)
        downloads[download.value.suggested_filename] = download.value.path().read_text("utf-8")
    assert list(downloads) == ["not-ill-disposed.en.srt", "not-ill-disposed.pt.vtt"]
    assert downloads["not-ill-disposed.en.srt"].startswith("1\n00:00:00,000 --> 00:00:0")
    assert downloads["not-ill-disposed.pt.vtt"].startswith("WEBVTT\n\n00:00:00.000 --> 00:00:0")
    assert "jovem" in downloads["not-ill-disposed.pt.vtt"]


def test_silence_is_told_in_a_sentence(page: Page) -> None:
    silence = Piece(0.0, np.zeros(2 * RATE, np.int16)).wav()
    page.goto("/subtitles")
    file = FilePayload(name="silence.wav", mimeType="audio/wav", buffer=silence)
    page.locator("#subtitles-audio input[type=file]").set_input_files(file)
    told = "Nobody speaks in this recording, or too quietly."
    expect(page.get_by_test_id("toast-text")).to_have_text(told, timeout=30_000)


def test_what_is_no_recording_is_told_in_a_sentence(unwatched_page: Page) -> None:
    page = unwatched_page  # Gradio's waveform complains on the console
    page.goto("/subtitles")
    file = FilePayload(name="bad.wav", mimeType="audio/wav", buffer=b"no recording at all")
    page.locator("#subtitles-audio input[type=file]").set_input_files(file)
    told = "This file is not a video or a recording that can be read."
    expect(page.get_by_test_id("toast-text")).to_have_text(told, timeout=30_000)
