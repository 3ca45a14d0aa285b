"""A server of bare sockets, which breaks its answers off where it is told."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@dataclass
class Scripted:
    """For each connection in turn: what it sends once a request is there, before it is reset or closed.

    `open` counts connections that are open now, `asked` the requests that came.
    """

    replies: list[bytes]
    reset: bool = True
    url: str = ""
    asked: int = 0
    open: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def serve(self, listener: socket.socket) -> None:
        for reply in self.replies:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection, reply)).start()

    def _answer(self, connection: socket.socket, reply: bytes) -> None:
        with connection, contextlib.suppress(OSError):
            self._count(opened=1)
            self._read(connection)
            self._count(asked=1)
            connection.sendall(reply)
            if b"wait" not in reply:
                if self.reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                while connection.recv(1_000):
                    pass
        self._count(opened=-1)

    def _read(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65_536)

    def _count(self, *, opened: int = 0, asked: int = 0) -> None:
        with self.changed:
            self.open += opened
            self.asked += asked
            self.changed.notify_all()

    def wait_until_closed(self) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.open == 0, 20), f"{self.open} connections are still open"

    def wait_until_asked(self, number: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked >= number, 20), f"{self.asked} requests came"


@contextmanager
def scripted(*replies: bytes, reset: bool = True) -> Iterator[Scripted]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted(list(replies), reset, f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=server.serve, args=(listener,))
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
