"""mosec around the export."""

from __future__ import annotations

import os

from mosec import Server, Worker

from benchmarks.peers import classifier
from benchmarks.peers.graph import Graph
from models.pictures.image import Pixels


class Classifier(Worker):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph()

    def deserialize(self, data: bytes) -> Pixels:
        return classifier.pixels(data)

    def forward(self, data: Pixels) -> list[dict[str, str | float]]:
        return classifier.answer(self.graph.run([data])[0])


def main() -> None:
    os.environ.update(MOSEC_ADDRESS=classifier.HOST, MOSEC_PORT=str(classifier.port()), MOSEC_LOG_LEVEL="warning")
    server = Server()
    # One stage, so that no crop travels between processes. Tried as well, once each on a busy machine: decoding in a
    # stage of its own before a batched one, with 1 x 4 and 2 x 8 (decoders x batch), at 3 % and 5 % more CPU time.
    server.append_worker(Classifier, num=classifier.workers(), route=classifier.ROUTE)
    server.run()


if __name__ == "__main__":
    main()
