"""What is this?: what a photo shows, and whether that is a cat or a dog."""

from __future__ import annotations

import gradio as gr

from ekiben_demos import server
from ekiben_demos.cats_and_dogs import verdict
from ekiben_demos.demo import Demo
from ekiben_demos.faults import tells_faults
from ekiben_demos.media import example, photo
from ekiben_demos.parts import bars, note

CLASSES = 1000
"""All of them, so that every breed counts in the verdict."""


def build() -> None:
    with gr.Row():
        picture = photo("Photo", sources=["upload", "clipboard", "webcam"], height=380)
        with gr.Column():
            names = gr.HTML(label="What it looks like", padding=False)
            animal = gr.HTML(label="Cat or dog?", padding=False)
    gr.Examples([example(name) for name in EXAMPLES], picture, label="Or try one of these")
    picture.change(look, picture, [names, animal], show_progress="minimal")


@tells_faults
def look(path: str | None) -> tuple[str, str]:
    if path is None:
        return "", ""
    found = server.client().classify(path, top_k=CLASSES).labels
    two = verdict(found)
    names = bars("What it looks like", [(each.label, each.score) for each in found[:5]])
    share = two.cat_of_two if two.either >= 0.01 else 0.5
    animal = bars("Cat or dog?", [("cat", share), ("dog", 1 - share)]) + note(two.sentence)
    return names, animal


EXAMPLES = ("cat.jpg", "dog.jpg", "kitten.jpg", "horses.jpg", "coffee.jpg")

DEMO = Demo(
    "what-is-this",
    "What is this?",
    "A photo goes in, its likeliest names come out; and is it a cat or a dog?",
    build,
    picture="dog.jpg",
)
