"""What a report has to say beside its figures: the machine, and the server."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import psutil

from ekiben_load.queries import Query
from ekiben_load.report import Machine, ServedModel, Target
from ekiben_load.sender import HttpSender


def this_machine() -> Machine:
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


async def describe(url: str, sender: HttpSender) -> Target:
    """What the server says of itself. Raises `ConnectionError` where nobody answers."""
    listed = await _document(sender, "/v1/models")
    about = (await _document(sender, "/openapi.json")).get("info", {})
    return Target(
        url=url,
        server=" ".join(str(about[key]) for key in ("title", "version") if key in about),
        models=[
            ServedModel(id=each["id"], task=each["task"], default=each["default"], provider=each["provider"])
            for each in listed.get("data", [])
        ],
    )


async def _document(sender: HttpSender, path: str) -> dict[str, Any]:
    answer = await sender.send(Query("", "", path, "application/json", b"", method="GET"))
    if not answer.status:
        raise ConnectionError(f"no server answers at {sender.host}:{sender.port}")
    document = json.loads(answer.body) if answer.status == 200 else {}
    return document if isinstance(document, dict) else {}
