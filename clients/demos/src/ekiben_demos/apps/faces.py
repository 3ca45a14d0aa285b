"""Faces: where they are, hidden for privacy, or cut out of many photos."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from ekiben_client import Landmarks
from PIL import Image, ImageOps

from ekiben_demos import server
from ekiben_demos.demo import Demo
from ekiben_demos.faults import CannotDo, sentence, tells_faults
from ekiben_demos.media import example, jpeg, new_file, offer, photo, shown
from ekiben_demos.parts import note
from ekiben_demos.pictures.drawing import draw_box, draw_points
from ekiben_demos.pictures.hiding import Way, hide, widened
from ekiben_demos.pictures.tracking import Sighting, Tracker, corners
from ekiben_demos.pictures.video import change_video, count_pictures

IN_FLIGHT = 4
WAYS = [("Show boxes and landmarks", "show"), ("Blur", "blur"), ("Pixelate", "pixelate")]
ORDERS = ["Surest first", "Largest first", "By photo"]


@dataclass(frozen=True)
class Cutting:
    """A face cut out of a photo."""

    picture: Image.Image
    score: float
    photo: str

    @property
    def pixels(self) -> int:
        return self.picture.width * self.picture.height


def build() -> None:
    with gr.Tab("Photo"):
        way = gr.Radio(WAYS, value="show", label="What to do with faces")
        with gr.Row():
            picture = photo("Photo", sources=["upload", "clipboard", "webcam"], height=420)
            result = shown("Faces", height=420)
        offer(picture, PHOTOS)
        said = gr.HTML()
        for changed in (picture.change, way.change):
            changed(look, [picture, way], [result, said])
    with gr.Tab("Video"):
        how = gr.Radio(WAYS[1:], value="blur", label="What to do with faces")
        with gr.Row():
            film = gr.Video(label="Video, up to a minute", sources=["upload", "webcam"], height=440)
            hidden = gr.Video(label="Faces hidden", interactive=False, height=440, buttons=["download"])
        start = gr.Button("Hide the faces in the video", variant="primary")
        offer(film, {"Musicians": "musicians.mp4"}, pictures={"Musicians": "mariachi.jpg"})
        told = gr.HTML()
        start.click(watch, [film, how], [hidden, told], concurrency_limit=2)
    with gr.Tab("Album"):
        photos = gr.Files(label="Photos, as many as you like", file_types=["image"], height=180)
        order = gr.Radio(ORDERS, value=ORDERS[0], label="Order")
        start = gr.Button("Cut out the faces", variant="primary")
        with gr.Row(elem_classes="examples"):
            everyone = gr.Button("Or try four photos", icon=example("mariachi.jpg"), size="sm", scale=0)
        everyone.click(lambda: [example(file) for file in PHOTOS.values()], None, photos, queue=False)
        album = gr.Gallery(label="Faces", object_fit="cover", interactive=False, elem_classes="wall", buttons=[])
        summary = gr.HTML()
        for wanted in (start.click, order.change):
            wanted(collect, [photos, order], [album, summary], concurrency_limit=2)


@tells_faults
def look(path: str | None, way: str) -> tuple[Image.Image | None, str]:
    if path is None:
        return None, ""
    faces = server.client().detect_faces(path).faces
    picture = upright(path)
    for face in faces:
        if way == "show":
            draw_box(picture, corners(face.box), "face", note=f"{face.score:.0%}")
            draw_points(picture, points(face.landmarks))
        else:
            hide(picture, corners(face.box), "blur" if way == "blur" else "pixelate")
    return picture, note(
        f"{counted(len(faces), 'face')}. Look at the result before you share it: one may have been missed."
    )


@tells_faults
def watch(path: str | None, way: Way, progress: gr.Progress = gr.Progress()) -> tuple[str, str]:  # noqa: B008
    if path is None:
        raise CannotDo("There is no video yet: upload one, or take the example.")
    number = count_pictures(path)
    tracker = Tracker(patience=5)

    def without_faces(pictures: Iterator[Image.Image]) -> Iterator[Image.Image]:
        kept, sent = itertools.tee(pictures)
        outcomes = server.client().detect_faces_many(map(jpeg, sent), threshold=0.3, in_flight=IN_FLIGHT)
        for done, (picture, outcome) in enumerate(zip(kept, outcomes, strict=True), 1):
            faces = outcome.result().faces
            for track in tracker.follow(Sighting("face", face.score, corners(face.box)) for face in faces):
                hide(picture, track.box, way)
            progress((min(done, number), number), desc="Looking", unit="pictures")
            yield picture

    target = new_file("faces-hidden.mp4")
    change_video(path, target, without_faces)
    followed = counted(len(tracker.all(seen=3)), "face")
    return str(target), note(f"{followed} followed. Watch the result before you share it: one may have been missed.")


@tells_faults
def collect(
    paths: Sequence[str] | None,
    order: str,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
) -> tuple[list[tuple[Image.Image, str]], str]:
    if not paths:
        return [], ""
    cuttings: list[Cutting] = []
    faults: list[str] = []
    outcomes = server.client().detect_faces_many(
        paths, in_flight=IN_FLIGHT, progress=lambda done, of: progress((done, of), desc="Looking", unit="photos")
    )
    for path, outcome in zip(paths, outcomes, strict=True):
        name = Path(path).name
        if outcome.error:
            faults.append(f"{name}: {sentence(outcome.error)}")
            continue
        picture = upright(path)
        for face in outcome.result().faces:
            cut = picture.crop(widened(corners(face.box), picture.size))
            cuttings.append(Cutting(cut, face.score, name))
    if order == "Surest first":
        cuttings.sort(key=lambda each: each.score, reverse=True)
    if order == "Largest first":
        cuttings.sort(key=lambda each: each.pixels, reverse=True)
    summary = f"{counted(len(cuttings), 'face')} in {counted(len(paths) - len(faults), 'photo')}."
    album = [(each.picture, f"{each.photo}, {each.score:.0%}") for each in cuttings]
    return album, "".join(map(note, [summary, *faults]))


def points(landmarks: Landmarks) -> list[tuple[float, float]]:
    return [landmarks.left_eye, landmarks.right_eye, landmarks.nose, landmarks.left_mouth, landmarks.right_mouth]


def upright(path: str) -> Image.Image:
    """The picture as the server sees it: boxes are in pixels of this one."""
    with Image.open(path) as file:
        return ImageOps.exif_transpose(file).convert("RGB")


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


PHOTOS = {"Musicians": "mariachi.jpg", "A play": "theatre.jpg", "A band": "band.jpg", "An astronaut": "astronaut.jpg"}

DEMO = Demo(
    "faces",
    "Faces",
    "Finds faces in photos and videos, hides them for privacy, or cuts them out into an album.",
    build,
    picture="mariachi.jpg",
)
