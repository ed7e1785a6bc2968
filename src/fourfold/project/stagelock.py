"""Telling other processes which paths a running stage uses, in ``.dvc/tmp/rwlock``, as DVC does.

The repository lock is free while a command runs; these entries stand for it. A real DVC beside us
honours them, and so do our own verbs (`locks`). An entry whose process is gone counts for nothing.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.project.locks import (
    RWLOCK_GUARD,
    RepositoryLockedError,
    blockers,
    guard,
    read_rwlock,
)

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: How the process is called in the file, where DVC writes its command line.
_NAME = "ff repro"


class StageLocks:
    """What the running stages of this process use.

    Args:
        project: Whose.
    """

    def __init__(self, project: "Project") -> None:
        self._project = project
        self._reads: Counter[str] = Counter()
        self._writes: Counter[str] = Counter()

    @contextmanager
    def using(self, *, reads: Sequence[str], writes: Sequence[str]) -> Iterator[None]:
        """Say for the block that this process reads and writes these absolute paths.

        Blocks may overlap in any way; several may read the same.

        Raises:
            RepositoryLockedError: another process writes one of them, or reads one that is to be written.
            DeniedError, ExhaustedError: ``.dvc/tmp`` cannot be written.
        """
        project = self._project
        with guard(project, RWLOCK_GUARD):
            blocked = blockers(project.tmp_dir, writes, reads)
            if blocked:
                holder, path = blocked[0]
                raise RepositoryLockedError(
                    f"{holder} uses '{path}'", hint="wait for it to end, then run the same command again"
                )
            self._reads.update(reads)
            self._writes.update(writes)
            self._publish()
        try:
            yield
        finally:
            self._reads.subtract(reads)
            self._writes.subtract(writes)
            with guard(project, RWLOCK_GUARD):
                self._publish()

    def _publish(self) -> None:
        """Write what others use, and what we use now."""
        info = {"pid": os.getpid(), "cmd": _NAME}
        document = _without(read_rwlock(self._project.tmp_dir), info)
        for path in +self._reads:
            document["read"].setdefault(path, []).append(info)
        document["write"].update(dict.fromkeys(+self._writes, info))
        _save(self._project, document)


def _without(document: dict[str, dict[str, Any]], info: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The document without the entries of one process; DVC, too, leaves no empty lists behind."""
    reads = {
        path: [reader for reader in readers if reader != info]
        for path, readers in document.get("read", {}).items()
        if isinstance(readers, list)
    }
    writes = {path: writer for path, writer in document.get("write", {}).items() if writer != info}
    return {"read": {path: readers for path, readers in reads.items() if readers}, "write": writes}


def _save(project: "Project", document: dict[str, dict[str, Any]]) -> None:
    try:
        write_atomic(os.path.join(project.tmp_dir, "rwlock"), json.dumps(document).encode(), durable=False)
    except OSError as error:
        raise from_os_error(error, "writing .dvc/tmp/rwlock") from error
