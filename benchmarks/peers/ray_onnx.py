"""Ray Serve around the export."""

from __future__ import annotations

import signal
import threading
from typing import Any

import ray
from ray import serve
from ray.serve._private import replica
from starlette.requests import Request
from starlette.responses import JSONResponse

from benchmarks.peers import classifier
from benchmarks.peers.graph import Graph


def listen_on_loopback() -> None:
    """Take a replica's port for other deployments off the network: no setting does, and nobody uses it here."""
    add_port = replica.add_port_to_grpc_server

    def add_loopback_port(server: Any, address: str) -> Any:
        return add_port(server, address.replace("[::]", classifier.HOST))

    replica.add_port_to_grpc_server = add_loopback_port


# Tried once each, on a busy machine: batches of 4 without waiting and of 8 within 10 ms, its settings for
# throughput, user code in the replica's own thread. All within 9 % of each other in CPU time; this, with the
# settings for throughput that `running.py` makes, took the least. Its HAProxy mode listens on every interface
# and was left out.
@serve.deployment(num_replicas=classifier.workers(), ray_actor_options={"num_cpus": 1}, max_ongoing_requests=16)
class Classifier:
    def __init__(self) -> None:
        listen_on_loopback()
        self.graph = Graph()

    @serve.batch(max_batch_size=4, batch_wait_timeout_s=0.0)  # type: ignore[untyped-decorator]
    async def classify(self, pictures: list[bytes]) -> list[list[dict[str, str | float]]]:
        scores = self.graph.run([classifier.pixels(data) for data in pictures])
        return [classifier.answer(each) for each in scores]

    async def __call__(self, request: Request) -> JSONResponse:
        return JSONResponse(await self.classify(await request.body()))


def main() -> None:
    ray.init(
        num_cpus=classifier.workers(),
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=100_000_000,
    )
    serve.start(http_options={"host": classifier.HOST, "port": classifier.port()})
    serve.run(Classifier.bind(), route_prefix=classifier.ROUTE)  # type: ignore[attr-defined]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
