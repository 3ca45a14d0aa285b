"""A server that answers as the HTTP contract says, with the same few results to everything.

It is as strict as the contract: a parameter that a route does not know is a 422.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from PIL import Image

LABELS = [{"label": "tiger cat", "score": 0.3851}, {"label": "Egyptian cat", "score": 0.3627}]
BOX = {"xmin": 10, "ymin": 12, "xmax": 90, "ymax": 80}
OBJECTS = [{"label": "cat", "score": 0.98, "box": BOX}, {"label": "cup", "score": 0.6, "box": BOX}]
LANDMARKS = {
    "left_eye": [20.5, 30],
    "right_eye": [40, 30],
    "nose": [30, 40.25],
    "left_mouth": [22, 50],
    "right_mouth": [38, 50],
}
FACES = [{"label": "face", "score": 0.99, "box": BOX, "landmarks": LANDMARKS}]
STYLES = [{"name": "style-00", "title": "Blue waves"}, {"name": "style-03", "title": "Dry brush"}]
CHUNKS = [
    {"text": " Good morning.", "timestamp": [0, 1.5]},
    {"text": " Where is the station?", "timestamp": [3661.25, None]},
]
TEXT = " Good morning. Where is the station?"
MODELS = [
    {
        "id": "efficientnet-lite0",
        "object": "model",
        "created": 1,
        "owned_by": "ekiben",
        "task": "image-classification",
        "default": True,
        "title": "EfficientNet-Lite0",
        "provider": "CPUExecutionProvider",
    }
]
EVENTS: list[dict[str, Any]] = [
    {"type": "transcript.text.delta", "delta": " Good morning."},
    {"type": "transcript.text.delta", "delta": " Where is the station?"},
    {"type": "transcript.text.done", "text": TEXT},
]

LANGUAGES = [{"confidence": 97.1, "language": "pt"}]
METRICS = '# TYPE ekiben_requests_total counter\nekiben_requests_total{route="/",status="200"} 1.0\n'

PARAMETERS = {
    "/v1/image-classification": {"model", "top_k", "function_to_apply"},
    "/v1/object-detection": {"model", "threshold", "max_detections"},
    "/v1/face-detection": {"model", "threshold"},
    "/v1/style-transfer": {"model", "style", "strength", "max_side", "style_image"},
    "/v1/speech-recognition": {"model", "return_timestamps", "temperature", "language"},
    "/v1/translation": {"model", "src_lang", "tgt_lang"},
    "/v1/audio/transcriptions": {
        *("model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]", "stream")
    },
}


@dataclass
class Asked:
    """A request, taken apart."""

    method: str
    path: str
    headers: httpx.Headers
    parameters: dict[str, Any]
    media: dict[str, bytes]

    @classmethod
    def of(cls, method: str, target: str, headers: httpx.Headers, body: bytes) -> Asked:
        url = urlsplit(target)
        asked = cls(method, url.path, headers, dict(parse_qsl(url.query)), {})
        kind = headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            form: Any = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
            for part in form.get_payload():
                name = part.get_param("name", header="content-disposition")
                data = part.get_payload(decode=True)
                if part.get_filename():
                    asked.media[name] = data
                else:
                    asked.parameters[name] = data.decode()
        elif kind == "application/json":
            document = json.loads(body)
            asked.parameters |= document.pop("parameters", {})
            asked.media |= document
        elif body:
            asked.media["body"] = body
        return asked


@dataclass
class Reply:
    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, document: Any, status: int = 200, kind: str = "application/json") -> Reply:
        return cls(status, json.dumps(document).encode(), {"content-type": kind})


def problem(
    status: int, detail: str, *, fields: dict[str, str] | None = None, request_id: str = "made-by-server"
) -> Reply:
    document: dict[str, Any] = {"type": "about:blank", "title": "?", "status": status, "detail": detail}
    document["instance"] = request_id
    if fields:
        document["errors"] = [{"field": name, "message": message} for name, message in fields.items()]
    return Reply.json(document, status, "application/problem+json")


def picture(format: str = "PNG", size: tuple[int, int] = (100, 90)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, format)
    return file.getvalue()


def events(documents: list[dict[str, Any]] = EVENTS) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in documents)


def reply(asked: Asked) -> Reply:
    """What the contract says."""
    answer = _answer(asked)
    answer.headers.setdefault("x-request-id", asked.headers.get("x-request-id", "made-by-server"))
    if asked.method == "POST" and answer.status == 200:
        answer.headers |= {
            "x-ekiben-model": asked.parameters.get("model", "default-model"),
            "x-ekiben-provider": "CPUExecutionProvider",
            "server-timing": "decode;dur=1.50, queue;dur=0.25, infer;dur=9.00, post;dur=0.10",
        }
    return answer


def _answer(asked: Asked) -> Reply:
    if asked.method == "GET":
        if asked.path == "/metrics":
            return Reply(200, METRICS.encode(), {"content-type": "text/plain; version=1.0.0; charset=utf-8"})
        pages = {"/v1/models": {"object": "list", "data": MODELS}, "/v1/styles": STYLES, "/readyz": {}}
        return Reply.json(pages[asked.path]) if asked.path in pages else problem(404, "no such route")
    if asked.path == "/detect":
        known_text = asked.media.keys() == {"q"}
        return Reply.json(LANGUAGES) if known_text else Reply.json({"error": "q: is missing"}, 400)
    known = PARAMETERS.get(asked.path)
    if known is None:
        return problem(404, "no such route")
    if unknown := set(asked.parameters) - known:
        return problem(422, "unknown", fields=dict.fromkeys(unknown, "is not known here"))
    if any(data in (b"", b"not a picture") for data in asked.media.values()) or not asked.media:
        return problem(422, "image: cannot be decoded", fields={"image": "cannot be decoded"})
    if asked.path == "/v1/style-transfer":
        accept = asked.headers["accept"]
        return Reply(200, picture(accept.partition("/")[2].upper()), {"content-type": accept})
    if asked.path == "/v1/translation":
        texts = asked.media["inputs"]
        several = [texts] if isinstance(texts, str) else texts
        return Reply.json([{"translation_text": f"{asked.parameters['tgt_lang']}: {text}"} for text in several])
    if asked.path == "/v1/audio/transcriptions":
        return Reply(200, events(), {"content-type": "text/event-stream"})
    speech: dict[str, Any] = {"text": TEXT}
    if asked.parameters.get("return_timestamps") == "true":
        speech["chunks"] = CHUNKS
    top_k = int(asked.parameters.get("top_k", 5))
    threshold = float(asked.parameters.get("threshold", 0.5))
    return Reply.json(
        {
            "/v1/image-classification": LABELS[:top_k],
            "/v1/object-detection": [each for each in OBJECTS if float(str(each["score"])) >= threshold],
            "/v1/face-detection": FACES,
            "/v1/speech-recognition": speech,
        }[asked.path]
    )


def handle(request: httpx.Request) -> httpx.Response:
    """For `httpx.MockTransport`."""
    answer = reply(asked_by(request))
    return httpx.Response(answer.status, headers=answer.headers, content=answer.content)


def asked_by(request: httpx.Request) -> Asked:
    return Asked.of(request.method, str(request.url.raw_path, "ascii"), request.headers, request.content)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = reply(Asked.of(self.command, self.path, httpx.Headers(list(self.headers.items())), body))
        self.send_response(answer.status)
        for name, value in {**answer.headers, "content-length": str(len(answer.content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    do_POST = do_GET  # noqa: N815 (its base class names it)

    def log_message(self, *arguments: object) -> None:
        """Nothing on standard error."""


@contextmanager
def standing_in() -> Iterator[str]:
    """The stand-in on a socket; its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
