"""What the house is like, and what commands do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

ROOMS = {"kitchen": "kitchen", "livingroom": "living room", "bedroom": "bedroom", "bathroom": "bathroom"}
"""Slot value → what people call it."""

MIN_DEGREES, MAX_DEGREES = 10, 28
MAX_TIMERS = 3
UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


@dataclass(frozen=True)
class Countdown:
    """A timer; `ends_at` is on the clock of `time.time`."""

    seconds: int
    ends_at: float

    def left(self, now: float) -> int:
        return max(0, round(self.ends_at - now))


@dataclass(frozen=True)
class House:
    lights: frozenset[str] = frozenset()
    blinds_closed: bool = False
    degrees: int = 20
    music: bool = False
    countdowns: tuple[Countdown, ...] = ()


Slots = Mapping[str, str]
Done = tuple[House, str]
"""The house afterwards, and a sentence about what was done."""

Act = Callable[[House, Slots, float], Done]
"""Takes the house, what the slots hold, and the time."""


def switch_lights(house: House, slots: Slots, now: float) -> Done:
    room, on = slots.get("room", "all"), slots["switch"] == "on"
    rooms = frozenset(ROOMS) if room == "all" else frozenset({room})
    where = "everywhere" if room == "all" else f"in the {ROOMS[room]}"
    lights = house.lights | rooms if on else house.lights - rooms
    return replace(house, lights=lights), f"The lights are {slots['switch']} {where}."


def move_blinds(house: House, slots: Slots, now: float) -> Done:
    closed = slots["move"] == "close"
    return replace(house, blinds_closed=closed), f"The blinds are {'closed' if closed else 'open'}."


def set_degrees(house: House, slots: Slots, now: float) -> Done:
    return _heat(house, int(slots["number"]))


def change_degrees(house: House, slots: Slots, now: float) -> Done:
    return _heat(house, house.degrees + (1 if slots["change"] == "warmer" else -1))


def _heat(house: House, degrees: int) -> Done:
    kept = min(MAX_DEGREES, max(MIN_DEGREES, degrees))
    limit = "" if kept == degrees else f" It goes from {MIN_DEGREES} to {MAX_DEGREES}."
    return replace(house, degrees=kept), f"The thermostat is set to {kept} degrees.{limit}"


def play_music(house: House, slots: Slots, now: float) -> Done:
    playing = slots["play"] == "play"
    return replace(house, music=playing), "Music is playing." if playing else "The music is off."


def start_countdown(house: House, slots: Slots, now: float) -> Done:
    number, unit = int(slots["number"]), slots["unit"]
    seconds = number * UNIT_SECONDS[unit]
    if not 0 < seconds <= 24 * 3600:
        return house, "A timer takes from one second to a day."
    running = tuple(each for each in house.countdowns if each.left(now))
    if len(running) == MAX_TIMERS:
        return house, f"{MAX_TIMERS} timers are running, and there is no room for more. Say “cancel the timers”."
    countdowns = (*running, Countdown(seconds, now + seconds))
    return replace(house, countdowns=countdowns), f"A timer is set for {number} {unit}{'s' * (number != 1)}."


def cancel_countdowns(house: House, slots: Slots, now: float) -> Done:
    return replace(house, countdowns=()), "The timers are cancelled." if house.countdowns else "No timer is running."


def say_goodnight(house: House, slots: Slots, now: float) -> Done:
    quiet = replace(house, lights=frozenset(), blinds_closed=True, music=False)
    return quiet, "Good night: lights and music are off, the blinds are closed."
