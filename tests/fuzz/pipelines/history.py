"""The plain data of a drawn history, how it becomes files, and how it is told as a shell script.

A history is a list of steps, all of them JSON, so that one can be kept, shrunk and played again:

    {"files": {"in": "text", "dvc.yaml": {"stages": {...}}, "old": None}}   write; None removes
    {"run": ["repro", "-k"], "jobs": 2}           both tools, compared; ours with so many jobs, else with one
    {"swap": True}                                                         each goes on in the other's folder

A file whose value is a mapping is written as YAML. Knows no tool.
"""

import io
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Step = dict[str, Any]
History = list[Step]


def text_of(value: Any) -> str:
    """The content of a file: as it is, or YAML of a mapping."""
    if isinstance(value, str):
        return value
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue()


def write(root: Path, files: Mapping[str, Any]) -> None:
    """Make the files of one step below ``root``: new bytes in a new file, as editors do."""
    for name, value in files.items():
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()
        if value is None:
            continue
        _make_folder(root, path.parent)
        path.write_text(text_of(value), encoding="utf-8")


def _make_folder(root: Path, folder: Path) -> None:
    """Make a folder, also where a file stands in its way."""
    if folder != root and not folder.is_dir():
        _make_folder(root, folder.parent)
        folder.unlink(missing_ok=True)
        folder.mkdir()


def script(history: Sequence[Step]) -> str:
    """The history as a shell script that plays it with one tool: ``TOOL=ff sh script`` in an empty folder."""
    lines = ["set -u; git init -q .; $TOOL init -q"]
    for step in history:
        for name, value in step.get("files", {}).items():
            quoted = shlex.quote(name)
            lines.append(f"rm -rf {quoted}")
            if value is None:
                continue
            folder = shlex.quote(os.path.dirname(name))
            make = f"mkdir -p {folder}; " if "/" in name else ""
            text = text_of(value)
            end = "" if text.endswith("\n") or not text else "\n"
            if end or not text:
                lines.append(f"{make}printf %s {shlex.quote(text)} > {quoted}")
            else:
                lines.append(f"{make}cat > {quoted} <<'EOF_OF_FILE'\n{text}EOF_OF_FILE")
        if "run" in step:
            lines.append(f'$TOOL {shlex.join(step["run"])}; echo "exit $?"')
        if "swap" in step:
            lines.append("# here each tool goes on in the other's folder")
    return "\n".join(lines) + "\n"
