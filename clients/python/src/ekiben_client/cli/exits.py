"""What the exit code says."""

from __future__ import annotations

from ekiben_client.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    EkibenError,
    InternalError,
    Overloaded,
    Unavailable,
    UnexpectedAnswer,
)

INPUT = 1
"""At least one input was refused or could not be read; the others are answered."""

USAGE = 2
"""The command was typed wrong: nothing was sent. click's own code."""

SERVER = 3
"""At least once the server could not be reached, was overloaded or late, or answered with a fault of its own."""

_SERVERS = (ConnectionFailed, DeadlineExceeded, InternalError, Overloaded, Unavailable, UnexpectedAnswer)


def exit_code(error: EkibenError) -> int:
    return SERVER if isinstance(error, _SERVERS) else INPUT
