"""How Hypothesis runs here."""

from __future__ import annotations

from hypothesis import settings

# No deadline for one example: the cores are shared with whatever else runs.
settings.register_profile("ekiben", deadline=None)
settings.load_profile("ekiben")
