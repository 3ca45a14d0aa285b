"""Which card a runner in a process of its own computes on."""

from __future__ import annotations

from typing import Final

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"


def visible_gpu(place: int, visible: str | None, count: int) -> str | None:
    """What `CUDA_VISIBLE_DEVICES` is for the runner at this place of a server's, of the cards that it may use: one, in
    turns. None where there are no cards.

    BentoML's own way gives the last of six runners on one card a card that there is not.
    """
    cards = [str(number) for number in range(count)] if visible is None else visible.split(",")
    return cards[place % len(cards)] if cards else None
