"""Videos picture by picture, in and out."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from ekiben_demos.faults import CannotDo
from ekiben_demos.pictures.video import MAX_SIDE, change_video, count_pictures


def inverted(pictures: Iterator[Image.Image]) -> Iterator[Image.Image]:
    return map(ImageOps.invert, pictures)


def film(
    path: Path, *, size: tuple[int, int] = (64, 48), moments: tuple[int, ...] = (0, 100, 250, 300), sound: bool = False
) -> Path:
    """A film whose pictures, ever lighter, come at these milliseconds."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, options={"qp": "0"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        voice = output.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number, moment in enumerate(moments):
            frame = av.VideoFrame.from_image(Image.new("RGB", size, (40 * number,) * 3))
            frame.pts, frame.time_base = moment, Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if voice:
            hum = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.float32), format="fltp", layout="mono")
            hum.sample_rate = 8000
            output.mux(voice.encode(hum))
            output.mux(voice.encode(None))
    return path


def test_pictures_change_and_keep_their_moments(tmp_path: Path) -> None:
    source, target = film(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    change_video(str(source), target, inverted)
    with av.open(str(target)) as written:
        frames = list(written.decode(video=0))
    assert [round(frame.time or 0, 3) for frame in frames] == [0, 0.1, 0.25, 0.3]
    lightness = [np.asarray(frame.to_image()).mean() for frame in frames]
    assert lightness == pytest.approx([255, 215, 175, 135], abs=4)


def test_sound_is_kept(tmp_path: Path) -> None:
    source, target = film(tmp_path / "in.mp4", sound=True), tmp_path / "out.mp4"
    change_video(str(source), target, inverted)
    with av.open(str(target)) as written, av.open(str(source)) as original:
        assert [bytes(packet) for packet in written.demux(audio=0)] == [
            bytes(packet) for packet in original.demux(audio=0)
        ]
        assert written.streams.audio[0].codec_context.name == "aac"


@pytest.mark.parametrize(
    ("size", "written"), [((1920, 1080), (960, 540)), ((66, 1000), (62, 960)), ((50, 34), (50, 34))]
)
def test_large_pictures_are_made_smaller(tmp_path: Path, size: tuple[int, int], written: tuple[int, int]) -> None:
    source, target = film(tmp_path / "in.mp4", size=size, moments=(0,)), tmp_path / "out.mp4"
    change_video(str(source), target, inverted)
    with av.open(str(target)) as result:
        video = result.streams.video[0].codec_context
        assert (video.width, video.height) == written
    assert max(written) <= MAX_SIDE


def test_counts_pictures(examples: Path, tmp_path: Path) -> None:
    assert count_pictures(str(examples / "street.mp4")) == 70
    assert count_pictures(str(film(tmp_path / "in.mp4"))) == 4


def test_long_video_is_refused(tmp_path: Path) -> None:
    long = film(tmp_path / "long.mp4", moments=(0, 61_000))
    with pytest.raises(CannotDo, match="longer than 60 seconds"):
        count_pictures(str(long))
    with pytest.raises(CannotDo, match="longer than 60 seconds"):
        change_video(str(long), tmp_path / "out.mp4", inverted)


def test_sound_alone_is_refused(examples: Path) -> None:
    with pytest.raises(CannotDo, match="only sound"):
        count_pictures(str(examples / "cards.mp3"))


def test_what_is_no_video_is_an_error_of_pyav(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video" * 1000)
    with pytest.raises(av.error.FFmpegError):
        count_pictures(str(broken))


def test_video_that_breaks_off_before_its_first_picture(examples: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((examples / "street.mp4").read_bytes()[:5000])
    with pytest.raises((CannotDo, av.error.FFmpegError)):
        change_video(str(broken), tmp_path / "out.mp4", inverted)
