"""An fsspec file system over any revision of any repository: Git's files and DVC's data as one tree.

Registered under the protocol ``fourfold``; also known as ``DVCFileSystem``, whose keys of `info` it has.
Read-only. The only module that imports fsspec for its own face.
"""

import io
import shutil
import tempfile
from typing import Any

from fsspec.spec import AbstractFileSystem

from fourfold.api import fetched, view_of
from fourfold.project.sourcefiles import SourcePathError
from fourfold.project.sourceview import Node, View, is_bookkeeping


class _Fetched(io.FileIO):
    """A file in a private folder that goes when the file is closed."""

    def __init__(self, path: str, folder: str) -> None:
        super().__init__(path, "rb")
        self._folder = folder

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)


class FourfoldFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """A repository at a revision.

    Args:
        url: A folder or a Git address; the project around the current folder by default; ``repo`` likewise.
        rev: A revision; the files as they are by default.
        subrepos: Look into projects inside of it too.
        remote: The remote of the repository to use.
        remote_config: Options of that remote.
        config: Configuration to merge over the repository's own.
    """

    protocol = ("fourfold", "dvc")
    root_marker = "/"
    cachable = False

    def __init__(
        self,
        url: str | None = None,
        rev: str | None = None,
        subrepos: bool = False,
        remote: str | None = None,
        remote_config: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        repo: str | None = None,
        **storage_options: Any,
    ) -> None:
        super().__init__(**storage_options)
        self._view: View = view_of(url or repo, rev, remote, config, remote_config, subrepos=subrepos)

    @property
    def repo_url(self) -> str:
        """The address of the repository."""
        return self._view.source.shown

    def info(self, path: str, **_options: Any) -> dict[str, Any]:
        """What is at a path: ``name``, ``size``, ``type``; DVC's ``isexec``, ``isdvc``, ``isout``, ``md5``.

        Raises:
            FileNotFoundError: there is nothing.
        """
        return self._entry(self._node(path))

    def ls(self, path: str, detail: bool = True, dvcfiles: bool = False, **_options: Any) -> list[Any]:
        """What is in a folder; a file lists as itself. Pointer files and pipelines only with ``dvcfiles``.

        Raises:
            FileNotFoundError: there is nothing.
        """
        node = self._node(path)
        nodes = self._view.children(node.path) if node.is_dir else [node]
        entries = [self._entry(child) for child in nodes if dvcfiles or not is_bookkeeping(child.name)]
        return entries if detail else [entry["name"] for entry in entries]

    def _open(self, path: str, mode: str = "rb", **_options: Any) -> Any:
        if mode != "rb":
            raise ValueError(f"mode '{mode}': the file system is read-only")
        folder = tempfile.mkdtemp(prefix="fourfold-")
        try:
            return _Fetched(fetched(self._view, self._node(path).path, folder), folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _node(self, path: str) -> Node:
        try:
            return self._view.node(self._strip_protocol(path).strip("/"))
        except SourcePathError as error:
            raise FileNotFoundError(error.message) from None

    def _entry(self, node: Node) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "name": f"/{node.path}",
            "size": node.size,
            "type": "directory" if node.is_dir else "file",
            "isexec": node.isexec,
            "isdvc": node.is_out,
            "isout": node.is_out,
            "repo": self.repo_url,
        }
        if node.oid is not None:
            entry["md5"] = node.oid
        if node.data is not None:
            entry["dvc_info"] = {
                "name": node.path,
                "isout": node.is_out,
                "md5": node.oid,
                "size": node.data.size,
                "type": entry["type"],
            }
        return entry


DVCFileSystem = FourfoldFileSystem
