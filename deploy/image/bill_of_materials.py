"""Add Python and the models of a model store to a CycloneDX bill of materials, and print it.

One commit's bill of one image is the same bytes whenever it is made: its time is the commit's, and its serial number
is made of what it says.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import uuid
from datetime import datetime
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

licence = LicenseFactory().make_from_string
"""An SPDX id or expression where it is one, else a name: what a package only claims stays in its words."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", type=Path, help="the bill without them, of cyclonedx-py")
    parser.add_argument("store", type=Path)
    parser.add_argument("--version", required=True, help="ekiben's")
    parser.add_argument("--revision", required=True, help="the commit's")
    parser.add_argument("--created", type=datetime.fromisoformat, required=True, help="the commit's time")
    options = parser.parse_args()
    bom = Bom.from_json(json.loads(options.packages.read_text("utf-8")))  # type: ignore[attr-defined]
    bom.metadata.component.version = options.version
    bom.metadata.timestamp = options.created
    bom.components.add(python())
    for manifest in sorted(options.store.glob("*/*/manifest.json")):
        bom.components.add(model(json.loads(manifest.read_text("utf-8")), version=manifest.parent.name))
    bom.serial_number = uuid.UUID(int=0)
    bom.serial_number = uuid.uuid5(bom.serial_number, options.revision + JsonV1Dot6(bom).output_as_string())
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"not CycloneDX 1.6: {error}")
    print(text)


def python() -> Component:
    """The base's, which is also this one."""
    version = platform.python_version()
    return Component(
        name="python",
        version=version,
        type=ComponentType.PLATFORM,
        bom_ref="python",
        purl=PackageURL("generic", name="python", version=version),
        cpe=f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*",
        licenses=[licence("Python-2.0")],
    )


def model(manifest: dict, version: str) -> Component:  # type: ignore[type-arg]
    reference = f"model:{manifest['model']}"
    files = [
        Component(
            name=name,
            type=ComponentType.FILE,
            bom_ref=f"{reference}/{name}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file["sha256"])],
        )
        for name, file in sorted(manifest["files"].items())
    ]
    return Component(
        name=manifest["model"],
        version=version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=reference,
        description=f"{manifest['provenance']} Source: {manifest['source']}",
        licenses=[licence(manifest["licence"])],
        components=files,
    )


if __name__ == "__main__":
    main()
