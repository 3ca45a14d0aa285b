"""`make containercheck`: build the CPU image, run it locked down, ask every task, stop it, see that nothing is left.

The container has a read-only root, a tmpfs at /tmp, no capabilities, no way to new privileges, 2 GB of memory, and the
cores and threads of compose.yaml; it runs as the image's own user.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import psutil
import yaml

from services.draining import EXIT_SECONDS
from services.settings import Settings
from tests.container import base
from tests.container.engine import Engine
from tests.container.panels import firing, prometheus, wait_for_data, wait_for_scrape
from tests.container.questions import ask_everything
from tests.serving import ROOT, free_port

IMAGE = "ekiben:cpu"
MAX_BYTES = 750_000_000
"""Of the layers above the base."""
MAX_MODEL_BYTES = 300_000_000
"""Of these the default models of all tasks."""
MAX_READY_SECONDS = 15.0
BUSY_SECONDS, BUSY_PERCENT = 3.0, 30.0
"""A machine of which others use more than this share, over this time, says nothing of how long a start takes."""
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))["services"]["ekiben"]
STOP_SECONDS = Settings().drain_seconds + Settings().grace_seconds + EXIT_SECONDS

# Run inside the container: who it is, what it may do, where it can write, and what should not be in an image.
INSPECTION = """
import importlib.util, json, os, platform, shutil
status = dict(line.split(":", 1) for line in open("/proc/1/status").read().splitlines())
def writable(folder):
    try:
        open(os.path.join(folder, "probe"), "w").close()
    except OSError:
        return False
    return True
folders = [root for root, _, _ in os.walk("/") if root.split("/")[1] not in ("proc", "sys", "dev")]
print(json.dumps({
    "user": status["Uid"].split()[0],
    "capabilities": status["CapEff"].strip() + status["CapBnd"].strip(),
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "seccomp": status["Seccomp"].strip(),
    "writable": [folder for folder in folders if writable(folder) and not folder.startswith("/tmp/")],
    "compilers": [name for name in ("cc", "gcc", "g++", "ld", "make", "pip") if shutil.which(name)],
    "modules": [name for name in ("torch", "onnx", "transformers", "pip") if importlib.util.find_spec(name)],
    "caches": [root for root, folders, _ in os.walk("/opt/ekiben") if ".cache" in folders],
    "python": platform.python_version(),
    "bill": json.load(open("/opt/ekiben/sbom.cdx.json")),
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="deploy/check", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build/container", help="for Podman's storage")
    parser.add_argument("--keep", action="store_true", help="leave base and image there for the next time")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    engine = Engine(options.folder.resolve())
    try:
        check(engine)
    finally:
        if not options.keep:
            engine.clean_up()


def check(engine: Engine) -> None:
    print(engine.ask("--version"), flush=True)
    foundation = base.find(engine)
    started = time.monotonic()
    engine.build(foundation)
    print(f"built in {time.monotonic() - started:.0f} s", flush=True)
    weigh(engine, foundation)
    with running(engine) as (container, url):
        inspect(engine, container, foundation)
        with httpx.Client(base_url=url) as client:
            for task, answer in ask_everything(client).items():
                print(f"  {task}: {answer}", flush=True)
            watch(client)
        kind, *command = engine.health_check(IMAGE)
        assert kind == "CMD", kind
        engine.ask("exec", container, *command)
        print("  its health check passes", flush=True)


def weigh(engine: Engine, foundation: str) -> None:
    """The layers above the base, the largest first."""

    ours = engine.layers(IMAGE)[: -len(engine.layers(foundation))]
    total = sum(size for size, _ in ours)
    print(f"{total / 1e6:.0f} MB above the base:", flush=True)
    exports = sum(path.stat().st_size for path in (ROOT / "build/exports").rglob("*") if path.is_file())
    print(f"  of which models: {exports / 1e6:.0f} MB")
    assert 0 < exports < MAX_MODEL_BYTES, f"more than {MAX_MODEL_BYTES / 1e6:.0f} MB of models, or none"
    for size, command in sorted(ours, reverse=True):
        if size:
            print(f"  {size / 1e6:7.1f} MB  {command[-60:]}")
    assert total < MAX_BYTES, f"more than {MAX_BYTES / 1e6:.0f} MB"


@contextlib.contextmanager
def running(engine: Engine) -> Iterator[tuple[str, str]]:
    """A container of the image, ready; stopped as an orchestrator would, and looked for afterwards."""
    port = free_port()
    locks = ["--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges"]
    if not engine.is_docker:
        locks.append("--read-only-tmpfs=false")  # Podman would make /run and /var/tmp writable
    limits = ["--memory=2g", f"--pids-limit={COMPOSE['pids_limit']}", *engine.limits()]
    if (os.cpu_count() or 1) >= COMPOSE["cpus"]:  # an engine refuses more than there are
        limits.append(f"--cpus={COMPOSE['cpus']}")
    address = f"127.0.0.1:{port}"
    others = psutil.cpu_percent(interval=BUSY_SECONDS)
    started = time.monotonic()
    container = engine.ask(
        "run", "--detach", *locks, *limits, f"--publish={address}:3000", IMAGE, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_ready(engine, container, f"http://{address}")
        seconds = time.monotonic() - started
        first = psutil.Process(int(engine.ask("inspect", "--format={{.State.Pid}}", container)))
        processes = [first, *first.children(recursive=True)]
        assert len(processes) >= 3, processes
        work = sum(sum(each.cpu_times()[:2]) for each in processes)
        print(f"ready {seconds:.1f} s after `{engine.command[0]} run`, and {work:.1f} s of CPU time", flush=True)
        if others > BUSY_PERCENT:
            print(f"  (not judged: others used {others:.0f} % of this machine just before)", flush=True)
        else:
            assert seconds < MAX_READY_SECONDS, f"more than {MAX_READY_SECONDS} s"
        yield container, f"http://{address}"
        stop(engine, container)
        assert not [each for each in processes if each.is_running()], "a process is left"
    finally:
        print(engine.ask("logs", "--tail=3", container, stderr=subprocess.STDOUT))
        engine.ask("rm", "--force", container, stderr=subprocess.DEVNULL)
    assert container not in Path("/proc/mounts").read_text(), "a mount is left"
    assert not engine.ask("ps", "--all", "--quiet", "--filter", f"id={container}"), "the container is left"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)), "somebody still listens"
    print("no process, mount, container or socket is left", flush=True)


def wait_until_ready(engine: Engine, container: str, url: str) -> None:
    until = time.monotonic() + 8 * MAX_READY_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        assert engine.ask("inspect", "--format={{.State.Running}}", container) == "true", "it has ended"
        time.sleep(0.1)
    raise AssertionError("it does not become ready")


def inspect(engine: Engine, container: str, foundation: str) -> None:
    facts = json.loads(engine.ask("exec", container, "python", "-c", INSPECTION))
    document, python = facts.pop("bill"), facts.pop("python")
    bill = {component["name"]: component for component in document["components"]}
    assert facts == {
        "user": "65532",
        "capabilities": "0" * 32,
        "no_new_privileges": "1",
        "seccomp": "2",
        "writable": ["/tmp"],
        "compilers": [],
        "modules": [],
        "caches": [],
    }, facts
    assert "onnxruntime" in bill and "onnxruntime-gpu" not in bill, "the wrong ONNX Runtime"
    models = [name for name, component in bill.items() if component["type"] == "machine-learning-model"]
    assert len(models) == len(Settings().models), models
    print(f"locked down: {facts}; bill of {len(bill)} components, {len(models)} of them models", flush=True)
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in engine.image(IMAGE)["Config"]["Labels"].items()
        if name.startswith("org.opencontainers.image.")
    }
    about = document["metadata"]
    assert (about["component"]["name"], about["component"]["version"]) == (labels["title"], labels["version"])
    assert datetime.fromisoformat(about["timestamp"]) == datetime.fromisoformat(labels["created"])
    assert bill["python"]["version"] == python
    assert labels["base.name"] == foundation and labels["source"], labels
    print("labels:", labels, flush=True)


def watch(client: httpx.Client) -> None:
    """Every panel of the dashboard has something to show after some load, and no alert is raised."""
    if not shutil.which("prometheus"):
        print("the dashboard was not tried: there is no prometheus here", flush=True)
        return
    with prometheus(client.base_url.netloc.decode()) as observer:
        wait_for_scrape(observer)
        ask_everything(client)
        client.post("/v1/face-detection", content=b"no picture")
        found = wait_for_data(observer)
        print(f"Prometheus has data for every panel: {found}", flush=True)
        assert not (names := firing(observer)), names


def stop(engine: Engine, container: str) -> None:
    started = time.monotonic()
    engine.ask("stop", f"--time={STOP_SECONDS + 4:.0f}", container, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    code = engine.ask("inspect", "--format={{.State.ExitCode}}", container)
    print(f"stopped with code {code} in {seconds:.1f} s", flush=True)
    assert code == "0" and seconds < STOP_SECONDS


if __name__ == "__main__":
    main()
