"""When to ask again, and how long to wait before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime

from ekiben_client.errors import ConnectionFailed, EkibenError, Overloaded, Unavailable

TRANSIENT = (ConnectionFailed, Overloaded, Unavailable)
"""After these the same request may succeed. A 500 would fail again, and after a 504 there is no time left."""


@dataclass(frozen=True)
class Retries:
    """Exponential back-off with full jitter, after what the server asks to wait.

    The jitter comes on top of `Retry-After`: callers that were all told "1" shall not come back together.
    """

    limit: int = 4
    backoff_seconds: float = 0.25
    max_backoff_seconds: float = 8.0

    def pause_seconds(self, attempt: int, error: EkibenError, *, jitter: float) -> float | None:
        """How long to wait after attempt number `attempt` (from 1) failed, or None to give up; 0 <= jitter < 1."""
        if attempt > self.limit or not isinstance(error, TRANSIENT):
            return None
        backoff = min(self.max_backoff_seconds, self.backoff_seconds * 2.0 ** min(attempt - 1, 32))
        return getattr(error, "retry_after_seconds", 0.0) + jitter * backoff


def retry_after_seconds(headers: Mapping[str, str]) -> float:
    """What `Retry-After` says, as seconds or as a date (RFC 9110, 10.2.3); 0 where it says nothing sensible."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, date.replace(tzinfo=date.tzinfo or timezone.utc).timestamp() - time.time())
