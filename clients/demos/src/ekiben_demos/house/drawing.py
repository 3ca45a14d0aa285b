"""The house as a drawing: an SVG that also says in words what it shows."""

from __future__ import annotations

from ekiben_demos.house.state import ROOMS, Countdown, House

WALL, DARK, LIT = "#3b3630", "#4a4d5c", "#ffdf8e"
INK_ON_DARK, INK_ON_LIT = "#f2efe8", "#3a2a05"
LEFT, TOP, WIDTH, HEIGHT = 40, 110, 280, 150
"""Of the first room; the others follow at its right and below."""


def describe(house: House, now: float) -> str:
    lit = [name for room, name in ROOMS.items() if room in house.lights]
    running = [clock(each.left(now)) for each in house.countdowns if each.left(now)]
    return (
        f"A house. Lights: {', '.join(lit) or 'all off'}. Blinds: {'closed' if house.blinds_closed else 'open'}. "
        f"Thermostat: {house.degrees} degrees. Music: {'playing' if house.music else 'off'}. "
        f"Timers: {', '.join(running) or 'none'}."
    )


def draw(house: House, now: float) -> str:
    """`now` is on the clock of the timers."""
    rooms = "".join(_room(house, number, room) for number, room in enumerate(ROOMS))
    return (
        f'<svg class="house" viewBox="0 0 640 440" role="img" aria-label="{describe(house, now)}" '
        'font-family="system-ui, sans-serif">'
        f'<path d="M10 112 L320 12 L630 112 Z" fill="#a3341f"/><rect x="{LEFT - 10}" y="{TOP - 10}" width="580" '
        f'height="320" fill="{WALL}"/>{rooms}{_thermostat(house)}{_speaker(house)}{_timers(house, now)}</svg>'
    )


def clock(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def _room(house: House, number: int, room: str) -> str:
    x, y = LEFT + number % 2 * WIDTH, TOP + number // 2 * HEIGHT
    lit = room in house.lights
    lamp = "#fff7d6" if lit else "#8a8d9c"
    return (
        f'<g data-room="{room}" data-lit="{str(lit).lower()}">'
        f'<rect x="{x + 4}" y="{y + 4}" width="{WIDTH - 8}" height="{HEIGHT - 8}" fill="{LIT if lit else DARK}"/>'
        f'<path d="M{x + 140} {y + 4} v22 m-18 14 l8 -14 h20 l8 14 z" stroke="{lamp}" stroke-width="3" fill="{lamp}"/>'
        f"{_window(x + 24, y + 34, house.blinds_closed)}"
        f'<text x="{x + 24}" y="{y + 132}" font-size="20" fill="{INK_ON_LIT if lit else INK_ON_DARK}">'
        f"{ROOMS[room].capitalize()}</text></g>"
    )


def _window(x: int, y: int, closed: bool) -> str:
    slats = "".join(f'<rect x="{x}" y="{y + 2 + 9 * row}" width="70" height="7" fill="#d8cdb8"/>' for row in range(7))
    return (
        f'<rect x="{x}" y="{y}" width="70" height="64" fill="#a9cfe8" stroke="#f7f3ea" stroke-width="4"/>'
        f'<path d="M{x + 35} {y} v64" stroke="#f7f3ea" stroke-width="3"/>{slats if closed else ""}'
    )


def _text(x: int, y: int, size: int, colour: str, text: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle" fill="{colour}">{text}</text>'


def _thermostat(house: House) -> str:
    """On the living room's wall."""
    dial = '<circle cx="556" cy="152" r="30" fill="#f7f3ea" stroke="#a3341f" stroke-width="5"/>'
    return dial + _text(556, 160, 22, "#1d1d1f", f"{house.degrees}°")


def _speaker(house: House) -> str:
    """In the living room."""
    colour = "#a3341f" if "livingroom" in house.lights else "#ffb4a0"
    notes = _text(510, 240, 30, colour, "♪") + _text(488, 206, 24, colour, "♫")
    return (
        '<rect x="534" y="190" width="44" height="62" rx="5" fill="#1d1d1f"/>'
        '<circle cx="556" cy="228" r="14" fill="#6b6459"/><circle cx="556" cy="204" r="6" fill="#6b6459"/>'
        + notes
        * house.music
    )


def _timers(house: House, now: float) -> str:
    """On the kitchen's wall."""
    return "".join(_timer(each, each.left(now), 38 * place) for place, each in enumerate(house.countdowns))


def _timer(countdown: Countdown, left: int, down: int) -> str:
    text = _text(249, 153 + down, 20, "#fff", clock(left)) if left else _text(249, 153 + down, 20, "#ffb4a0", "ring!")
    return (
        f'<g data-timer="{countdown.seconds}">'
        f'<rect x="196" y="{130 + down}" width="106" height="32" rx="16" fill="#1d1d1f"/>{text}</g>'
    )
