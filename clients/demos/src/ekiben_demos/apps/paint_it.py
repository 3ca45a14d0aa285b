"""Paint it: a photo in each of the server's styles, in a mixture of two, or like a painting of your own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
from ekiben_client import Style

from ekiben_demos import server
from ekiben_demos.demo import Demo
from ekiben_demos.faults import tells_faults
from ekiben_demos.media import new_file, offer, photo, small_jpeg

IN_FLIGHT = 4
THUMBNAIL_SIDE = 224
AT_A_TIME = 4
"""So many thumbnails are shown together: the wall fills while it is painted."""

FIRST_STYLE = "style-19"
NONE = ""

Wall = list[tuple[str, str]]
"""Path and title of each thumbnail."""


def build() -> None:
    with gr.Row():
        with gr.Column(scale=2):
            picture = photo("Photo", sources=["upload", "clipboard", "webcam"], height=320)
            offer(picture, PHOTOS)
        with gr.Column(scale=3):
            painting = gr.ImageSlider(label="Before and after", interactive=False, height=400, buttons=["fullscreen"])
            saved = gr.DownloadButton("Download the painting", interactive=False, size="sm")
    with gr.Row():
        first = gr.Dropdown([], label="Style")
        second = gr.Dropdown([], label="Mixed with")
    with gr.Row():
        share = gr.Slider(0, 1, 0.5, step=0.05, label="How much of the second")
        strength = gr.Slider(0, 1, 1, step=0.05, label="Strength")
    wall = gr.Gallery(
        label="Your photo in every style: choose one",
        columns=8,
        allow_preview=False,
        interactive=False,
        elem_classes="wall",
        buttons=[],
    )
    own = photo(
        "Or a picture of your own as the style; remove it to go back", sources=["upload", "clipboard"], height=240
    )
    offer(own, PAINTINGS)

    wanted: dict[str, Any] = {"fn": paint, "inputs": [picture, own, first, second, share, strength]}
    wanted["outputs"] = [painting, saved]
    picture.change(offer_styles, [picture, first], [first, second]).success(**wanted).success(hang, picture, wall)
    for changed in (first.input, second.input, share.release, strength.release, own.change):
        changed(**wanted)
    wall.select(choose, None, [first, own]).success(**wanted)


@tells_faults
def offer_styles(path: str | None, chosen: str | None) -> tuple[Any, Any]:
    if path is None:
        return gr.skip(), gr.skip()
    choices = [(each.title, each.name) for each in server.client().styles()]
    second = [("nothing", NONE), *choices]
    return gr.Dropdown(choices, value=chosen or FIRST_STYLE), gr.Dropdown(second, value=NONE)


@tells_faults
def paint(
    path: str | None, own: str | None, first: str | None, second: str | None, share: float, strength: float
) -> tuple[tuple[str, str] | None, Any]:
    """The photo and the painting, to slide between them, and the painting to download."""
    if path is None:
        return None, gr.DownloadButton(interactive=False)
    style = f"{first}:{1 - share:.2f},{second}:{share:.2f}" if second else first
    painted = server.client().transfer_style(
        path, None if own else style, style_image=own, strength=strength, format="jpeg"
    )
    target = new_file("painting.jpg")
    painted.save(target)
    return (path, str(target)), gr.DownloadButton(value=str(target), interactive=True)


@tells_faults
def hang(path: str | None) -> Iterator[Wall]:
    """The wall of thumbnails, as it grows."""
    if path is None:
        yield []
        return
    photo = small_jpeg(path, THUMBNAIL_SIDE)
    folder = Path(tempfile.mkdtemp())

    def thumbnail(style: Style) -> tuple[str, str]:
        target = folder / f"{style.name}.jpg"
        server.client().transfer_style(photo, style.name, format="jpeg").save(target)
        return str(target), style.title

    hung: Wall = []
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for painted in pool.map(thumbnail, server.client().styles()):
            hung.append(painted)
            if len(hung) % AT_A_TIME == 0:
                yield hung
    yield hung


@tells_faults
def choose(event: gr.SelectData) -> tuple[str, None]:
    """The style whose thumbnail was clicked, instead of a painting of one's own."""
    return server.client().styles()[event.index].name, None


PHOTOS = {"A temple": "temple.jpg", "A cat": "cat.jpg", "Horses": "horses.jpg", "An astronaut": "astronaut.jpg"}
PAINTINGS = {"The Starry Night": "starry-night.jpg", "Fruits": "fruits.jpg", "A coffee": "coffee.jpg"}

DEMO = Demo(
    "paint-it",
    "Paint it",
    "Your photo in 26 styles, in a mixture of two, or painted like a picture that you choose.",
    build,
    picture="starry-night.jpg",
)
