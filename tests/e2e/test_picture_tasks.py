"""Detections, faces and paintings: every fault on every route, and what only one of them has.

`test_bad_input.py` sends every kind of bad request to the classifier; here one of each kind goes to the others.
"""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import photographs
from tests.boxes import agreement, corners
from tests.e2e.checks import base64_text, connection, head, photograph, png, problem, read_response
from tests.e2e.test_bad_input import ALL, GIF, SMALL, TEXT
from tests.e2e.test_budgets import grey_png
from tests.serving import Server

OBJECTS, FACES, STYLE = "/v1/object-detection", "/v1/face-detection", "/v1/style-transfer"
ROUTES = (OBJECTS, FACES, STYLE)
FAULTS = [
    "media: text",
    "media: text as JPEG",
    "media: GIF without a type",
    "media: GIF as data URL",
    "media: empty",
    "media: JPEG cut in half",
    "media: PNG with a flipped bit",
    "media: gzip",
    "media: application/x-pickle",
    "media: pickle in JSON",
    "parameter: unknown",
    "parameter: unknown, with a long name",
    "parameter: model unknown",
    "parameter: model with a path",
    "parameter: timeout soon",
    "JSON: broken",
    "JSON: inputs no base64",
    "JSON: inputs a URL: http://example.com/a.png",
    "JSON: parameters a list",
    "JSON: nested 100 deep",
    "JSON: too many values",
    "form: no boundary",
    "form: cut off in its data",
    "form: no part at all",
    "form: another file",
    "form: two pictures",
    "form: a URL",
    "form: 65 parts",
]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("case", FAULTS)
def test_a_bad_request_is_refused_by_name_on_every_route(http: httpx.Client, route: str, case: str) -> None:
    bad = ALL[case]
    request = dict(bad.request)
    field, says = bad.field, bad.says
    if case == "parameter: unknown":  # the classifier has no threshold, the detectors no top_k
        request["params"], field, says = {"top_k": 3}, "top_k", "top_k"
    problem(http.post(route, **request), bad.status, field=field, says=says)


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_over_a_budget_is_refused_on_every_route(server: Server, http: httpx.Client, route: str) -> None:
    problem(http.post(route, content=grey_png(10_000, 5_001)), 413, says="10000x5001")
    with connection(server) as opened:
        opened.sendall(head("Content-Length: 99000000", "Expect: 100-continue", path=route))
        assert read_response(opened)[0].status == 413


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("model", ["efficientnet-lite0", "resnet50"])
def test_another_tasks_model_is_not_found(http: httpx.Client, route: str, model: str) -> None:
    problem(http.post(route, content=SMALL, params={"model": model}), 404, says="image-classification")


def test_a_model_that_is_not_enabled_is_not_found(http: httpx.Client) -> None:
    problem(http.post(OBJECTS, content=SMALL, params={"model": "rt-detr-r18"}), 404, says="not enabled")


OUT_OF_RANGE = [
    *((route, "threshold", value) for route in (OBJECTS, FACES) for value in ("-0.01", "1.01", "nan", "x", "")),
    *((OBJECTS, "max_detections", value) for value in ("0", "301", "1.5")),
    *((STYLE, "strength", value) for value in ("-0.01", "1.01", "nan", "all")),
    *((STYLE, "max_side", value) for value in ("15", "2049", "100.5")),
]


@pytest.mark.parametrize(("route", "name", "value"), OUT_OF_RANGE)
def test_a_parameter_out_of_its_range_is_refused(http: httpx.Client, route: str, name: str, value: str) -> None:
    problem(http.post(route, content=SMALL, params={name: value}), 422, field=name)


@pytest.mark.parametrize(
    ("style", "says"),
    [
        ("the-scream", "style-00, style-01"),
        ("style-26", "style-25"),
        ("", "style-00"),
        ("style-03:0.7,style-11:-0.3", "'-0.3' is no weight"),
        ("style-03:0,style-11:0", "all 0"),
        ("style-03:x", "'x' is no weight"),
        ("style-03" * 5000, "style-25"),
        ("style-03:" + "9" * 20_000, "is no weight"),
    ],
    ids=lambda each: each[:30],
)
def test_a_style_that_is_none_is_refused_with_the_names_of_all(http: httpx.Client, style: str, says: str) -> None:
    problem(http.post(STYLE, files={"image": SMALL}, data={"style": style}), 422, field="style", says=says)


STYLE_REQUESTS: dict[str, tuple[int, str | None, dict[str, Any]]] = {
    "a style picture that is none": (422, "style_image", {"files": {"style_image": TEXT}}),
    "a style picture that is empty": (422, "style_image", {"files": {"style_image": b""}}),
    "a style picture cut in half": (422, "style_image", {"files": {"style_image": photograph()[:9000]}}),
    "a GIF as style picture": (415, None, {"files": {"style_image": GIF}}),
    "too many pixels in the style picture": (413, None, {"files": {"style_image": grey_png(10_000, 5_001)}}),
    "a style and a style picture": (422, "style", {"files": {"style_image": SMALL}, "data": {"style": "style-03"}}),
    "a style picture for named styles": (
        422,
        "style_image",
        {"files": {"style_image": SMALL}, "data": {"model": "multistyle26"}},
    ),
    "no style picture for a model that needs one": (422, "style_image", {"data": {"model": "magenta-arbitrary"}}),
    "a named style for a model that knows none": (
        422,
        "style",
        {"data": {"model": "magenta-arbitrary", "style": "style-03"}},
    ),
}


@pytest.mark.parametrize("case", STYLE_REQUESTS)
def test_a_style_request_that_contradicts_itself_names_the_field(http: httpx.Client, case: str) -> None:
    status, field, request = STYLE_REQUESTS[case]
    files = {"image": SMALL, **request.get("files", {})}
    problem(http.post(STYLE, files=files, data=request.get("data", {})), status, field=field)


@pytest.mark.parametrize(
    ("value", "says"),
    [(3, "not a base64 string"), ("*", "base64"), ("http://example.com/a.png", "never fetched")],
)
def test_a_style_picture_in_json_is_base64(http: httpx.Client, value: object, says: str) -> None:
    document = {"inputs": base64_text(SMALL), "parameters": {"style_image": value}}
    problem(http.post(STYLE, json=document), 422, field="style_image", says=says)


def painting(response: httpx.Response, format: str = "PNG") -> Image.Image:
    assert response.status_code == 200, response.text
    image = Image.open(io.BytesIO(response.content))
    assert image.format == format and image.mode == "RGB"
    assert response.headers["Content-Type"] == f"image/{format.lower()}"
    image.load()
    return image


def test_a_style_request_means_the_same_in_every_form(http: httpx.Client) -> None:
    coffee, chelsea = (png(photographs.rgb(name).resize((120, 80))) for name in ("coffee", "chelsea"))
    parameters = {"style": "style-03:0.7,style-11:0.3", "strength": 0.8, "max_side": 64}
    forms: list[dict[str, Any]] = [
        {"params": parameters, "content": coffee},
        {"files": {"image": coffee}, "data": parameters},
        {"json": {"inputs": base64_text(coffee), "parameters": parameters}},
    ]
    answers = [http.post(STYLE, **form) for form in forms]
    assert painting(answers[0]).size == (64, 43)
    assert len({answer.content for answer in answers}) == 1
    like = [
        http.post(STYLE, files={"image": coffee, "style_image": chelsea}),
        http.post(STYLE, json={"inputs": base64_text(coffee), "parameters": {"style_image": base64_text(chelsea)}}),
    ]
    assert painting(like[0]).size == (120, 80)
    assert like[0].content == like[1].content != answers[0].content
    assert [each.headers["X-Ekiben-Model"] for each in like] == ["magenta-arbitrary"] * 2


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        (None, "PNG"),
        ("*/*", "PNG"),
        ("image/*", "PNG"),
        ("image/jpeg", "JPEG"),
        ("image/webp", "WEBP"),
        ("image/png;q=0.2,image/webp;q=0.8,text/html", "WEBP"),
        ("image/avif,image/webp,*/*;q=0.8", "WEBP"),
    ],
)
def test_a_painting_comes_as_accept_asks(http: httpx.Client, accept: str | None, format: str) -> None:
    with httpx.Client(base_url=http.base_url, timeout=60) as client:
        del client.headers["Accept"]
        painting(client.post(STYLE, content=SMALL, headers={"Accept": accept} if accept else {}), format)


@pytest.mark.parametrize("accept", ["text/html", "application/json", "image/gif", "image/png;q=0", "*/*;q=0"])
def test_a_painting_that_nobody_could_read_is_not_made(http: httpx.Client, accept: str) -> None:
    problem(http.post(STYLE, content=SMALL, headers={"Accept": accept}), 406, says="image/webp")


def test_json_is_answered_whatever_accept_says(http: httpx.Client) -> None:
    for route in (OBJECTS, FACES):
        answer = http.post(route, content=SMALL, headers={"Accept": "image/png"})
        assert answer.status_code == 200 and answer.json() == []


def test_no_strength_leaves_the_picture_as_it_is(http: httpx.Client) -> None:
    sent = photographs.rgb("chelsea").resize((101, 67))
    for files in ({}, {"style_image": SMALL}):
        answer = http.post(STYLE, files={"image": png(sent), **files}, data={"strength": 0})
        np.testing.assert_array_equal(painting(answer), sent)
    whole = painting(http.post(STYLE, files={"image": png(sent)}, data={"strength": 1}))
    half = painting(http.post(STYLE, files={"image": png(sent)}, data={"strength": 0.5}))
    mean = (np.asarray(whole, np.float64) + np.asarray(sent)) / 2
    assert np.abs(np.asarray(whole, np.int16) - np.asarray(sent, np.int16)).mean() > 10
    assert np.abs(np.asarray(half) - mean).max() <= 1


@pytest.mark.parametrize("name", ["chelsea", "coffee", "motorcycle", "rocket"])
def test_a_picture_without_a_face_has_an_empty_answer(http: httpx.Client, name: str) -> None:
    answer = http.post(FACES, content=photograph(name))
    assert answer.status_code == 200 and answer.json() == []


def test_a_threshold_and_a_number_of_detections_bound_the_answer(http: httpx.Client) -> None:
    every = http.post(OBJECTS, content=photograph("coffee"), params={"threshold": 0, "max_detections": 300}).json()
    scores = [each["score"] for each in every]
    assert len(every) <= 300 and scores == sorted(scores, reverse=True)
    few = http.post(OBJECTS, content=photograph("coffee"), params={"threshold": 0.1}).json()
    assert few == [each for each in every if each["score"] >= 0.1] and len(few) > 3
    two = http.post(OBJECTS, content=photograph("coffee"), params={"threshold": 0.1, "max_detections": 2}).json()
    assert two == few[:2]
    assert http.post(OBJECTS, content=photograph("coffee"), params={"threshold": 1}).json() == []
    faces = http.post(FACES, content=photograph("astronaut"), params={"threshold": 0}).json()
    assert faces[0]["score"] > 0.9 and len(faces) <= 1000
    for each in (*every, *faces):
        left, top, right, bottom = corners(each["box"])
        assert 0 <= left <= right <= 600 and 0 <= top <= bottom <= 512


SHAPES = [(1, 1), (1, 10_000), (10_000, 1), (2, 3), (641, 17)]


@pytest.mark.parametrize("size", SHAPES, ids=str)
def test_a_picture_of_any_shape_is_answered(http: httpx.Client, size: tuple[int, int]) -> None:
    data = png(Image.new("RGB", size, "orange"))
    for route in (OBJECTS, FACES):
        answer = http.post(route, content=data)
        assert answer.status_code == 200 and isinstance(answer.json(), list)
    scale = min(1, 100 / max(size))
    expected = tuple(max(1, round(scale * side)) for side in size)
    for files in ({"image": data}, {"image": data, "style_image": data}):
        assert painting(http.post(STYLE, files=files, data={"max_side": 100})).size == expected


def answers(http: httpx.Client, data: bytes) -> list[Any]:
    """What every route makes of a picture."""
    styled = http.post(STYLE, content=data, params={"max_side": 128})
    return [
        http.post(OBJECTS, content=data, params={"threshold": 0.3}).json(),
        http.post(FACES, content=data).json(),
        np.asarray(painting(styled)).tolist(),
    ]


def modes() -> dict[str, tuple[Image.Image, Image.Image]]:
    """A picture in an unusual mode, and what one sees."""
    astronaut = photographs.rgb("astronaut").resize((256, 256))
    grey = astronaut.convert("L")
    samples = np.asarray(grey, np.uint16) * 257
    clear = astronaut.copy()
    clear.putalpha(Image.linear_gradient("L").point(lambda value: 255 if value > 60 else 0))
    shown = Image.new("RGB", clear.size, "white")
    shown.paste(clear, mask=clear.getchannel("A"))
    palette = astronaut.quantize(128)
    return {
        "16 bits": (Image.fromarray(samples), grey.convert("RGB")),
        "transparent": (clear, shown),
        "palette": (palette, palette.convert("RGB")),
        "grey": (grey, grey.convert("RGB")),
    }


@pytest.mark.parametrize("mode", ["16 bits", "transparent", "palette", "grey"])
def test_every_route_sees_the_picture_that_a_viewer_shows(http: httpx.Client, mode: str) -> None:
    sent, shown = modes()[mode]
    assert answers(http, png(sent)) == answers(http, png(shown))


@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_boxes_points_and_paintings_are_those_of_the_upright_picture(http: httpx.Client, orientation: int) -> None:
    turns = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE}
    upright = photographs.rgb("grace_hopper")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(turns[orientation])
    turned = photographs.encoded(stored, "PNG", exif=exif, compress_level=1)
    expected, found = answers(http, png(upright)), answers(http, turned)
    assert found == expected
    assert expected[1][0]["box"]["ymax"] > expected[1][0]["landmarks"]["nose"][1] > expected[1][0]["box"]["ymin"]


@pytest.mark.parametrize(("route", "name"), [(OBJECTS, "motorcycle"), (FACES, "astronaut")])
def test_boxes_of_a_12_megapixel_jpeg_are_those_of_the_whole_picture(http: httpx.Client, route: str, name: str) -> None:
    large = photographs.rgb(name).resize((4000, 3000), Image.Resampling.BICUBIC)
    jpeg = photographs.encoded(large, "JPEG", quality=90)
    with Image.open(io.BytesIO(jpeg)) as whole:
        lossless = photographs.encoded(whole.convert("RGB"), "PNG", compress_level=1)
    at_a_fraction, exact = (http.post(route, content=data).json() for data in (jpeg, lossless))
    assert len(exact) >= 1 and [each["label"] for each in at_a_fraction] == [each["label"] for each in exact]
    for one, other in zip(at_a_fraction, exact, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=0.02)
        assert agreement(corners(one["box"]), corners(other["box"])) >= 0.95
        assert max(corners(one["box"])) > 1000  # in pixels of what was sent
