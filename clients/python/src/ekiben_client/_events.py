"""Server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream."""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
"""A carriage return at the end of what is there may be half a line end: it waits for what follows."""


class EventReader:
    """Bytes in, however they are cut; the `data` of events out. Other fields than `data` are not used here.

    httpx's `iter_lines` will not do: it also breaks lines at characters that JSON text may hold, as U+2028.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[str]:
        """The events that these bytes complete."""
        *lines, self._rest = _LINE_END.split(self._rest + data)
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append("\n".join(self._data))
                self._data = []
                continue
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value[1 if value.startswith(b" ") else 0 :].decode("utf-8", "replace"))
        return events
