"""Real photographs that ship inside packages; none of the packages is imported to read them."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

from PIL import Image

FILES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "grace_hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}


def path(name: str) -> Path:
    package, file = FILES[name]
    specification = importlib.util.find_spec(package)
    assert specification is not None, package
    assert specification.origin is not None, package
    return Path(specification.origin).parent / file


def rgb(name: str) -> Image.Image:
    """The photograph as 8-bit RGB."""
    with Image.open(path(name)) as image:
        return image.convert("RGB")


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
