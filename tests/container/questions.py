"""One request for each task, with the README's inputs, and what its answer has to say."""

from __future__ import annotations

import io
from typing import Any

import httpx
from PIL import Image

from tests import photographs, recordings


def ask_everything(client: httpx.Client) -> dict[str, str]:
    """Ask every task. Returns a line on each answer; raises `AssertionError` where one is wrong."""

    def ask(task: str, **request: Any) -> httpx.Response:
        response = client.post(f"/v1/{task}", timeout=120, **request)
        assert response.status_code == 200, (task, response.text)
        assert response.headers["X-Ekiben-Provider"] == "CPUExecutionProvider", response.headers
        return response

    chelsea, coffee, astronaut = (photographs.path(name).read_bytes() for name in ("chelsea", "coffee", "astronaut"))
    said: dict[str, str] = {}

    label = ask("image-classification", params={"top_k": 3}, content=chelsea).json()[0]["label"]
    assert label == "tiger cat", label
    said["image classification"] = label

    labels = [each["label"] for each in ask("object-detection", content=coffee).json()]
    assert "cup" in labels, labels
    said["object detection"] = ", ".join(labels)

    faces = ask("face-detection", content=astronaut).json()
    assert len(faces) == 1 and set(faces[0]["landmarks"]) >= {"left_eye", "nose"}, faces
    said["face detection"] = f"one face, score {faces[0]['score']:.3f}"

    painted = Image.open(io.BytesIO(ask("style-transfer", params={"style": "style-19"}, content=chelsea).content))
    assert painted.size == (451, 300), painted.size
    said["style transfer"] = f"{painted.format} of {painted.width} × {painted.height}"

    text = ask("speech-recognition", content=recordings.data("beckett")).json()["text"]
    assert "ever failed" in text.lower(), text
    said["speech recognition"] = text.strip()

    texts = {"inputs": ["How are you, {name}?", "Bom dia!"]}
    translations = [each["translation_text"] for each in ask("translation", json=texts).json()]
    assert "{name}" in translations[0] and "morning" in translations[1].lower(), translations
    said["translation"] = " · ".join(translations)
    return said
