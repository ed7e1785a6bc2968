"""Install: Git hooks that keep data and commits together, and the merge driver for metadata.

Hooks call ``ff git-hook ...``. The driver has the name that DVC gives to its own, so that the attributes of a
repository made for DVC work; here it is also switched on for this clone, in ``.git/info/attributes``.
``fourfold.lock`` has a driver of its own name, so that installing DVC later does not hand the file to it.
"""

import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, from_os_error
from fourfold.base.fs.atomic import write_atomic

if TYPE_CHECKING:
    from fourfold.project.project import Project

HOOKS = ("post-checkout", "pre-commit", "pre-push")
_DRIVER = "ff git-hook merge-driver --ancestor %O --our %A --their %B --path %P"
_ATTRIBUTES = ("*.dvc merge=dvc", "dvc.lock merge=dvc", "fourfold.lock merge=fourfold")
_PRE_COMMIT = ".pre-commit-config.yaml"


class HookExistsError(ConflictError):
    """A Git hook of that name is there already, and it is not ours."""

    code = "hook-exists"


class Installed(NamedTuple):
    """What was written; empty in a project without Git."""

    files: tuple[str, ...]


def install(project: "Project", *, use_pre_commit_tool: bool = False) -> Installed:
    """Write the hooks and the merge driver into the repository around the project.

    Args:
        project: Whose repository.
        use_pre_commit_tool: Add the hooks to ``.pre-commit-config.yaml`` instead of ``.git/hooks``.

    Raises:
        HookExistsError: somebody else's hook is there; nothing was written.
    """
    git = project.git
    if git is None:
        return Installed(())
    hooks = os.path.join(git.common_dir, "hooks")
    files: list[str] = []
    if not use_pre_commit_tool:
        _refuse_foreign(hooks)
    git.config_set("merge.dvc.name", "DVC merge driver")
    git.config_set("merge.dvc.driver", _DRIVER)
    git.config_set("merge.fourfold.name", "Fourfold merge driver")
    git.config_set("merge.fourfold.driver", _DRIVER)
    files.append(_switch_on(os.path.join(git.common_dir, "info", "attributes")))
    try:
        if use_pre_commit_tool:
            files.append(_add_to_tool(os.path.join(git.root, _PRE_COMMIT)))
        else:
            os.makedirs(hooks, exist_ok=True)
            for name in HOOKS:
                path = os.path.join(hooks, name)
                write_atomic(path, _script(name), mode=0o755)
                files.append(path)
    except OSError as error:
        raise from_os_error(error, "installing the hooks") from error
    return Installed(tuple(files))


def _script(name: str) -> bytes:
    shell = shutil.which("sh") or "/bin/sh"
    return f'#!{shell}\nexec ff git-hook {name} "$@"\n'.encode()


def _refuse_foreign(hooks: str) -> None:
    for name in HOOKS:
        path = os.path.join(hooks, name)
        try:
            with open(path, "rb") as file:
                if file.read() == _script(name):
                    continue
        except FileNotFoundError:
            continue
        except OSError as error:
            raise from_os_error(error, "reading the hooks") from error
        raise HookExistsError(
            f"the Git hook '{name}' exists already: {path}",
            hint=f'add this line to it, or move it away: ff git-hook {name} "$@"',
        )


def _switch_on(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise from_os_error(error, "reading Git's attributes") from error
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    missing = [line for line in _ATTRIBUTES if line not in lines]
    if missing:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        whole = "".join(f"{line}\n" for line in [*lines, *missing])
        write_atomic(path, whole.encode("utf-8", "surrogateescape"))
    return path


def _add_to_tool(path: str) -> str:
    """A ``repo: local`` entry with the three hooks, once."""
    from fourfold.formats.dvc import yamlio  # noqa: PLC0415 - for this option only

    try:
        with open(path, "rb") as file:
            old = file.read()
    except FileNotFoundError:
        old = b""
    document = yamlio.load(old, _PRE_COMMIT) if old.strip() else {}
    repos = document.get("repos") if isinstance(document, dict) else None
    entry = {
        "repo": "local",
        "hooks": [
            {
                "id": f"ff-{name}",
                "name": f"ff {name}",
                "entry": f"ff git-hook {name}",
                "language": "system",
                "always_run": True,
                "pass_filenames": False,
                "stages": [name],
            }
            for name in ("pre-commit", "pre-push", "post-checkout")
        ],
    }
    known = list(repos) if isinstance(repos, list) else []
    if entry in known:
        return path
    new = {**(document if isinstance(document, dict) else {}), "repos": [*known, entry]}
    write_atomic(path, yamlio.update(old, new, _PRE_COMMIT) if old.strip() else yamlio.dump(new))
    return path
