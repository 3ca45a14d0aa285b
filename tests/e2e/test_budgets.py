"""What is over a budget is refused before its memory is spent, and ordinary clients get to see the refusal."""

from __future__ import annotations

import struct
import subprocess
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests import photographs
from tests.e2e.checks import ROUTE, base64_text, connection, head, png, problem, problem_document, read_response
from tests.serving import Server

MEGABYTE = 1_000_000
SMALL = png(Image.new("RGB", (8, 8), "teal"))
TEXT = base64_text(SMALL)


@contextmanager
def memory_grows_less_than(server: Server, most: int) -> Iterator[None]:
    before = server.worker().memory_info().rss
    yield
    assert server.worker().memory_info().rss - before < most


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def grey_png(width: int, height: int) -> bytes:
    """A black PNG, written row by row: it never lies in memory here either."""
    compressor = zlib.compressobj(9)
    rows = b"".join(compressor.compress(bytes(width + 1)) for _ in range(height)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def huge_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header says this size."""
    data = photographs.encoded(Image.new("RGB", (16, 16)), "JPEG")
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]


@pytest.fixture(scope="module")
def bomb() -> bytes:
    return grey_png(20_000, 20_000)


def test_400_megapixels_in_a_small_png_are_refused_from_the_header(
    server: Server, http: httpx.Client, bomb: bytes
) -> None:
    assert len(bomb) < MEGABYTE
    with memory_grows_less_than(server, 50 * MEGABYTE):
        problem(http.post(ROUTE, content=bomb), 413, says="20000x20000")


@pytest.mark.parametrize("size", [(65_000, 65_000), (7_072, 7_072), (65_535, 763)], ids=str)
def test_the_header_of_a_jpeg_is_believed(server: Server, http: httpx.Client, size: tuple[int, int]) -> None:
    with memory_grows_less_than(server, 50 * MEGABYTE):
        problem(http.post(ROUTE, content=huge_jpeg(*size)), 413, says=f"{size[0]}x{size[1]}")


def test_a_picture_within_the_pixel_budget_is_answered(http: httpx.Client) -> None:
    assert http.post(ROUTE, content=grey_png(10_000, 2_000)).status_code == 200


@pytest.mark.parametrize("size", [25 * MEGABYTE + 1, 26 * MEGABYTE, 100 * MEGABYTE])
def test_an_overlong_body_is_refused_and_httpx_sees_it(server: Server, http: httpx.Client, size: int) -> None:
    with memory_grows_less_than(server, 50 * MEGABYTE):
        problem(http.post(ROUTE, content=bytes(size)), 413, says="25,000,000")
    assert http.post(ROUTE, content=SMALL).status_code == 200


def test_a_body_of_the_whole_budget_is_taken(http: httpx.Client) -> None:
    problem(http.post(ROUTE, content=SMALL + bytes(25 * MEGABYTE - len(SMALL) + 1)), 413)
    assert http.post(ROUTE, content=SMALL + bytes(25 * MEGABYTE - len(SMALL))).status_code == 200


@pytest.fixture(scope="module")
def hundred_megabytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bodies") / "zeros"
    with path.open("wb") as file:
        file.truncate(100 * MEGABYTE)
    return path


CURL = {
    "-T file": ["-T", "{file}", "-X", "POST"],
    "-T file, no 100 Continue": ["-T", "{file}", "-X", "POST", "-H", "Expect:"],
    "-T -, chunked": ["-T", "-", "-X", "POST"],
    "-T -, chunked, no 100 Continue": ["-T", "-", "-X", "POST", "-H", "Expect:"],
    "--data-binary": ["--data-binary", "@{file}"],
    "-F": ["-F", "image=@{file}"],
    "-F, no 100 Continue": ["-F", "image=@{file}", "-H", "Expect:"],
}


@pytest.mark.parametrize("form", CURL)
def test_an_overlong_body_is_refused_and_curl_sees_it(
    server: Server, hundred_megabytes: Path, tmp_path: Path, form: str
) -> None:
    answer = tmp_path / "answer"
    options = [option.format(file=hundred_megabytes) for option in CURL[form]]
    command = ["curl", "-sS", "-o", str(answer), "-w", "%{http_code} %header{x-request-id}", *options]
    with hundred_megabytes.open("rb") as standard_input:
        done = subprocess.run(
            [*command, f"{server.url}{ROUTE}"], stdin=standard_input, capture_output=True, check=True, timeout=60
        )
    status, request_id = done.stdout.decode().split()
    assert status == "413"
    problem_document(answer.read_bytes(), 413, {"X-Request-Id": request_id}, says="longer")


def test_an_overlong_body_is_refused_and_urllib_sees_it(server: Server, hundred_megabytes: Path) -> None:
    request = urllib.request.Request(f"{server.url}{ROUTE}", data=hundred_megabytes.read_bytes())
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=60)
    with refusal.value as error:
        problem_document(error.read(), 413, dict(error.headers.items()), says="longer")


def test_an_overlong_chunked_body_is_refused_as_soon_as_it_is_known(server: Server, http: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(60):
            yield bytes(MEGABYTE)

    with memory_grows_less_than(server, 50 * MEGABYTE):
        response = http.post(ROUTE, content=chunks())
    problem(response, 413, says="longer")


def test_a_client_that_asks_first_is_refused_before_it_sends(server: Server) -> None:
    with connection(server) as opened:
        opened.sendall(head("Content-Length: 99000000", "Expect: 100-continue"))
        assert opened.recv(12, 0x100) == b"HTTP/1.1 413"  # MSG_WAITALL: no "100 Continue" comes first
        assert b"connection: close" in opened.recv(10_000)


@pytest.mark.parametrize("path", ["/nothing", f"{ROUTE}?model=nope", f"{ROUTE}?top_k=1&top_k=2"])
def test_a_client_that_asks_first_is_told_of_any_fault_before_it_sends(server: Server, path: str) -> None:
    with connection(server) as opened:
        opened.sendall(head("Content-Length: 1000", "Expect: 100-continue", path=path))
        response, _ = read_response(opened)
        assert response.status in (404, 422)
        # Whether the body still comes nobody knows, so nothing else can follow on this connection.
        assert response.headers["Connection"] == "close"
        assert opened.recv(1) == b""


def test_a_client_that_asks_first_is_told_to_go_on(server: Server) -> None:
    with connection(server) as opened:
        opened.sendall(head(f"Content-Length: {len(SMALL)}", "Expect: 100-continue"))
        assert opened.recv(25, 0x100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        opened.sendall(SMALL)
        assert read_response(opened)[0].status == 200
        opened.sendall(head(f"Content-Length: {len(SMALL)}") + SMALL)  # and the connection stays
        assert read_response(opened)[0].status == 200


def brackets() -> bytes:
    return b"[" + b"[]," * (20 * MEGABYTE // 3) + b"[]]"


BOMBS: dict[str, Callable[[], bytes]] = {
    "brackets": brackets,
    "brackets in the inputs": lambda: b'{"inputs": ' + brackets() + b"}",
    "numbers": lambda: b"[" + b"1," * (10 * MEGABYTE) + b"1]",
    "strings": lambda: b"[" + b'"",' * (20 * MEGABYTE // 3) + b'""]',
    "parameters": lambda: b'{"inputs":"","parameters":{' + b'"":0,' * (4 * MEGABYTE) + b'"":0}}',
    "open brackets": lambda: b"[" * (20 * MEGABYTE),
}


@pytest.mark.parametrize("name", BOMBS)
def test_json_that_would_unfold_is_refused_unread(server: Server, http: httpx.Client, name: str) -> None:
    content = BOMBS[name]()
    with memory_grows_less_than(server, 50 * MEGABYTE):
        response = http.post(ROUTE, content=content, headers={"Content-Type": "application/json"})
    problem(response, 413, says="brackets, commas and quotes")


def test_what_a_problem_repeats_of_a_request_is_bounded(http: httpx.Client) -> None:
    parameters = dict.fromkeys(map(str, range(5_000)), 1)
    errors = problem(http.post(ROUTE, json={"inputs": TEXT, "parameters": parameters}), 422)["errors"]
    assert 1 < len(errors) < 100
    problem(http.post(ROUTE, json={"inputs": TEXT, "parameters": {"x" * (MEGABYTE // 2): 1}}), 422)
    problem(http.post(ROUTE, json={"inputs": TEXT, "parameters": {"model": "x" * (MEGABYTE // 2)}}), 404)


def test_an_overlong_json_body_may_be_longer_than_its_picture(http: httpx.Client) -> None:
    text = "A" * (33 * MEGABYTE)
    problem(http.post(ROUTE, json={"inputs": text}), 422, field="image")
    problem(http.post(ROUTE, json={"inputs": text + "AAAA" * 200_000}), 413, says="image")
    problem(http.post(ROUTE, json={"inputs": text + "AAAA" * 1_000_000}), 413, says="longer")
