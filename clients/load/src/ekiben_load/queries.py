"""What each task is asked, and what counts as an answer to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PICTURES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
RECORDINGS = {
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
}


@dataclass(frozen=True)
class Query:
    """One request to a task, whole; `name` says which input it carries."""

    task: str
    name: str
    path: str
    media_type: str
    body: bytes
    method: str = "POST"


@dataclass(frozen=True)
class Task:
    """A native route: which inputs it takes, and whether a body is an answer of its kind."""

    takes: Mapping[str, str] | None
    """Media types by the ends of files' names; none where it takes text."""
    is_plausible: Callable[[bytes], bool]


def _document(check: Callable[[Any], bool]) -> Callable[[bytes], bool]:
    """A check of a JSON document, for which anything of another form is no answer."""

    def is_plausible(body: bytes) -> bool:
        try:
            return check(json.loads(body))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return False

    return is_plausible


def _is_score(value: Any) -> bool:
    return isinstance(value, float | int) and 0 <= value <= 1


def _are_labels(found: Any) -> bool:
    """At least one, best first."""
    scores = [each["score"] for each in found if each["label"]]
    return bool(scores) and len(scores) == len(found) and all(map(_is_score, scores)) and scores == sorted(scores)[::-1]


def _are_boxes(found: Any) -> bool:
    """Any number, none too: boxes that are not inside out."""
    return isinstance(found, list) and all(
        each["label"]
        and _is_score(each["score"])
        and each["box"]["xmin"] <= each["box"]["xmax"]
        and each["box"]["ymin"] <= each["box"]["ymax"]
        for each in found
    )


def _are_faces(found: Any) -> bool:
    return _are_boxes(found) and all(len(each["landmarks"]["left_eye"]) == 2 for each in found)


def _is_picture(body: bytes) -> bool:
    """A whole PNG, JPEG or WebP, by its first and last bytes."""
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return body.endswith(b"IEND\xaeB`\x82")
    if body.startswith(b"\xff\xd8\xff"):
        return body.endswith(b"\xff\xd9")
    return body[:4] == b"RIFF" and body[8:12] == b"WEBP" and len(body) >= 8 + int.from_bytes(body[4:8], "little")


TASKS: Mapping[str, Task] = {
    "image-classification": Task(PICTURES, _document(_are_labels)),
    "object-detection": Task(PICTURES, _document(_are_boxes)),
    "face-detection": Task(PICTURES, _document(_are_faces)),
    "style-transfer": Task(PICTURES, _is_picture),
    "speech-recognition": Task(RECORDINGS, _document(lambda answer: bool(answer["text"].strip()))),
    "translation": Task(None, _document(lambda answer: bool(answer[0]["translation_text"].strip()))),
}
"""By the name that is the end of the route: `/v1/<name>`."""


@dataclass(frozen=True)
class Input:
    """A picture or a recording."""

    name: str
    suffix: str
    data: bytes


def queries(task: str, files: Sequence[Input], texts: Sequence[str]) -> list[Query]:
    """A query for each input that the task takes. Raises `ValueError` where there is none."""
    takes, path = TASKS[task].takes, f"/v1/{task}"
    if takes is None:
        found = [
            Query(task, f"text {number}", path, "application/json", _translation(text))
            for number, text in enumerate(texts)
        ]
    else:
        found = [Query(task, each.name, path, takes[each.suffix], each.data) for each in files if each.suffix in takes]
    if not found:
        raise ValueError(f"no input for {task}")
    return found


def _translation(text: str) -> bytes:
    return json.dumps({"inputs": text, "parameters": {"src_lang": "en", "tgt_lang": "pt"}}).encode()
