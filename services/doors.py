"""What a request passes before anything is done for it, and before its body is read: only where it is configured.

Doors stand inside the edge: whoever is turned away there has a request id, a line in the log and a metric.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import EkibenError, Overloaded, Unauthorized
from services.access.keys import Key, find_holder, needs_key
from services.access.origins import ANY
from services.edge import Record
from services.routes import dialects, paths
from services.settings import Settings
from services.telemetry import metrics

Door = Callable[[ASGIApp], ASGIApp]

STRANGERS = 16
"""How many bodies may be read at a time of callers whose keys are somewhere in them."""

PREFLIGHT_SECONDS = 600
"""How long a browser may remember what it was allowed."""

EXPOSED = (
    "X-Request-Id",
    "X-Ekiben-Model",
    "X-Ekiben-Provider",
    "Server-Timing",
    "Retry-After",
    "Inference-Header-Content-Length",
)
"""What pages see of an answer's headers, beside its media type and length."""


def doors(settings: Settings) -> list[Door]:
    """From the innermost to the outermost: preflights of browsers carry no key."""
    wanted: list[Door] = []
    if settings.api_keys:
        wanted.append(lambda application: KeyDoor(application, settings.api_keys, settings.key_concurrency))
    if settings.cors_origins:
        wanted.append(lambda application: OriginDoor(application, settings.cors_origins))
    return wanted


class InFlight:
    """How many requests of each holder are being served, `bound` at most; `kind` says what they have in common."""

    def __init__(self, bound: int | None, kind: str) -> None:
        self.count: Counter[str] = Counter()
        self._bound = bound
        self._kind = kind

    @contextmanager
    def one_of(self, holder: str) -> Iterator[None]:
        """Raises `Overloaded`."""
        if self._bound is not None and self.count[holder] >= self._bound:
            raise Overloaded(f"as many requests {self._kind} as may be, {self._bound}, are being served already")
        self.count[holder] += 1
        try:
            yield
        finally:
            self.count[holder] -= 1


class KeyDoor:
    """ASGI layer: lets in who has a key, with a bounded number of requests at a time."""

    def __init__(self, application: ASGIApp, keys: Sequence[Key], concurrency: int | None) -> None:
        self.holders = InFlight(concurrency, "with this key")
        self.strangers = InFlight(STRANGERS, "with keys in their bodies")
        self._application = application
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if not needs_key(path):
            await self._application(scope, receive, send)
            return
        record = Record.of(scope)
        with ExitStack() as held:
            try:
                key = _bearer(scope)
                if key is None and path in paths.KEY_IN_BODY:
                    held.enter_context(self.strangers.one_of(""))
                    record.admit = partial(self._admit, held, record)
                else:
                    self._admit(held, record, key)
            except EkibenError as refusal:
                response = dialects.error_response(refusal, path=path, request_id=record.request_id)
                await response(scope, receive, send)
                return
            await self._application(scope, receive, send)

    def _admit(self, held: ExitStack, record: Record, key: object) -> None:
        """Count the request as its key's holder's, until `held` is closed. Raises `Unauthorized`, `Overloaded`."""
        if not isinstance(key, str) or not key:
            also = " or as the body's field api_key" if record.admit else ""
            raise Unauthorized(f"an API key is needed: send it in the header Authorization, after Bearer{also}")
        holder = find_holder(self._keys, key.encode("utf-8", "replace"))
        if holder is None:
            raise Unauthorized("this API key is not known here")
        record.key_holder = holder
        held.close()  # where it was a stranger's
        try:
            held.enter_context(self.holders.one_of(holder))
        except Overloaded:
            record.rejection = "key_concurrency"
            raise
        held.enter_context(metrics.key_requests_in_flight.labels(holder).track_inprogress())


def _bearer(scope: Scope) -> str | None:
    """The key of the one header `Authorization: Bearer …` (RFC 6750)."""
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, key = given[0].strip().partition(" ") if len(given) == 1 else ("", "", "")
    return key.strip() if scheme.lower() == "bearer" else None


class OriginDoor:
    """ASGI layer for cross-origin requests (CORS, in the Fetch standard).

    It answers browsers' preflights, and gives other answers headers, faults and refusals included. What comes from
    an origin that is not allowed is served as ever: the browser keeps the answer from the page. There are no
    cookies; a page sets the header with the key itself.
    """

    def __init__(self, application: ASGIApp, origins: Sequence[str]) -> None:
        self._application = application
        self._any = ANY in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(scope["headers"])
        origin: bytes = sent.get(b"origin", b"")
        allowed = self._any or origin in self._origins
        Record.of(scope).more_headers = self._headers(origin) if allowed else [(b"vary", b"Origin")]
        if allowed and scope["method"] == "OPTIONS" and b"access-control-request-method" in sent:
            await _preflight(sent.get(b"access-control-request-headers", b""))(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    def _headers(self, origin: bytes) -> list[tuple[bytes, bytes]]:
        exposed = (b"access-control-expose-headers", ", ".join(EXPOSED).encode())
        if self._any:
            return [(b"access-control-allow-origin", b"*"), exposed]
        return [(b"access-control-allow-origin", origin), exposed, (b"vary", b"Origin")]


def _preflight(requested: bytes) -> Response:
    """Any header may be sent: clients have headers of their own, which nobody here reads."""
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "GET, HEAD, POST",
            "Access-Control-Allow-Headers": requested.decode("latin-1"),
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        },
    )
