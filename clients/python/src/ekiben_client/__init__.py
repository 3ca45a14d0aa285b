"""Client of an ekiben server: six tasks of pretrained models over HTTP.

from ekiben_client import Client

with Client("http://localhost:3000") as client:
    print(client.classify("photo.jpg").best)
"""

from __future__ import annotations

from ekiben_client import errors
from ekiben_client._answer import Meta, Timing
from ekiben_client._many import Outcome, Progress
from ekiben_client._media import Picture, Sound
from ekiben_client._speech_stream import AsyncSpeechStream, SpeechStream
from ekiben_client._version import VERSION as __version__  # noqa: N811
from ekiben_client.async_client import AsyncClient
from ekiben_client.catalogue import Model
from ekiben_client.client import Client
from ekiben_client.errors import EkibenError
from ekiben_client.face_detection import Face, FaceDetection, Landmarks
from ekiben_client.image_classification import Classification, Label
from ekiben_client.object_detection import Box, DetectedObject, ObjectDetection
from ekiben_client.speech_recognition import Chunk, Transcript
from ekiben_client.style_transfer import Style, StyledPicture
from ekiben_client.translation import DetectedLanguage, Translation

__all__ = [
    "AsyncClient",
    "AsyncSpeechStream",
    "Box",
    "Chunk",
    "Classification",
    "Client",
    "DetectedLanguage",
    "DetectedObject",
    "EkibenError",
    "Face",
    "FaceDetection",
    "Label",
    "Landmarks",
    "Meta",
    "Model",
    "ObjectDetection",
    "Outcome",
    "Picture",
    "Progress",
    "Sound",
    "SpeechStream",
    "Style",
    "StyledPicture",
    "Timing",
    "Transcript",
    "Translation",
    "__version__",
    "errors",
]
