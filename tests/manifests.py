"""The Kubernetes manifests as kustomize renders them, and what a container would be started with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.serving import ROOT

FOLDER = ROOT / "deploy/kubernetes"
OVERLAYS = ("embedded", "cpu", "gpu")

Resource = dict[str, Any]


@cache
def render(folder: Path) -> tuple[Resource, ...]:
    """All resources of a kustomization."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run([str(kubectl), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def overlay(name: str) -> tuple[Resource, ...]:
    return render(FOLDER / "overlays" / name)


def of_kind(resources: Sequence[Resource], kind: str) -> dict[str, Resource]:
    """The resources of a kind, by name."""
    return {each["metadata"]["name"]: each for each in resources if each["kind"] == kind}


@dataclass(frozen=True)
class Container:
    """A deployment's only container: its environment, as the kubelet would make it, and its command."""

    environment: dict[str, str]
    command: tuple[str, ...]


def container(resources: Sequence[Resource], deployment: str) -> Container:
    template = of_kind(resources, "Deployment")[deployment]["spec"]["template"]
    [declared] = template["spec"]["containers"]
    environment: dict[str, str] = {}
    for source in declared["envFrom"]:
        if reference := source.get("configMapRef"):
            environment |= of_kind(resources, "ConfigMap")[reference["name"]]["data"]
        else:
            assert source["secretRef"]["optional"]
    for variable in declared.get("env", ()):
        if "value" in variable:
            environment[variable["name"]] = variable["value"]
        else:
            label = variable["valueFrom"]["fieldRef"]["fieldPath"].removeprefix("metadata.labels['").removesuffix("']")
            environment[variable["name"]] = template["metadata"]["labels"][label]
    command = [part.replace("$(MODEL)", environment.get("MODEL", "")) for part in declared.get("command", ())]
    return Container(environment, tuple(command))
