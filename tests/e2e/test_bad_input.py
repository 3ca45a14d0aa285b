"""Every kind of bad request gets its own status and a problem that says what is wrong."""

from __future__ import annotations

import gzip
import json
import pickle
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests import photographs
from tests.e2e.checks import ROUTE, base64_text, connection, head, photograph, png, problem, read_response
from tests.serving import Server

CHELSEA = photograph()
SMALL = png(Image.new("RGB", (8, 8), "teal"))
SMALL_TEXT = base64_text(SMALL)
JPEG = photographs.encoded(photographs.rgb("chelsea"), "JPEG")
GIF = photographs.encoded(Image.new("RGB", (8, 8)), "GIF")
TEXT = b"I am no picture at all.\n"


@dataclass(frozen=True)
class Bad:
    """A request to the classifier and what is wrong with it."""

    status: int
    request: dict[str, Any]
    field: str | None = None
    says: str = ""


def raw(status: int, content: bytes, media_type: str | None = None, **expected: Any) -> Bad:
    headers = {} if media_type is None else {"Content-Type": media_type}
    return Bad(status, {"content": content, "headers": headers}, **expected)


def document(status: int, content: str | bytes, **expected: Any) -> Bad:
    return raw(status, content.encode() if isinstance(content, str) else content, "application/json", **expected)


def inputs(status: int, value: Any, **expected: Any) -> Bad:
    return document(status, json.dumps({"inputs": value}), **expected)


def parameter(name: str, value: Any, **expected: Any) -> Bad:
    return Bad(422, {"params": {name: value}, "content": SMALL}, field=name, **expected)


def form(status: int, content: bytes, content_type: str = "multipart/form-data; boundary=b", **expected: Any) -> Bad:
    return raw(status, content, content_type, **expected)


def part(disposition: str, data: bytes = b"x") -> bytes:
    return b"--b\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + data + b"\r\n--b--\r\n"


@dataclass(frozen=True)
class Trap:
    """Unpickled, it leaves a file behind."""

    path: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


PICKLE = pickle.dumps(Trap(Path("trap")))


MEDIA: dict[str, Bad] = {
    "text": raw(415, TEXT, "text/plain", says="text/plain"),
    "text as JPEG": raw(422, TEXT, "image/jpeg", field="image"),
    "text as octet-stream": raw(422, TEXT, "application/octet-stream", field="image"),
    "text without a type": raw(422, TEXT, field="image"),
    "text as URL-encoded form": raw(415, b"a=b&c=d", "application/x-www-form-urlencoded", says="URL-encoded"),
    "GIF": raw(415, GIF, "image/gif", says="image/gif"),
    "GIF as octet-stream": raw(415, GIF, "application/octet-stream", says="image/gif"),
    "GIF without a type": raw(415, GIF, says="image/gif"),
    "GIF as PNG": raw(422, GIF, "image/png", field="image"),
    "GIF in a form": Bad(415, {"files": {"image": ("a.gif", GIF, "image/gif")}}, says="image/gif"),
    "GIF in a form, generic": Bad(415, {"files": {"image": ("a", GIF)}}, says="image/gif"),
    "GIF in JSON": inputs(415, base64_text(GIF), says="image/gif"),
    "GIF as data URL": inputs(415, f"data:image/gif;base64,{base64_text(GIF)}", says="image/gif"),
    "PDF": raw(415, b"%PDF-1.7\n", "application/pdf", says="application/pdf"),
    "PDF as octet-stream": raw(415, b"%PDF-1.7\n", "application/octet-stream", says="application/pdf"),
    "BMP": raw(415, photographs.encoded(Image.new("RGB", (8, 8)), "BMP"), says="image/bmp"),
    "TIFF": raw(415, photographs.encoded(Image.new("RGB", (8, 8)), "TIFF"), says="image/tiff"),
    "empty": raw(422, b"", "image/png", field="image", says="empty"),
    "empty without a type": raw(422, b"", field="image", says="empty"),
    "empty URL-encoded form": raw(422, b"", "application/x-www-form-urlencoded", field="image", says="empty"),
    "JPEG cut in half": raw(422, JPEG[: len(JPEG) // 2], field="image", says="truncated"),
    "JPEG without its end": raw(422, JPEG[:-1000], field="image", says="truncated"),
    "PNG cut in half": raw(422, CHELSEA[: len(CHELSEA) // 2], field="image", says="truncated"),
    "PNG with a flipped bit": raw(422, CHELSEA[:9000] + b"\x00\xff\x00" + CHELSEA[9003:], field="image"),
    "PNG signature alone": raw(422, CHELSEA[:8], field="image"),
    "JPEG's first bytes alone": raw(422, b"\xff\xd8\xff", field="image"),
    "WebP header alone": raw(422, b"RIFF\x00\x00\x00\x00WEBP", field="image"),
    "gzip": Bad(415, {"content": gzip.compress(SMALL), "headers": {"Content-Encoding": "gzip"}}, says="gzip"),
    "brotli": Bad(415, {"content": SMALL, "headers": {"Content-Encoding": "br"}}, says="br"),
    **{
        kind: raw(415, PICKLE, kind, says=kind)
        for kind in ("application/vnd.bentoml+pickle", "application/x-pickle", "application/python-pickle")
    },
    "pickle as octet-stream": raw(422, PICKLE, "application/octet-stream", field="image"),
    "pickle without a type": raw(422, PICKLE, field="image"),
    "pickle in a form": Bad(415, {"files": {"image": ("a", PICKLE, "application/x-pickle")}}),
    "pickle in JSON": inputs(422, base64_text(PICKLE), field="image"),
}
PARAMETERS: dict[str, Bad] = {
    "top_k 0": parameter("top_k", 0),
    "top_k -1": parameter("top_k", -1),
    "top_k 1001": parameter("top_k", 1001),
    "top_k x": parameter("top_k", "x"),
    "top_k 2.5": parameter("top_k", 2.5),
    "top_k empty": parameter("top_k", ""),
    "top_k of 5,000 digits": parameter("top_k", "9" * 5000),
    "sigmoid": parameter("function_to_apply", "sigmoid", says="softmax"),
    "unknown": parameter("threshold", 0.5, says="threshold"),
    "unknown, with a long name": Bad(422, {"params": {"x" * 20_000: 1}, "content": SMALL}),
    "twice": parameter("top_k", [1, 2], says="twice"),
    "unknown in a form": Bad(422, {"data": {"x": "1"}, "files": {"image": SMALL}}, field="x"),
    "twice in a form": Bad(422, {"data": {"top_k": ["1", "2"]}, "files": {"image": SMALL}}, field="top_k"),
    "unknown in JSON": document(422, f'{{"inputs": "{SMALL_TEXT}", "parameters": {{"x": 1}}}}', field="x"),
    "top_k null": document(422, f'{{"inputs": "{SMALL_TEXT}", "parameters": {{"top_k": null}}}}', field="top_k"),
    "top_k NaN": document(422, f'{{"inputs": "{SMALL_TEXT}", "parameters": {{"top_k": NaN}}}}', field="top_k"),
    "model 3": document(422, f'{{"inputs": "{SMALL_TEXT}", "parameters": {{"model": 3}}}}', field="model"),
    "model unknown": Bad(404, {"params": {"model": "nope"}, "content": SMALL}, says="nope"),
    "model empty": Bad(404, {"params": {"model": ""}, "content": SMALL}),
    "model not enabled": Bad(404, {"params": {"model": "resnet50"}, "content": SMALL}, says="not enabled"),
    "model unknown in a form": Bad(404, {"data": {"model": "nope"}, "files": {"image": SMALL}}, says="nope"),
    "model unknown in JSON": document(404, f'{{"inputs": "{SMALL_TEXT}", "parameters": {{"model": "nope"}}}}'),
    "model with a path": Bad(404, {"params": {"model": "../../etc/passwd"}, "content": SMALL}),
    **{
        f"timeout {value[:8]}": Bad(
            422,
            {"content": SMALL, "headers": {"X-Request-Timeout-Ms": value.encode("latin-1")}},
            field="X-Request-Timeout-Ms",
        )
        for value in ("", "soon", "0", "-1", "1.5", "1e3", "86400001", "9" * 5000, "\xb2")
    },
}
JSON: dict[str, Bad] = {
    "empty": document(400, b""),
    "broken": document(400, '{"inputs": "aGk="'),
    "two documents": document(400, "{} {}"),
    "not UTF-8": document(400, b'{"inputs": "\xff\xfe"}'),
    "UTF-16": document(400, '{"inputs": ""}'.encode("utf-16")),
    "half a surrogate pair": document(400, r'{"inputs": "\ud800"}'),
    "a control character in a string": document(400, b'{"inputs": "\x00"}'),
    "a number of 6,000 digits": document(400, f'{{"inputs": "", "parameters": {{"top_k": {"9" * 6000}}}}}'),
    "text": raw(400, TEXT, "application/json"),
    **{f"{text} alone": document(422, text, field="body") for text in ("[]", "null", "3", '"aGk="', "true")},
    "inputs missing": document(422, "{}", field="inputs"),
    "inputs misspelt": Bad(422, {"json": {"input": SMALL_TEXT}}),
    "inputs a number": inputs(422, 3, field="inputs"),
    "inputs null": inputs(422, None, field="inputs"),
    "inputs a list": inputs(422, [SMALL_TEXT], field="inputs"),
    "inputs empty": inputs(422, "", field="image", says="empty"),
    "inputs no base64": inputs(422, "*" * 40, field="inputs", says="base64"),
    "inputs of the URL-safe alphabet": inputs(422, "-_-_", field="inputs", says="base64"),
    "inputs not padded": inputs(422, "aGk", field="inputs", says="base64"),
    "inputs not ASCII": inputs(422, "Grüße", field="inputs", says="base64"),
    "inputs a data URL without base64": inputs(422, "data:image/png,abc", field="inputs", says=";base64"),
    "inputs a data URL without data": inputs(422, "data:image/png;base64", field="inputs", says=";base64"),
    "extra key": document(422, f'{{"inputs": "{SMALL_TEXT}", "options": {{}}}}', field="options"),
    "parameters a list": document(422, f'{{"inputs": "{SMALL_TEXT}", "parameters": []}}', field="parameters"),
    **{
        f"inputs a URL: {url}": inputs(422, url, field="inputs", says="never fetched")
        for url in (
            "http://example.com/a.png",
            "HTTPS://example.com/a",
            " http://example.com",
            "file:///etc/passwd",
        )
    },
    "nested 100 deep": document(413, "[" * 100 + "]" * 100, says="nested"),
    "nested 100 deep in the parameters": document(413, '{"parameters": ' + '{"a":' * 100 + "1" + "}" * 101),
    "too many values": document(413, '{"inputs": [' + "1," * 200_000 + "1]}"),
}
FORMS: dict[str, Bad] = {
    "no boundary": form(400, part('form-data; name="image"'), "multipart/form-data"),
    "empty boundary": form(400, part('form-data; name="image"'), "multipart/form-data; boundary="),
    "boundary too long": form(400, part('form-data; name="image"'), "multipart/form-data; boundary=" + "b" * 300),
    "another boundary": form(400, part('form-data; name="image"'), "multipart/form-data; boundary=c"),
    "empty": form(400, b""),
    "no form at all": form(400, TEXT),
    "cut off in its data": form(400, part('form-data; name="image"; filename="a"', CHELSEA)[:3000]),
    "cut off before its last boundary": form(400, part('form-data; name="image"; filename="a"', SMALL)[:-7]),
    "cut off in its head": form(400, b"--b\r\nContent-Dispo"),
    "a part without a name": form(400, part("form-data")),
    "a part without a disposition": form(400, b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n"),
    "a name that is not UTF-8": form(400, part("form-data").replace(b"form-data", b'form-data; name="\xff"')),
    "broken head": form(400, b"--b\r\n: \r\n\r\nx\r\n--b--\r\n"),
    "no part at all": form(422, b"--b--\r\n", field="image", says="missing"),
    "no picture": form(422, part('form-data; name="top_k"', b"1"), field="image", says="missing"),
    "another file": Bad(422, {"files": {"picture": SMALL}}, field="picture"),
    "empty picture": Bad(422, {"files": {"image": b""}}, field="image", says="empty"),
    "two pictures": Bad(422, {"files": [("image", SMALL), ("image", SMALL)]}, field="image", says="twice"),
    "a URL": form(422, part('form-data; name="image"', b"http://example.com/a.png"), field="image", says="fetched"),
    "10,000 parts": Bad(413, {"files": [(f"f{number}", b"x") for number in range(10_000)]}, says="64 parts"),
    "65 parts": Bad(413, {"files": [(f"f{number}", b"x") for number in range(65)]}, says="64 parts"),
}

ALL = {
    f"{group}: {name}": bad
    for group, cases in (("media", MEDIA), ("parameter", PARAMETERS), ("JSON", JSON), ("form", FORMS))
    for name, bad in cases.items()
}


@pytest.mark.parametrize("case", ALL)
def test_a_bad_request_is_refused_by_name(http: httpx.Client, case: str) -> None:
    bad = ALL[case]
    problem(http.post(ROUTE, **bad.request), bad.status, field=bad.field, says=bad.says)


@pytest.mark.parametrize(
    "media_type", ["application/octet-stream", "application/x-pickle", "image/png", "application/json", None]
)
def test_pickle_is_never_read(http: httpx.Client, tmp_path: Path, media_type: str | None) -> None:
    trap, sprung = tmp_path / "trap", tmp_path / "sprung"
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists()
    headers = {} if media_type is None else {"Content-Type": media_type}
    response = http.post(ROUTE, content=pickle.dumps(Trap(trap)), headers=headers)
    assert response.status_code in (400, 415, 422)
    assert not trap.exists()


def test_a_url_is_never_fetched(http: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/picture.png"
        problem(http.post(ROUTE, json={"inputs": url}), 422, field="inputs", says="never fetched")
        problem(http.post(ROUTE, content=url.encode()), 422, field="image")
        boundary = {"Content-Type": "multipart/form-data; boundary=b"}
        content = part('form-data; name="image"', url.encode())
        problem(http.post(ROUTE, content=content, headers=boundary), 422, field="image", says="never fetched")
        for parameters in ({"image": url}, {"url": url}, {"inputs": url}):
            problem(http.post(ROUTE, params=parameters), 422)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


ALLOWED = {
    ROUTE: "POST",
    "/v1/models": "GET",
    "/v1/models/efficientnet-lite0": "GET",
    "/": "GET",
    "/docs": "GET",
    "/livez": "GET, HEAD",
    "/readyz": "GET, HEAD",
    "/metrics": "GET, HEAD",
}


@pytest.mark.parametrize("path", ALLOWED)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_wrong_method_is_told_the_right_one(http: httpx.Client, path: str, method: str) -> None:
    response = http.request(method, path)
    problem(response, 405)
    assert response.headers["Allow"] == ALLOWED[path]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v1",
        "/v1/",
        f"{ROUTE}/",
        "/v1/models/",
        "/v1/models/nope",
        "/v1/models/resnet50",
        "/v1/models/%00",
        "/v1/models/a%2fb",
        "/livez/",
        "/docs.json",
        "/docs/assets/nothing.js",
        "/docs/assets/",
        "/docs/assets/%2e%2e/%2e%2e/__init__.py",
        "/docs/assets/..%2f..%2f__init__.py",
        "//etc/passwd",
    ],
)
def test_an_unknown_route_is_not_found(http: httpx.Client, path: str) -> None:
    problem(http.get(path), 404)


def test_a_get_of_a_task_is_told_to_post(http: httpx.Client) -> None:
    response = http.get(ROUTE)
    problem(response, 405)
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/v1/models", "/livez", "/readyz", "/metrics"])
def test_head_gives_the_head_of_get(http: httpx.Client, path: str) -> None:
    response = http.head(path)
    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["Content-Type"] == http.get(path).headers["Content-Type"]


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: -1",),
        ("Content-Length: many",),
        ("Content-Length: +5",),
        ("Content-Length: " + "9" * 30,),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: gzip",),
        ("Header without a colon",),
    ],
    ids=", ".join,
)
def test_what_is_no_http_is_refused_and_its_connection_closed(
    server: Server, http: httpx.Client, lines: tuple[str, ...]
) -> None:
    with connection(server) as opened:
        opened.sendall(head(*lines))
        response, _ = read_response(opened)
        assert response.status == 400
        assert opened.recv(1) == b""
    assert http.post(ROUTE, content=SMALL).status_code == 200


def test_there_are_no_web_sockets(server: Server) -> None:
    with connection(server) as opened:
        opened.sendall(
            head(
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                method="GET",
            )
        )
        response, _ = read_response(opened, "GET")
        assert response.status == 403
