"""The last looks at a server, of one visitor."""

from __future__ import annotations

from dataclasses import dataclass

from ekiben_demos.monitor.measurements import Activity, Snapshot, between

DETAIL_SECONDS = 10.0
CURVE_POINTS = 60


@dataclass(frozen=True)
class History:
    """Snapshots as far back as details go, and how many requests a second there were between the last ones."""

    snapshots: tuple[Snapshot, ...] = ()
    curve: tuple[float, ...] = ()

    def add(self, snapshot: Snapshot) -> History:
        curve = self.curve
        if self.snapshots:
            curve = (*curve, between(self.snapshots[-1], snapshot).requests_per_second)[-CURVE_POINTS:]
        recent = [each for each in self.snapshots if snapshot.at - each.at <= DETAIL_SECONDS]
        return History((*recent, snapshot), curve)

    def recent(self) -> Activity:
        """What happened in the last ten seconds. Raises `IndexError` where nothing was looked at."""
        return between(self.snapshots[0], self.snapshots[-1])
