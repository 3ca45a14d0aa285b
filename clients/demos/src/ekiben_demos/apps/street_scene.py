"""Street scene: what is in a photo or a video, where, and how many."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import gradio as gr
from PIL import Image, ImageOps

from ekiben_demos import server
from ekiben_demos.demo import Demo
from ekiben_demos.faults import CannotDo, tells_faults
from ekiben_demos.media import jpeg, new_file, offer, photo, shown
from ekiben_demos.parts import note, table
from ekiben_demos.pictures.drawing import draw_box
from ekiben_demos.pictures.tracking import Sighting, Tracker, corners
from ekiben_demos.pictures.video import change_video, count_pictures

IN_FLIGHT = 4
"""Pictures of a video at the server at a time: enough to keep it busy, few beside other clients."""


def build() -> None:
    threshold = gr.Slider(0.2, 0.9, 0.5, step=0.05, label="How sure it has to be")
    with gr.Tab("Photo"):
        with gr.Row():
            picture = photo("Photo", sources=["upload", "clipboard", "webcam"], height=420)
            found = shown("What was found", height=420)
        offer(picture, PHOTOS)
        counts = gr.HTML()
        for changed in (picture.change, threshold.release):
            changed(look, [picture, threshold], [found, counts])
    with gr.Tab("Video"):
        with gr.Row():
            film = gr.Video(label="Video, up to a minute", sources=["upload", "webcam"], height=440)
            annotated = gr.Video(label="What was found", interactive=False, height=440, buttons=["download"])
        start = gr.Button("Find things in the video", variant="primary")
        offer(film, {"A street": "street.mp4"}, pictures={"A street": "street.jpg"})
        totals = gr.HTML()
        start.click(watch, [film, threshold], [annotated, totals], concurrency_limit=2)


@tells_faults
def look(path: str | None, threshold: float) -> tuple[Image.Image | None, str]:
    if path is None:
        return None, ""
    objects = server.client().detect_objects(path, threshold=threshold).objects
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    for each in reversed(objects):
        draw_box(picture, corners(each.box), each.label, note=f"{each.score:.0%}")
    if not objects:
        return picture, note("Nothing that it is sure enough about.")
    counted = Counter(each.label for each in objects)
    return picture, table("How many", ["What", "Number"], counted.most_common())


@tells_faults
def watch(path: str | None, threshold: float, progress: gr.Progress = gr.Progress()) -> tuple[str, str]:  # noqa: B008
    if path is None:
        raise CannotDo("There is no video yet: upload one, or take the example.")
    number = count_pictures(path)
    tracker = Tracker(threshold=threshold)
    at_once: Counter[str] = Counter()

    def annotate(pictures: Iterator[Image.Image]) -> Iterator[Image.Image]:
        nonlocal at_once
        kept, sent = itertools.tee(pictures)
        outcomes = server.client().detect_objects_many(map(jpeg, sent), threshold=threshold / 2, in_flight=IN_FLIGHT)
        for done, (picture, outcome) in enumerate(zip(kept, outcomes, strict=True), 1):
            sightings = (Sighting(each.label, each.score, corners(each.box)) for each in outcome.result().objects)
            tracks = tracker.follow(sightings)
            for track in tracks:
                draw_box(picture, track.box, track.label, note=str(track.number))
            at_once |= Counter(track.label for track in tracks if track.seen >= STEADY)
            progress((min(done, number), number), desc="Looking", unit="pictures")
            yield picture

    target = new_file("street-scene.mp4")
    change_video(path, target, annotate)
    in_all = Counter(track.label for track in tracker.all(seen=STEADY))
    rows = [(label, at_once[label], count) for label, count in in_all.most_common()]
    return str(target), table("How many", ["What", "Most at once", "Different ones"], rows)


STEADY = 5
"""In so many pictures a thing has to be seen to be counted."""

PHOTOS = {"A street": "street.jpg", "Horses": "horses.jpg", "Musicians": "mariachi.jpg", "Fruits": "fruits.jpg"}

DEMO = Demo(
    "street-scene",
    "Street scene",
    "Finds people, vehicles, animals and other things in a photo or a video, follows them and counts them.",
    build,
    picture="street.jpg",
)
