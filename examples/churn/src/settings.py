"""Settings: the keys of params.yaml, and no others."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def setting(name: str) -> Any:
    """What params.yaml says under a dotted name, such as ``train.depth``."""
    value = document("params.yaml")
    for key in name.split("."):
        value = value[key]
    return value


def document(path: str) -> Any:
    """A YAML file, read whole."""
    return YAML(typ="safe").load(Path(path))
