"""Imports torchvision, also where its compiled operators do not fit this torch.

The package index has torchvision for Linux only in its CUDA build. Beside a CPU build of torch its compiled
operators cannot be loaded, and `import torchvision` fails because it registers more about two of them. Its
classifiers and transforms need none of them, so declaring those two is enough.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch


def _operators_fit() -> bool:
    specification = importlib.util.find_spec("torchvision")
    if specification is None or specification.origin is None:
        return True  # not installed: the import below says so
    try:
        torch.ops.load_library(Path(specification.origin).with_name("_C.so"))  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return True


if torch.version.cuda is None and not _operators_fit():
    # Operators live as long as the object that declared them.
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]

import torchvision  # noqa: E402

__all__ = ["torchvision"]
