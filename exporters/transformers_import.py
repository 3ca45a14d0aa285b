"""Imports transformers, also beside a torchvision that does not fit this torch: it imports that for its pictures."""

from __future__ import annotations

from exporters.torchvision_import import torchvision as torchvision

import transformers  # isort: skip

__all__ = ["transformers"]
