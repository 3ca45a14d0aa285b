"""What every peer runs around its model: our decoding, our crop and our top-5; and where it shall listen."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from models.image_classification import ImageClassification
from models.limits import Limits
from models.pictures.image import Pixels, decode

MODEL = ImageClassification.models[0]
ROUTE = "/v1/image-classification"
HOST = "127.0.0.1"
TOP_K = 5

LIMITS = Limits()
LABELS = MODEL.labels


def port() -> int:
    return int(os.environ["PEER_PORT"])


def workers() -> int:
    """How many pictures may be in the model at once, each on one thread: the cores."""
    return int(os.environ["PEER_WORKERS"])


def pixels(data: bytes) -> Pixels:
    """JPEG → uint8 `[size, size, 3]`."""
    return MODEL.crop(decode(data, field="image", limits=LIMITS, resampled=MODEL.crop.resampled).image)


def answer(scores: NDArray[np.float32]) -> list[dict[str, str | float]]:
    """Probabilities `[1000]` → the answer's JSON."""
    best = np.argsort(-scores, kind="stable")[:TOP_K]
    return [{"label": LABELS[index], "score": float(scores[index])} for index in best]
