"""The client's types beside the served OpenAPI document, for every task that is served."""

from __future__ import annotations

import importlib
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import httpx
import pytest

import ekiben_client
from ekiben_client import (
    catalogue,
    errors,
    face_detection,
    image_classification,
    object_detection,
    speech_recognition,
    style_transfer,
    translation,
)
from ekiben_client._call import Call

from .serving import Server

CALLS: dict[str, tuple[Call[Any, Any], Any, str]] = {
    # route: the call with all its parameters, what its answer consists of, the input's name
    image_classification.PATH: (
        image_classification.classification(top_k=5, model="m"),
        list[image_classification.Label],
        "image",
    ),
    object_detection.PATH: (
        object_detection.detection(threshold=0.5, model="m"),
        list[object_detection.DetectedObject],
        "image",
    ),
    face_detection.PATH: (face_detection.detection(threshold=0.5, model="m"), list[face_detection.Face], "image"),
    style_transfer.PATH: (
        style_transfer.transfer("style-00", None, strength=1, max_side=1, format="png", model="m"),
        None,
        "image",
    ),
    speech_recognition.PATH: (
        speech_recognition.recognition(timestamps=True, language="en", model="m"),
        speech_recognition.Transcript,
        "audio",
    ),
    translation.PATH: (
        translation.translation(target="pt", source="en", model="m"),
        list[translation.Translation],
        "inputs",
    ),
}

NAMES = {("Translation", "text"): "translation_text"}
"""Where our word is not the wire's."""

ABSENT = {("Transcript", "chunks")}
"""Where the answer may have nothing or null, and we have an empty tuple."""

JSON_TYPES = {str: "string", float: "number", int: "integer", bool: "boolean"}


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    served: dict[str, Any] = httpx.get(f"{server.url}/openapi.json").json()
    return served


def served(document: dict[str, Any], path: str) -> dict[str, Any]:
    operation: dict[str, Any] = next(iter(document["paths"][path].values()))
    return operation


def resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def compare(document: dict[str, Any], schema: dict[str, Any], ours: Any, where: str) -> None:
    """Our type and the schema mean the same."""
    schema = resolve(document, schema)
    origin = get_origin(ours)
    if type(None) in get_args(ours):
        [ours] = [each for each in get_args(ours) if each is not type(None)]
        kinds = schema.get("anyOf", [schema])
        [schema] = [each for each in kinds if each.get("type") != "null"]
        compare(document, schema, ours, where)
    elif origin is list or (origin is tuple and get_args(ours)[-1] is ...):
        assert schema["type"] == "array", where
        compare(document, schema["items"], get_args(ours)[0], f"{where}[]")
    elif origin is tuple:
        assert schema["type"] == "array", where
        assert schema["minItems"] == schema["maxItems"] == len(get_args(ours)), where
        items = schema.get("prefixItems") or [schema["items"]] * len(get_args(ours))
        for item, each in zip(items, get_args(ours)):
            compare(document, item, each, f"{where}[]")
    elif isinstance(ours, type) and is_dataclass(ours):
        assert schema["type"] == "object", where
        hints = get_type_hints(ours)
        names = {NAMES.get((ours.__name__, each.name), each.name): each.name for each in fields(ours)}
        names.pop("meta", None)
        assert set(names) == set(schema["properties"]), where
        for wire, name in names.items():
            item = schema["properties"][wire]
            if (ours.__name__, name) in ABSENT:
                assert wire not in schema["required"], f"{where}.{wire}"
                [item] = [each for each in item["anyOf"] if each["type"] != "null"]
            else:
                assert wire in schema["required"] or "default" in item, f"{where}.{wire}"
            compare(document, item, hints[name], f"{where}.{wire}")
    else:
        assert schema.get("type") == JSON_TYPES[ours], where


@pytest.mark.parametrize("path", CALLS)
def test_answers_are_of_our_types(document: dict[str, Any], path: str) -> None:
    answer = served(document, path)["responses"]["200"]["content"]
    ours = CALLS[path][1]
    if ours is None:
        assert set(style_transfer.MEDIA_TYPES.values()) <= set(answer)
    else:
        compare(document, answer["application/json"]["schema"], ours, path)


@pytest.mark.parametrize("path", CALLS)
def test_the_server_knows_all_that_we_send(document: dict[str, Any], path: str) -> None:
    operation = served(document, path)
    call, _, name = CALLS[path]
    known = {each["name"] for each in operation.get("parameters", ())}
    assert set(call.query) <= known
    assert "X-Request-Timeout-Ms" in known
    assert call.method.lower() in document["paths"][path]
    bodies = operation["requestBody"]["content"]
    assert name in resolve(document, bodies["application/json"]["schema"])["properties"] or (
        name in resolve(document, bodies["multipart/form-data"]["schema"])["properties"]
    )


@pytest.mark.parametrize(
    ("path", "ours"), [(catalogue.PATH, catalogue.Model), (style_transfer.STYLES_PATH, style_transfer.Style)]
)
def test_lists_have_all_that_we_read(document: dict[str, Any], path: str, ours: type) -> None:
    schema = resolve(document, served(document, path)["responses"]["200"]["content"]["application/json"]["schema"])
    listed = schema["items"] if schema["type"] == "array" else schema["properties"]["data"]["items"]
    item = resolve(document, listed)
    for name, kind in get_type_hints(ours).items():
        assert item["properties"][name]["type"] == JSON_TYPES[kind], name
        assert name in item["required"], name


def test_every_error_of_a_task_has_a_class(document: dict[str, Any]) -> None:
    for path in CALLS:
        statuses = {int(status) for status in served(document, path)["responses"]} - {200}
        assert statuses <= set(errors.BY_STATUS), path


def test_errors_have_the_fields_that_we_read(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {"detail", "title", "errors"} <= set(schemas["Problem"]["properties"])
    assert {each.name for each in fields(errors.FieldError)} == set(schemas["FieldProblem"]["properties"])


def test_every_task_that_is_served_has_its_module(document: dict[str, Any]) -> None:
    tasks = [path for path, item in document["paths"].items() if "tasks" in item.get("post", {}).get("tags", ())]
    assert set(tasks) == set(CALLS)
    for path in tasks:
        name = path.removeprefix("/v1/").replace("-", "_")
        assert path == importlib.import_module(f"{ekiben_client.__name__}.{name}").PATH
