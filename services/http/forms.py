"""The three forms that every task's route takes: the raw input, a multipart form, JSON (with base64 for media)."""

from __future__ import annotations

import binascii
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from models import AnyTask
from models.errors import BudgetExceeded, InvalidInput, MalformedBody, UnsupportedMedia
from models.limits import Limits
from models.task import Input
from services.http.problems import invalid_fields

GENERIC_TYPES = ("", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded")
"""Types that say nothing of the bytes: curl's --data-binary sends the last of them."""

FORM_OVERHEAD_BYTES = 1_000_000
"""What parameters and framing may add to the media in a form or a JSON body."""


@dataclass(frozen=True)
class Parts:
    """A request's media and texts by input name, and its parameters as they came."""

    media: dict[str, bytes]
    parameters: dict[str, Any]
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)


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


def given_once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name. Raises `InvalidInput` for one that is there twice: which of them was meant?"""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise InvalidInput.of(name, "is given twice")
        values[name] = value
    return values


def parse(task: AnyTask, header: str | None, body: bytes, query: Mapping[str, str], limits: Limits) -> Parts:
    """Take a body apart; parameters in the query count in every form, those in the body over them."""
    kind = media_type(header)
    if kind == "application/json":
        parts = _parse_json(task, body, limits)
    elif kind == "multipart/form-data":
        parts = _parse_form(task, header or "", body, limits)
    else:
        parts = Parts({}, {})
        _add(parts, task.inputs[0], kind, body)
    for each in task.inputs:
        if each.kind.is_text:
            _check_texts(each, parts, limits)
            continue
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
    _check_parameters(parts.parameters)
    return Parts(parts.media, {**query, **parts.parameters}, parts.texts)


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raises `BudgetExceeded`: a medium's budget in bytes is none for what goes through tokenizers and validators."""
    length = 0
    for name, value in parameters.items():
        length += len(name) + text_length(value)
        _check_length(name, length)


def _check_length(name: str, length: int) -> None:
    if length > FORM_OVERHEAD_BYTES:
        raise BudgetExceeded(f"{name[:100]}: parameters may have {FORM_OVERHEAD_BYTES:,} characters together")


def text_length(value: Any) -> int:
    """The characters of all the text in a parameter's value, lists and objects among them."""
    if isinstance(value, dict):
        return sum(map(text_length, (*value, *value.values())))
    return sum(map(text_length, value)) if isinstance(value, list) else len(value) if isinstance(value, str) else 1


def _add(parts: Parts, expected: Input, declared: str, data: bytes) -> None:
    """Note the bytes of one input; texts may come several times."""
    _check_type(expected, declared, data)
    if not expected.kind.is_text:
        parts.media[expected.name] = data
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput.of(expected.name, "is not UTF-8") from None
    parts.texts[expected.name] = (*parts.texts.get(expected.name, ()), text)


def _check_texts(expected: Input, parts: Parts, limits: Limits) -> None:
    texts = parts.texts.get(expected.name)
    if texts is None:
        if expected.required:
            raise InvalidInput.of(expected.name, "is missing")
    else:
        check_texts(expected.name, texts, limits)


def check_texts(field: str, texts: Sequence[str], limits: Limits) -> None:
    """Raises `BudgetExceeded` for more texts, or longer ones together, than a request may have."""
    if len(texts) > limits.texts:
        raise BudgetExceeded(f"{field}: {len(texts):,} texts are more than the {limits.texts:,} that are accepted")
    if (length := sum(map(len, texts))) > limits.text_characters:
        raise BudgetExceeded(
            f"{field}: {length:,} characters are more than the {limits.text_characters:,} that are accepted"
        )


def _check_type(expected: Input, declared: str, data: bytes) -> None:
    """Raises `UnsupportedMedia` for a declared type that is not accepted, or where none is declared, a found one."""
    accepts = ", ".join(expected.kind.accepts)
    if declared in GENERIC_TYPES:
        found = expected.kind.sniff(data)
        if found is not None and found not in expected.kind.accepts:
            raise UnsupportedMedia(f"{expected.name}: {found} is not accepted; send {accepts}")
        if found is None and data and declared == "application/x-www-form-urlencoded":
            raise UnsupportedMedia(f"a URL-encoded form is not accepted; send {accepts}, a multipart form or JSON")
    elif declared not in (*expected.kind.accepts, *expected.kind.aliases):
        raise UnsupportedMedia(f"{expected.name}: {declared} is not accepted; send {accepts}")


def json_object(body: bytes, limits: Limits) -> dict[str, Any]:
    """A body that is one JSON object. Raises `MalformedBody`, `BudgetExceeded` or `InvalidInput`."""
    check_json_shape(body, limits)
    try:
        document = from_json(body)
    except ValueError as error:
        raise MalformedBody(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidInput.of("body", "is not a JSON object")
    return document


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    inputs: Any
    parameters: dict[str, Any] | None = None


def _parse_json(task: AnyTask, body: bytes, limits: Limits) -> Parts:
    try:
        envelope = _Envelope.model_validate(json_object(body, limits))
    except ValidationError as error:
        raise invalid_fields(error) from None
    parameters = dict(envelope.parameters or {})
    if task.inputs[0].kind.is_text:
        return Parts({}, parameters, {task.inputs[0].name: texts_of("inputs", envelope.inputs)})
    if not isinstance(envelope.inputs, str):
        raise InvalidInput.of("inputs", "is not a base64 string")
    media = {task.inputs[0].name: _decode_base64(task.inputs[0], "inputs", envelope.inputs)}
    for each in task.inputs[1:]:
        value = parameters.pop(each.name, None)
        if isinstance(value, str):
            media[each.name] = _decode_base64(each, each.name, value)
        elif value is not None:
            raise InvalidInput.of(each.name, "is not a base64 string")
    return Parts(media, parameters)


def texts_of(field: str, value: Any) -> tuple[str, ...]:
    """A text or a list of them, as JSON holds them. Raises `InvalidInput`."""
    texts = tuple(value) if isinstance(value, list) else (value,)
    if not all(isinstance(text, str) for text in texts):
        raise InvalidInput.of(field, "is neither a text nor a list of texts")
    return texts


def _decode_base64(expected: Input, field: str, text: str) -> bytes:
    declared = ""
    if text.lstrip()[:8].lower().startswith(("http://", "https://", "file://", "ftp://")):
        raise InvalidInput.of(field, "is a URL; URLs are never fetched, send the bytes in base64")
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise InvalidInput.of(field, "is a data URL without ;base64,")
        declared = media_type(head.removeprefix("data:"))
    try:
        data = binascii.a2b_base64(text, strict_mode=True)  # base64.b64decode would copy the text first
    except (binascii.Error, ValueError):
        raise InvalidInput.of(field, "is not base64 of the standard alphabet") from None
    _check_type(expected, declared, data)
    return data


SLICE_BYTES = 1_000_000
"""How much of a body is gone over at a time, where all at once would take as much memory again."""

_NOT_STRUCTURE = bytes(set(range(256)) - set(b'{}[],"'))


def check_json_shape(body: bytes, limits: Limits) -> None:
    """Raises `BudgetExceeded` for JSON that is too deep or has too many values, without parsing it.

    Parsed, 25 MB of `[[],[],…` would be a gigabyte of Python objects.
    """
    if sum(map(len, _structure(body))) > limits.json_values:
        raise BudgetExceeded(f"the JSON has more than {limits.json_values:,} brackets, commas and quotes")
    # Without escaped backslashes and escaped quotes, every quote that is left begins or ends a string.
    skeleton = b"".join(_structure(body.replace(b"\\\\", b"").replace(b'\\"', b"")))
    depth = 0
    for character in b"".join(skeleton.split(b'"')[::2]):
        depth += {0x7B: 1, 0x5B: 1, 0x7D: -1, 0x5D: -1}.get(character, 0)
        if depth > limits.json_depth:
            raise BudgetExceeded(f"the JSON is nested deeper than {limits.json_depth}")


def _structure(body: bytes) -> Iterator[bytes]:
    """What is left of a body without all that gives JSON no shape, slice by slice."""
    for start in range(0, len(body), SLICE_BYTES):
        yield body[start : start + SLICE_BYTES].translate(None, _NOT_STRUCTURE)


@dataclass
class FormPart:
    """One part of a multipart form."""

    disposition: bytes = b""
    media_type: str = ""
    name: str = ""
    is_file: bool = False
    content: io.BytesIO = field(default_factory=io.BytesIO, repr=False)

    @property
    def data(self) -> bytes:
        """The content, not copied."""
        return self.content.getvalue()


class _Form:
    """The callbacks of python-multipart, which collect a form's parts: nothing is written to disk."""

    def __init__(self, max_parts: int) -> None:
        self.parts: list[FormPart] = []
        self.ended = False
        self._max_parts = max_parts
        self._header = b""
        self._value = b""

    def on_part_begin(self) -> None:
        if len(self.parts) == self._max_parts:
            raise BudgetExceeded(f"the form has more than {self._max_parts} parts")
        self.parts.append(FormPart())

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self.parts[-1].disposition = self._value
        elif self._header.lower() == b"content-type":
            self.parts[-1].media_type = media_type(self._value.decode("latin-1"))
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        part = self.parts[-1]
        _, options = parse_options_header(part.disposition)
        try:
            part.name = options[b"name"].decode()
        except (KeyError, UnicodeDecodeError):
            raise MalformedBody("a part of the form has no name") from None
        part.is_file = b"filename" in options

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].content.write(memoryview(data)[start:end])

    def on_end(self) -> None:
        self.ended = True


def form_parts(header: str, body: bytes, limits: Limits) -> list[FormPart]:
    """The parts of a multipart form. Raises `MalformedBody` or `BudgetExceeded`."""
    boundary = parse_options_header(header)[1].get(b"boundary")
    if not boundary:
        raise MalformedBody("the multipart form names no boundary")
    form = _Form(limits.multipart_parts)
    callbacks = {name: getattr(form, name) for name in dir(form) if name.startswith("on_")}
    try:
        MultipartParser(boundary, callbacks).write(body)  # type: ignore[arg-type]
    except FormParserError as error:
        raise MalformedBody(f"the multipart form is broken: {error}") from None
    if not form.ended:
        raise MalformedBody("the multipart form ends before its last boundary")
    return form.parts


def _parse_form(task: AnyTask, header: str, body: bytes, limits: Limits) -> Parts:
    inputs = {each.name: each for each in task.inputs}
    parts = Parts({}, {})
    length = 0
    for part in form_parts(header, body, limits):
        is_list = part.name.endswith("[]")
        if part.name not in inputs and (is_list or not part.is_file):
            length += len(part.data)
            _check_length(part.name, length)  # before it is decoded, which takes a while where it is no UTF-8
        if is_list:  # by convention, a list
            parts.parameters.setdefault(part.name, []).append(part.data.decode("utf-8", "replace"))
            continue
        if part.name in parts.media or part.name in parts.parameters:
            raise InvalidInput.of(part.name, "is given twice")
        if expected := inputs.get(part.name):
            is_medium = not expected.kind.is_text
            if is_medium and not part.is_file and part.data[:8].lower().startswith((b"http://", b"https://")):
                raise InvalidInput.of(part.name, "is a URL; URLs are never fetched, send the file")
            _add(parts, expected, part.media_type, part.data)
        elif part.is_file:
            raise InvalidInput.of(part.name, "is a file that this task does not take")
        else:
            parts.parameters[part.name] = part.data.decode("utf-8", "replace")
    return parts
