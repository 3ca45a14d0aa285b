"""LibreTranslate's dialect (https://libretranslate.com/docs): `/translate`, `/languages` and `/detect`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from models import TASKS
from models.errors import FieldError, InvalidInput, MalformedBody, UnknownModel, UnsupportedMedia
from models.limits import Limits
from models.media import TEXT
from models.task import Request
from models.text import languages
from models.text.languages import Detected
from models.text.translators import Translator
from models.translation import Translation, TranslationParameters, languages_of
from services.edge import Record
from services.engine import Engine
from services.http import bodies, forms
from services.http.problems import invalid_fields
from services.routes import paths
from services.routes.sentence_errors import Handler, in_the_dialects_words
from services.routes.waiting import cancelled_when_client_goes, deadline_seconds

AUTO = "auto"
NAMES = {"inputs": "q", "src_lang": "source", "tgt_lang": "target"}
STRANGER_SECONDS = 10.0
"""How long a body may take to come whose key is somewhere in it."""

FORM = "application/x-www-form-urlencoded"
ERRORS = {
    400: "The body is not well-formed, a field is missing, or a language is not served.",
    404: "No model for translation is enabled.",
    413: "Over a budget: characters, bytes.",
    415: "The media type is not accepted.",
    429: "Over capacity; `Retry-After` says when to come back.",
    503: "Starting or draining; `Retry-After` says when to come back.",
    504: "The deadline passed before the work could start.",
}


class Language(BaseModel):
    code: str
    name: str
    targets: list[str]


class Detection(BaseModel):
    """`confidence` is in per cent."""

    confidence: float
    language: str


class Translations(BaseModel):
    """Lists where `q` is one; `detectedLanguage` where `source` is `auto`; `alternatives`, always none, if asked."""

    translatedText: str | list[str]  # noqa: N815 (the dialect's name)
    detectedLanguage: Detection | list[Detection] | None = None  # noqa: N815
    alternatives: list[str] | list[list[str]] | None = None


def add_routes(app: FastAPI, engine: Engine, memory: bodies.BodyMemory) -> None:
    dialect = LibreTranslate(engine, memory)
    routes: list[tuple[str, str, Handler, Any, str, list[str]]] = [
        ("POST", paths.TRANSLATE, dialect.translate, Translations, "Translate", ["q", "source", "target", "format"]),
        ("POST", paths.DETECT, dialect.detect, list[Detection], "Which language a text is in", ["q"]),
        ("GET", paths.LANGUAGES, dialect.languages, list[Language], "What is translated into what", []),
    ]
    for method, path, handle, answer, summary, fields in routes:
        app.add_api_route(
            path,
            in_the_dialects_words(handle),
            methods=[method],
            tags=["LibreTranslate"],
            name=f"libretranslate{path.replace('/', '-')}",
            summary=summary,
            description='Errors are `{"error": "…"}`.',
            response_model=None,
            responses={200: {"model": answer}, **(_errors() if fields else {})},
            openapi_extra={"requestBody": _request_body(fields)} if fields else None,
        )


def _errors() -> dict[int | str, dict[str, Any]]:
    return {status: {"description": text} for status, text in ERRORS.items()}


def _request_body(fields: list[str]) -> dict[str, Any]:
    text = {"type": "string"}
    properties = dict.fromkeys([*fields, "api_key"], text) | {"q": {"anyOf": [text, {"type": "array", "items": text}]}}
    required = [name for name in fields if name != "format"]
    schema = {"schema": {"type": "object", "required": required, "properties": properties}}
    return {"required": True, "content": dict.fromkeys(("application/json", FORM, "multipart/form-data"), schema)}


class LibreTranslate:
    """The dialect's routes, over the task of translation."""

    def __init__(self, engine: Engine, memory: bodies.BodyMemory) -> None:
        self._engine = engine
        self._memory = memory
        self._task = next(task for task in TASKS.values() if isinstance(task, Translation))

    @property
    def _served(self) -> list[Translator]:
        return [model for model in self._engine.settings.models if isinstance(model, Translator)]

    async def languages(self, http: HttpRequest) -> Response:
        # Clients look up a target's name here, so that a language is there also where nothing is translated from it.
        targets: dict[str, list[str]] = {code: [] for code in languages_of(self._served)}
        for model in self._served:
            targets[model.source_language].append(model.target_language)
        known = [Language(code=code, name=languages.name(code), targets=into) for code, into in targets.items()]
        return JSONResponse([each.model_dump() for each in known])

    async def detect(self, http: HttpRequest) -> Response:
        deadline = asyncio.get_running_loop().time() + deadline_seconds(self._task, http)
        with self._memory.share() as share:
            fields = await self._fields(http, deadline, share)
            [detected] = await self._detected(_texts(fields)[:1])
            return JSONResponse([self._told(detected)])

    async def translate(self, http: HttpRequest) -> Response:
        try:
            return await self._translate(http)
        except InvalidInput as error:
            raise _renamed(error) from None

    async def _translate(self, http: HttpRequest) -> Response:
        record = Record.of(http.scope)
        deadline = asyncio.get_running_loop().time() + deadline_seconds(self._task, http)
        # Refused before the body is read, where none of the models, of which it will name one, has room.
        self._engine.check_capacity(self._engine.candidates(self._task, None))
        with self._memory.share() as share:
            fields = await self._fields(http, deadline, share)
            texts, source = _texts(fields), _field(fields, "source")
            html = fields.get("format") == "html"
            detected = await self._detected(texts, html=html) if source == AUTO else []
            request = Request(
                {},
                _parameters(
                    src_lang=_common(detected) if source == AUTO else source,
                    tgt_lang=_field(fields, "target"),
                    format=fields.get("format") or "text",
                ),
                self._engine.settings.limits,
                texts={"inputs": texts},
            )
            size = bodies.detection_size(texts)
            model = await bodies.in_thread(size, self._task.choose, self._served, request)
            record.provider, record.model = self._engine.runner(model).provider, model.id
            async with cancelled_when_client_goes(http):
                answers = await self._engine.answer(
                    self._task, model, request, deadline=deadline, timings=record.timings
                )
        translated = [each.translation_text for each in answers]
        several = isinstance(fields["q"], list)
        document: dict[str, Any] = {"translatedText": translated if several else translated[0]}
        if told := [self._told(each) for each in detected]:
            document["detectedLanguage"] = told if several else told[0]
        if fields.get("alternatives") not in (None, "", 0, "0"):
            # Others give as many as there are, and their clients read the field without looking whether it is there.
            document["alternatives"] = [[] for _ in texts] if several else []
        return JSONResponse(document)

    async def _detected(self, texts: Sequence[str], *, html: bool = False) -> list[Detected]:
        known = languages_of(self._served)
        if not known:
            raise UnknownModel(f"no model for {self._task.name} is enabled on this server")
        size = bodies.detection_size(texts)
        return await bodies.in_thread(size, lambda: [languages.detect(text, known, html=html) for text in texts])

    def _told(self, found: Detected) -> dict[str, Any]:
        language = found.language or languages_of(self._served)[0]
        return Detection(confidence=round(100 * found.confidence, 1), language=language).model_dump()

    async def _fields(self, http: HttpRequest, deadline: float, share: bodies.Share) -> dict[str, Any]:
        """The fields of a request, in the query, JSON or a form; `q` may be a list."""
        limits = self._engine.settings.limits
        bodies.refuse_coding(http.headers)
        admit = Record.of(http.scope).admit
        if admit:
            deadline = min(deadline, asyncio.get_running_loop().time() + STRANGER_SECONDS)
        # A form may hold a byte as three characters.
        budget = 3 * TEXT.max_bytes(limits) + forms.FORM_OVERHEAD_BYTES
        body = await bodies.read_body(http.receive, http.headers, budget, share=share, deadline=deadline)
        header = http.headers.get("content-type", "")
        fields = await bodies.in_thread(len(body), _parse, header, body, limits)
        if admit:
            admit(fields.get("api_key"))
        fields = {**_collected(http.query_params.multi_items()), **fields}
        forms.check_texts("q", _texts(fields), limits)
        return fields


def _parse(header: str, body: bytes, limits: Limits) -> dict[str, Any]:
    kind = forms.media_type(header)
    if kind == "application/json":
        return forms.json_object(body, limits)
    if kind in (FORM, ""):
        return _collected(_pairs(body, limits.json_values))
    if kind == "multipart/form-data":
        parts = forms.form_parts(header, body, limits)
        return _collected([(part.name, part.data.decode("utf-8", "replace")) for part in parts])
    raise UnsupportedMedia(f"{kind} is not accepted; send application/json or a form")


def _pairs(body: bytes, most: int) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError as error:
        raise MalformedBody(f"the form is broken: {error}") from None


def _collected(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Fields by name; `q` may be there several times, of others the last counts."""
    fields: dict[str, Any] = dict(pairs)
    if len(texts := [value for name, value in pairs if name == "q"]) > 1:
        fields["q"] = texts
    return fields


def _texts(fields: dict[str, Any]) -> tuple[str, ...]:
    if fields.get("q") is None:
        raise InvalidInput.of("q", "is missing")
    texts = forms.texts_of("q", fields["q"])
    if not texts:
        raise InvalidInput.of("q", "is an empty list")
    return texts


def _field(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput.of(name, "is missing" if not value else "is not a text")
    return value


def _common(detected: Sequence[Detected]) -> str | None:
    """The one language of all texts, which the task then need not find out again; None where there are several."""
    found = {each.language for each in detected}
    return found.pop() if len(found) == 1 else None


def _renamed(error: InvalidInput) -> InvalidInput:
    """The error with the fields' names in this dialect."""
    fields = tuple(FieldError(NAMES.get(each.field, each.field), each.message) for each in error.fields)
    return InvalidInput("; ".join(f"{each.field}: {each.message}" for each in fields), fields=fields)


def _parameters(**values: Any) -> TranslationParameters:
    try:
        return TranslationParameters(**values)
    except ValidationError as error:
        raise invalid_fields(error) from None
