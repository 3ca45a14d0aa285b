"""Everything that a call can end in.

EkibenError
├── UnreadableInput     (ValueError)        what was passed in cannot be read; nothing was sent
├── ConnectionFailed                        there was no answer, or it broke off
├── DeadlineExceeded    (TimeoutError)      the call's timeout passed first
│   └── ServerDeadlineExceeded         504  … and the server saw it (also a StatusError)
├── UnexpectedAnswer                        the answer is none that an ekiben server gives
├── StreamInterrupted                       a stream broke off after its first piece, or ended in an error
└── StatusError                             the server answered with an error; this class for any other status
    ├── MalformedBody   (ValueError)   400
    ├── Unauthorized (PermissionError) 401  the server wants an API key, and got none that it knows
    ├── NotFound        (LookupError)  404  there is no such model, or it is not served
    ├── NotAcceptable   (ValueError)   406  the server does not answer in the format that was asked for
    ├── BudgetExceeded  (ValueError)   413  too many bytes, pixels, seconds, characters
    ├── UnsupportedMedia (ValueError)  415
    ├── InvalidInput    (ValueError)   422  a parameter is out of range, or the file cannot be decoded
    ├── Overloaded                     429  the queue is full
    ├── InternalError                  500
    └── Unavailable                    503  starting, or about to stop

ConnectionFailed, Overloaded and Unavailable are raised only after the retries, or where the deadline leaves
no time for one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of a request."""

    field: str
    message: str


class EkibenError(Exception):
    """The root of every error of this package.

    `detail` is a sentence, `request_id` finds the request in the server's log, `status` is the HTTP status
    (0 where there was none), `fields` names what is at fault.
    """

    status = 0

    def __init__(self, detail: str, *, request_id: str = "", fields: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.request_id = request_id
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.detail} (request {self.request_id})" if self.request_id else self.detail


class UnreadableInput(EkibenError, ValueError):
    """What was passed in cannot be read."""


class ConnectionFailed(EkibenError):
    """There was no answer, or it broke off."""


class DeadlineExceeded(EkibenError, TimeoutError):
    """The call's timeout passed before the whole answer was there."""


class UnexpectedAnswer(EkibenError):
    """The answer is none that an ekiben server gives."""


class StreamInterrupted(EkibenError):
    """A stream broke off after its first piece was handed out, so it was not asked for again, or ended in an error."""


class StatusError(EkibenError):
    """The server answered with an error status. `retry_after_seconds` is what it asked to wait, or 0."""

    def __init__(
        self,
        detail: str,
        *,
        status: int = 0,
        request_id: str = "",
        fields: tuple[FieldError, ...] = (),
        retry_after_seconds: float = 0.0,
    ) -> None:
        super().__init__(detail, request_id=request_id, fields=fields)
        self.status = status or type(self).status
        self.retry_after_seconds = retry_after_seconds


class MalformedBody(StatusError, ValueError):
    """The request's body is broken."""

    status = 400


class Unauthorized(StatusError, PermissionError):
    """The server wants an API key, and got none that it knows."""

    status = 401


class NotFound(StatusError, LookupError):
    """There is no such model, or it is not served."""

    status = 404


class NotAcceptable(StatusError, ValueError):
    """The server does not answer in the format that was asked for."""

    status = 406


class BudgetExceeded(StatusError, ValueError):
    """Too many bytes, pixels, seconds or characters."""

    status = 413


class UnsupportedMedia(StatusError, ValueError):
    """The server does not take this kind of file."""

    status = 415


class InvalidInput(StatusError, ValueError):
    """A parameter is out of range, or the file cannot be decoded; `fields` says which."""

    status = 422


class Overloaded(StatusError):
    """The server's queue is full."""

    status = 429


class InternalError(StatusError):
    """A fault of the server; its log knows the request id."""

    status = 500


class Unavailable(StatusError):
    """The server is starting, or about to stop."""

    status = 503


class ServerDeadlineExceeded(StatusError, DeadlineExceeded):
    """The server dropped the request, whose time was over."""

    status = 504


BY_STATUS: dict[int, type[StatusError]] = {
    kind.status: kind
    for kind in (
        MalformedBody,
        Unauthorized,
        NotFound,
        NotAcceptable,
        BudgetExceeded,
        UnsupportedMedia,
        InvalidInput,
        Overloaded,
        InternalError,
        Unavailable,
        ServerDeadlineExceeded,
    )
}
