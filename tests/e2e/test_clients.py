"""Slow, rude and impatient clients harm nobody but themselves."""

from __future__ import annotations

import re
import socket
import struct

import httpx
import pytest

from tests.e2e.checks import (
    ROUTE,
    connection,
    head,
    photograph,
    problem_document,
    read_response,
    same_answer,
    wait_for_line,
)
from tests.serving import Server

CHELSEA = photograph()


def reset(opened: socket.socket) -> None:
    """Close with a reset, as a killed process does."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    opened.close()


@pytest.mark.parametrize("rudely", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ((f"Content-Length: {len(CHELSEA)}",), CHELSEA[: len(CHELSEA) // 2]),
        ((f"Content-Length: {len(CHELSEA)}",), b""),
        (("Content-Length: 90000000",), bytes(1_000_000)),
        (("Transfer-Encoding: chunked",), b"5\r\nabcde\r\n"),
        (("Content-Length: 1000", "Content-Type: application/json"), b'{"inputs": "'),
        (("Content-Length: 1000", "Content-Type: multipart/form-data; boundary=b"), b"--b\r\n"),
    ],
    ids=["half", "head alone", "part of what is too long", "chunk", "JSON", "form"],
)
def test_a_client_that_leaves_before_its_body_has_come_harms_nothing(
    server: Server,
    http: httpx.Client,
    request: pytest.FixtureRequest,
    lines: tuple[str, ...],
    body: bytes,
    rudely: bool,
) -> None:
    request_id = f"left-{abs(hash(request.node.name))}"
    with connection(server) as opened:
        opened.sendall(head(f"X-Request-Id: {request_id}", *lines) + body)
        assert http.get("/livez").status_code == 200
        if rudely:
            reset(opened)
    assert wait_for_line(server, http, request_id)["status"] in (413, 499)
    assert http.post(ROUTE, content=CHELSEA).status_code == 200


@pytest.mark.parametrize("rudely", [False, True], ids=["closes", "resets"])
def test_clients_that_leave_before_their_answer_harm_nothing(server: Server, http: httpx.Client, rudely: bool) -> None:
    expected = http.post(ROUTE, content=CHELSEA)
    ids = [f"impatient-{rudely}-{number}" for number in range(20)]
    for request_id in ids:
        with connection(server) as opened:
            opened.sendall(head(f"X-Request-Id: {request_id}", f"Content-Length: {len(CHELSEA)}") + CHELSEA)
            if rudely:
                reset(opened)
    same_answer(http.post(ROUTE, content=CHELSEA), expected)
    statuses = {wait_for_line(server, http, request_id)["status"] for request_id in ids}
    assert statuses <= {200, 499}
    same_answer(http.post(ROUTE, content=CHELSEA), expected)


def test_a_body_that_trickles_in_is_answered(server: Server, http: httpx.Client) -> None:
    with connection(server) as opened:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.sendall(head(f"Content-Length: {len(CHELSEA)}"))
        for start in range(0, len(CHELSEA), 4_000):
            opened.sendall(CHELSEA[start : start + 4_000])
            assert http.get("/livez").status_code == 200  # meanwhile others are answered
        response, content = read_response(opened)
    same_answer(httpx.Response(response.status, content=content), http.post(ROUTE, content=CHELSEA))


def test_a_body_in_tiny_chunks_is_answered(http: httpx.Client) -> None:
    chunks = (CHELSEA[start : start + 100] for start in range(0, len(CHELSEA), 100))
    same_answer(http.post(ROUTE, content=chunks), http.post(ROUTE, content=CHELSEA))


def test_a_body_that_does_not_come_by_the_deadline_is_given_up(server: Server) -> None:
    with connection(server) as opened:
        opened.sendall(head("Content-Length: 1000", "X-Request-Timeout-Ms: 100") + b"some of it")
        response, content = read_response(opened)
        assert response.status == 504
        problem_document(content, 504, dict(response.headers.items()), says="body")
        assert response.headers["Connection"] == "close"


def test_requests_that_come_before_the_last_answer_get_theirs_in_order(server: Server) -> None:
    ids = ["first", "second", "third"]
    with connection(server) as opened:
        for request_id in ids:
            opened.sendall(head(f"X-Request-Id: {request_id}", f"Content-Length: {len(CHELSEA)}") + CHELSEA)
        opened.sendall(head("Connection: close", method="GET", path="/livez"))
        with opened.makefile("rb") as answers:
            received = answers.read().decode()
    assert received.count("HTTP/1.1 200 OK") == 4
    assert re.findall(r"x-request-id: (\w+)", received)[:3] == ids


def test_a_client_of_http_1_0_is_answered(server: Server) -> None:
    with connection(server) as opened:
        opened.sendall(f"POST {ROUTE} HTTP/1.0\r\nContent-Length: {len(CHELSEA)}\r\n\r\n".encode() + CHELSEA)
        response, _ = read_response(opened)
        assert response.status == 200
        assert opened.recv(1) == b""
