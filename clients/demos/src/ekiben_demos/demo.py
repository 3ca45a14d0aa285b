"""What a demo is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """One application: `build` lays out its components on a page that is already open.

    `slug` is its address, `sentence` says what it is good for, `picture` is the file of `clients/examples` that
    the gallery shows for it.
    """

    slug: str
    title: str
    sentence: str
    build: Callable[[], None]
    picture: str = ""

    @property
    def source(self) -> Path:
        """The file that it is written in."""
        return Path(inspect.getfile(self.build))
