"""LitServe around the export."""

# Without `from __future__ import annotations`: LitServe reads the annotations themselves.
from typing import Annotated

import litserve
import numpy as np
from fastapi import Body
from numpy.typing import NDArray

from benchmarks.peers import classifier
from benchmarks.peers.graph import Graph
from models.pictures.image import Pixels


class Classifier(litserve.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:
        self.graph = Graph()

    # The raw body; declared as LitServe's usual `Request` it would have to be a form or JSON.
    def decode_request(self, request: Annotated[bytes, Body()]) -> Pixels:
        return classifier.pixels(request)

    def batch(self, inputs: list[Pixels]) -> list[Pixels]:
        return inputs

    def predict(self, batch: list[Pixels]) -> NDArray[np.float32]:
        return self.graph.run(batch)

    def unbatch(self, output: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return list(output)

    def encode_response(self, output: NDArray[np.float32]) -> list[dict[str, str | float]]:
        return classifier.answer(output)


if __name__ == "__main__":
    # A worker for each core, as its documentation advises for CPUs. Tried once each, on a busy machine: batches of
    # 1, of 4 within 2 ms and of 8 within 10 ms, the ZeroMQ queue, a second process for HTTP. All within 5 % of each
    # other in CPU time; this has the shortest tail.
    server = litserve.LitServer(
        Classifier(max_batch_size=4, batch_timeout=0.002, api_path=classifier.ROUTE),
        accelerator="cpu",
        workers_per_device=classifier.workers(),
        fast_queue=True,
    )
    server.run(
        host=classifier.HOST,
        port=classifier.port(),
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
