"""The 26 styles of the network by Dumoulin et al., and mixtures of them in words."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

# The weights come without names; these say what chelsea.png and coffee.png of scikit-image look like in each.
STYLES = (
    "Ochre and sky blue, soft pastel",
    "Flat yellow behind black outlines",
    "Charcoal and peach, soft wash",
    "Neon stained glass",
    "Crimson and cream, dry brush",
    "Autumn oils, orange and violet",
    "Indigo with dark pebbles",
    "Bold blocks of yellow, blue and black",
    "Coloured pencil, pink and turquoise",
    "Flecks of slate, white and crimson",
    "Copper and umber",
    "Sepia etching on parchment",
    "Lilac and gold, dappled light",
    "Linocut in green and teal",
    "Pale blue watercolour",
    "Leaded glass in pale pastels",
    "Chalk strokes in blue and rust",
    "Woven grid of red and orange",
    "Woodcut in sand and brown",
    "Swirling night in blue and gold",
    "Embers, deep red on black",
    "Poster in peach and light blue",
    "Ink outlines on ivory and lavender",
    "Hazy dusk with warm lights",
    "Navy woodblock print on cream",
    "Busy brushwork in rust and slate",
)


class Style(BaseModel):
    """A style to paint in. The title says what it looks like."""

    name: str
    title: str


def style_name(number: int) -> str:
    return f"style-{number:02}"


_NUMBERS = {style_name(number): number for number in range(len(STYLES))}


def mixture(text: str) -> NDArray[np.float32]:
    """`style-03:0.7,style-11:0.3` → the share of each style, `[26]`, which add up to 1. Raises `ValueError`."""
    shares = np.zeros(len(STYLES))
    for part in text.split(","):
        name, colon, weight = part.strip().partition(":")
        if name not in _NUMBERS:
            raise ValueError(f"{name[:40]!r} is no style; there are {', '.join(_NUMBERS)}")
        if colon and not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?|\.[0-9]{1,9}", weight):
            raise ValueError(f"{weight[:40]!r} is no weight: a number that is not negative is")
        shares[_NUMBERS[name]] += float(weight or 1)
    if not shares.sum():
        raise ValueError("the weights are all 0")
    normal: NDArray[np.float32] = (shares / shares.sum()).astype(np.float32)
    return normal
