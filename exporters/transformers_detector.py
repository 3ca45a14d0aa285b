"""RT-DETR of transformers (https://arxiv.org/abs/2304.08069), from its hub or a folder that `save_pretrained` wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from exporters.errors import ExportError
from exporters.hub import hub_folder
from exporters.reference import Reference, picture_batches
from exporters.transformers_import import transformers
from models.model import HubRepository, OneShot
from models.object_detection import ObjectDetector

SPELLINGS = {"motorbike": "motorcycle", "aeroplane": "airplane", "sofa": "couch", "tvmonitor": "tv"}
"""Some of COCO's kinds, as other data sets and so some models call them."""


class Detector(nn.Module):
    """uint8 `[batch, size, size, 3]` RGB → boxes `[batch, queries, 4]` (left, top, right, bottom; fractions of the
    picture), and scores `[batch, queries, 80]`, around an RT-DETR.

    The queries come in the order in which their places lie in the picture. The network ranks them by a first score,
    and ranks that differ by less than float32 rounds are not the same in any two runtimes.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        free_batch(network)
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.network(pixel_values=image.permute(0, 3, 1, 2).float() / 255)
        centres, sizes = outputs.pred_boxes.split(2, -1)
        boxes = torch.cat([centres - sizes / 2, centres + sizes / 2], -1)
        places = outputs.enc_outputs_class.max(-1).values.topk(boxes.shape[1]).indices
        order = places.argsort(-1)
        return in_order(boxes, order), in_order(outputs.logits.sigmoid(), order)


def in_order(rows: Tensor, order: Tensor) -> Tensor:
    """The rows `[batch, queries, width]` in an order `[batch, queries]` of each picture's own."""
    return rows.gather(1, order[..., None].expand(-1, -1, rows.shape[2]))


def free_batch(network: nn.Module) -> None:
    """Let the batch vary in what is traced: the network's module says `len(tensor)`, which would be a constant."""

    def first_axis(value: Any) -> Any:
        return value.shape[0] if isinstance(value, Tensor) else len(value)

    vars(sys.modules[type(network).__module__])["len"] = first_axis


def load(folder: Path) -> Any:
    """The network in a folder. Raises `ExportError` where it is no RT-DETR, or not all of its weights are there."""
    try:
        network, loading = transformers.AutoModelForObjectDetection.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise ExportError(f"{folder} cannot be loaded: {error}") from error
    if not isinstance(network, transformers.RTDetrForObjectDetection):
        raise ExportError(f"{folder} holds a {type(network).__name__}, which is no RT-DETR")
    if lacking := sorted(map(str, loading["missing_keys"] | loading["mismatched_keys"])):
        raise ExportError(f"{folder} lacks weights, which would be random: {', '.join(lacking[:3])} …")
    return network


def check_labels(network: Any, labels: tuple[str, ...]) -> None:
    """Raise `ExportError` unless the network's kinds are the catalogue's, in its order, by any spelling."""
    theirs = [network.config.id2label[id] for id in range(network.config.num_labels)]
    if len(theirs) != len(labels):
        raise ExportError(f"the network knows {len(theirs)} kinds of things, COCO has {len(labels)}")
    for id, (our, their) in enumerate(zip(labels, theirs, strict=True)):
        if SPELLINGS.get(their, their).replace(" ", "") != our.replace(" ", ""):
            raise ExportError(f"the network's kind {id} is {their!r}, the catalogue's is {our!r}")


def check_view(processor: Any, model: ObjectDetector) -> None:
    """Raise `ExportError` unless the network was trained on pictures as the model and `Detector` prepare them."""
    size = model.view.size
    ours = {
        "do_resize": True,
        "size": {"height": size, "width": size},
        "resample": model.view.resample,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": False,
        "do_pad": False,
    }
    theirs = {name: getattr(processor, name) for name in ours} | {"size": dict(processor.size)}
    if different := {name: theirs[name] for name in ours if theirs[name] != ours[name]}:
        raise ExportError(f"the network is fed other pictures than the catalogue says: {different}")


def build(model: ObjectDetector) -> list[Reference]:
    assert isinstance(model.source, HubRepository) and isinstance(model.protocol, OneShot)
    folder, size = hub_folder(model.source), model.view.size
    network = load(folder)
    check_labels(network, model.labels)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)  # type: ignore[no-untyped-call]
    check_view(processor, model)
    return [Reference(model.protocol.graph, Detector(network).eval(), picture_batches((size, size, 3), (3, 1)))]
