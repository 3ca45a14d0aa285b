"""Request bodies: read within a budget, and understood in the three forms that every media route takes."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.types import Receive

from models import AnyTask
from models.errors import BudgetExceeded, InvalidInput, MalformedBody, UnsupportedMedia
from models.limits import Limits
from models.task import Input
from services.problems import invalid_fields

GENERIC_TYPES = ("", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded")
"""Types that say nothing of the bytes: curl's --data-binary sends the last of them."""

FORM_OVERHEAD_BYTES = 1_000_000
"""What parameters and framing may add to the media in a form or a JSON body."""

DISCARD_BYTES = 256_000_000
DISCARD_SECONDS = 30.0


@dataclass(frozen=True)
class Parts:
    """A request's media by input name, and its parameters as they came."""

    media: dict[str, bytes]
    parameters: dict[str, Any]


async def read_body(receive: Receive, headers: Mapping[str, str], budget: int) -> bytes:
    """The whole body. Raises `BudgetExceeded` as soon as it is known to be longer than `budget` bytes.

    What is left of such a body is read and thrown away, up to a bound, because most clients do not look for
    an answer before they have sent everything; one that expects a "100 Continue" first is answered at once.
    """
    declared = headers.get("content-length", "")
    too_long = BudgetExceeded(f"the body is longer than the {budget:,} bytes that are accepted here")
    if declared.isdecimal() and int(declared) > budget:
        if headers.get("expect", "").lower() != "100-continue":
            await _discard(receive)
        raise too_long
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > budget:
            chunks.clear()
            if message.get("more_body"):
                await _discard(receive)
            raise too_long
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class ClientGone(Exception):
    """The client closed the connection: there is nobody to answer."""


async def _discard(receive: Receive) -> None:
    until = monotonic() + DISCARD_SECONDS
    discarded = 0
    try:
        while discarded < DISCARD_BYTES:
            message = await asyncio.wait_for(receive(), until - monotonic())
            discarded += len(message.get("body", b""))
            if not message.get("more_body"):
                return
    except TimeoutError:
        return


def body_budget(task: AnyTask, content_type: str, limits: Limits) -> int:
    """How many bytes a body of this form may have."""
    media = sum(each.kind.max_bytes(limits) for each in task.inputs)
    if content_type == "application/json":
        return media * 4 // 3 + FORM_OVERHEAD_BYTES
    if content_type == "multipart/form-data":
        return media + FORM_OVERHEAD_BYTES
    return task.inputs[0].kind.max_bytes(limits)


def media_type(header: str | None) -> str:
    """`Image/JPEG; q=1` → `image/jpeg`."""
    return (header or "").partition(";")[0].strip().lower()


def parse(task: AnyTask, header: str | None, body: bytes, query: Mapping[str, str], limits: Limits) -> Parts:
    """Take a body apart; parameters in the query count in every form, those in the body over them."""
    kind = media_type(header)
    if kind == "application/json":
        parts = _parse_json(task, body, limits)
    elif kind == "multipart/form-data":
        parts = _parse_form(task, header or "", body, limits)
    else:
        parts = Parts({task.inputs[0].name: body}, {})
        _check_type(task.inputs[0], kind, body)
    for each in task.inputs:
        data = parts.media.get(each.name)
        if data is None:
            if each.required:
                raise InvalidInput.of(each.name, "is missing")
        elif not data:
            raise InvalidInput.of(each.name, "is empty")
        elif len(data) > each.kind.max_bytes(limits):
            raise BudgetExceeded(
                f"{each.name}: {len(data):,} bytes are more than the {each.kind.max_bytes(limits):,} that are accepted"
            )
    return Parts(parts.media, {**query, **parts.parameters})


def _check_type(expected: Input, declared: str, data: bytes) -> None:
    """Raises `UnsupportedMedia` for a declared type that is not accepted, or where none is declared, a found one."""
    accepts = ", ".join(expected.kind.accepts)
    if declared in GENERIC_TYPES:
        found = expected.kind.sniff(data)
        if found is not None and found not in expected.kind.accepts:
            raise UnsupportedMedia(f"{expected.name}: {found} is not accepted; send {accepts}")
        if found is None and data and declared == "application/x-www-form-urlencoded":
            raise UnsupportedMedia(f"a URL-encoded form is not accepted; send {accepts}, a multipart form or JSON")
    elif declared not in expected.kind.accepts:
        raise UnsupportedMedia(f"{expected.name}: {declared} is not accepted; send {accepts}")


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    inputs: str
    parameters: dict[str, Any] | None = None


def _parse_json(task: AnyTask, body: bytes, limits: Limits) -> Parts:
    check_json_shape(body, limits)
    try:
        document = from_json(body)
    except ValueError as error:
        raise MalformedBody(f"the body is not JSON: {error}") from None
    try:
        envelope = _Envelope.model_validate(document)
    except ValidationError as error:
        raise invalid_fields(error) from None
    parameters = dict(envelope.parameters or {})
    media = {task.inputs[0].name: _decode_base64("inputs", envelope.inputs)}
    for each in task.inputs[1:]:
        value = parameters.pop(each.name, None)
        if isinstance(value, str):
            media[each.name] = _decode_base64(each.name, value)
        elif value is not None:
            raise InvalidInput.of(each.name, "is not a base64 string")
    return Parts(media, parameters)


def _decode_base64(field: str, text: str) -> bytes:
    if text.lstrip()[:8].lower().startswith(("http://", "https://", "file://", "ftp://")):
        raise InvalidInput.of(field, "is a URL; URLs are never fetched, send the bytes in base64")
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise InvalidInput.of(field, "is a data URL without ;base64,")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput.of(field, "is not base64 of the standard alphabet") from None


_NOT_STRUCTURE = bytes(set(range(256)) - set(b'{}[],"'))


def check_json_shape(body: bytes, limits: Limits) -> None:
    """Raises `BudgetExceeded` for JSON that is too deep or has too many values, without parsing it.

    Parsed, 25 MB of `[[],[],…` would be a gigabyte of Python objects.
    """
    # Without escaped backslashes and escaped quotes, every quote that is left begins or ends a string.
    skeleton = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_STRUCTURE)
    if len(skeleton) > limits.json_values:
        raise BudgetExceeded(f"the JSON has more than {limits.json_values:,} brackets, commas and quotes")
    depth = 0
    for character in b"".join(skeleton.split(b'"')[::2]):
        depth += {0x7B: 1, 0x5B: 1, 0x7D: -1, 0x5D: -1}.get(character, 0)
        if depth > limits.json_depth:
            raise BudgetExceeded(f"the JSON is nested deeper than {limits.json_depth}")


class _Form:
    """The callbacks of python-multipart, which collect a form's parts: nothing is written to disk."""

    def __init__(self, max_parts: int) -> None:
        self.parts: list[tuple[str, bool, bytearray]] = []
        self._max_parts = max_parts
        self._count = 0
        self._name = b""
        self._header = b""
        self._value = b""
        self._disposition = b""

    def on_part_begin(self) -> None:
        self._count += 1
        if self._count > self._max_parts:
            raise BudgetExceeded(f"the form has more than {self._max_parts} parts")
        self._disposition = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        try:
            name = options[b"name"].decode()
        except (KeyError, UnicodeDecodeError):
            raise MalformedBody("a part of the form has no name") from None
        self.parts.append((name, b"filename" in options, bytearray()))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1][2].extend(data[start:end])


def _parse_form(task: AnyTask, header: str, body: bytes, limits: Limits) -> Parts:
    boundary = parse_options_header(header)[1].get(b"boundary")
    if not boundary:
        raise MalformedBody("the multipart form names no boundary")
    form = _Form(limits.multipart_parts)
    callbacks = {name: getattr(form, name) for name in dir(form) if name.startswith("on_")}
    parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise MalformedBody(f"the multipart form is broken: {error}") from None
    inputs = {each.name for each in task.inputs}
    media: dict[str, bytes] = {}
    parameters: dict[str, Any] = {}
    for name, is_file, data in form.parts:
        if name in media or name in parameters:
            raise InvalidInput.of(name, "is given twice")
        if name in inputs:
            if not is_file and data[:8].lower().startswith((b"http://", b"https://")):
                raise InvalidInput.of(name, "is a URL; URLs are never fetched, send the file")
            media[name] = bytes(data)
        elif is_file:
            raise InvalidInput.of(name, "is a file that this task does not take")
        else:
            parameters[name] = data.decode("utf-8", "replace")
    return Parts(media, parameters)
