"""Everything that can go wrong with a request, each error with the HTTP status that it means.

EkibenError                         500
├── MalformedBody     (ValueError)  400  broken JSON, broken multipart
├── Unauthorized                    401  no API key, or none that is known
├── UnknownModel      (LookupError) 404
├── NotAcceptable                   406  no media type that `Accept` names can be answered
├── BudgetExceeded    (ValueError)  413  too many bytes, pixels, seconds, characters, parts
├── UnsupportedMedia  (ValueError)  415
├── InvalidInput      (ValueError)  422  a field is missing, out of range or cannot be decoded
├── Overloaded                      429  the bounded queue is full
├── Unavailable                     503  starting or draining
└── DeadlineExceeded  (TimeoutError) 504
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of a request."""

    field: str
    message: str


class EkibenError(Exception):
    """The root of every error that a request can end in.

    `str(error)` is a sentence for the caller: it never holds a path, a tensor or a stack trace.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, fields: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


class MalformedBody(EkibenError, ValueError):
    status = 400
    title = "Malformed body"


class Unauthorized(EkibenError):
    status = 401
    title = "Unauthorized"


class UnknownModel(EkibenError, LookupError):
    status = 404
    title = "Unknown model"


class NotAcceptable(EkibenError):
    status = 406
    title = "Not acceptable"


class BudgetExceeded(EkibenError, ValueError):
    status = 413
    title = "Over a budget"


class UnsupportedMedia(EkibenError, ValueError):
    status = 415
    title = "Media type not accepted"


class InvalidInput(EkibenError, ValueError):
    status = 422
    title = "Invalid input"

    @classmethod
    def of(cls, field: str, message: str) -> InvalidInput:
        """An error about one field; the sentence and the field list say the same."""
        return cls(f"{field}: {message}", fields=(FieldError(field, message),))


class RetryableError(EkibenError):
    """The same request may succeed after `retry_after_seconds`."""

    def __init__(self, detail: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Overloaded(RetryableError):
    status = 429
    title = "Over capacity"


class Unavailable(RetryableError):
    status = 503
    title = "Not available"


class DeadlineExceeded(EkibenError, TimeoutError):
    status = 504
    title = "Deadline passed"
