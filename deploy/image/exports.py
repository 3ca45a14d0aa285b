"""Copy the exports that an image serves from the builder's model store, each file checked against its proof.

The code that serves chooses and checks them here too: what it would refuse never gets into an image.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from models import default_models, find_model
from models.errors import UnknownModel
from models.model import Model
from services.exports import ExportMissing, find_export


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, required=True, help="the image's model store")
    parser.add_argument("--models", default="", help="ids with commas between them; empty: every task's default ones")
    options = parser.parse_args()
    ids = [id.strip() for id in options.models.split(",") if id.strip()]
    try:
        for model in [find_model(id) for id in ids] or default_models():
            copy(model, options.to)
    except (ExportMissing, UnknownModel) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def copy(model: Model, store: Path) -> None:
    """Raises `ExportMissing`, also where a file is not the one that its manifest has the SHA-256 of."""
    export = find_export(model)
    for name, file in export.manifest.files.items():
        export.file(name)
        print(f"{model.id}: {name} sha256:{file.sha256}")
    folder = store / model.id
    shutil.copytree(export.folder, folder / export.folder.name)
    (folder / "latest").write_text(export.folder.name)


if __name__ == "__main__":
    sys.exit(main())
