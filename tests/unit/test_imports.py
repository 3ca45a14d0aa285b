"""Who may import whom: imports point inward, and what serves has no use for what exports."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.serving import ROOT, clean_environment

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

OUTSIDE = {"tests", "benchmarks"}
EXPORT_ONLY = {"torch", "torchvision", "transformers", "onnx", "onnxscript"}
SERVING_ONLY = {"bentoml", "_bentoml_sdk", "_bentoml_impl", "fastapi", "starlette", "uvicorn", "onnxruntime"}

# package → what no module in it may import, anywhere in its text
FORBIDDEN = {
    "models": {"services", "exporters", "clients"} | OUTSIDE | EXPORT_ONLY | SERVING_ONLY,
    "exporters": {"services", "clients", "fastapi", "starlette", "uvicorn"} | OUTSIDE,
    "services": {"exporters", "clients"} | OUTSIDE | EXPORT_ONLY,
    "clients": {"services", "exporters", "models", "bentoml"} | OUTSIDE | EXPORT_ONLY,
}


def imported(source: str) -> Iterator[str]:
    """The top-level packages that a module's text imports, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "import_module":
            yield from (str(each.value).partition(".")[0] for each in node.args if isinstance(each, ast.Constant))


@pytest.mark.parametrize(
    ("source", "packages"),
    [
        ("import torch.nn as nn, os", {"torch", "os"}),
        ("from services.app import create_app", {"services"}),
        ("def late():\n    from exporters import export", {"exporters"}),
        ("if True:\n    import bentoml", {"bentoml"}),
        ("importlib.import_module('onnx.checker')", {"onnx"}),
        ("from . import torch", set()),
        ("'import torch'", set()),
    ],
)
def test_the_reader_of_imports_sees_them_all(source: str, packages: set[str]) -> None:
    assert set(imported(source)) == packages


def modules(package: str) -> list[Path]:
    return [path for path in sorted((ROOT / package).rglob("*.py")) if ".venv" not in path.relative_to(ROOT).parts]


@pytest.mark.parametrize("package", [name for name in FORBIDDEN if (ROOT / name).exists()])
def test_imports_point_inward(package: str) -> None:
    assert modules(package), f"{package} holds no module"
    wrong = {
        str(path.relative_to(ROOT)): sorted(bad)
        for path in modules(package)
        if (bad := set(imported(path.read_text("utf-8"))) & FORBIDDEN[package])
    }
    assert wrong == {}


def test_every_package_of_the_application_has_a_rule() -> None:
    assert {name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]} <= set(FORBIDDEN)


WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    tried = []
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            self.tried.append(name)
            raise ImportError(f"{name} is not there")

FORBIDDEN = set(sys.argv[2].split(","))
sys.meta_path.insert(0, Blocked())
__import__(sys.argv[1])
print(sorted(Blocked.tried), sorted(FORBIDDEN & set(sys.modules)))
"""


def tried_without(module: str, packages: set[str]) -> str:
    """What importing `module` asks for among `packages`, which cannot be imported, and gets of them all the same."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, module, ",".join(packages)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_serving_neither_needs_nor_tries_what_exports() -> None:
    assert tried_without("services.gateway", EXPORT_ONLY | {"exporters"}) == "[] []"


def test_models_alone_need_nothing_of_serving_or_exporting() -> None:
    assert tried_without("models", EXPORT_ONLY | SERVING_ONLY | {"services", "exporters"}) == "[] []"


def test_the_export_command_starts_without_torch() -> None:
    assert tried_without("exporters.__main__", EXPORT_ONLY) == "[] []"


RUNTIMES = {"onnxruntime", "onnxruntime-gpu"}
PLATFORMS = [
    {"sys_platform": system, "platform_machine": machine, "platform_system": name, "os_name": os_name}
    | {"python_version": python, "python_full_version": f"{python}.1", "extra": ""}
    | {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    for system, name, os_name, machines in (
        ("linux", "Linux", "posix", ("x86_64", "aarch64", "riscv64")),
        ("darwin", "Darwin", "posix", ("x86_64", "arm64")),
        ("win32", "Windows", "nt", ("AMD64", "ARM64")),
    )
    for machine in machines
    for python in ("3.11", "3.12", "3.13", "3.14")
]


def runtimes_installed(requirements: list[Requirement], platform: dict[str, str]) -> set[str]:
    return {
        canonicalize_name(each.name)
        for each in requirements
        if canonicalize_name(each.name) in RUNTIMES and (each.marker is None or each.marker.evaluate(platform))
    }


def declared() -> dict[str, list[Requirement]]:
    """Every set of requirements that someone may install: the locked files, and the project's own lists."""
    sets = {
        path.name: [line for line in path.read_text("utf-8").splitlines() if line.strip() and line[0] not in "#-"]
        for path in sorted((ROOT / "requirements").glob("*.txt"))
    }
    project = PROJECT["project"]
    for extra, lines in project["optional-dependencies"].items():
        sets[f"ekiben[{extra}]"] = project["dependencies"] + lines
    return {name: [Requirement(line) for line in lines] for name, lines in sets.items()}


@pytest.mark.parametrize("name", declared())
def test_no_platform_gets_both_onnx_runtimes_or_none(name: str) -> None:
    """They share an import folder, and the plain one, written over the other, hides CUDA."""
    for platform in PLATFORMS:
        gpu = (platform["sys_platform"], platform["platform_machine"]) == ("linux", "x86_64")
        expected = {"onnxruntime-gpu"} if gpu else {"onnxruntime"}
        assert runtimes_installed(declared()[name], platform) == expected, platform


def test_one_onnx_runtime_is_installed_here() -> None:
    installed = {canonicalize_name(each.metadata["Name"]) for each in metadata.distributions()}
    assert len(installed & RUNTIMES) == 1
