"""The blocking client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import overload

import httpx

from ekiben_client import (
    catalogue,
    face_detection,
    image_classification,
    object_detection,
    speech_recognition,
    style_transfer,
    translation,
)
from ekiben_client._call import Call, I, T
from ekiben_client._many import Outcome, Progress, check_in_flight, many
from ekiben_client._media import Picture, Sound
from ekiben_client._sender import Sender
from ekiben_client._settings import Settings
from ekiben_client._speech_stream import SpeechStream
from ekiben_client.catalogue import Model
from ekiben_client.errors import ConnectionFailed, DeadlineExceeded, StatusError
from ekiben_client.face_detection import FaceDetection
from ekiben_client.image_classification import Classification
from ekiben_client.object_detection import ObjectDetection
from ekiben_client.speech_recognition import Transcript
from ekiben_client.style_transfer import Style, StyledPicture
from ekiben_client.translation import DetectedLanguage, Translation


class Client:
    """A client of one ekiben server; threads may share it. `AsyncClient` has the same methods.

    `timeout` is how many seconds a call may take in all, retries included; left out, the server's own default
    for the task (60, speech 600). The server is told, and drops work that it cannot start in time. After faults
    of the connection, 429 and 503 a call is sent again up to `retries` times, with exponential back-off, no
    sooner than `Retry-After` says. `transport` takes a transport of httpx, as for tests.

    Methods raise what `ekiben_client.errors` lists, and `ValueError` for options that make no sense.
    """

    def __init__(
        self,
        base_url: str = "http://localhost:3000",
        *,
        api_key: str | None = None,
        timeout: float | None = None,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        settings = Settings(base_url, api_key, timeout, retries)
        self._sender = Sender(settings, transport)
        self._ask = self._sender.ask

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    def classify(
        self, image: Picture, *, top_k: int = 5, model: str | None = None, timeout: float | None = None
    ) -> Classification:
        """What is in the picture: the `top_k` likeliest classes."""
        return self._ask(image_classification.classification(top_k=top_k, model=model), image, timeout)

    def classify_many(
        self,
        images: Iterable[Picture],
        *,
        top_k: int = 5,
        model: str | None = None,
        timeout: float | None = None,
        in_flight: int = 16,
        progress: Progress | None = None,
    ) -> Iterator[Outcome[Picture, Classification]]:
        """`classify` for each picture, `in_flight` at a time; outcomes come in the pictures' order."""
        call = image_classification.classification(top_k=top_k, model=model)
        return self._ask_many(call, images, timeout, in_flight, progress)

    def detect_objects(
        self, image: Picture, *, threshold: float = 0.5, model: str | None = None, timeout: float | None = None
    ) -> ObjectDetection:
        """Which objects are in the picture, and where: those with a score of at least `threshold`."""
        return self._ask(object_detection.detection(threshold=threshold, model=model), image, timeout)

    def detect_objects_many(
        self,
        images: Iterable[Picture],
        *,
        threshold: float = 0.5,
        model: str | None = None,
        timeout: float | None = None,
        in_flight: int = 16,
        progress: Progress | None = None,
    ) -> Iterator[Outcome[Picture, ObjectDetection]]:
        """`detect_objects` for each picture, as `classify_many`."""
        call = object_detection.detection(threshold=threshold, model=model)
        return self._ask_many(call, images, timeout, in_flight, progress)

    def detect_faces(
        self, image: Picture, *, threshold: float = 0.5, model: str | None = None, timeout: float | None = None
    ) -> FaceDetection:
        """Where faces are in the picture, with five landmarks each."""
        return self._ask(face_detection.detection(threshold=threshold, model=model), image, timeout)

    def detect_faces_many(
        self,
        images: Iterable[Picture],
        *,
        threshold: float = 0.5,
        model: str | None = None,
        timeout: float | None = None,
        in_flight: int = 16,
        progress: Progress | None = None,
    ) -> Iterator[Outcome[Picture, FaceDetection]]:
        """`detect_faces` for each picture, as `classify_many`."""
        call = face_detection.detection(threshold=threshold, model=model)
        return self._ask_many(call, images, timeout, in_flight, progress)

    def transfer_style(
        self,
        image: Picture,
        style: str | None = None,
        *,
        style_image: Picture | None = None,
        strength: float = 1.0,
        max_side: int | None = None,
        format: str = "png",
        model: str | None = None,
        timeout: float | None = None,
    ) -> StyledPicture:
        """The picture in a style of the server's (`styles()`; mixed: `"style-03:0.7,style-11:0.3"`) or a picture's.

        `strength` is from 0 (as it was) to 1, `max_side` the longest side in pixels, `format` png, jpeg or webp.
        """
        call = style_transfer.transfer(
            style, style_image, strength=strength, max_side=max_side, format=format, model=model
        )
        return self._ask(call, image, timeout)

    def transfer_style_many(
        self,
        images: Iterable[Picture],
        style: str | None = None,
        *,
        style_image: Picture | None = None,
        strength: float = 1.0,
        max_side: int | None = None,
        format: str = "png",
        model: str | None = None,
        timeout: float | None = None,
        in_flight: int = 16,
        progress: Progress | None = None,
    ) -> Iterator[Outcome[Picture, StyledPicture]]:
        """`transfer_style` for each picture, as `classify_many`."""
        call = style_transfer.transfer(
            style, style_image, strength=strength, max_side=max_side, format=format, model=model
        )
        return self._ask_many(call, images, timeout, in_flight, progress)

    def styles(self, *, timeout: float | None = None) -> tuple[Style, ...]:
        """The styles that the server has."""
        return self._ask(style_transfer.styles(), None, timeout)

    def recognize_speech(
        self,
        audio: Sound,
        *,
        timestamps: bool = False,
        language: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> Transcript:
        """What is said in the recording; with `timestamps` also when."""
        call = speech_recognition.recognition(timestamps=timestamps, language=language, model=model)
        return self._ask(call, audio, timeout)

    def recognize_speech_many(
        self,
        recordings: Iterable[Sound],
        *,
        timestamps: bool = False,
        language: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
        in_flight: int = 4,
        progress: Progress | None = None,
    ) -> Iterator[Outcome[Sound, Transcript]]:
        """`recognize_speech` for each recording, as `classify_many`."""
        call = speech_recognition.recognition(timestamps=timestamps, language=language, model=model)
        return self._ask_many(call, recordings, timeout, in_flight, progress)

    @contextmanager
    def stream_speech(
        self, audio: Sound, *, language: str | None = None, model: str | None = None, timeout: float | None = None
    ) -> Iterator[SpeechStream]:
        """What is said, piece by piece while it is recognised: `with client.stream_speech(…) as pieces`.

        Once a first byte has come it is not sent again: what breaks off then is a `StreamInterrupted`.
        """
        call = speech_recognition.streamed_recognition(language=language, model=model)
        with self._sender.stream(call, audio, timeout) as (chunks, meta):
            yield SpeechStream(chunks, meta)

    @overload
    def translate(
        self,
        text: str,
        *,
        target: str,
        source: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> Translation: ...

    @overload
    def translate(
        self,
        text: list[str] | tuple[str, ...],
        *,
        target: str,
        source: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> tuple[Translation, ...]: ...

    def translate(
        self,
        text: str | list[str] | tuple[str, ...],
        *,
        target: str,
        source: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> Translation | tuple[Translation, ...]:
        """The text in the language `target`, or several texts in one request; `source` left out is detected."""
        if isinstance(text, str):
            one = translation.translation_of_one(target=target, source=source, model=model)
            return self._ask(one, text, timeout)
        return self._ask(translation.translation(target=target, source=source, model=model), text, timeout)

    def translate_many(
        self,
        texts: Iterable[str],
        *,
        target: str,
        source: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
        in_flight: int = 16,
        progress: Progress | None = None,
    ) -> Iterator[Outcome[str, Translation]]:
        """`translate` for each text, as `classify_many`."""
        call = translation.translation_of_one(target=target, source=source, model=model)
        return self._ask_many(call, texts, timeout, in_flight, progress)

    def detect_language(self, text: str, *, timeout: float | None = None) -> DetectedLanguage:
        """The likeliest of the languages that the server translates from."""
        return self._ask(translation.language_detection(), text, timeout)

    def models(self, *, timeout: float | None = None) -> tuple[Model, ...]:
        """The models that the server has."""
        return self._ask(catalogue.models(), None, timeout)

    def metrics(self, *, timeout: float | None = None) -> str:
        """What the server counts and measures, in Prometheus' text format."""
        return self._ask(catalogue.metrics(), None, timeout)

    def ready(self, *, timeout: float = 5.0) -> bool:
        """Whether the server is there and lets requests in."""
        try:
            return self._ask(catalogue.readiness(), None, timeout)
        except (StatusError, ConnectionFailed, DeadlineExceeded):
            return False

    def _ask_many(
        self, call: Call[I, T], inputs: Iterable[I], timeout: float | None, in_flight: int, progress: Progress | None
    ) -> Iterator[Outcome[I, T]]:
        check_in_flight(in_flight)
        return many(
            inputs,
            lambda input, pause: self._ask(call, input, timeout, pause),
            in_flight=in_flight,
            progress=progress,
        )
