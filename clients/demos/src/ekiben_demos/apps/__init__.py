"""The demos, in the order in which the gallery shows them."""

from __future__ import annotations

from ekiben_demos.apps import (
    faces,
    interpreter,
    paint_it,
    street_scene,
    subtitles,
    under_the_hood,
    voice_commands,
    what_is_this,
)
from ekiben_demos.demo import Demo

DEMOS: tuple[Demo, ...] = (
    what_is_this.DEMO,
    street_scene.DEMO,
    faces.DEMO,
    paint_it.DEMO,
    subtitles.DEMO,
    interpreter.DEMO,
    voice_commands.DEMO,
    under_the_hood.DEMO,
)
