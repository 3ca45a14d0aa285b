"""From words to a command: patterns with slots, and a score that says how well one fits.

A pattern is a bag of words: `light {switch} {room?}` fits "lights on in the kitchen" as well as "in the kitchen, turn
the lights on". Every heard word may stand for one word of the pattern, or for the value of a slot, when both are
written alike (`words.likeness`). The score is twice the sum of these likenesses over the number of words on both
sides (the Sørensen–Dice coefficient): 1 where each side explains the other, 0 where nothing is shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ekiben_demos.house import state
from ekiben_demos.house.words import NEGATIONS, likeness, words_of

MIN_SCORE = 0.75
"""Below this nothing is done."""

SLOTS: Mapping[str, Mapping[str, str]] = {
    "switch": {"on": "on", "off": "off", "out": "off"},
    "room": {room: room for room in state.ROOMS} | {"all": "all", "every": "all", "everywhere": "all", "house": "all"},
    "move": {
        **dict.fromkeys(("open", "up", "raise", "lift"), "open"),
        **dict.fromkeys(("close", "shut", "down", "lower"), "close"),
    },
    "change": {
        **dict.fromkeys(("warmer", "warm", "hotter", "cold", "increase"), "warmer"),
        **dict.fromkeys(("cooler", "cool", "colder", "hot", "decrease"), "cooler"),
    },
    "play": {**dict.fromkeys(("play", "start", "on"), "play"), **dict.fromkeys(("stop", "pause", "off"), "stop")},
    "unit": {"second": "second", "minute": "minute", "hour": "hour"},
    "number": {},
}
"""Slot → word that is heard → value. Numbers are any digits."""


@dataclass(frozen=True)
class Intent:
    """Something that can be wanted; a pattern is of words and `{slot}`s, with a `?` where they may be missing."""

    title: str
    patterns: tuple[str, ...]
    act: state.Act
    examples: tuple[str, ...]


INTENTS = (
    Intent(
        "Lights",
        ("turn? switch? light {switch} {room?}", "put light {switch} {room?}"),
        state.switch_lights,
        ("Lights on in the kitchen", "Turn off the light in the bedroom", "Switch all the lights on"),
    ),
    Intent(
        "Blinds",
        ("{move} blind", "{move} curtain", "{move} shutter", "pull blind {move}"),
        state.move_blinds,
        ("Close the blinds", "Open the curtains"),
    ),
    Intent(
        "Thermostat",
        (
            "set? temperature {number}",
            "set? thermostat {number}",
            "set heating {number}",
            "turn? heating {number}",
            "make {number}",
        ),
        state.set_degrees,
        ("Set the temperature to twenty-two degrees", "Thermostat to 18"),
    ),
    Intent(
        "Warmer, cooler",
        ("make? little? bit? {change}", "too? {change} here?", "{change} temperature"),
        state.change_degrees,
        ("Make it warmer", "It's too hot in here"),
    ),
    Intent(
        "Music",
        ("{play} music", "turn {play} music", "switch {play} music", "{play} song", "{play} radio"),
        state.play_music,
        ("Play some music", "Stop the music"),
    ),
    Intent(
        "Timer",
        (
            "set? start? timer {number} {unit}",
            "remind {number} {unit}",
            "wake {number} {unit}",
            "count down {number} {unit}",
        ),
        state.start_countdown,
        ("Set a timer for ten minutes", "Timer, half an hour"),
    ),
    Intent(
        "Cancel timers",
        ("cancel all? timer", "stop all? timer", "clear all? timer", "delete all? timer"),
        state.cancel_countdowns,
        ("Cancel the timers",),
    ),
    Intent(
        "Good night",
        ("goodnight everyone? house?", "going bed", "turn? switch? everything off"),
        state.say_goodnight,
        ("Good night",),
    ),
)


@dataclass(frozen=True)
class Match:
    """How well an intent's best pattern fits; `missing` are its words that were not heard, `extra` what it has not."""

    intent: Intent
    pattern: str
    score: float
    slots: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def understood(self) -> bool:
        """Whether it is good enough to act on, with nothing missing that has to be there."""
        return self.score >= MIN_SCORE and not self.missing and not self.negated

    @property
    def negated(self) -> bool:
        return not NEGATIONS.isdisjoint(self.extra)


def best_match(text: str) -> Match | None:
    """The intent that fits best, understood or not; None where no word is left to compare."""
    words = words_of(text)
    if not words:
        return None
    matches = [_match(intent, pattern, words) for intent in INTENTS for pattern in intent.patterns]
    return max(matches, key=lambda match: (match.understood, match.score))


def _match(intent: Intent, pattern: str, words: list[str]) -> Match:
    """Words of the pattern take, in turn, the heard word that is most like them."""
    left = list(words)
    slots: dict[str, str] = {}
    missing = []
    likenesses = []
    for part in pattern.split():
        name = part.rstrip("?").strip("{}").rstrip("?")
        likely, value, heard = max(
            (_compare(part, name, word) for word in left), default=(0.0, "", ""), key=lambda found: found[0]
        )
        if likely:
            left.remove(heard)
            likenesses.append(likely)
            if part.startswith("{"):
                slots[name] = value
        elif "?" not in part:
            missing.append(name)
    sides = len(words) + len(likenesses) + len(missing)
    return Match(intent, pattern, 2 * sum(likenesses) / sides, slots, tuple(missing), tuple(left))


def _compare(part: str, name: str, word: str) -> tuple[float, str, str]:
    """How much a heard word is like a part of a pattern, the slot's value, and the word."""
    if name == "number" and part.startswith("{"):
        return float(word.isdigit()), word, word
    if not part.startswith("{"):
        return _plural_likeness(word, name), "", word
    return max((_plural_likeness(word, key), value, word) for key, value in SLOTS[name].items())


def _plural_likeness(heard: str, meant: str) -> float:
    """Lights are a light: nobody counts them."""
    return max(likeness(heard, meant), likeness(heard.removesuffix("s"), meant) if len(heard) > 3 else 0.0)
