"""Voice commands: every sentence that the page promises is understood, however it is said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, BrowserType, FilePayload, Page, expect

from ekiben_demos.house.commands import INTENTS, MIN_SCORE, Intent, best_match
from ekiben_demos.house.drawing import describe, draw
from ekiben_demos.house.state import MAX_TIMERS, House, start_countdown
from ekiben_demos.house.words import FILLERS, TENS, UNITS, words_of
from ekiben_demos.speech.pauses import RATE, Piece, pieces_of

from .conftest import launch

PROMISED = [(intent, sentence) for intent in INTENTS for sentence in intent.examples]


def done(*sentences: str, now: float = 0.0) -> House:
    """The house after these sentences, each of which is understood."""
    house = House()
    for sentence in sentences:
        match = best_match(sentence)
        assert match is not None
        assert match.understood, (sentence, match)
        house, _ = match.intent.act(house, match.slots, now)
    return house


@pytest.mark.parametrize(("intent", "sentence"), PROMISED)
def test_what_the_page_promises_is_understood(intent: Intent, sentence: str) -> None:
    match = best_match(sentence)
    assert match is not None
    assert match.intent is intent
    assert match.understood


@given(
    st.sampled_from(PROMISED),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.lists(st.sampled_from(sorted(FILLERS - {"a", "an"})), max_size=3),
    st.sampled_from(["", ".", "!", " …", ", please."]),
)
def test_case_fillers_and_punctuation_change_nothing(
    promised: tuple[Intent, str], case: object, fillers: list[str], end: str
) -> None:
    intent, sentence = promised
    plain = best_match(sentence)
    varied = best_match(" ".join([*fillers, case(sentence)]) + end)  # type: ignore[operator]
    assert plain is not None
    assert varied is not None
    assert (varied.intent, varied.slots) == (intent, plain.slots)
    assert varied.score == pytest.approx(plain.score)


@pytest.mark.parametrize(
    ("said", "house"),
    [
        (["Lights on in the kitchen."], House(lights=frozenset({"kitchen"}))),
        (["All the lights on", "Living room light off."], House(lights=frozenset({"kitchen", "bedroom", "bathroom"}))),
        (["Turned off all the lights."], House()),
        (["Lights on in the kitten"], House(lights=frozenset({"kitchen"}))),
        (["Shut the blinds!"], House(blinds_closed=True)),
        (["Set the temperature to 22 degrees."], House(degrees=22)),
        (["Thermostat to ninety"], House(degrees=28)),
        (["Make it a little bit warmer", "It's cold in here"], House(degrees=22)),
        (["Turn the music on"], House(music=True)),
        (["Play a song", "Turn off the music"], House()),
        (["Lights on", "Play music", "Good night"], House(blinds_closed=True)),
    ],
)  # fmt: skip
def test_what_commands_do(said: list[str], house: House) -> None:
    assert done(*said) == house


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("Set a timer for ten minutes", 600),
        ("Set a timer for 10 minutes.", 600),
        ("timer forty-five seconds", 45),
        ("Could you start a timer for an hour", 3600),
        ("Timer for half an hour, please", 1800),
        ("Remind me in a quarter of an hour", 900),
        ("Set a timer for an hour and a half", 5400),
    ],
)
def test_timers_take_numbers_in_words_and_digits(sentence: str, seconds: int) -> None:
    [countdown] = done(sentence, now=1000.0).countdowns
    assert (countdown.seconds, countdown.ends_at) == (seconds, 1000.0 + seconds)
    assert countdown.left(1000.0 + seconds - 1.0) == 1


@given(st.integers(1, 99))
def test_numbers_below_a_hundred_are_read(number: int) -> None:
    tens, units = {value: word for word, value in TENS.items()}, {value: word for word, value in UNITS.items()}
    in_words = units.get(number) or f"{tens[number - number % 10]} {units[number % 10] if number % 10 else ''}"
    assert words_of(f"{in_words} lights") == [str(number), "lights"]


@pytest.mark.parametrize(
    ("sentence", "missing", "negated"),
    [
        ("Lights in the kitchen", ("switch",), False),
        ("Don't turn on the lights", (), True),
        ("Do not close the blinds", (), True),
    ],
)
def test_why_nothing_is_done(sentence: str, missing: tuple[str, ...], negated: bool) -> None:
    match = best_match(sentence)
    assert match is not None
    assert not match.understood
    assert (match.missing, match.negated) == (missing, negated)


@pytest.mark.parametrize("sentence", ["Order a pizza with mushrooms.", "What time is it?", "He was an old man.", "You"])
def test_what_is_no_command_stays_below_the_bound(sentence: str) -> None:
    match = best_match(sentence)
    assert match is None or match.score < MIN_SCORE


@given(st.text(max_size=60))
def test_any_text_has_a_score_from_0_to_1(text: str) -> None:
    match = best_match(text)
    assert match is None or 0 <= match.score <= 1


def test_there_is_room_for_few_timers() -> None:
    house = House()
    for _ in range(MAX_TIMERS + 1):
        house, said = start_countdown(house, {"number": "5", "unit": "minute"}, 0.0)
    assert len(house.countdowns) == MAX_TIMERS
    assert "no room" in said


def test_the_drawing_says_what_it_shows() -> None:
    house = done("Kitchen lights on", "Close the blinds", "Set a timer for ninety seconds", now=100.0)
    told = describe(house, 101.0)
    assert told == "A house. Lights: kitchen. Blinds: closed. Thermostat: 20 degrees. Music: off. Timers: 1:29."
    assert f'aria-label="{told}"' in draw(house, 101.0)
    assert "ring!" in draw(house, 190.0)


@pytest.mark.parametrize(
    ("recording", "seen"),
    [
        ("say-lights.mp3", "[data-room=kitchen][data-lit=true]"),
        ("say-timer.mp3", "[data-timer='600']"),
        ("say-temperature.mp3", "svg[aria-label*='Thermostat: 22 degrees']"),
    ],
)
def test_a_spoken_command_changes_the_house(page: Page, examples: Path, recording: str, seen: str) -> None:
    page.goto("/voice-commands")
    page.locator("#command-audio").get_by_label("Upload file").click()
    page.locator("#command-audio input[type=file]").set_input_files(examples / recording)
    expect(page.locator(seen)).to_be_visible(timeout=60_000)
    expect(page.locator("#heard")).to_contain_text("score 1.00")


def test_typed_commands_add_up_and_timers_count_down(page: Page) -> None:
    page.goto("/voice-commands")
    box = page.get_by_label("Or type it")
    for text, told in (
        ("bedroom lights on", "The lights are on in the bedroom."),
        ("close the blinds please", "The blinds are closed."),
        ("timer for ten minutes", "A timer is set for 10 minutes."),
        ("order a pizza", "Not understood: no pattern reaches 0.75."),
        ("lights in the kitchen", "Not understood: it does not say switch."),
    ):
        box.fill(text)
        box.press("Enter")
        expect(page.locator("#heard")).to_contain_text(told, timeout=30_000)
    house = page.locator("#house svg")
    expect(house).to_have_attribute("aria-label", re.compile("Lights: bedroom. Blinds: closed.*Timers: 9:5"))


def test_each_visitor_has_a_house(page: Page, browser: Browser, demos: str) -> None:
    page.goto("/voice-commands")
    page.get_by_label("Or type it").fill("all lights on")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("[data-lit=true]")).to_have_count(4, timeout=30_000)
    other = browser.new_page(base_url=demos)
    other.goto("/voice-commands")
    expect(other.locator("[data-lit=false]")).to_have_count(4)
    other.close()


def test_what_is_no_recording_is_told_in_a_sentence(unwatched_page: Page) -> None:
    page = unwatched_page  # Gradio's waveform complains on the console
    page.goto("/voice-commands")
    page.locator("#command-audio").get_by_label("Upload file").click()
    file = FilePayload(name="bad.wav", mimeType="audio/wav", buffer=b"no recording at all")
    page.locator("#command-audio input[type=file]").set_input_files(file)
    expect(page.get_by_test_id("toast-text")).to_contain_text("The recording is not a recording", timeout=30_000)


def test_a_command_is_heard_through_the_microphone(
    playwright_chromium: BrowserType, demos: str, examples: Path, tmp_path: Path
) -> None:
    [spoken] = pieces_of(str(examples / "say-lights.mp3"))
    late = np.concatenate([np.zeros(RATE, np.int16), spoken.samples])
    (tmp_path / "spoken.wav").write_bytes(Piece(0.0, late).wav())
    microphone = f"--use-file-for-fake-audio-capture={tmp_path / 'spoken.wav'}%noloop"
    browser = launch(playwright_chromium, microphone)
    page = browser.new_page(base_url=demos)
    page.goto("/voice-commands")
    audio = page.locator("#command-audio")
    audio.get_by_role("button", name="Record", exact=True).click()
    expect(audio.locator("time", has_text="0:04")).to_be_visible(timeout=30_000)
    audio.get_by_role("button", name="Stop").first.click()
    expect(page.locator("[data-room=kitchen][data-lit=true]")).to_be_visible(timeout=60_000)
    browser.close()
