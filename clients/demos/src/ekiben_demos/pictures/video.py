"""Videos picture by picture, in and out, with PyAV: FFmpeg in a wheel."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from PIL import Image

from ekiben_demos.faults import CannotDo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Change = Callable[[Iterator[Image.Image]], Iterator[Image.Image]]
"""Takes the pictures as they are needed and gives one for each, in order."""

MAX_SECONDS = 60.0
MAX_SIDE = 960
"""A longer side is made smaller: what is shown in a page needs no more."""

SOUND_OF_MP4 = {"aac", "mp3", "opus"}


def change_video(source: str, target: Path, change: Change) -> None:
    """Write the video anew with other pictures, at the same moments and with its sound, as H.264 in MP4.

    Raises `CannotDo` where there are no pictures or too many, PyAV's errors where the file cannot be read.
    """
    with av.open(source) as film, av.open(str(target), "w", options={"movflags": "faststart"}) as output:
        stream = _pictures_of(film)
        moments: deque[int] = deque()
        changed = change(_read(film, stream, moments))
        first = next(changed, None)
        if first is None:
            raise CannotDo("There are no pictures in this video.")
        written = output.add_stream("libx264", rate=_rate(stream), options={"crf": "23", "preset": "veryfast"})
        written.width, written.height = first.size
        written.pix_fmt = "yuv420p"
        written.codec_context.time_base = stream.time_base or Fraction(1, 1000)
        sound = _sound_of(film)
        copied = output.add_stream_from_template(sound) if sound else None
        for picture in itertools.chain([first], changed):
            frame = av.VideoFrame.from_image(picture)
            frame.pts = moments.popleft()
            frame.time_base = stream.time_base
            output.mux(written.encode(frame))
        output.mux(written.encode(None))
        if sound and copied:
            film.seek(0)
            for packet in film.demux(sound):
                if packet.dts is not None:
                    packet.stream = copied
                    output.mux(packet)


def count_pictures(source: str) -> int:
    """About how many pictures the video has. Raises PyAV's errors, and `CannotDo` where it has none or is too long."""
    with av.open(source) as film:
        stream = _pictures_of(film)
        seconds = _seconds(film)
        return stream.frames or max(1, round(seconds * float(_rate(stream))))


def _pictures_of(film: InputContainer) -> VideoStream:
    if not film.streams.video:
        raise CannotDo("There are no pictures in this file, only sound.")
    if _seconds(film) > MAX_SECONDS:
        raise CannotDo(f"This video is longer than {MAX_SECONDS:.0f} seconds; choose a shorter one.")
    stream = film.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def _sound_of(film: InputContainer) -> av.AudioStream | None:
    return next((stream for stream in film.streams.audio if stream.codec_context.name in SOUND_OF_MP4), None)


def _seconds(film: InputContainer) -> float:
    """0 where the file does not say, as recordings of browsers do not."""
    return film.duration / av.time_base if film.duration else 0.0


def _rate(stream: VideoStream) -> Fraction:
    return stream.average_rate or Fraction(25)


def _read(film: InputContainer, stream: VideoStream, moments: deque[int]) -> Iterator[Image.Image]:
    """The pictures, upright and small enough; the time of each is put into `moments`."""
    for frame in film.decode(stream):
        if frame.pts is None:
            continue
        if (frame.time or 0.0) > MAX_SECONDS:
            raise CannotDo(f"This video is longer than {MAX_SECONDS:.0f} seconds; choose a shorter one.")
        moments.append(frame.pts)
        yield _fitted(frame.to_image().rotate(frame.rotation, expand=True))


def _fitted(picture: Image.Image) -> Image.Image:
    """At most `MAX_SIDE` pixels, and an even number of them, which H.264's colours need."""
    scale = min(1.0, MAX_SIDE / max(picture.size))
    width, height = (max(2, round(side * scale) // 2 * 2) for side in picture.size)
    return picture if (width, height) == picture.size else picture.resize((width, height), Image.Resampling.BILINEAR)
