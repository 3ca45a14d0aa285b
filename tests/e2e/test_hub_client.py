"""Hugging Face's own client, unmodified, pointed at the native routes: a path, bytes, and parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests import photographs, recordings
from tests.e2e.speech import BECKETT
from tests.golden.test_image_classification import LITE0
from tests.golden.test_translation import EN_PT, PT_EN
from tests.serving import Server

CHELSEA = photographs.path("chelsea")


def client(server: Server, route: str) -> InferenceClient:
    """Its way to an endpoint of one's own."""
    return InferenceClient(model=f"{server.url}/v1/{route}", provider="hf-inference", token="none", timeout=60)


@pytest.mark.parametrize("picture", [str(CHELSEA), CHELSEA, CHELSEA.read_bytes()], ids=["text", "path", "bytes"])
def test_image_classification(server: Server, picture: str | Path | bytes) -> None:
    classify = client(server, "image-classification").image_classification
    golden = [label for label, _ in LITE0["chelsea"]]
    found = classify(picture)
    assert [each.label for each in found][:3] == golden and len(found) == 5
    assert found[0].score == pytest.approx(LITE0["chelsea"][0][1], abs=0.01)
    assert [each.label for each in classify(picture, top_k=2)] == golden[:2]
    assert len(classify(picture, top_k=2, function_to_apply="softmax")) == 2


@pytest.mark.parametrize("kind", ["path", "bytes"])
def test_object_detection(server: Server, kind: str) -> None:
    path = photographs.path("coffee")
    detect = client(server, "object-detection").object_detection
    found = detect(path if kind == "path" else path.read_bytes())
    assert "cup" in [each.label for each in found]
    assert all(0 <= each.box.xmin < each.box.xmax for each in found)
    more = detect(path if kind == "path" else path.read_bytes(), threshold=0.1)
    assert len(more) > len(found) and min(each.score for each in more) < 0.5


@pytest.mark.parametrize("kind", ["path", "bytes"])
def test_automatic_speech_recognition(speech_server: Server, kind: str) -> None:
    path = recordings.path("beckett")
    recognize = client(speech_server, "speech-recognition").automatic_speech_recognition
    recording = path if kind == "path" else path.read_bytes()
    plain = recognize(recording)
    assert plain.text.strip() == BECKETT and plain.chunks is None
    timed = recognize(recording, extra_body={"return_timestamps": True})
    assert timed.text == plain.text
    assert timed.chunks and timed.chunks[0].timestamp[0] == 0.0


def test_translation(translation_server: Server) -> None:
    translate = client(translation_server, "translation").translation
    english, portuguese = next(iter(EN_PT.items()))
    assert translate(english).translation_text == portuguese
    assert translate(english, src_lang="en", tgt_lang="pt").translation_text == portuguese
    source, target = next(iter(PT_EN.items()))
    assert translate(source, src_lang="pt", tgt_lang="en").translation_text == target


def test_refusals_are_the_client_s_own_exceptions(server: Server, translation_server: Server) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        client(server, "image-classification").image_classification(CHELSEA, top_k=0)
    assert refused.value.response.status_code == 422
    with pytest.raises(HfHubHTTPError) as refused:
        client(server, "object-detection").object_detection(b"no picture at all")
    assert refused.value.response.status_code == 422
    with pytest.raises(HfHubHTTPError) as refused:
        client(translation_server, "translation").translation("Hello.", src_lang="en", tgt_lang="xx")
    assert refused.value.response.status_code == 422
