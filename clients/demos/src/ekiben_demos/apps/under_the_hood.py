"""Under the hood: what the server is doing, second by second."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gradio as gr
from ekiben_client import errors

from ekiben_demos import server
from ekiben_demos.demo import Demo
from ekiben_demos.faults import sentence, tells_faults
from ekiben_demos.media import example
from ekiben_demos.monitor.history import History
from ekiben_demos.monitor.measurements import Snapshot
from ekiben_demos.monitor.picture import draw

PICTURES = ("cat.jpg", "dog.jpg", "coffee.jpg", "horses.jpg")
LOAD = 40


def build() -> None:
    history = gr.State(History())
    with gr.Row():
        load = gr.Button("Make some load", variant="primary", scale=0, min_width=180)
        said = gr.HTML("<p>Sends 40 photos to be classified, eight at a time.</p>")
    picture = gr.HTML("<p>Looking at the server …</p>", elem_id="monitor", apply_default_css=False)
    timer = gr.Timer(1.0)
    timer.tick(look, history, [history, picture], show_progress="hidden", trigger_mode="once")
    load.click(make_load, None, said, show_progress="hidden")


def look(history: History) -> tuple[History, str]:
    """A new look at the server; one that is away is said in the page, and looked for again."""
    try:
        text = server.client().metrics(timeout=2)
    except errors.NotFound:
        return History(), "<p>This server keeps its metrics on a port of their own: there is nothing to see here.</p>"
    except Exception as fault:
        return History(), f"<p>{sentence(fault)}</p>"
    history = history.add(Snapshot.read(text, time.monotonic()))
    return history, draw(history)


@tells_faults
def make_load() -> Iterator[str]:
    pictures = [example(PICTURES[number % len(PICTURES)]) for number in range(LOAD)]
    started = time.monotonic()
    for done, outcome in enumerate(server.client().classify_many(pictures, top_k=1, in_flight=8), 1):
        best = outcome.result().best
        yield f"<p>{done} of {LOAD}: {best.label}</p>"
    seconds = time.monotonic() - started
    yield f"<p>{LOAD} photos classified in {seconds:.1f} s, {LOAD / seconds:.0f} a second.</p>"


DEMO = Demo(
    "under-the-hood",
    "Under the hood",
    "What the server is doing right now: requests, queues, batches, and where the time goes.",
    build,
    "card-under-the-hood.webp",
)
