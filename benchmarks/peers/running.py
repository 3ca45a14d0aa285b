"""A peer's server as a process of its own, on a free port of the loopback address."""

from __future__ import annotations

import contextlib
import ipaddress
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import psutil

from benchmarks.load import Target
from benchmarks.payloads import ROUTE
from benchmarks.peers.environment import PeerUnavailable
from tests.serving import ROOT, clean_environment, free_port

START_SECONDS = 90.0
STOP_SECONDS = 20.0

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0",
    # Ray turns 127.0.0.1 into the machine's own address and then listens on every interface, with ports that
    # run what they are told. Switched off here, as it is on macOS, it stays on the loopback address.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


@contextlib.contextmanager
def running(name: str, python: Path, data: bytes, settings: Mapping[str, str]) -> Iterator[Target]:
    """Start `benchmarks.peers.<name>`, wait until it answers `data`, stop it and all that it started.

    Raises `PeerUnavailable` where it does not get that far.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ekiben-") as scratch:
        # Sockets and logs of a server go where they are removed with it.
        own = {"PYTHONPATH": str(ROOT), "PEER_PORT": str(port), "TMPDIR": scratch, "RAY_TMPDIR": scratch, **SETTINGS}
        log = Path(scratch) / "log"
        with log.open("wb") as output:
            process = psutil.Popen(
                [str(python), "-m", f"benchmarks.peers.{name}"],
                cwd=scratch,
                env=clean_environment(**own, **settings),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_until_answering(process, port, data, log)
            _require_loopback(process)
            yield Target(port, process)
        finally:
            _stop(process)


def ask(port: int, data: bytes) -> httpx.Response:
    headers = {"content-type": "image/jpeg"}
    return httpx.post(f"http://127.0.0.1:{port}{ROUTE}", content=data, headers=headers, trust_env=False)


def _wait_until_answering(process: psutil.Popen, port: int, data: bytes, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if ask(port, data).status_code == 200:
                return
        time.sleep(0.1)  # between two looks; what is waited for is the answer
    lines = log.read_text(errors="replace").strip().splitlines()
    how = "does not answer" if process.poll() is None else f"ended with {process.returncode}"
    raise PeerUnavailable(f"it {how}: {lines[-1] if lines else 'it says nothing'}")


def _require_loopback(process: psutil.Popen) -> None:
    """Raises `PeerUnavailable` where anything of the server can be reached from another machine."""
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            for connection in each.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN and not _is_loopback(connection.laddr.ip):
                    raise PeerUnavailable(f"{each.name()} listens on {connection.laddr.ip}, not on loopback alone")


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.removeprefix("::ffff:")).is_loopback


def _stop(process: psutil.Popen) -> None:
    """Ask the server to end, then end whatever of it is left."""
    with contextlib.suppress(psutil.NoSuchProcess):
        started = process.children(recursive=True)
        process.terminate()
        psutil.wait_procs([process, *started], timeout=STOP_SECONDS)
        for left in (process, *started):
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
        psutil.wait_procs([process, *started], timeout=STOP_SECONDS)
