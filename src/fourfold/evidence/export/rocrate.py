"""A run as an RO-Crate: its stages as actions, what they read and wrote as files, who and with what.

RO-Crate 1.1 with the profile Process Run Crate 0.5, and Workflow Run Crate 0.5 where a pipeline file
describes the stages (https://www.researchobject.org/workflow-run-crate/profiles/). Digests, seeds and grades,
for which the profiles have no word, are ``PropertyValue``. The metadata alone: what it names lies elsewhere.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from fourfold.evidence.export.dossier import Act, Dossier, Item, leaves, utf8
from fourfold.formats.native.record import COORDINATES
from fourfold.runs.changes import mapping, value_of

#: The file in the root of a crate.
NAME = "ro-crate-metadata.json"
_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_PROCESS = "https://w3id.org/ro/wfrun/process/0.5"
_WORKFLOW = "https://w3id.org/ro/wfrun/workflow/0.5"
_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
_PIPELINE = "dvc.yaml"
_STATUS = {"succeeded": "http://schema.org/CompletedActionStatus"}
_FAILED = "http://schema.org/FailedActionStatus"


def render(dossier: Dossier, *, licence: str = "") -> bytes:
    """The metadata of the crate.

    Args:
        dossier: The run.
        licence: Of the crate: a URL or an SPDX id; the profile wants one, and no record can know it.
    """
    graph = _Graph()
    is_pipeline = any(act.record.stage for act in dossier.acts)
    root: dict[str, Any] = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Run of {dossier.act.name}",
        "description": f"What run {dossier.run} was made from, recorded by Fourfold {dossier.record.tool}.",
        "datePublished": dossier.record.times.ended,
        "license": licence or "not stated",
        "conformsTo": [{"@id": _PROCESS}, *([{"@id": _WORKFLOW}, {"@id": _CRATE}] if is_pipeline else [])],
        "identifier": dossier.run,
        "mentions": [{"@id": _action(act)} for act in dossier.acts],
    }
    profiles = (_PROCESS, *((_WORKFLOW, _CRATE) if is_pipeline else ()))
    for profile in profiles:
        graph.add({"@id": profile, "@type": "CreativeWork", "name": _profile_name(profile), "version": "0.5"})
    agent = _agent(dossier, graph)
    for act in dossier.acts:
        _act(act, dossier, graph, agent)
    if is_pipeline:
        root["mainEntity"] = {"@id": _PIPELINE}
        _pipeline(dossier, graph, agent)
    parts = [entity["@id"] for entity in graph.entities if entity["@type"] in ("File", "Dataset")]
    root["hasPart"] = [{"@id": part} for part in sorted({*parts, *([_PIPELINE] if is_pipeline else [])})]
    metadata = {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": [{"@id": "https://w3id.org/ro/crate/1.1"}, *([{"@id": _CRATE}] if is_pipeline else [])],
        "about": {"@id": "./"},
    }
    document = {"@context": [_CONTEXT, _TERMS], "@graph": [metadata, root, *graph.entities]}
    return utf8(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


class _Graph:
    """Entities, each id once."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}

    @property
    def entities(self) -> list[dict[str, Any]]:
        return list(self._known.values())

    def add(self, entity: dict[str, Any]) -> dict[str, str]:
        """Add an entity, or what a later mention knows besides; the reference to it."""
        known = self._known.setdefault(entity["@id"], entity)
        for key, value in entity.items():
            known.setdefault(key, value)
        return {"@id": entity["@id"]}


def _profile_name(profile: str) -> str:
    return {_PROCESS: "Process Run Crate", _WORKFLOW: "Workflow Run Crate"}.get(profile, "Workflow RO-Crate")


def _action(act: Act) -> str:
    return f"#run-{act.run[:16]}"


def _agent(dossier: Dossier, graph: _Graph) -> dict[str, str] | None:
    if dossier.author is None:
        return None
    name, address = dossier.author
    return graph.add({"@id": f"mailto:{address}" if address else "#author", "@type": "Person", "name": name})


def _act(act: Act, dossier: Dossier, graph: _Graph, agent: dict[str, str] | None) -> None:
    record = act.record
    tool = graph.add(
        {
            "@id": f"#stage-{act.name}" if record.stage else f"#command-{act.run[:16]}",
            "@type": "SoftwareApplication",
            "name": act.name,
            "description": "\n".join(record.command),
            "softwareVersion": _code(record.code) or "not known",
        }
    )
    entity: dict[str, Any] = {
        "@id": _action(act),
        "@type": "CreateAction",
        "name": f"Run of {act.name}",
        "description": "\n".join(record.command),
        "identifier": act.run,
        "instrument": tool,
        "object": [graph.add(_file(item)) for item in act.inputs]
        + [graph.add(entity) for entity in _values(act, "parameter", dict(leaves(act.params)))],
        "result": [graph.add(_file(item)) for item in act.outputs]
        + [graph.add(entity) for entity in _values(act, "metric", act.metrics)],
        "startTime": record.times.started,
        "endTime": record.times.ended,
        "actionStatus": {"@id": _STATUS.get(record.outcome.state, _FAILED)},
        "additionalProperty": [graph.add(entity) for entity in _coordinates(act)],
    }
    if record.outcome.state != "succeeded":
        entity["error"] = f"{record.outcome.state} (exit code {record.outcome.code})"
    if agent is not None:
        entity["agent"] = agent
    environment = [graph.add(entity) for entity in _environment(act)]
    if environment:
        entity["environment"] = environment
    if (image := _image(act)) is not None:
        entity["containerImage"] = graph.add(image)
    graph.add(entity)
    for at, statement in enumerate(dossier.statements if act is dossier.act else ()):
        graph.add(
            {
                "@id": f"#statement-{at}",
                "@type": "AssessAction",
                "name": "Verification by replay",
                "object": {"@id": _action(act)},
                "description": f"{statement.level}, {statement.signed}",
                "result": json.dumps(statement.document, sort_keys=True, ensure_ascii=False),
            }
        )


def _file(item: Item) -> dict[str, Any]:
    is_folder = item.nfiles is not None
    entity: dict[str, Any] = {
        "@id": quote(os.fsencode(item.path), safe="/:@") + "/" * is_folder,
        "@type": "Dataset" if is_folder else "File",
        "name": item.path,
    }
    if item.size is not None:
        entity["contentSize"] = str(item.size)
    if item.sha256:
        entity["sha256"] = item.sha256
    if item.digests:
        entity["identifier"] = [f"{name}:{value}" for name, value in item.digests.items()]
    return entity


def _values(act: Act, what: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in sorted(values.items()):
        yield {
            "@id": f"#{what}-{act.run[:16]}-{name}",
            "@type": "PropertyValue",
            "name": name,
            "value": value if isinstance(value, str | int | float | bool) else json.dumps(value),
        }


def _coordinates(act: Act) -> Iterator[dict[str, Any]]:
    """What there is no other word for, each with how it is known."""
    told = {
        "code": ("tree", "dirty"),
        "environment": ("digest",),
        "randomness": ("seed", "determinism", "derivation"),
        "trace": ("coverage",),
    }
    for coordinate in (*COORDINATES, "trace"):
        section = act.record.section(coordinate)
        for name in told.get(coordinate, ()):
            fact = section.get(name)
            if fact is None or fact.grade == "absent":
                continue
            value = fact.value
            yield {
                "@id": f"#fact-{act.run[:16]}-{coordinate}-{name}",
                "@type": "PropertyValue",
                "propertyID": f"fourfold:{coordinate}.{name}",
                "name": f"{coordinate} {name} ({fact.grade})",
                "value": value if isinstance(value, str | int | float | bool) else json.dumps(value),
            }


def _environment(act: Act) -> Iterator[dict[str, Any]]:
    """Environment variables that were set for the run: the profile asks for those that count."""
    numerics = mapping(value_of(act.record.randomness, "numerics"))
    switches = mapping(numerics.get("switches"))
    hash_seed = value_of(act.record.randomness, "hash_seed")
    if hash_seed is not None:
        switches = {**switches, "PYTHONHASHSEED": hash_seed}
    for name, value in sorted(switches.items()):
        if isinstance(value, str | int):
            yield {
                "@id": f"#env-{act.run[:16]}-{name}",
                "@type": "PropertyValue",
                "name": name,
                "value": str(value),
            }


def _image(act: Act) -> dict[str, Any] | None:
    image = mapping(value_of(act.record.environment, "image"))
    reference = image.get("reference")
    digest = image.get("manifest") or image.get("index")
    if not isinstance(reference, str):
        return None
    registry, _, name = reference.rpartition("/")
    name, _, tag = name.partition("@")[0].partition(":")
    entity: dict[str, Any] = {
        "@id": f"#image-{act.run[:16]}",
        "@type": "ContainerImage",
        "additionalType": {"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"},
        "registry": registry or "docker.io",
        "name": name,
    }
    if tag:
        entity["tag"] = tag
    if isinstance(digest, str):
        entity["sha256"] = digest.removeprefix("sha256:")
    return entity


def _code(code: Mapping[str, Any]) -> str:
    commit = value_of(code, "commit")
    return commit if isinstance(commit, str) else ""


def _pipeline(dossier: Dossier, graph: _Graph, agent: dict[str, str] | None) -> None:
    language = graph.add(
        {
            "@id": "#dvc-pipelines",
            "@type": "ComputerLanguage",
            "name": "DVC pipeline",
            "url": {"@id": "https://dvc.org/doc/user-guide/project-structure/dvcyaml-files"},
        }
    )
    entity: dict[str, Any] = {
        "@id": _PIPELINE,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "The pipeline",
        "programmingLanguage": language,
        "hasPart": [{"@id": f"#stage-{act.name}"} for act in dossier.acts if act.record.stage],
    }
    if dossier.commit:
        entity["version"] = dossier.commit
    if agent is not None:
        entity["creator"] = agent
    graph.add(entity)
    first, last = dossier.acts[0].record, dossier.record
    graph.add(
        {
            "@id": "#workflow-run",
            "@type": "CreateAction",
            "name": "Run of the pipeline",
            "instrument": {"@id": _PIPELINE},
            "object": [graph.add(_file(item)) for item in dossier.raw().values()],
            "result": [graph.add(_file(item)) for item in dossier.act.outputs],
            "startTime": min(act.record.times.started for act in dossier.acts) or first.times.started,
            "endTime": last.times.ended,
            "actionStatus": {"@id": _STATUS.get(last.outcome.state, _FAILED)},
        }
    )
