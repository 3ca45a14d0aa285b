"""The documentation: complete, well-formed, true, and readable without any other host."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from services.http.problems import Problem
from tests.e2e.checks import ROUTE, photograph

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
EVERY_ERROR = {"400", "404", "413", "415", "422", "429", "503", "504"}
STATUSES = {
    ("/v1/models", "get"): {"200", "503"},
    ("/v1/models/{id}", "get"): {"200", "404", "503"},
    ("/v1/styles", "get"): {"200"},
    (ROUTE, "post"): {"200"} | EVERY_ERROR,
    ("/v1/object-detection", "post"): {"200"} | EVERY_ERROR,
    ("/v1/face-detection", "post"): {"200"} | EVERY_ERROR,
    ("/v1/style-transfer", "post"): {"200", "406"} | EVERY_ERROR,
    ("/v1/translation", "post"): {"200"} | EVERY_ERROR,
    ("/v1/speech-recognition", "post"): {"200"} | EVERY_ERROR,
    ("/v1/audio/transcriptions", "post"): {"200"} | EVERY_ERROR - {"415", "422"},
    ("/translate", "post"): {"200"} | EVERY_ERROR - {"422"},
    ("/detect", "post"): {"200"} | EVERY_ERROR - {"422"},
    ("/languages", "get"): {"200"},
    ("/v2", "get"): {"200"},
    ("/v2/health/live", "get"): {"200", "503"},
    ("/v2/health/ready", "get"): {"200", "503"},
    **{
        (f"{graph}{end}", "get"): {"200", "404", "503"}
        for graph in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
        for end in ("", "/ready", "/config")
    },
    ("/v2/models/{model}/infer", "post"): {"200"} | EVERY_ERROR - {"422"},
    ("/v2/models/{model}/versions/{version}/infer", "post"): {"200"} | EVERY_ERROR - {"422"},
    ("/livez", "get"): {"200", "503"},
    ("/readyz", "get"): {"200", "503"},
    ("/metrics", "get"): {"200"},
}


@pytest.fixture
def document(http: httpx.Client) -> dict[str, Any]:
    response = http.get("/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    answer: dict[str, Any] = response.json()
    return answer


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object below a value."""
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from nodes(below)
    elif isinstance(value, list):
        for below in value:
            yield from nodes(below)


def resolve(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/")
    found: Any = document
    for step in reference[2:].split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(path, method): each for path, item in document["paths"].items() for method, each in item.items()}


def test_it_is_a_document_of_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert set(document) <= {"openapi", "info", "paths", "components", "tags", "servers"}
    assert document["info"]["title"] and document["info"]["version"]
    for (path, method), operation in operations(document).items():
        assert path.startswith("/") and method in METHODS
        assert operation["summary"]
        for status, response in operation["responses"].items():
            assert status.isdecimal() and len(status) == 3
            assert response["description"]
        declared = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"]
        assert declared == [part[1:-1] for part in path.split("/") if part.startswith("{")]
        for parameter in operation.get("parameters", ()):
            assert parameter["in"] in ("path", "query", "header") and "schema" in parameter
            assert parameter.get("required") is True or parameter["in"] != "path"
    ids = [operation["operationId"] for operation in operations(document).values() if "operationId" in operation]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere_and_every_schema_is_used(document: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)}
    assert references
    for reference in references:
        assert isinstance(resolve(document, reference), dict)
    assert {f"#/components/schemas/{name}" for name in document["components"]["schemas"]} == references


def test_every_public_route_is_described_with_its_statuses(document: dict[str, Any]) -> None:
    assert {key: set(each["responses"]) for key, each in operations(document).items()} == STATUSES


def test_every_described_get_is_answered(http: httpx.Client, document: dict[str, Any]) -> None:
    for path, method in operations(document):
        if method == "get":
            path = path.replace("{id}", "efficientnet-lite0").replace("{model}", "efficientnet-lite0")
            assert http.get(path.replace("{version}", "1")).status_code == 200


def test_errors_are_described_as_problems_as_they_are(http: httpx.Client, document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        for status, response in operation["responses"].items():
            if status != "200" and "application/problem+json" in response.get("content", {}):
                schema = response["content"]["application/problem+json"]["schema"]
                properties = resolve(document, schema["$ref"])["properties"]
                assert set(properties) == {"type", "title", "status", "detail", "instance", "errors"}
    actual = http.post(ROUTE, params={"top_k": 0}, content=photograph())
    assert Problem.model_validate_json(actual.content, strict=True).errors[0].field == "top_k"


PARAMETERS = {
    ROUTE: {"model", "top_k", "function_to_apply"},
    "/v1/object-detection": {"model", "threshold", "max_detections"},
    "/v1/face-detection": {"model", "threshold"},
    "/v1/style-transfer": {"model", "style", "strength", "max_side"},
}


@pytest.mark.parametrize("route", PARAMETERS)
def test_a_task_describes_its_three_forms_and_its_parameters(document: dict[str, Any], route: str) -> None:
    operation = document["paths"][route]["post"]
    forms = operation["requestBody"]["content"]
    assert set(forms) == {"image/jpeg", "image/png", "image/webp", "multipart/form-data", "application/json"}
    parameters = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
    assert parameters == PARAMETERS[route]
    others = {"style_image"} if route == "/v1/style-transfer" else set()
    assert set(forms["multipart/form-data"]["schema"]["properties"]) == parameters | {"image"} | others
    envelope = forms["application/json"]["schema"]["properties"]
    assert set(envelope) == {"inputs", "parameters"}
    assert set(envelope["parameters"]["properties"]) == parameters | others
    assert "X-Request-Timeout-Ms" in {each["name"] for each in operation["parameters"] if each["in"] == "header"}


# what the example is an answer to
EXAMPLES = {
    ROUTE: ("chelsea", {"top_k": 3}),
    "/v1/object-detection": ("coffee", {}),
    "/v1/face-detection": ("astronaut", {}),
}


@pytest.mark.parametrize("route", EXAMPLES)
def test_the_example_is_a_real_answer(http: httpx.Client, document: dict[str, Any], route: str) -> None:
    success = document["paths"][route]["post"]["responses"]["200"]
    example = success["content"]["application/json"]["example"]
    name, parameters = EXAMPLES[route]
    response = http.post(route, content=photograph(name), params=parameters)
    assert [{**each, "score": round(each["score"], 4)} for each in response.json()] == example
    assert set(success["headers"]) == {"X-Request-Id", "X-Ekiben-Model", "X-Ekiben-Provider", "Server-Timing"}
    assert all(name in response.headers for name in success["headers"])


def test_a_picture_is_described_as_the_media_types_that_it_can_have(document: dict[str, Any]) -> None:
    success = document["paths"]["/v1/style-transfer"]["post"]["responses"]["200"]
    assert list(success["content"]) == ["image/png", "image/jpeg", "image/webp"]
    assert set(success["headers"]) == {"X-Request-Id", "X-Ekiben-Model", "X-Ekiben-Provider", "Server-Timing"}


class Links(HTMLParser):
    """What a page loads or points to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("src", "href", "action", "data", "srcset", "poster"):
                (self.links if tag == "a" else self.loaded).append(value or "")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_nothing_from_other_hosts(http: httpx.Client, path: str) -> None:
    page = http.get(path)
    assert page.headers["Content-Type"].startswith("text/html")
    found = Links(page.text)
    for address in (*found.loaded, *found.links):
        assert urlsplit(urljoin(str(page.url), address)).netloc == page.url.netloc.decode(), address
        assert http.get(address).status_code == 200, address
    without_example = page.text.replace(str(http.base_url).rstrip("/"), "")
    assert "://" not in without_example and "url(" not in without_example and "@import" not in without_example


def test_the_reference_loads_its_scripts_styles_and_document_from_here(http: httpx.Client) -> None:
    page = http.get("/docs").text
    types = {address.rpartition(".")[2]: http.get(address).headers["Content-Type"] for address in Links(page).loaded}
    assert types["js"].startswith("text/javascript") and types["css"].startswith("text/css")
    assert types["png"] == "image/png"
    assert "url: '/openapi.json'" in page
