"""FastAPI around the PyTorch module that the export was made of, in eager mode."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from benchmarks.peers import classifier
from exporters.efficientnet_lite import STAGES, EfficientNetLite, load

app = FastAPI()


@cache
def network() -> EfficientNetLite:
    # A process of one thread for each core, channels last. Tried once each, on a busy machine: torch's own
    # order of channels took 15 % more CPU time a request, and with it one process of two threads 43 % more.
    torch.set_num_threads(1)
    network = load(Path(os.environ["PEER_WEIGHTS"]), STAGES[classifier.MODEL.id])
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@torch.inference_mode()
def classify(data: bytes) -> list[dict[str, str | float]]:
    image = torch.from_numpy(classifier.pixels(data).copy()[None])
    return classifier.answer(network()(image)[0].numpy())


@app.post(classifier.ROUTE)
async def route(request: Request) -> list[dict[str, str | float]]:
    return await run_in_threadpool(classify, await request.body())


if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.peers.fastapi_torch:app",
        host=classifier.HOST,
        port=classifier.port(),
        workers=classifier.workers(),
        log_level="warning",
        access_log=False,
    )
