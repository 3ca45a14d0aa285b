"""What is this?: labels of a photo, and whether it is a cat or a dog."""

from __future__ import annotations

import gradio as gr

from ekiben_demos import server
from ekiben_demos.demo import Demo
from ekiben_demos.faults import tells_faults
from ekiben_demos.media import example, photo


def build() -> None:
    with gr.Row():
        picture = photo("Photo", sources=["upload", "clipboard", "webcam"], height=360)
        labels = gr.Label(label="What it looks like", num_top_classes=5)
    gr.Examples([example(name) for name in ("cat.jpg", "dog.jpg", "coffee.jpg")], picture, label="Or try one of these")
    picture.change(look, picture, labels)


@tells_faults
def look(path: str | None) -> dict[str, float] | None:
    if path is None:
        return None
    found = server.client().classify(path, top_k=5)
    return {each.label: each.score for each in found.labels}


DEMO = Demo("what-is-this", "What is this?", "A photo goes in, its likeliest names come out.", build, "cat.jpg")
