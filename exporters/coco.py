"""COCO's ids of things: of 1 … 90, ten are not used."""

from __future__ import annotations

UNUSED_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
USED_IDS = tuple(id for id in range(1, 91) if id not in UNUSED_IDS)
