"""Voice commands: a small house that does what it is told."""

from __future__ import annotations

import html
import time
from dataclasses import replace

import gradio as gr

from ekiben_demos import server
from ekiben_demos.demo import Demo
from ekiben_demos.faults import CannotDo, tells_faults
from ekiben_demos.house.commands import INTENTS, MIN_SCORE, Match, best_match
from ekiben_demos.house.drawing import draw
from ekiben_demos.house.state import House
from ekiben_demos.house.words import words_of
from ekiben_demos.media import offer

EXAMPLES = {
    "Lights on in the kitchen": "say-lights.mp3",
    "Set a timer for ten minutes": "say-timer.mp3",
    "Close the blinds": "say-blinds.mp3",
    "Set the temperature to 22 degrees": "say-temperature.mp3",
    "Order a pizza": "say-pizza.mp3",
}

HOW = f"""
<details><summary>How the matching works</summary>
<p>No model decides what you want: the speech model only writes down what you say. Then:</p><ol>
<li>The text becomes words: lower case, no punctuation, numbers in digits, without words that change nothing
(“please”, “the”, “in”).</li>
<li>Each command has patterns of words with slots, such as <code>light {{switch}} {{room?}}</code>; what has a
question mark may be missing. The order does not matter. A heard word stands for one of the pattern when both are
written alike (difflib's ratio is at least 0.7), so that “kitten” still switches the light in the kitchen.</li>
<li>The score is twice the likenesses over the number of words on both sides: 1 when pattern and sentence explain each
other, 0 when they share nothing. The best pattern wins if its score is at least {MIN_SCORE} and nothing that it
needs is missing. A “not” stops everything.</li></ol></details>
"""


def build() -> None:
    house = gr.State(House())
    with gr.Row():
        with gr.Column():
            speech = gr.Audio(
                label="Say something", sources=["microphone", "upload"], type="filepath", elem_id="command-audio"
            )
            typed = gr.Textbox(label="Or type it", placeholder="Lights on in the kitchen", submit_btn="Do it")
            heard = gr.HTML("<p>Nothing heard yet.</p>", elem_id="heard")
        drawing = gr.HTML(draw(House(), 0), elem_id="house", apply_default_css=False)
    offer(speech, EXAMPLES, pictures={})
    gr.HTML(f"{_sentences()}{HOW}")
    timer = gr.Timer(1.0, active=False)
    after = [house, drawing, heard, timer]
    speech.change(hear, [speech, house], after)
    typed.submit(obey, [typed, house], after)
    timer.tick(tick, house, [drawing, timer], show_progress="hidden")


After = tuple[House, str, str, gr.Timer]


@tells_faults
def hear(recording: str | None, house: House) -> After:
    if recording is None:
        return _after(house, "<p>Nothing heard yet.</p>")
    return understand(server.client().recognize_speech(recording).text.strip(), house)


@tells_faults
def obey(text: str, house: House) -> After:
    return understand(text, house)


def understand(text: str, house: House) -> After:
    """Do what the text says, and say what was understood."""
    if not text.strip():
        raise CannotDo("There was nothing to hear. Speak a little louder, or type it.")
    match = best_match(text)
    lines = [f"Heard: <b>“{html.escape(text)}”</b>, compared as <code>{html.escape(' '.join(words_of(text)))}</code>"]
    if match is None:
        return _after(house, _list([*lines, "Not understood: no word is left that could mean anything."]))
    closest = f"{match.intent.title} (<code>{html.escape(match.pattern)}</code>), score {match.score:.2f}"
    if not match.understood:
        return _after(house, _list([*lines, f"Not understood: {_reason(match)}", f"Closest: {closest}"]))
    house, done = match.intent.act(house, match.slots, time.time())
    return _after(house, _list([*lines, f"Understood: {closest}", f"<b>{done}</b>"]))


def tick(house: House) -> tuple[str, gr.Timer]:
    """Timers that run are drawn anew each second."""
    now = time.time()
    return draw(house, now), gr.Timer(active=any(each.left(now) for each in house.countdowns))


def _after(house: House, heard: str) -> After:
    now = time.time()
    house = replace(house, countdowns=tuple(each for each in house.countdowns if each.left(now)))
    return house, draw(house, now), heard, gr.Timer(active=bool(house.countdowns))


def _reason(match: Match) -> str:
    if match.negated:
        return "it says that something shall not be done."
    if match.score < MIN_SCORE:
        return f"no pattern reaches {MIN_SCORE}."
    return f"it does not say {' or '.join(match.missing)}."


def _list(lines: list[str]) -> str:
    return "<ul role='status'>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>"


def _sentences() -> str:
    rows = "".join(
        f"<li>{intent.title}: " + ", ".join(f"“{sentence}”" for sentence in intent.examples) + "</li>"
        for intent in INTENTS
    )
    return f"<h2>What it understands</h2><ul>{rows}</ul>"


DEMO = Demo(
    "voice-commands",
    "Voice commands",
    "Say “lights on in the kitchen” or “set a timer for ten minutes” to a small house.",
    build,
    "card-voice-commands.webp",
)
