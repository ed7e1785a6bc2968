"""Files of a commit, with changes, written into a folder: by Git, apart from the repository's own state.

The index is one of ours, new objects lie in a folder of ours, and no filter of the configuration runs: HEAD,
index, refs and objects of the repository are as they were. Line ends are converted as Git does it.
"""

import os
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourfold.base.errors import ConflictError, from_os_error
from fourfold.scm.blobs import blob_id
from fourfold.scm.process import child_environment, failed, run_git
from fourfold.scm.worktree import Entry, alternates, settings, unfiltered

if TYPE_CHECKING:
    from fourfold.scm.git import Git


class FolderNotEmptyError(ConflictError):
    """Files were to be written into a folder that has some."""

    code = "folder-not-empty"


def unpack(
    git: "Git",
    environ: Mapping[str, str],
    commit: str | None,
    changes: Mapping[str, Entry | None],
    blobs: Mapping[str, bytes],
    folder: str,
) -> None:
    """Write the files of a commit with some changed, and others (None) gone, into a folder.

    Args:
        git: The repository.
        environ: The caller's environment.
        commit: A full id; None to begin with nothing.
        changes: By path, relative to the root of the repository.
        blobs: Contents that the repository may lack, by their ids.
        folder: Absolute; must be empty, or not there.

    Raises:
        FolderNotEmptyError: it has files.
        GitFailedError: the commit, or a content, is not there; or a path is none that Git takes.
        DeniedError, ExhaustedError: the file system refuses.
    """
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - replaying is rare

    try:
        os.makedirs(folder, exist_ok=True)
        if os.listdir(folder):
            raise FolderNotEmptyError(f"'{folder}' is not empty", hint="name a folder that is not there yet")
        with TemporaryDirectory(prefix="fourfold-") as scratch:
            for oid, content in blobs.items():
                _write_object(os.path.join(scratch, "objects"), oid, content)
            env = child_environment(environ, work_tree=folder) | {
                "GIT_DIR": git.git_dir,
                "GIT_INDEX_FILE": os.path.join(scratch, "index"),
                "GIT_OBJECT_DIRECTORY": os.path.join(scratch, "objects"),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(git),
            }
            os.makedirs(os.path.join(scratch, "objects"), exist_ok=True)
            _run(folder, env, ["read-tree", *([commit] if commit else ["--empty"])])
            if changes:
                _run(folder, env, ["update-index", "-z", "--index-info"], _index_info(changes))
            options = unfiltered(settings(git, environ))
            _run(folder, env, [*options, "checkout-index", "--all", "--quiet"])
    except OSError as error:
        raise from_os_error(error, f"writing {folder}") from error


def _run(folder: str, env: Mapping[str, str], args: list[str], data: bytes = b"") -> None:
    done = run_git(("-C", folder), args, env, data)
    if done.code:
        raise failed(done, "writing the files of a commit", folder)


def _index_info(changes: Mapping[str, Entry | None]) -> bytes:
    """Changes as ``git update-index --index-info`` takes them; what goes comes first."""
    rows = []
    for path, entry in sorted(changes.items(), key=lambda item: (item[1] is not None, item[0])):
        mode, oid = entry if entry is not None else ("0", "0" * 40)
        rows.append(os.fsencode(f"{mode} {oid}\t{path}\0"))
    return b"".join(rows)


def _write_object(objects: str, oid: str, content: bytes) -> None:
    """One loose object; only under the name that its bytes have."""
    if blob_id(content, long=len(oid) > 40) != oid:
        return
    os.makedirs(os.path.join(objects, oid[:2]), exist_ok=True)
    with open(os.path.join(objects, oid[:2], oid[2:]), "wb") as file:
        file.write(zlib.compress(b"blob %d\0" % len(content) + content, 1))
