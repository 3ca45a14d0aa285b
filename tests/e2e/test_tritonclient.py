"""Triton's own client, unmodified, against our server: metadata, tensors both ways, compression, its exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from models import find_model
from models.image_classification import ImageClassifier
from models.task import Array
from models.text.translators import Translator
from services.exports import find_export
from tests import photographs
from tests.golden.test_image_classification import LITE0
from tests.golden.test_translation import EN_PT
from tests.serving import Server

MODEL = "efficientnet-lite0"


def connect(server: Server) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(server.url.removeprefix("http://"), connection_timeout=60, network_timeout=60)
    yield client
    client.close()


@pytest.fixture
def client(server: Server) -> Iterator[InferenceServerClient]:
    yield from connect(server)


@pytest.fixture
def translating(translation_server: Server) -> Iterator[InferenceServerClient]:
    yield from connect(translation_server)


@pytest.fixture(scope="module")
def pictures() -> Array:
    """Eight photographs as the model looks at them."""
    model = find_model(MODEL)
    assert isinstance(model, ImageClassifier)
    names = [*LITE0, *LITE0][:8]
    return np.stack([model.crop(photographs.rgb(name)) for name in names])


def tensor(name: str, array: Array, *, binary: bool = True) -> InferInput:
    made = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return made.set_data_from_numpy(array, binary_data=binary)


def as_json(*names: str) -> list[InferRequestedOutput]:
    return [InferRequestedOutput(name, binary_data=False) for name in names]


def test_the_server_and_its_models_are_ready(client: InferenceServerClient) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready(MODEL, "2")
    assert not client.is_model_ready("nope") and not client.is_model_ready("resnet50")
    about = client.get_server_metadata()
    assert about["name"] == "ekiben" and "binary_tensor_data" in about["extensions"]


def test_metadata_are_the_graph_s(client: InferenceServerClient) -> None:
    assert client.get_model_metadata("multistyle26") == client.get_model_metadata("multistyle26", "1")
    assert client.get_model_metadata("multistyle26") == {
        "name": "multistyle26",
        "versions": ["1"],
        "platform": "onnx_onnxv1",
        "inputs": [
            {
                "name": "image",
                "datatype": "UINT8",
                "shape": [-1, -1, -1, 3],
                "parameters": {"axes": "batch, height, width, 3", "multiple_of.height": 4, "multiple_of.width": 4},
            },
            {"name": "style", "datatype": "FP32", "shape": [-1, 26], "parameters": {"axes": "batch, 26"}},
        ],
        "outputs": [
            {
                "name": "stylized",
                "datatype": "UINT8",
                "shape": [-1, -1, -1, 3],
                "parameters": {"axes": "batch, height, width, 3", "multiple_of.height": 4, "multiple_of.width": 4},
            }
        ],
    }


def test_configurations_are_in_triton_s_words(
    client: InferenceServerClient, translating: InferenceServerClient
) -> None:
    found = client.get_model_config(MODEL, "1")
    assert found["max_batch_size"] == 64
    assert found["input"] == [{"name": "image", "data_type": "TYPE_UINT8", "dims": [224, 224, 3]}]
    assert found["output"] == [{"name": "probabilities", "data_type": "TYPE_FP32", "dims": [1000]}]
    # where the batch is not the first axis, a configuration cannot leave it out
    found = translating.get_model_config("bergamot-tiny-en-pt.decoder")
    assert found["max_batch_size"] == 0
    assert {"name": "cells", "data_type": "TYPE_FP32", "dims": [2, -1, 256]} in found["input"]


MEMORY = tuple(f"{kind}_{layer}" for layer in range(2) for kind in ("keys", "values"))
"""What the encoder gives the decoder of each layer."""

FORMS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "gzip there": {"request_compression_algorithm": "gzip"},
    "gzip back": {"response_compression_algorithm": "gzip"},
    "gzip both ways": {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"},
    "deflate both ways": {"request_compression_algorithm": "deflate", "response_compression_algorithm": "deflate"},
    "by version": {"model_version": "1"},
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_are_those_of_the_reference_however_tensors_travel(
    client: InferenceServerClient, pictures: Array, form: str
) -> None:
    expected = [LITE0[name] for name in [*LITE0, *LITE0][:8]]
    labels = find_model(MODEL).labels  # type: ignore[attr-defined]
    for binary in (True, False):
        outputs = None if binary else as_json("probabilities")
        result = client.infer(MODEL, [tensor("image", pictures, binary=binary)], outputs=outputs, **FORMS[form])
        probabilities = result.as_numpy("probabilities")
        assert probabilities.shape == (8, 1000) and probabilities.dtype == np.float32
        for row, golden in zip(probabilities, expected, strict=True):
            best = np.argsort(-row)[:3]
            assert [labels[place] for place in best] == [label for label, _ in golden]
            assert row[best] == pytest.approx([score for _, score in golden], abs=0.01)


def test_an_answer_has_the_request_s_id_and_says_who_made_it(client: InferenceServerClient, pictures: Array) -> None:
    response = client.infer(MODEL, [tensor("image", pictures[:1])], request_id="mine").get_response()
    assert response["id"] == "mine"
    assert response["model_name"] == MODEL and response["model_version"] == "1"


def test_outputs_are_the_ones_asked_for_each_in_its_form(client: InferenceServerClient, pictures: Array) -> None:
    image = tensor("image", np.zeros((2, 320, 640, 3), np.uint8))
    everything = client.infer("centerface", [image])
    asked = [InferRequestedOutput("landmarks"), InferRequestedOutput("scores", binary_data=False)]
    some = client.infer("centerface", [image], outputs=asked)
    assert [each["name"] for each in some.get_response()["outputs"]] == ["landmarks", "scores"]
    assert "data" in some.get_output("scores") and "data" not in some.get_output("landmarks")
    for name in ("landmarks", "scores"):
        np.testing.assert_array_equal(some.as_numpy(name), everything.as_numpy(name))


def test_every_graph_of_a_model_can_be_asked(client: InferenceServerClient) -> None:
    picture = np.asarray(photographs.rgb("coffee").resize((256, 256)), np.uint8)[None]
    style = client.infer("magenta-arbitrary.predict", [tensor("image", picture)]).as_numpy("style")
    inputs = [tensor("image", picture), tensor("style", style)]
    painted = client.infer("magenta-arbitrary.model", inputs).as_numpy("stylized")
    assert painted.shape == picture.shape and painted.std() > 10
    with pytest.raises(InferenceServerException, match=r"\[404\].*magenta-arbitrary.predict"):
        client.infer("magenta-arbitrary", inputs)


def translate(client: InferenceServerClient, sentence: str) -> str:
    """A sentence, by hand: the encoder once, the decoder for every token."""
    model = find_model("bergamot-tiny-en-pt")
    assert isinstance(model, Translator)
    pieces = SentencePieceProcessor(model_file=str(find_export(model).file("vocabulary.spm")))
    ids = np.array([[*pieces.encode(sentence), pieces.eos_id()]], np.int64)
    real = tensor("mask", np.ones_like(ids))
    memory = client.infer(f"{model.id}.encoder", [tensor("ids", ids), real])
    memories = [tensor(name, memory.as_numpy(name)) for name in MEMORY]
    cells, token, tokens = np.zeros((2, 1, 256), np.float32), model.start, []
    for position in range(40):
        state = [
            tensor("previous", np.array([[token]])),
            tensor("positions", np.array([position])),
            tensor("cells", cells),
        ]
        step = client.infer(f"{model.id}.decoder", [*state, *memories, real])
        cells = step.as_numpy("new_cells")
        token = int(step.as_numpy("logits")[0, -1].argmax())
        if token == pieces.eos_id():
            break
        tokens.append(token)
    text: str = pieces.decode(tokens)
    return text


def test_encoder_and_decoder_translate_as_the_reference_does(translating: InferenceServerClient) -> None:
    for sentence in list(EN_PT)[:3]:
        assert translate(translating, sentence) == EN_PT[sentence]


def test_a_stepwise_graph_takes_batches(translating: InferenceServerClient) -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(3, 30_000, (5, 9))

    def encode(rows: Array) -> Array:
        inputs = [tensor("ids", rows), tensor("mask", np.ones_like(rows))]
        keys: Array = translating.infer("bergamot-tiny-en-pt.encoder", inputs).as_numpy("keys_0")
        return keys

    together = encode(ids)
    assert together.shape == (5, 8, 9, 32)
    for place in range(5):
        np.testing.assert_allclose(encode(ids[place : place + 1]), together[place : place + 1], atol=1e-5)


def test_binary_tensors_have_a_third_of_the_bytes(pictures: Array) -> None:
    bodies = {
        binary: InferenceServerClient.generate_request_body([tensor("image", pictures, binary=binary)])[0]
        for binary in (True, False)
    }
    assert len(bodies[False]) > 3 * len(bodies[True])


BAD: dict[str, tuple[str, str, list[InferInput], str]] = {
    "unknown model": ("nope", "", [tensor("image", np.zeros((1, 224, 224, 3), np.uint8))], "404.*nope"),
    "unknown version": (MODEL, "2", [tensor("image", np.zeros((1, 224, 224, 3), np.uint8))], "404.*version"),
    "not enabled": ("resnet50", "", [tensor("image", np.zeros((1, 224, 224, 3), np.uint8))], "404.*not enabled"),
    "another name": (MODEL, "", [tensor("picture", np.zeros((1, 224, 224, 3), np.uint8))], "400.*picture.*image"),
    "another type": (MODEL, "", [tensor("image", np.zeros((1, 224, 224, 3), np.float32))], "400.*FP32.*UINT8"),
    "texts": (MODEL, "", [tensor("image", np.array([b"a picture"], object))], "400.*BYTES"),
    "another size": (MODEL, "", [tensor("image", np.zeros((1, 224, 225, 3), np.uint8))], "400.*225"),
    "too large a batch": (MODEL, "", [tensor("image", np.zeros((65, 224, 224, 3), np.uint8))], "400.*65"),
    "no multiple": ("centerface", "", [tensor("image", np.zeros((1, 33, 64, 3), np.uint8))], "400.*multiple of 32"),
    "an input missing": ("multistyle26", "", [tensor("image", np.zeros((1, 8, 8, 3), np.uint8))], "400.*style"),
    "too small for the graph": (
        "multistyle26",
        "",
        [tensor("image", np.zeros((1, 4, 4, 3), np.uint8)), tensor("style", np.zeros((1, 26), np.float32))],
        "400.*cannot be run",
    ),
    "too large a picture": ("centerface", "", [tensor("image", np.zeros((1, 3200, 3200, 3), np.uint8))], "413"),
}


@pytest.mark.parametrize("case", BAD)
def test_refusals_are_the_client_s_own_exceptions(client: InferenceServerClient, case: str) -> None:
    model, version, inputs, message = BAD[case]
    with pytest.raises(InferenceServerException, match=message.replace("4", r"\[4", 1).replace(".*", r"\].*", 1)):
        client.infer(model, inputs, model_version=version)


def test_values_that_a_graph_cannot_be_run_with_are_refused(translating: InferenceServerClient) -> None:
    inputs = [tensor("ids", np.array([[10**9]])), tensor("mask", np.ones((1, 1), np.int64))]
    with pytest.raises(InferenceServerException, match="cannot be run"):
        translating.infer("bergamot-tiny-en-pt.encoder", inputs)
    assert translate(translating, "How are you today?") == EN_PT["How are you today?"]


def test_what_is_not_known_here_has_a_sentence_too(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="Not Found"):
        client.get_model_repository_index()
