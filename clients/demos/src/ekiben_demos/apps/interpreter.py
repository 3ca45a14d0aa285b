"""Interpreter: speak or type English and read Portuguese; type Portuguese and read English."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from itertools import chain

import gradio as gr
from ekiben_client import SpeechStream

from ekiben_demos import server
from ekiben_demos.demo import Demo
from ekiben_demos.faults import CannotDo, tells_faults
from ekiben_demos.media import offer
from ekiben_demos.speech.sentences import complete_sentences

NAMES = {"en": "English", "pt": "Portuguese"}
INTO = {"en": "pt", "pt": "en"}
CHOICES = [("find out", ""), *((name, code) for code, name in NAMES.items())]

NOTE = """<p>What is said comes from the server as a stream; a sentence is translated as soon as the next one has begun.
The speech model knows English only, the translators English and Portuguese.</p>"""

SPOKEN = {"One sentence": "not-ill-disposed.mp3", "A novel, read aloud": "sense-and-sensibility.mp3"}
TYPED = {
    "At the station": "Good morning! Where is the railway station? I would like two tickets to Lisbon.",
    "Na estação": "Bom dia! Onde fica a estação de trem? Eu gostaria de dois bilhetes para Londres.",
}


def build() -> None:
    with gr.Row():
        with gr.Column():
            speech = gr.Audio(
                label="Speak English", sources=["microphone", "upload"], type="filepath", elem_id="interpreter-audio"
            )
            offer(speech, SPOKEN, pictures={})
            typed = gr.Textbox(label="Or type English or Portuguese", lines=3, max_lines=12)
            language = gr.Radio(CHOICES, value="", label="Language of the text")
            with gr.Row(elem_classes="examples"):
                gr.HTML("<p>Or try:</p>")
                for name, text in TYPED.items():
                    gr.Button(name, size="sm", scale=0).click(lambda text=text: text, None, typed, queue=False)
            translate = gr.Button("Translate", variant="primary")
        with gr.Column():
            interpreted = gr.HTML("<p>Nothing said yet.</p>", elem_id="interpreted", apply_default_css=False)
    gr.HTML(NOTE)
    speech.change(hear, speech, interpreted, show_progress="hidden", trigger_mode="always_last")
    gr.on([translate.click, typed.submit], read, [typed, language], interpreted, show_progress="hidden")


@tells_faults
def hear(recording: str | None) -> Iterator[str]:
    if recording is None:
        yield "<p>Nothing said yet.</p>"
        return
    yield "<p role='status'>Listening …</p>"
    with server.client().stream_speech(recording) as pieces:
        pairs = interpret(_spaced(pieces), "en")
        first = next(pairs, None)
        if first is None:
            raise CannotDo("Nobody speaks in this recording, or too quietly.")
        yield from shown("Heard: English", chain([first], pairs))


@tells_faults
def read(text: str, language: str) -> Iterator[str]:
    if not text.strip():
        raise CannotDo("There is nothing to translate yet.")
    told = f"Given: {NAMES[language]}" if language else ""
    if not language:
        found = server.client().detect_language(text)
        if found.language not in INTO or not found.confidence:
            raise CannotDo("This looks neither English nor Portuguese. Choose the language if it is one of them.")
        language = found.language
        told = f"Detected: {NAMES[language]}, {found.confidence:.0%} sure"
    yield from shown(told, interpret([text], language))


Pair = tuple[str, str, str]
"""A sentence, what it is in the other language, and that language."""


def interpret(pieces: Iterable[str], language: str) -> Iterator[Pair]:
    """Each sentence of a text that comes in pieces, translated as soon as it is complete."""
    into = INTO[language]
    for sentence in complete_sentences(pieces, language):
        yield sentence, server.client().translate(sentence, source=language, target=into).text, into


def shown(told: str, pairs: Iterable[Pair]) -> Iterator[str]:
    """The page after each sentence."""
    rows = ""
    for sentence, translated, into in pairs:
        rows += (
            f"<li><p lang='{INTO[into]}'>{html.escape(sentence)}</p>"
            f"<p class='into' lang='{into}'>{html.escape(translated)}</p></li>"
        )
        yield f"<p role='status'>{told}. Translated into {NAMES[into]}:</p><ol class='interpreted'>{rows}</ol>"


def _spaced(pieces: SpeechStream) -> Iterator[str]:
    """Pieces of a transcript, with a space between those that have none."""
    before = ""
    for piece in pieces:
        yield piece if not before or before[-1:].isspace() or piece[:1].isspace() else f" {piece}"
        before = piece


DEMO = Demo(
    "interpreter",
    "Interpreter",
    "Speak English and read Portuguese, or type either and read the other, sentence by sentence.",
    build,
    "card-interpreter.webp",
)
