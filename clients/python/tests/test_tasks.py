"""Each task: what goes over the wire, and what comes out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from ekiben_client import Box, Chunk, Client, DetectedObject, Label, Model, Style, Timing, errors

from .both import Recorder, both
from .stand_in import METRICS, Reply, asked_by, picture

PICTURE = picture()

WIRE = [
    ("classify", (PICTURE,), {}, "/v1/image-classification", {"top_k": "5"}),
    ("classify", (PICTURE,), {"top_k": 1, "model": "x"}, "/v1/image-classification", {"top_k": "1", "model": "x"}),
    ("detect_objects", (PICTURE,), {"threshold": 0.25}, "/v1/object-detection", {"threshold": "0.25"}),
    ("detect_faces", (PICTURE,), {}, "/v1/face-detection", {"threshold": "0.5"}),
    (
        "transfer_style",
        (PICTURE, "style-03:0.7,style-11:0.3"),
        {"max_side": 640, "strength": 0.5},
        "/v1/style-transfer",
        {"style": "style-03:0.7,style-11:0.3", "max_side": "640", "strength": "0.5"},
    ),
    ("recognize_speech", (b"RIFF",), {}, "/v1/speech-recognition", {"return_timestamps": "false"}),
    (
        "recognize_speech",
        (b"RIFF",),
        {"timestamps": True, "language": "en"},
        "/v1/speech-recognition",
        {"return_timestamps": "true", "language": "en"},
    ),
]


@pytest.mark.parametrize(("method", "arguments", "options", "path", "parameters"), WIRE)
def test_media_are_sent_raw_with_parameters_in_the_query(
    method: str, arguments: Any, options: Any, path: str, parameters: dict[str, str]
) -> None:
    recorder = Recorder()
    both(method, *arguments, handler=recorder, **options)
    for request in recorder.requests:
        asked = asked_by(request)
        assert (asked.method, asked.path, asked.parameters) == ("POST", path, parameters)
        assert asked.media == {"body": arguments[0]}
        assert request.headers["content-type"] == "application/octet-stream"


def test_every_request_carries_its_id_its_deadline_and_the_key() -> None:
    recorder = Recorder()
    with Client("http://host/prefix/", api_key="secret", transport=httpx.MockTransport(recorder), timeout=5) as client:
        with pytest.raises(errors.NotFound):  # the stand-in has no prefix
            client.classify(PICTURE)
        assert "secret" not in repr(vars(client))
        assert "secret" not in repr(client._sender._settings)
    [request] = recorder.requests
    assert request.url == "http://host/prefix/v1/image-classification?top_k=5"
    assert request.headers["authorization"] == "Bearer secret"
    assert 4_500 < int(request.headers["x-request-timeout-ms"]) <= 5_000
    assert len(request.headers["x-request-id"]) == 32


def test_classification() -> None:
    result = both("classify", PICTURE, model="lite2")
    assert result.labels == (Label("tiger cat", 0.3851), Label("Egyptian cat", 0.3627))
    assert result.best == Label("tiger cat", 0.3851)
    assert result.meta.model == "lite2"
    assert result.meta.provider == "CPUExecutionProvider"
    assert result.meta.timing == Timing(1.5, 0.25, 9.0, 0.1)
    assert result.meta.attempts == 1
    assert result.meta.elapsed_seconds > 0
    assert len(result.meta.request_id) == 32


def test_object_detection() -> None:
    result = both("detect_objects", PICTURE, threshold=0.9)
    assert result.objects == (DetectedObject("cat", 0.98, Box(10, 12, 90, 80)),)


def test_face_detection() -> None:
    [face] = both("detect_faces", PICTURE).faces
    assert face.landmarks.nose == (30.0, 40.25)
    assert face.box == Box(10, 12, 90, 80)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_style_transfer(format: str, tmp_path: Path) -> None:
    result = both("transfer_style", PICTURE, "style-03", format=format)
    assert result.media_type == f"image/{format}"
    result.save(tmp_path / "out")
    with Image.open(tmp_path / "out") as image:
        assert image.format == format.upper()


def test_a_format_that_there_is_not_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="bmp"):
        both("transfer_style", PICTURE, "style-03", format="bmp")


def test_a_style_picture_goes_into_a_form_beside_the_picture() -> None:
    recorder = Recorder()
    both("transfer_style", PICTURE, style_image=io.BytesIO(b"a style"), strength=0.5, handler=recorder)
    for request in recorder.requests:
        asked = asked_by(request)
        assert asked.media == {"image": PICTURE, "style_image": b"a style"}
        assert asked.parameters == {"strength": "0.5"}


def test_a_style_file_is_read_once_for_many_pictures() -> None:
    recorder = Recorder()
    with Client("http://stand-in", transport=httpx.MockTransport(recorder)) as client:
        outcomes = client.transfer_style_many([PICTURE] * 3, style_image=io.BytesIO(b"a style"))
        kinds = [each.result().media_type for each in outcomes]
    assert kinds == ["image/png"] * 3
    assert [asked_by(each).media["style_image"] for each in recorder.requests] == [b"a style"] * 3


def test_styles() -> None:
    assert both("styles")[1] == Style("style-03", "Dry brush")


def test_speech_recognition() -> None:
    plain, timed = both("recognize_speech", b"RIFF"), both("recognize_speech", b"RIFF", timestamps=True)
    assert plain.text == timed.text == " Good morning. Where is the station?"
    assert plain.chunks == ()
    assert timed.chunks == (
        Chunk(" Good morning.", (0.0, 1.5)),
        Chunk(" Where is the station?", (3661.25, None)),
    )


def test_translation_of_one_text_and_of_several() -> None:
    recorder = Recorder()
    assert both("translate", "Grüße", target="pt", handler=recorder).text == "pt: Grüße"
    assert [each.text for each in both("translate", ["a", "b"], target="pt", source="de", handler=recorder)] == [
        "pt: a",
        "pt: b",
    ]
    assert asked_by(recorder.requests[0]).parameters == {"tgt_lang": "pt"}
    assert asked_by(recorder.requests[-1]).parameters == {"tgt_lang": "pt", "src_lang": "de"}


def test_the_language_of_a_text() -> None:
    found = both("detect_language", "Bom dia!")
    assert (found.language, found.confidence) == ("pt", pytest.approx(0.971))


def test_an_empty_list_of_languages_is_no_answer() -> None:
    with pytest.raises(errors.UnexpectedAnswer):
        both("detect_language", "?", handler=Recorder(Reply.json([]), Reply.json([])))


def test_a_text_that_cannot_be_sent_has_no_language() -> None:
    with pytest.raises(errors.UnreadableInput):
        both("detect_language", "\ud800")


def test_metrics_are_text() -> None:
    recorder = Recorder()
    assert both("metrics", handler=recorder) == METRICS
    assert recorder.requests[0].headers["accept"] == "text/plain"


def test_models() -> None:
    assert both("models") == (
        Model("efficientnet-lite0", "image-classification", True, "EfficientNet-Lite0", "CPUExecutionProvider"),
    )


@pytest.mark.parametrize(
    ("reply", "ready"),
    [
        (Reply(200, b"{}"), True),
        (Reply(503, b"", {"retry-after": "9"}), False),
        (httpx.ConnectError("refused"), False),
        (httpx.ReadTimeout("late"), False),
    ],
)
def test_readiness_is_asked_once(reply: Any, ready: bool) -> None:
    recorder = Recorder(reply, reply)
    assert both("ready", handler=recorder, retries=3) is ready
    assert len(recorder.requests) == 2  # one for each client
