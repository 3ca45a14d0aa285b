"""Add the models of a model store to a CycloneDX bill of materials, and print it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

SHA_256 = HashAlgorithm.SHA_256


def main(packages: Path, store: Path) -> None:
    bom = Bom.from_json(json.loads(packages.read_text("utf-8")))  # type: ignore[attr-defined]
    for manifest in sorted(store.glob("*/*/manifest.json")):
        bom.components.add(component(json.loads(manifest.read_text("utf-8")), version=manifest.parent.name))
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"not CycloneDX 1.6: {error}")
    print(text)


def component(manifest: dict, version: str) -> Component:  # type: ignore[type-arg]
    files = [
        Component(
            name=name, type=ComponentType.FILE, hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file["sha256"])]
        )
        for name, file in sorted(manifest["files"].items())
    ]
    return Component(
        name=manifest["model"],
        version=version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{manifest['model']}",
        description=f"{manifest['provenance']} Source: {manifest['source']}",
        licenses=[DisjunctiveLicense(name=manifest["licence"])],
        components=files,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
