"""A run as a CycloneDX 1.6 bill of materials: packages it stood on, models that it wrote, data it read.

Packages are ``pkg:pypi``; a digest of what is installed (of RECORD) is a property, because the hashes of
CycloneDX are those of archives, which no installation keeps. Models are components of type
``machine-learning-model`` with a model card that has the metrics; data are components of type ``data``.
Source: ECMA-424, cyclonedx.org/docs/1.6.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from fourfold.evidence.export.dossier import Dossier, Item, leaves, utf8
from fourfold.runs.changes import mapping

_HASHES = {"sha256": "SHA-256", "blake3": "BLAKE3", "md5": "MD5"}


def render(dossier: Dossier) -> bytes:
    """The document; equal runs have equal ones."""
    components = [*_data(dossier), *_packages(dossier), *_platform(dossier)]
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{UUID(dossier.run[:32], version=4)}",
        "version": 1,
        "metadata": {
            "timestamp": dossier.record.times.ended,
            "tools": {
                "components": [{"type": "application", "name": "fourfold", "version": dossier.record.tool}]
            },
            "component": _result(dossier),
            "properties": _properties(dossier),
        },
        "components": components,
        "dependencies": [
            {"ref": _ref(dossier), "dependsOn": [component["bom-ref"] for component in components]}
        ],
    }
    return utf8(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _ref(dossier: Dossier) -> str:
    return f"run:{dossier.run}"


def _result(dossier: Dossier) -> dict[str, Any]:
    """What the run made: a model where it wrote one file or folder, else its results together."""
    models = [item for item in dossier.act.outputs if item.role == "out"]
    found: dict[str, Any] = {
        "type": "machine-learning-model" if models else "data",
        "bom-ref": _ref(dossier),
        "name": models[0].path if len(models) == 1 else dossier.act.name,
        "version": dossier.run[:16],
        "description": "\n".join(dossier.record.command),
    }
    if len(models) == 1:
        found["hashes"] = _hashes(models[0])
    if models and dossier.act.metrics:
        found["modelCard"] = {
            "modelParameters": {"datasets": [{"ref": f"data:{path}"} for path in sorted(dossier.raw())]},
            "quantitativeAnalysis": {
                "performanceMetrics": [
                    {"type": name, "value": repr(value)}
                    for name, value in sorted(dossier.act.metrics.items())
                ]
            },
        }
    return found


def _hashes(item: Item) -> list[dict[str, str]]:
    """Of one file; a digest of a folder is none that others could compute."""
    if item.nfiles is not None:
        return []
    return [{"alg": _HASHES[name], "content": value} for name, value in item.digests.items()]


def _properties(dossier: Dossier) -> list[dict[str, str]]:
    found = {
        "run": dossier.run,
        "commit": dossier.commit,
        "code.tree": dossier.value("code", "tree"),
        "environment.digest": dossier.value("environment", "digest"),
        "randomness.seed": dossier.value("randomness", "seed"),
        "randomness.determinism": dossier.value("randomness", "determinism"),
        **{f"param.{name}": value for name, value in leaves(dossier.act.params)},
    }
    return [
        {"name": f"fourfold:{name}", "value": value if isinstance(value, str) else json.dumps(value)}
        for name, value in sorted(found.items())
        if value is not None and value != ""
    ]


def _data(dossier: Dossier) -> Iterator[dict[str, Any]]:
    for path, item in sorted(dossier.raw().items()):
        contents = {"properties": [{"name": "fourfold:md5", "value": item.md5}]}
        component: dict[str, Any] = {
            "type": "data",
            "bom-ref": f"data:{path}",
            "name": path,
            "data": [{"type": "dataset", "name": path, "contents": contents}],
        }
        if hashes := _hashes(item):
            component["hashes"] = hashes
        yield component


def _packages(dossier: Dossier) -> Iterator[dict[str, Any]]:
    for package in dossier.packages:
        properties = [{"name": "fourfold:imported", "value": str(package.imported).lower()}]
        if package.record:
            properties.append({"name": "fourfold:record", "value": package.record})
        yield {
            "type": "library",
            "bom-ref": package.purl,
            "name": package.name,
            "version": package.version,
            "purl": package.purl,
            "scope": "required" if package.imported else "optional",
            "properties": properties,
        }


def _platform(dossier: Dossier) -> Iterator[dict[str, Any]]:
    python = mapping(dossier.value("environment", "interpreter"))
    if python.get("version"):
        yield {
            "type": "platform",
            "bom-ref": "python",
            "name": str(python.get("implementation", "python")),
            "version": str(python["version"]),
        }
    host = mapping(dossier.value("environment", "host"))
    if host.get("distribution"):
        yield {
            "type": "operating-system",
            "bom-ref": "system",
            "name": str(host["distribution"]),
            "version": str(host.get("kernel", "")),
        }
    image = mapping(dossier.value("environment", "image"))
    if isinstance(image.get("reference"), str):
        component = {"type": "container", "bom-ref": "image", "name": image["reference"]}
        if isinstance(digest := image.get("manifest"), str):
            component["version"] = digest
        yield component
