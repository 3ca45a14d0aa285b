"""Docker where it runs, else Podman with a storage of its own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.serving import ROOT, clean_environment


class Engine:
    """A container engine's command line. `folder` is where it may keep what it makes."""

    def __init__(self, folder: Path) -> None:
        self.is_docker = _succeeds("docker", "info")
        self.folder = folder
        self.command = ["docker"] if self.is_docker else ["podman", *self._storage(), *_runtime()]

    def _storage(self) -> list[str]:
        return [f"--root={self.folder / 'storage'}", f"--runroot={self.folder / 'run'}"]

    def ask(self, *words: str, **options: Any) -> str:
        """Run a command of the engine's and return what it prints. Raises `CalledProcessError`."""
        printed: str = subprocess.check_output([*self.command, *words], text=True, **options)
        return printed.strip()

    def image(self, name: str) -> dict[str, Any]:
        [image] = json.loads(self.ask("image", "inspect", name))
        return dict(image)

    def health_check(self, name: str) -> list[str]:
        """`CMD`, and the image's command for it."""
        image = self.image(name)
        return list((image["Config"] if self.is_docker else image)["Healthcheck"]["Test"])

    def layers(self, name: str) -> list[tuple[int, str]]:
        """The image's layers, the newest first: bytes, and the command that made it."""
        if self.is_docker:
            lines = self.ask("history", "--human=false", "--no-trunc", "--format={{json .}}", name).splitlines()
            return [(int(line["Size"]), line["CreatedBy"]) for line in map(json.loads, lines)]
        history = json.loads(self.ask("history", "--format=json", name))
        return [(layer["size"], layer["CreatedBy"]) for layer in history]

    def has(self, name: str) -> bool:
        return _succeeds(*self.command, "image", "inspect", name)

    def limits(self) -> list[str]:
        """Limits that this process may give: Podman would raise them, which not every root is allowed to do."""
        if self.is_docker:
            return []
        numbers = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
        bounds = {name: min(resource.getrlimit(number)[1], 4096) for name, number in numbers.items()}
        return [f"--ulimit={name}={bound}:{bound}" for name, bound in bounds.items()]

    def build(self, base: str) -> None:
        """`deploy/build cpu`, on `base`."""
        options = [f"--build-arg=BASE={base}", *self.limits()]
        if not self.is_docker and os.geteuid() == 0:
            options.append("--isolation=chroot")  # a build needs no more walls than the script that starts it
        environment = clean_environment(ENGINE=" ".join(self.command))
        subprocess.run(
            ["deploy/build", "cpu", *options], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True
        )

    def clean_up(self) -> None:
        if not self.is_docker:
            self.ask("rmi", "--all", "--force")
            shutil.rmtree(self.folder)


def _runtime() -> list[str]:
    """crun, Podman's own choice, does not run where both versions of control groups are mounted; runc does."""
    mixed = Path("/sys/fs/cgroup/unified").exists()
    return ["--runtime=runc"] if mixed and shutil.which("runc") else []


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
