"""What tests of several files share."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from .stand_in import standing_in

hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def stand_in() -> Iterator[str]:
    with standing_in() as url:
        yield url
