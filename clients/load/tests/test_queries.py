from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben_load import inputs
from ekiben_load.queries import TASKS, Input, queries

BOX = {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}
FOUND = {"label": "cat", "score": 0.9, "box": BOX}
FACE = {**FOUND, "label": "face", "landmarks": {"left_eye": [1, 2]}}
PNG = b"\x89PNG\r\n\x1a\n...IEND\xaeB`\x82"

PLAUSIBLE = [
    ("image-classification", [{"label": "cat", "score": 0.9}, {"label": "dog", "score": 0.1}]),
    ("object-detection", []),
    ("object-detection", [FOUND]),
    ("face-detection", [FACE]),
    ("style-transfer", PNG),
    ("style-transfer", b"\xff\xd8\xff...\xff\xd9"),
    ("style-transfer", b"RIFF\x08\x00\x00\x00WEBPVP8 "),
    ("speech-recognition", {"text": "hello"}),
    ("translation", [{"translation_text": "olá"}]),
]
IMPLAUSIBLE = [
    ("image-classification", []),
    ("image-classification", [{"label": "cat", "score": 0.1}, {"label": "dog", "score": 0.9}]),
    ("image-classification", [{"label": "cat", "score": 1.5}]),
    ("image-classification", [{"label": "", "score": 0.5}]),
    ("image-classification", b"[{"),
    ("object-detection", {}),
    ("object-detection", [{**FOUND, "box": {**BOX, "xmax": 0}}]),
    ("object-detection", [{"label": "cat", "score": 0.5}]),
    ("face-detection", [FOUND]),
    ("style-transfer", b""),
    ("style-transfer", PNG[:-1]),
    ("style-transfer", b"RIFF\xff\x00\x00\x00WEBPVP8 "),
    ("speech-recognition", {"text": " "}),
    ("speech-recognition", []),
    ("speech-recognition", {"text": None}),
    ("translation", []),
    ("translation", [{"translation_text": ""}]),
]


def body(answer: object) -> bytes:
    return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


@pytest.mark.parametrize(("task", "answer"), PLAUSIBLE)
def test_what_a_task_answers_is_plausible(task: str, answer: object) -> None:
    assert TASKS[task].is_plausible(body(answer))


@pytest.mark.parametrize(("task", "answer"), IMPLAUSIBLE)
def test_what_no_task_answers_is_not(task: str, answer: object) -> None:
    assert not TASKS[task].is_plausible(body(answer))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["label", "score", "box", "landmarks", "text", "translation_text"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from(list(TASKS)), st.binary(max_size=100) | JSON.map(lambda document: json.dumps(document).encode()))
def test_no_body_is_too_odd_to_be_judged(task: str, answer: bytes) -> None:
    assert TASKS[task].is_plausible(answer) in (True, False)


def test_a_body_nested_too_deeply_is_not_plausible() -> None:
    assert not TASKS["object-detection"].is_plausible(100_000 * b"[")


def test_each_task_is_asked_what_it_takes() -> None:
    files, texts = inputs.read_files(inputs.EXAMPLES), inputs.texts()
    names = {task: {query.name for query in queries(task, files, texts)} for task in TASKS}
    assert "cat.jpg" in names["object-detection"] == names["style-transfer"]
    assert "cards.mp3" in names["speech-recognition"]
    assert len(names["translation"]) == len(texts) > 10
    assert all(len(each) >= 3 for each in names.values())


def test_pictures_of_the_demos_pages_are_no_inputs(tmp_path: Path) -> None:
    assert list(inputs.EXAMPLES.glob("card-*"))
    assert not [each.name for each in inputs.read_files(inputs.EXAMPLES) if each.name.startswith("card-")]
    (tmp_path / "card-1.webp").write_bytes(b"1")
    assert [each.name for each in inputs.read_files(tmp_path)] == ["card-1.webp"]


def test_a_task_without_an_input_is_refused() -> None:
    with pytest.raises(ValueError, match="speech-recognition"):
        queries("speech-recognition", [Input("a.jpg", ".jpg", b"")], [])


def test_a_folder_without_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pictures"):
        inputs.read_files(tmp_path)


def test_large_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "small.JPG").write_bytes(b"1")
    (tmp_path / "large.wav").write_bytes(bytes(inputs.MAX_BYTES + 1))
    (tmp_path / "notes.txt").write_bytes(b"1")
    assert [each.name for each in inputs.read_files(tmp_path)] == ["small.JPG"]
