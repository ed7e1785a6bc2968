"""Files that say what somebody wants, and fix no versions: ``pyproject.toml`` and ``environment.yml``."""

from collections.abc import Iterator, Mapping
from typing import Any

from fourfold.formats.locks import model, requirements
from fourfold.formats.locks.documents import read_toml, read_yaml
from fourfold.formats.locks.model import BadLockFileError, Locked, Package

PYPROJECT = "pyproject.toml"
ENVIRONMENT = "environment.yml"


def parse_pyproject(data: bytes, source: str = PYPROJECT) -> Locked:
    """What a project asks for: ``project.dependencies`` and ``tool.poetry.dependencies``.

    Raises:
        BadLockFileError: it cannot be understood.
    """
    document = read_toml(data, source)
    project = model.mapping(document.get("project"), "project", source)
    wishes = model.texts(project.get("dependencies"), "dependencies", source)
    packages = [requirements.requirement(wish, source) for wish in wishes]
    extras = model.mapping(project.get("optional-dependencies"), "optional-dependencies", source)
    for extra, listed in extras.items():
        packages += [
            requirements.requirement(wish, source)._replace(optional=True)
            for wish in model.texts(listed, extra, source)
        ]
    tool = model.mapping(model.mapping(document.get("tool"), "tool", source).get("poetry"), "poetry", source)
    names = {package.name for package in packages}
    for name in model.mapping(tool.get("dependencies"), "tool.poetry.dependencies", source):
        # Poetry's own constraints (^1.2) are its own language: that the package is there is what is compared.
        normal = model.normal_name(name, source)
        if normal != "python" and normal not in names:
            packages.append(Package(normal))
    python = model.text(project.get("requires-python"), "requires-python", source)
    return Locked(PYPROJECT, "declared", tuple(packages), python=python)


def parse_environment(data: bytes, source: str = ENVIRONMENT) -> Locked:
    """An environment of conda as somebody wrote it: names and wishes, of conda and, below ``pip:``, of pip.

    Raises:
        BadLockFileError: it cannot be understood.
    """
    document = read_yaml(data, source)
    listed = document.get("dependencies")
    if listed is not None and not isinstance(listed, list):
        raise BadLockFileError(f"{source}: dependencies is not a list")
    return Locked(ENVIRONMENT, "declared", tuple(_environment(listed or [], source)))


def _environment(listed: list[Any], source: str) -> Iterator[Package]:
    for item in listed:
        if isinstance(item, str):
            yield conda_spec(item, source)
        elif isinstance(item, Mapping) and set(item) == {"pip"}:
            for wish in model.texts(item["pip"], "pip", source):
                if not wish.startswith("-"):
                    yield requirements.requirement(wish, source)
        else:
            raise BadLockFileError(f"{source}: not a dependency: {str(item)[:80]!r}")


def conda_spec(text: str, source: str) -> Package:
    """``channel::name=1.2=build``, ``name>=1.2``: the name, and the version if it is exact."""
    plain = text.partition("#")[0].rpartition("::")[2].strip()
    end = next((index for index, char in enumerate(plain) if char in " =<>!~["), len(plain))
    name = model.conda_name(plain[:end].strip(), source)
    rest = plain[end:].strip()
    exact = rest.startswith("==") or (rest.startswith("=") and rest.count("=") == 2)
    version = rest.lstrip("=").partition("=")[0].strip() if exact and "*" not in rest else ""
    return Package(name, version, ecosystem="conda", specifier="" if version else rest)
