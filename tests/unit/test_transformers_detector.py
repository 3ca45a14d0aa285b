"""RT-DETR of transformers. Its hub is out of reach of a test: the networks are small, random and saved to a folder,
and well-scaled, so that they tell places and pictures apart."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from exporters import transformers_detector as exporter
from exporters.errors import ExportError
from exporters.export import compare, write
from exporters.hub import hub_folder
from exporters.reference import Reference, smooth_pictures
from exporters.transformers_import import transformers
from models.model import HubRepository, OneShot
from models.object_detection import (
    Detection,
    DetectionParameters,
    ObjectDetection,
    ObjectDetector,
    coco_labels,
    detector,
)
from models.task import Request, Submit
from tests import photographs
from tests.serving import ROOT, clean_environment, free_port

SIZE, QUERIES = 96, 20
[MODEL] = [model for model in ObjectDetection.models if model.architecture == "transformers_detector"]


def declared(folder: Path) -> ObjectDetector:
    """A model like the catalogue's, of the size of the networks here."""
    facts = {
        name: getattr(MODEL, name) for name in ("title", "licence", "provenance", "paper", "architecture", "overlap")
    }
    return detector("tiny", size=SIZE, places=QUERIES, source=HubRepository(str(folder)), **facts)


def configuration(**changes: Any) -> Any:
    labels = {"airplane": "aeroplane", "couch": "sofa", "potted plant": "pottedplant", "tv": "tvmonitor"}
    backbone: dict[str, Any] = {
        "embedding_size": 8,
        "hidden_sizes": [8, 8, 8, 8],
        "depths": [1, 1, 1, 1],
        "layer_type": "basic",
        "out_features": ["stage2", "stage3", "stage4"],
    }
    facts: dict[str, Any] = {
        "backbone_config": transformers.RTDetrResNetConfig(**backbone),
        "encoder_in_channels": [8, 8, 8],
        "encoder_hidden_dim": 16,
        "d_model": 16,
        "decoder_in_channels": [16, 16, 16],
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "decoder_layers": 1,
        "hidden_expansion": 0.5,
        "num_queries": QUERIES,
        "freeze_backbone_batch_norms": False,  # they are calibrated here
        "id2label": {id: labels.get(label, label) for id, label in enumerate(coco_labels())},
    }
    return transformers.RTDetrConfig(**facts | changes)


def well_scaled() -> Any:
    torch.manual_seed(0)
    network: Any = transformers.RTDetrForObjectDetection(configuration())
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the plain mean over all passes
            elif isinstance(module, nn.Conv2d | nn.Linear) and "sampling_offsets" not in name:
                nn.init.kaiming_normal_(module.weight)
            if name.endswith(("enc_score_head", "class_embed.0")):
                module.weight.mul_(1.5)  # some scores are near 1; its bias says that most are near 0
        network.train()(pixel_values=pixels(smooth_pictures(8, SIZE, SIZE)))
    return network.eval()


def pixels(pictures: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255


def save(network: Any, folder: Path, **changes: Any) -> Path:
    network.save_pretrained(folder)
    processor = transformers.RTDetrImageProcessor(**{"size": {"height": SIZE, "width": SIZE}, **changes})
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(well_scaled(), tmp_path_factory.mktemp("detector"))


@pytest.fixture(scope="module")
def network(folder: Path) -> Any:
    """The network as transformers itself loads it from the folder."""
    loaded: Any = transformers.RTDetrForObjectDetection.from_pretrained(folder)
    return loaded.eval()


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    [reference] = exporter.build(declared(folder))
    return reference


@pytest.fixture(scope="module")
def graph(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    write(reference, path)
    return path


def test_the_export_equals_torch_at_both_batch_sizes(reference: Reference, graph: Path) -> None:
    boxes, scores = reference.outputs(reference.cases[0])
    assert scores.max() > 0.2 and np.abs(scores[0] - scores[1]).max() > 0.05, "equal outputs would prove nothing"
    assert boxes.std((0, 1)).min() > 0.05 and boxes.min() > -0.5 and boxes.max() < 1.5
    comparisons = compare(reference, graph, MODEL.tolerance)
    assert MODEL.tolerance <= 1e-4 and [each.inputs["image"][0] for each in comparisons] == [3, 1]
    assert all(max(each.max_difference.values()) > 0 for each in comparisons)


def test_it_gives_the_networks_boxes_in_the_order_of_their_places(reference: Reference, network: Any) -> None:
    (pictures,) = reference.cases[0]
    boxes, scores = reference.outputs((pictures,))
    with torch.inference_mode():
        outputs = network(pixel_values=pixels(pictures))
    ranked = outputs.enc_outputs_class.max(-1).values.topk(QUERIES).indices.numpy()
    assert (np.diff(ranked) < 0).any(), "ranks are the order already"
    for place, ranks in enumerate(ranked):
        order = np.argsort(ranks)
        centres, sizes = np.split(outputs.pred_boxes[place].numpy()[order], 2, -1)
        np.testing.assert_allclose(boxes[place], np.hstack([centres - sizes / 2, centres + sizes / 2]), atol=1e-5)
        np.testing.assert_allclose(scores[place], outputs.logits[place].sigmoid().numpy()[order], atol=1e-5)


def converse(graph: Path, model: ObjectDetector, data: bytes, threshold: float) -> tuple[Any, list[Detection]]:
    """The pixels that the task makes of a picture, and its answer with the exported graph as its model."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    request = Request({"image": data}, DetectionParameters(threshold=threshold, max_detections=300))
    conversation = ObjectDetection().converse(model, request)
    submit = next(conversation)
    assert isinstance(submit, Submit)
    [item] = submit.items
    next(conversation)
    boxes, scores = session.run(["boxes", "scores"], {"image": item.inputs["image"][None]})
    with pytest.raises(StopIteration) as answer:
        conversation.send({"boxes": boxes[0], "scores": scores[0]})
    return item.inputs["image"], answer.value.value


@pytest.mark.parametrize("name", ["coffee", "rocket"])
def test_the_answer_for_a_photograph_is_the_processors(name: str, folder: Path, graph: Path, network: Any) -> None:
    photograph = photographs.rgb(name)
    processor = transformers.RTDetrImageProcessor.from_pretrained(folder)
    prepared = processor(images=photograph, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        scores = network(pixel_values=prepared).logits.sigmoid().flatten().sort(descending=True).values
    gaps = scores[10:30] - scores[11:31]
    threshold = float(scores[10 + int(gaps.argmax())] - gaps.max() / 2)  # where no score is near
    ours, found = converse(graph, declared(folder), photographs.encoded(photograph, "PNG"), threshold)
    # torchvision resizes in integers and Pillow in others: a sample may differ by one.
    assert np.abs(prepared[0].permute(1, 2, 0).numpy() * 255 - ours).max() < 1.01
    with torch.inference_mode():
        outputs = network(pixel_values=pixels(ours[None]))
    [expected] = processor.post_process_object_detection(outputs, threshold, target_sizes=[photograph.size[::-1]])
    assert 10 < len(found) == len(expected["scores"]) < 32
    ranked = sorted(
        zip(*(expected[name].tolist() for name in ("scores", "labels", "boxes")), strict=True), reverse=True
    )
    for detection, (score, label, box) in zip(found, ranked, strict=True):
        width, height = photograph.size
        assert detection.label == coco_labels()[label] and abs(detection.score - score) < 1e-4
        inside = np.clip(box, 0, (width, height, width, height))
        assert np.abs(np.array(list(detection.box.model_dump().values())) - inside).max() < 0.6


def test_the_declaration_is_transformers_default() -> None:
    assert isinstance(MODEL.protocol, OneShot)
    [boxes, scores] = MODEL.protocol.graph.outputs
    defaults, processor = transformers.RTDetrConfig(), transformers.RTDetrImageProcessor()
    assert (boxes.axes, scores.axes) == (("batch", defaults.num_queries, 4), ("batch", defaults.num_queries, 80))
    exporter.check_view(processor, MODEL)
    assert MODEL.overlap is None and transformers.AutoConfig.for_model("rt_detr").num_queries == 300


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (coco_labels()[:79], "knows 79 kinds of things, COCO has 80"),
        ((*coco_labels(), "sock"), "knows 81 kinds of things"),
        (coco_labels()[::-1], "kind 0 is 'toothbrush', the catalogue's is 'person'"),
        ((*coco_labels()[:79], "LABEL_79"), "kind 79 is 'LABEL_79'"),
    ],
)
def test_other_kinds_of_things_are_refused(labels: tuple[str, ...], complaint: str) -> None:
    network = nn.Module()
    network.config = configuration(id2label=dict(enumerate(labels)))
    with pytest.raises(ExportError, match=complaint):
        exporter.check_labels(network, coco_labels())


def test_spellings_of_our_kinds_are_ours() -> None:
    network = nn.Module()
    network.config = configuration()
    exporter.check_labels(network, coco_labels())


@pytest.mark.parametrize(
    "change",
    [
        {"do_normalize": True},
        {"resample": 3},
        {"rescale_factor": 1.0},
        {"size": {"height": 96, "width": 128}},
        {"do_pad": True},
    ],
    ids=str,
)
def test_a_network_that_is_fed_other_pictures_is_refused(change: dict[str, Any]) -> None:
    processor = transformers.RTDetrImageProcessor(**{"size": {"height": SIZE, "width": SIZE}, **change})
    with pytest.raises(ExportError, match=f"other pictures than the catalogue says: .*{next(iter(change))}"):
        exporter.check_view(processor, declared(Path()))


def without_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.enc_output.0.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def of_another_kind(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    tiny = transformers.YolosConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, image_size=[32, 32]
    )
    transformers.YolosForObjectDetection(tiny).save_pretrained(folder)


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (without_a_weight, r"lacks weights, which would be random: model\.enc_output\.0\.weight"),
        (of_another_kind, "YolosForObjectDetection, which is no RT-DETR"),
        (without_weights, "model.safetensors"),
    ],
)
def test_a_folder_that_is_no_whole_rt_detr_is_refused(
    folder: Path, tmp_path: Path, damage: Callable[[Path], None], complaint: str
) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    damage(tmp_path)
    with pytest.raises(ExportError, match=complaint):
        exporter.build(declared(tmp_path))


def test_a_folder_needs_no_hub(tmp_path: Path) -> None:
    assert hub_folder(HubRepository(str(tmp_path))) == tmp_path


FETCH = """
import sys, time
from exporters.errors import SourceError
from exporters.hub import hub_folder
from models.model import HubRepository
begin = time.monotonic()
try:
    hub_folder(HubRepository("PekingU/rtdetr_r18vd"), timeout_seconds=0.5)
except SourceError as error:
    print(error)
print(time.monotonic() - begin < 10)
"""


def fetch(home: Path, **environment: str) -> list[str]:
    """What a fresh process, whose client has an empty cache, says and whether it took less than ten seconds."""
    surroundings = clean_environment(HF_HOME=str(home), **environment)
    done = subprocess.run(
        [sys.executable, "-c", FETCH],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


START = "Hugging Face PekingU/rtdetr_r18vd at main: cannot be fetched from Hugging Face's hub: "


def test_a_hub_that_cannot_be_reached_is_given_up_in_one_sentence(tmp_path: Path) -> None:
    """Nothing listens on the proxy's port, as on a machine that is cut off."""
    message, fast = fetch(tmp_path, https_proxy=f"http://127.0.0.1:{free_port()}")
    assert message.startswith(START) and "refused" in message and fast == "True"


def test_a_hub_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are taken, and nothing is said
        message, fast = fetch(tmp_path, HF_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert message.startswith(START) and "timed out" in message and fast == "True"


def test_offline_the_clients_cache_is_asked_alone(tmp_path: Path) -> None:
    message, fast = fetch(tmp_path, HF_HUB_OFFLINE="1")
    assert message.startswith(START) and fast == "True"
