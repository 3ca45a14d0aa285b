"""What may be passed in, and how it is sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ekiben_client import errors

from .both import Recorder, both
from .stand_in import picture

PICTURE = picture()


def sent(image: Any) -> bytes:
    """What both clients send for an input."""
    recorder = Recorder()
    both("classify", image, handler=recorder)
    first, second = (request.content for request in recorder.requests)
    assert first == second
    return first


def test_bytes_paths_and_files_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(PICTURE)
    with path.open("rb") as file:
        ways = [PICTURE, bytearray(PICTURE), memoryview(PICTURE), str(path), path, file, io.BytesIO(PICTURE)]
        assert [sent(each) for each in ways] == [PICTURE] * 7


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_images_are_sent_without_loss(mode: str) -> None:
    image = Image.effect_noise((7, 5), 50).convert("RGB").convert(mode)
    with Image.open(io.BytesIO(sent(image))) as got:
        assert got.convert("RGB").tobytes() == image.convert("RGB").tobytes()


def test_images_are_sent_upright() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the picture lies on its side
    Image.new("RGB", (30, 20)).save(file, "JPEG", exif=exif)
    with Image.open(file) as lying, Image.open(io.BytesIO(sent(lying))) as got:
        assert got.size == (20, 30)
        assert got.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4), (1, 1)])
def test_arrays_are_sent_without_loss(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(sent(array))) as got:
        assert np.array_equal(np.asarray(got).reshape(shape), array)


def test_views_of_arrays_are_sent_as_they_look() -> None:
    array = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)[::2, ::-1]
    with Image.open(io.BytesIO(sent(array))) as got:
        assert np.array_equal(np.asarray(got), array)


class Falls(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError("the disk is gone")


class Closed(io.BytesIO):
    def __init__(self) -> None:
        super().__init__()
        self.close()

    def seek(self, *_: Any) -> int:  # `both` rewinds
        return 0


UNREADABLE = {
    "missing": Path("/nowhere/photo.jpg"),
    "folder": Path("/"),
    "zero byte": "a\0b",
    "URL": "https://host/photo.jpg",
    "text": io.StringIO("text"),
    "falls": Falls(),
    "closed": Closed(),
    "number": 7,
    "none": None,
    "floats": np.zeros((2, 2, 3), np.float32),
    "five channels": np.zeros((2, 2, 5), np.uint8),
    "a line": np.zeros(2, np.uint8),
    "empty": np.zeros((0, 2, 3), np.uint8),
    "empty image": Image.new("RGB", (0, 0)),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_said_and_nothing_is_sent(name: str) -> None:
    recorder = Recorder()
    with pytest.raises(errors.UnreadableInput):
        both("classify", UNREADABLE[name], handler=recorder)
    assert recorder.requests == []


def test_a_cut_off_image_cannot_be_encoded() -> None:
    noise = io.BytesIO()
    Image.effect_noise((300, 300), 50).save(noise, "PNG")
    with Image.open(io.BytesIO(noise.getvalue()[:2_000])) as cut, pytest.raises(errors.UnreadableInput):
        both("classify", cut)


@pytest.mark.parametrize("text", [7, ["a", b"b"], "\ud800"])
def test_what_is_no_text_cannot_be_sent(text: Any) -> None:
    recorder = Recorder()
    with pytest.raises(errors.UnreadableInput):
        both("translate", text, target="pt", handler=recorder)
    assert recorder.requests == []
