"""Following things from frame to frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ekiben_demos.pictures.tracking import Corners, Sighting, Tracker, overlap

places = some.tuples(some.floats(0, 500), some.floats(0, 500), some.floats(1, 200), some.floats(1, 200))
boxes = places.map(lambda place: (place[0], place[1], place[0] + place[2], place[1] + place[3]))
sightings = some.builds(Sighting, some.sampled_from(["person", "car"]), some.floats(0, 1), boxes)
films = some.lists(some.lists(sightings, max_size=5), max_size=12)


def person(x: float, score: float = 0.9, label: str = "person") -> Sighting:
    return Sighting(label, score, (x, 100.0, x + 30.0, 180.0))


@given(boxes, boxes)
def test_overlap_is_a_share_and_the_same_both_ways(one: Corners, other: Corners) -> None:
    assert 0 <= overlap(one, other) <= 1
    assert overlap(one, other) == pytest.approx(overlap(other, one))
    assert overlap(one, one) == pytest.approx(1)


def test_overlap_of_boxes_that_share_half_of_each() -> None:
    assert overlap((0, 0, 2, 1), (1, 0, 3, 1)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (1, 0, 2, 1)) == 0


@given(films)
def test_nobody_is_counted_twice_and_every_sighting_at_most_once(film: list[list[Sighting]]) -> None:
    tracker = Tracker()
    for frame in film:
        tracks = tracker.follow(frame)
        assert len({track.number for track in tracks}) == len(tracks)
    everything = tracker.all()
    assert len({track.number for track in everything}) == len(everything)
    assert sum(track.seen for track in everything) <= sum(len(frame) for frame in film)


@given(films)
def test_only_a_sure_sighting_starts_a_track(film: list[list[Sighting]]) -> None:
    tracker = Tracker(threshold=0.5)
    for frame in film:
        tracker.follow(frame)
    assert len(tracker.all()) <= sum(sighting.score >= 0.5 for frame in film for sighting in frame)


@given(some.floats(-12, 12), some.integers(2, 20))
def test_a_thing_that_moves_steadily_is_one_track(speed: float, frames: int) -> None:
    tracker = Tracker()
    for frame in range(frames):
        tracker.follow([person(300 + speed * frame)])
    [track] = tracker.all()
    assert track.seen == frames


def test_a_thing_that_is_missed_for_a_while_stays_and_moves_on() -> None:
    tracker = Tracker(patience=3)
    for frame in range(12):
        tracker.follow([person(10.0 * frame)])
    for _ in range(3):
        [track] = tracker.follow([])
    assert track.box[0] == pytest.approx(140, abs=6)
    assert tracker.follow([person(150)])[0].number == track.number


def test_a_thing_that_has_gone_ends() -> None:
    tracker = Tracker(patience=2)
    tracker.follow([person(0)])
    tracker.follow([])
    assert len(tracker.follow([])) == 1
    assert tracker.follow([]) == ()
    assert len(tracker.all()) == 1


def test_a_weak_sighting_continues_a_track_and_starts_none() -> None:
    tracker = Tracker(threshold=0.5)
    assert tracker.follow([person(0, score=0.4)]) == ()
    tracker.follow([person(0)])
    [track] = tracker.follow([person(2, score=0.3)])
    assert track.seen == 2


def test_two_that_pass_side_by_side_keep_their_numbers() -> None:
    tracker = Tracker()
    for frame in range(30):
        left, right = person(10.0 * frame), Sighting("person", 0.9, (300 - 10.0 * frame, 190, 330 - 10.0 * frame, 270))
        tracks = tracker.follow([right, left] if frame % 2 else [left, right])
        assert [track.number for track in tracks] == [1, 2]
    assert tracks[0].box[0] > 250


def test_the_name_is_the_one_that_was_seen_most() -> None:
    tracker = Tracker()
    for name in ("car", "truck", "car", "car"):
        [track] = tracker.follow([person(0, label=name)])
    assert track.label == "car"
