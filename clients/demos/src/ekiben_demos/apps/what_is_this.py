"""What is this?: what a photo shows, and whether that is a cat or a dog."""

from __future__ import annotations

import gradio as gr

from ekiben_demos import server
from ekiben_demos.demo import Demo
from ekiben_demos.faults import tells_faults
from ekiben_demos.media import offer, photo
from ekiben_demos.parts import bars, hint, note
from ekiben_demos.pictures.cats_and_dogs import verdict

CLASSES = 1000
"""All of them, so that every breed counts in the verdict."""

NOTHING_YET = hint("What it looks like will be here.")


def build() -> None:
    with gr.Row():
        picture = photo("Photo", sources=["upload", "clipboard", "webcam"], height=380)
        with gr.Column():
            animal = gr.HTML(NOTHING_YET)
            names = gr.HTML()
    offer(picture, EXAMPLES)
    picture.change(look, picture, [animal, names], show_progress="minimal")


@tells_faults
def look(path: str | None) -> tuple[str, str]:
    if path is None:
        return NOTHING_YET, ""
    found = server.client().classify(path, top_k=CLASSES).labels
    two = verdict(found)
    share = two.cat_of_two
    animal = note(two.sentence) + bars("Cat or dog?", [("cat", share), ("dog", 1 - share)])
    return animal, bars("What it looks like", [(each.label, each.score) for each in found[:5]])


EXAMPLES = {
    "A cat": "cat.jpg",
    "A dog": "dog.jpg",
    "A kitten": "kitten.jpg",
    "Horses": "horses.jpg",
    "A coffee": "coffee.jpg",
}

DEMO = Demo(
    "what-is-this",
    "What is this?",
    "A photo goes in, its likeliest names come out; and is it a cat or a dog?",
    build,
    picture="dog.jpg",
)
