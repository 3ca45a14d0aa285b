"""Labels, scores and boxes against the reference implementation (OpenCV's DNN module on TensorFlow's frozen graph)."""

from __future__ import annotations

import httpx
import pytest

from tests import photographs
from tests.boxes import agreement, corners

THRESHOLD = 0.4

# photograph, made 300 x 300 by Pillow's BILINEAR → what OpenCV 5.0 finds, in pixels of the photograph
SSD_MOBILENET_V2 = {
    "astronaut": [("person", 0.7598, (11.2, 9.0, 371.3, 510.6)), ("mouse", 0.4812, (287.0, 344.2, 503.4, 509.6))],
    "chelsea": [("cat", 0.9150, (8.6, 1.6, 404.4, 296.6))],
    "coffee": [
        ("cup", 0.9539, (172.5, 12.0, 411.0, 242.7)),
        ("bowl", 0.8464, (168.4, 16.4, 407.8, 254.4)),
        ("dining table", 0.6035, (2.1, 0.0, 597.8, 399.0)),
    ],
    "motorcycle": [("motorcycle", 0.9881, (99.5, 66.3, 683.8, 447.0))],
    "rocket": [],
    "grace_hopper": [("person", 0.7278, (0.5, 19.7, 511.0, 591.0)), ("tie", 0.5852, (220.0, 426.1, 292.6, 532.7))],
}


@pytest.mark.parametrize("photograph", SSD_MOBILENET_V2)
def test_detections_are_those_of_the_reference(http: httpx.Client, photograph: str) -> None:
    golden = SSD_MOBILENET_V2[photograph]
    response = http.post(
        "/v1/object-detection",
        params={"model": "ssd-mobilenet-v2", "threshold": THRESHOLD},
        content=photographs.path(photograph).read_bytes(),
    )
    assert response.status_code == 200
    found = response.json()
    assert [each["label"] for each in found] == [label for label, _, _ in golden]
    assert [each["score"] for each in found] == pytest.approx([score for _, score, _ in golden], abs=0.02)
    for each, (_, _, box) in zip(found, golden, strict=True):
        assert agreement(corners(each["box"]), box) >= 0.95
