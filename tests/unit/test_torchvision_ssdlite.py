"""torchvision's SSDLite. Its hub is out of reach of a test, so the weights are random, but well-scaled: the network
tells pictures apart and is sure of some boxes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from exporters import torchvision_ssdlite as exporter
from exporters.coco import USED_IDS
from exporters.export import compare, write
from exporters.reference import Reference, picture_batches
from exporters.torchvision_classifier import architecture_name
from exporters.torchvision_import import torchvision
from models.model import OneShot, TorchvisionWeights
from models.object_detection import Detection, DetectionParameters, ObjectDetection, ObjectDetector, coco_labels
from models.pictures.boxes import Box
from models.task import Request, Submit
from tests import photographs, suppression

[MODEL] = [model for model in ObjectDetection.models if model.architecture == "torchvision_ssdlite"]
assert isinstance(MODEL.source, TorchvisionWeights)
SOURCE = MODEL.source
WEIGHTS = torchvision.models.get_weight(SOURCE.name)


def photograph(name: str) -> Image.Image:
    return photographs.rgb(name).resize((320, 320))


@cache
def network() -> Any:
    """torchvision's network with random weights, calibrated on pictures like those that exports are compared on."""
    torch.manual_seed(0)
    built = torchvision.models.get_model(architecture_name(SOURCE), weights=None, weights_backbone=None)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean over all passes
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    [(smooth,)] = picture_batches((320, 320, 3), (4,))
    pictures = np.concatenate([smooth, np.stack([np.array(photograph(name)) for name in ("chelsea", "rocket")])])
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        built.head(list(built.backbone(pixels).values()))
        features = list(built.eval().backbone(pixels).values())
        for part, spread in ((built.head.classification_head, 1.0), (built.head.regression_head, 1.0)):
            for block, feature in zip(part.module_list, features, strict=True):
                block[-1].weight.mul_(spread / block(feature).std())
        for block in built.head.classification_head.module_list:
            block[-1].bias[:: len(WEIGHTS.meta["categories"])] = 7.0  # most of a picture is background
    return built


@pytest.fixture(scope="module")
def reference() -> Reference:
    [reference] = exporter.reference(MODEL, network())
    return reference


@pytest.fixture(scope="module")
def graph(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ssdlite") / "model.onnx"
    write(reference, path)
    return path


def test_the_export_equals_torch_at_both_batch_sizes(reference: Reference, graph: Path) -> None:
    boxes, scores = reference.outputs(reference.cases[0])
    assert 0.2 < scores.max() < 1 and np.abs(scores[0] - scores[1]).max() > 0.1, "equal outputs would prove nothing"
    assert (boxes[..., 2:] - boxes[..., :2]).std() > 0.1
    # Random weights make more of a rounding error than trained ones: 1.1e-4 has been seen.
    comparisons = compare(reference, graph, 5 * MODEL.tolerance)
    assert MODEL.tolerance <= 1e-4 and [each.inputs["image"][0] for each in comparisons] == [5, 1]
    assert all(max(each.max_difference.values()) > 0 for each in comparisons)


def test_boxes_and_scores_are_those_that_torchvision_chooses_among(reference: Reference) -> None:
    """Its own forward pass up to its choice, which is made to choose nothing: every anchor, every kind."""
    (pictures,) = reference.cases[0]
    boxes, scores = reference.outputs(reference.cases[0])
    ssd = network()
    images, _ = ssd.transform([torch.from_numpy(each).permute(2, 0, 1) / 255 for each in pictures])
    with torch.inference_mode():
        features = list(ssd.backbone(images.tensors).values())
        heads, anchors = ssd.head(features), ssd.anchor_generator(images, features)
        for place in range(len(pictures)):
            decoded = ssd.box_coder.decode_single(heads["bbox_regression"][place], anchors[place])
            clipped = torchvision.ops.clip_boxes_to_image(decoded, (320, 320))
            np.testing.assert_allclose(boxes[place] * 320, clipped.numpy(), atol=0.02)
        probabilities = heads["cls_logits"].softmax(-1)[..., list(USED_IDS)]
    np.testing.assert_allclose(scores, probabilities.numpy(), atol=1e-4)


def detect(graph: Path, data: bytes, parameters: DetectionParameters) -> list[Detection]:
    """The task's answer, with the exported graph as its model."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    conversation = ObjectDetection().converse(MODEL, Request({"image": data}, parameters))
    submit = next(conversation)
    assert isinstance(submit, Submit)
    [item] = submit.items
    next(conversation)
    outputs = session.run(["boxes", "scores"], {"image": item.inputs["image"][None]})
    with pytest.raises(StopIteration) as answer:
        conversation.send({"boxes": outputs[0][0], "scores": outputs[1][0]})
    found: list[Detection] = answer.value.value
    return found


def test_the_answer_is_torchvisions_for_a_photograph_of_the_networks_size(graph: Path) -> None:
    """After suppression too; the two resize a picture of another size in different ways."""
    assert suppression.batched_nms is torchvision.ops.batched_nms  # that module gives it an operator where it has none
    picture, ssd = photograph("chelsea"), network()
    ssd.score_thresh = threshold = 0.5
    with torch.inference_mode():
        [theirs] = ssd([torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255])
    parameters = DetectionParameters(threshold=threshold, max_detections=300)
    left = detect(graph, photographs.encoded(picture, "PNG"), parameters)
    expected = [
        (WEIGHTS.meta["categories"][label], score, box)
        for box, score, label in zip(*(theirs[each].tolist() for each in ("boxes", "scores", "labels")), strict=True)
        if label in USED_IDS
    ]
    assert 20 < len(expected) < 200
    for label, score, box in expected:
        same = [e for e in left if e.label == label and abs(e.score - score) < 1e-4 and near(e.box, box)]
        assert len(same) == 1, (label, score, box)
        left.remove(same[0])
    assert not left


def near(box: Box, corners: list[float]) -> bool:
    """Whether a box is that of these corners but for rounding to pixels."""
    return bool(np.abs(np.array([box.xmin, box.ymin, box.xmax, box.ymax]) - corners).max() < 0.6)


def test_the_declaration_is_torchvisions() -> None:
    assert isinstance(MODEL.protocol, OneShot)
    [boxes, scores] = MODEL.protocol.graph.outputs
    places = len(exporter.anchors(network(), MODEL.view.size))
    assert (boxes.axes, scores.axes) == (("batch", places, 4), ("batch", places, len(coco_labels())))
    assert network().transform.fixed_size == (MODEL.view.size, MODEL.view.size)
    assert MODEL.overlap == network().nms_thresh
    average = WEIGHTS.meta["_metrics"]["COCO-val2017"]["box_map"]
    assert f"({average:.1f} mAP on COCO, as published)" in MODEL.title
    assert torchvision.models.get_model_weights(architecture_name(SOURCE)) is type(WEIGHTS)


def test_the_kinds_that_are_kept_are_ours_and_the_others_have_no_name() -> None:
    categories = WEIGHTS.meta["categories"]
    assert tuple(categories[id] for id in USED_IDS) == coco_labels()
    assert {categories[id] for id in range(len(categories)) if id not in USED_IDS} == {"__background__", "N/A"}


def test_every_ssdlite_is_covered_here() -> None:
    assert isinstance(MODEL, ObjectDetector) and MODEL.id == "ssdlite-mobilenet-v3"
