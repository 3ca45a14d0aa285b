"""OpenAPI for the transcription route."""

from __future__ import annotations

from typing import Any

from services.routes.documentation import ERRORS, TIMEOUT_HEADER
from services.routes.openai.formats import Transcription, TranscriptionParameters, VerboseTranscription

ERROR_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}

OWN_ERRORS = {
    **{status: text for status, text in ERRORS.items() if status not in (406, 415, 422)},
    400: "A field is missing or out of range, or the file cannot be decoded.",
}


def transcription_documentation() -> dict[str, Any]:
    """The arguments of `add_api_route` that describe the route."""
    text = {"schema": {"type": "string"}}
    properties = TranscriptionParameters.model_json_schema()["properties"]
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}, **properties},
    }
    answers = {
        "application/json": {
            "schema": {"anyOf": [Transcription.model_json_schema(), inline(VerboseTranscription.model_json_schema())]}
        },
        "text/plain": text,
        "text/vtt": text,
        "text/event-stream": text,
    }
    return {
        "tags": ["OpenAI"],
        "summary": "Transcription",
        "description": "Speech recognition in the words of OpenAI's API; `whisper-1` is the default model.",
        "responses": {
            200: {"description": "The transcript, in the `response_format`.", "content": answers},
            **{
                status: {"description": text, "content": {"application/json": {"schema": ERROR_SCHEMA}}}
                for status, text in OWN_ERRORS.items()
            },
        },
        "openapi_extra": {
            "parameters": [TIMEOUT_HEADER],
            "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        },
    }


def inline(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose one definition stands where it is referred to."""
    [definition] = schema.pop("$defs").values()
    schema["properties"]["segments"]["items"] = definition
    return schema
