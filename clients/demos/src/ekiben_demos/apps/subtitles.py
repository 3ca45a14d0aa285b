"""Subtitles: what is said in a recording, sentence by sentence, in English and in Portuguese."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from ekiben_demos import server
from ekiben_demos.demo import Demo
from ekiben_demos.faults import CannotDo, tells_faults
from ekiben_demos.media import offer
from ekiben_demos.speech.cue_list import PLAYER_ID, SCRIPT, cue_list, files, player
from ekiben_demos.speech.recognition import sentences_with_times
from ekiben_demos.speech.subtitles import Cue, short_clock

EXAMPLES = {"A novel, read aloud": "sense-and-sensibility.mp3", "Playing cards": "cards.mp3"}

NOTE = """<p>The recording is cut at its pauses into pieces of some seconds. Each piece is recognised by itself, so the
first words appear while the rest still waits, and its sentences are translated as soon as they are there.</p>"""


def build() -> None:
    with gr.Row():
        with gr.Column():
            recording = gr.Audio(
                label="English speech", sources=["upload", "microphone"], type="filepath", elem_id="subtitles-audio"
            )
            video = gr.UploadButton("… or a video", file_types=["video"], size="sm")
            offer(recording, EXAMPLES, pictures={})
        with gr.Column():
            playing = gr.HTML(elem_id=PLAYER_ID, apply_default_css=False)
            said = gr.HTML("<p>Nothing recognised yet.</p>", elem_id="subtitles-status")
    cues = gr.HTML(elem_id="cue-list", apply_default_css=False, js_on_load=SCRIPT)
    downloads = gr.HTML(elem_id="subtitle-files", apply_default_css=False)
    gr.HTML(NOTE)
    shown = [playing, said, cues, downloads]
    recording.change(subtitle, recording, shown, show_progress="hidden", trigger_mode="always_last")
    video.upload(subtitle, video, shown, show_progress="hidden")


Shown = tuple[object, str, str, str]


@tells_faults
def subtitle(path: str | None) -> Iterator[Shown]:
    if path is None:
        yield "", "<p>Nothing recognised yet.</p>", "", ""
        return
    english: list[Cue] = []
    portuguese: list[Cue] = []
    yield player(path), "<p role='status'>Listening …</p>", "", ""
    for cues in sentences_with_times(server.client(), path):
        english += cues
        texts = [cue.text for cue in cues]
        translated = server.client().translate(texts, source="en", target="pt")
        portuguese += [Cue(cue.start, cue.end, each.text) for cue, each in zip(cues, translated, strict=True)]
        if cues:
            so_far = f"<p role='status'>Listening … {short_clock(cues[-1].end)} so far</p>"
            yield gr.skip(), so_far, cue_list(english, portuguese), ""
    if not english:
        raise CannotDo("Nobody speaks in this recording, or too quietly.")
    done = f"<p role='status'>{len(english)} sentence{'s' * (len(english) != 1)}. Choose a time to hear it.</p>"
    yield gr.skip(), done, cue_list(english, portuguese), files(Path(path).stem, english, portuguese)


DEMO = Demo(
    "subtitles",
    "Subtitles",
    "Speech becomes subtitles while it is recognised, in English and in Portuguese.",
    build,
    "card-subtitles.webp",
)
