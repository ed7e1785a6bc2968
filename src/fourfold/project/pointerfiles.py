"""Writing pointer files: new ones as DVC writes them, old ones with their comments and order kept."""

import os
from typing import TYPE_CHECKING

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc import pointer as pointers
from fourfold.formats.dvc.pointer import Pointer
from fourfold.project.files import git_ignored

if TYPE_CHECKING:
    from fourfold.project.oplog import Operation
    from fourfold.project.project import Project


class PointerIgnoredError(InvalidFileError):
    """Git ignores the place of a pointer file: nobody else would ever see it."""

    code = "pointer-file-would-be-ignored"


def refuse_ignored(project: "Project", file: str) -> None:
    """Refuse a place for a pointer file that Git ignores.

    Raises:
        PointerIgnoredError: Git ignores it.
    """
    if git_ignored(project, file):
        shown = project.display(file)
        raise PointerIgnoredError(
            f"bad DVC file name '{shown}' is git-ignored",
            hint=f"see which rule does it: git check-ignore -v {shown}",
        )


def write_pointer(project: "Project", op: "Operation", file: str, pointer: Pointer, old: bytes = b"") -> bool:
    """Write a pointer file, durably; whether its bytes changed.

    Args:
        project: Whose.
        op: Is told before.
        file: Absolute path.
        pointer: What it shall say.
        old: Its bytes so far, whose comments and order are kept; empty for a new one.

    Raises:
        BadYamlError: ``old`` cannot be understood.
        DeniedError, ExhaustedError: it cannot be written; it is as it was.
    """
    data = pointers.update(old, pointer, project.relpath(file)) if old else pointers.render(pointer)
    if data == old and os.path.isfile(file):
        return False
    op.write(file, data)
    return True
