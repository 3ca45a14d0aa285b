"""Following things from frame to frame, so that boxes neither flicker nor jump."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ekiben_client import Box

Corners = tuple[float, float, float, float]
"""xmin, ymin, xmax, ymax, in pixels."""

STILL: Corners = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Sighting:
    """What a detector found in one frame."""

    label: str
    score: float
    box: Corners


@dataclass
class Track:
    """One thing through the frames, smoothed by an alpha-beta filter.

    `drift` is how far the box moves from one frame to the next, `missed` counts the frames since it was seen.
    """

    number: int
    box: Corners
    drift: Corners = STILL
    score: float = 0.0
    seen: int = 0
    missed: int = 0
    votes: Counter[str] = field(default_factory=Counter)

    @property
    def label(self) -> str:
        """What it was called most."""
        return self.votes.most_common(1)[0][0]

    def expect(self) -> None:
        """Go on to the next frame as before."""
        self.box = moved(self.box, self.drift)
        self.missed += 1

    def see(self, sighting: Sighting, *, alpha: float = 0.6, beta: float = 0.2) -> None:
        """Correct what was expected by what is there."""
        wrong = moved(sighting.box, self.box, -1.0)
        self.box = moved(self.box, wrong, alpha)
        self.drift = moved(self.drift, wrong, alpha if self.seen == 1 else beta)
        self.score = sighting.score
        self.seen += 1
        self.missed = 0
        self.votes[sighting.label] += 1


class Tracker:
    """Pairs what is found with what was expected, the greatest overlap first (after SORT, Bewley et al. 2016).

    `threshold` is the score that starts a track; a weaker sighting only continues one (ByteTrack, Zhang et al. 2022).
    `least_overlap` is the intersection over union that makes a pair, `patience` for how many frames a track stays
    without being seen.
    """

    def __init__(self, *, threshold: float = 0.5, least_overlap: float = 0.2, patience: int = 3) -> None:
        self._threshold = threshold
        self._least_overlap = least_overlap
        self._patience = patience
        self._tracks: list[Track] = []
        self._ended: list[Track] = []

    def follow(self, sightings: Iterable[Sighting]) -> tuple[Track, ...]:
        """The tracks of the next frame, oldest first."""
        found = list(sightings)
        for track in self._tracks:
            track.expect()
        paired = self._pairs(found)
        for row, column in paired.items():
            self._tracks[row].see(found[column])
        self._ended += [track for track in self._tracks if track.missed > self._patience]
        self._tracks = [track for track in self._tracks if track.missed <= self._patience]
        for column, sighting in enumerate(found):
            if column not in paired.values() and sighting.score >= self._threshold:
                track = Track(len(self._tracks) + len(self._ended) + 1, sighting.box)
                track.see(sighting)
                self._tracks.append(track)
        return tuple(self._tracks)

    def all(self, *, seen: int = 1) -> tuple[Track, ...]:
        """Every track so far that was seen in at least so many frames."""
        return tuple(track for track in (*self._ended, *self._tracks) if track.seen >= seen)

    def _pairs(self, found: Sequence[Sighting]) -> dict[int, int]:
        """Which track saw which sighting, by their places; each at most once."""
        candidates = [
            (overlap(track.box, sighting.box), row, column)
            for row, track in enumerate(self._tracks)
            for column, sighting in enumerate(found)
        ]
        pairs: dict[int, int] = {}
        for share, row, column in sorted(candidates, key=lambda each: -each[0]):
            if share >= self._least_overlap and row not in pairs and column not in pairs.values():
                pairs[row] = column
        return pairs


def overlap(one: Corners, other: Corners) -> float:
    """Intersection over union, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (_area(one) + _area(other) - both)


def moved(box: Corners, way: Corners, times: float = 1.0) -> Corners:
    """`box + times * way`, corner by corner."""
    return (
        box[0] + times * way[0],
        box[1] + times * way[1],
        box[2] + times * way[2],
        box[3] + times * way[3],
    )


def corners(box: Box) -> Corners:
    return box.xmin, box.ymin, box.xmax, box.ymax


def _area(box: Corners) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
