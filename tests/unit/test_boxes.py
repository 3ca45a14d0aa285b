"""Boxes, and which of them stay: against torchvision's suppression, and against a plain sort."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.object_detection import best
from models.pictures.boxes import MAX_CANDIDATES, Box, overlaps, suppress
from tests.suppression import batched_nms

# Corners on a small grid overlap often, and their areas are exact in float32. Shares of them are fractions with a
# denominator below 2,048, so none equals a threshold (but 1/2, exactly): rounding decides nothing here.
GRID = 24
thresholds = st.sampled_from([0.5, *((2 * k + 1) / 2048 for k in range(0, 1024, 31))])


@st.composite
def grids(draw: st.DrawFn, most: int = 40) -> NDArray[np.float32]:
    """float32 `[n, 4]`: boxes with corners on the grid; some are empty."""
    count = draw(st.integers(0, most))
    corners = draw(arrays(np.int64, (count, 2, 2), elements=st.integers(0, GRID)))
    return np.sort(corners, axis=1).reshape(count, 4).astype(np.float32)


@st.composite
def detections(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Boxes, scores of which many are equal, and classes of which there are few."""
    boxes = draw(grids())
    scores = draw(arrays(np.float32, len(boxes), elements=st.sampled_from([0.125, 0.25, 0.5, 0.75, 1.0])))
    return boxes, scores, draw(arrays(np.int64, len(boxes), elements=st.integers(0, 2)))


def torchvisions(boxes: NDArray[Any], scores: NDArray[Any], classes: NDArray[Any], overlap: float) -> list[int]:
    kept = batched_nms(torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(classes), overlap)
    return [int(each) for each in kept]


@settings(max_examples=300, deadline=None)
@given(found=detections(), overlap=thresholds)
def test_what_stays_is_what_torchvision_keeps(found: tuple[Any, Any, Any], overlap: float) -> None:
    assert suppress(*found, overlap).tolist() == torchvisions(*found, overlap)


def crowd(count: int, classes: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    random = np.random.default_rng(count)
    corners = random.random((count, 2), dtype=np.float32)
    boxes = np.concatenate([corners, corners + random.random((count, 2), dtype=np.float32) / 2], 1)
    return boxes, random.permutation(count).astype(np.float32) / count, random.integers(0, classes, count)


@pytest.mark.parametrize("classes", [1, 80])
def test_as_many_boxes_as_there_can_be_take_no_time_to_speak_of(classes: int) -> None:
    found = crowd(MAX_CANDIDATES, classes)
    suppress(*found, 0.6)
    begin = time.thread_time()
    kept = suppress(*found, 0.6)
    assert time.thread_time() - begin < 1
    assert kept.tolist() == torchvisions(*found, 0.6) and 1 < len(kept) < MAX_CANDIDATES


def test_of_equal_scores_the_earlier_box_stays() -> None:
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 4], [9, 9, 12, 12]], np.float32)
    assert suppress(boxes, np.full(3, 0.5, np.float32), np.zeros(3, int), 0.6).tolist() == [0, 2]


def test_things_of_two_kinds_in_one_place_both_stay() -> None:
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 4]], np.float32)
    assert suppress(boxes, np.array([0.5, 0.9], np.float32), np.array([3, 4]), 0.6).tolist() == [1, 0]


def test_an_overlap_at_the_limit_is_not_above_it() -> None:
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 2]], np.float32)
    found = boxes, np.array([0.9, 0.5], np.float32), np.zeros(2, np.int64)
    assert suppress(*found, 0.5).tolist() == torchvisions(*found, 0.5) == [0, 1]
    assert suppress(*found, 0.4375).tolist() == torchvisions(*found, 0.4375) == [0]


def test_nothing_found_stays_nothing() -> None:
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    assert suppress(*nothing, 0.6).tolist() == [] == torchvisions(*nothing, 0.6)
    assert overlaps(nothing[0]).shape == (0, 0)


@given(grids())
def test_overlap_is_mutual_between_0_and_1_and_whole_with_itself(boxes: NDArray[Any]) -> None:
    shares = overlaps(boxes)
    assert shares.shape == (len(boxes), len(boxes)) and ((shares >= 0) & (shares <= 1)).all()
    np.testing.assert_array_equal(shares, shares.T)
    filled = (boxes[:, 2:] > boxes[:, :2]).all(1)
    np.testing.assert_array_equal(shares.diagonal(), filled.astype(np.float32))
    assert not shares[~filled].any(), "an empty box overlaps nothing"


def test_overlap_of_a_box_and_its_half() -> None:
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 2], [2, 1, 6, 3]], np.float32)
    np.testing.assert_allclose(overlaps(boxes)[0], [1, 1 / 2, 4 / 20], rtol=1e-6)


edges = st.floats(-3, 4, width=32) | st.sampled_from([-np.inf, np.inf, 0.0, 1.0])
sides = st.integers(1, 20_000)


@given(corners=arrays(np.float32, (2, 2), elements=edges), width=sides, height=sides)
def test_a_box_ends_where_the_picture_does(corners: NDArray[Any], width: int, height: int) -> None:
    box = Box.in_picture(np.sort(corners, axis=0).ravel(), (width, height))
    assert 0 <= box.xmin <= box.xmax <= width and 0 <= box.ymin <= box.ymax <= height


def test_a_box_is_rounded_to_pixels() -> None:
    box = Box.in_picture(np.array([0.1, 0.25, 0.5, 1.5], np.float32), (201, 99))
    assert box == Box(xmin=20, ymin=25, xmax=100, ymax=99)


def plain_best(scores: NDArray[Any], threshold: float) -> list[tuple[float, int, int]]:
    found = [(-score, place, kind) for (place, kind), score in np.ndenumerate(scores) if score >= threshold]
    return [(-score, place, kind) for score, place, kind in sorted(found)[:MAX_CANDIDATES]]


@pytest.mark.parametrize("threshold", [0, 0.3, 0.995, 1])
def test_the_best_of_all_boxes_are_a_plain_sorts(threshold: float) -> None:
    """Equal scores, of which there are hundreds, in the order of their places and kinds."""
    random = np.random.default_rng(0)
    scores = (random.integers(0, 400, (1917, 80)) / 400).astype(np.float32)
    places = np.arange(1917 * 4, dtype=np.float32).reshape(1917, 4)
    boxes, found, classes = best(places, scores, threshold)
    expected = plain_best(scores, threshold)
    assert len(boxes) == len(found) == len(classes) == len(expected) <= MAX_CANDIDATES
    assert (len(expected) == MAX_CANDIDATES) == (threshold < 0.99)
    assert [*zip(found.tolist(), (boxes[:, 0] // 4).astype(int).tolist(), classes.tolist(), strict=True)] == expected


def test_a_score_at_the_threshold_is_reached() -> None:
    _, found, _ = best(np.zeros((3, 4), np.float32), np.array([[0.25], [0.5], [0.75]], np.float32), 0.5)
    assert found.tolist() == [0.75, 0.5]
