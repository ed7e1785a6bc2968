"""What the committed configuration may decide, and what only the user may.

``.dvc/config`` comes with the repository, so whoever wrote the repository wrote it. It may name remotes
on the network and folders inside the project. A folder of this machine outside of the project is used
when it looks like what it is said to be, and nothing there is deleted, unless the user trusts the value;
a command never runs. Reasons and cases: docs/design/002-committed-config.md. `judge` is the rule, pure;
`vet_folder` and `vet_remote` apply it to a file system and a remote.
"""

import os
from collections.abc import Iterator
from typing import Literal, NamedTuple

from fourfold.base.errors import UnsafeError
from fourfold.base.events import Warned
from fourfold.formats.dvc.config import Key
from fourfold.project.config import Config, RemoteConfig
from fourfold.project.trust import Trust

Access = Literal["read", "write", "delete"]
Kind = Literal["missing", "empty", "store", "other"]

#: Options that hold a command to run.
COMMANDS = frozenset({"bearer_token_command"})
_STORE_NAMES = frozenset({"files", "runs", "fs", "tmp", ".gitignore", "lost+found"})
_HEX = frozenset("0123456789abcdef")
#: A store has 256 folders of objects and a few more entries.
_MAX_ENTRIES = 1000


class UntrustedFolderError(UnsafeError):
    """The committed configuration names a folder outside of the project that may not be used so."""

    code = "untrusted-folder"


class UntrustedEndpointError(UnsafeError):
    """The committed configuration would send the user's own token to a host that it names."""

    code = "untrusted-endpoint"


class Folder(NamedTuple):
    """What is known of a folder: what it looks like; whether it is the user's, root's, or their group's."""

    kind: Kind
    ours: bool


def judge(folder: Folder, access: Access) -> str | None:
    """Why a folder outside of the project may not be used, on the committed configuration's word alone.

    None when it may. The caller has found that the value is not trusted.
    """
    if access == "delete":
        return "nothing is deleted in a folder that only the committed configuration names"
    if folder.kind == "other":
        return "it holds things that are not a store's"
    if access == "read":
        return None
    if folder.kind == "missing":
        return "it does not exist, and folders outside of the project are not created"
    return None if folder.ours else "it belongs to another user"


def look_at(path: str) -> Folder:
    """What a folder of this machine looks like."""
    try:
        info = os.stat(path)
        ours = _is_ours(info)
        with os.scandir(path) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_MAX_ENTRIES), strict=False)]
    except FileNotFoundError:
        return Folder("missing", ours=False)
    except OSError:
        return Folder("other", ours=False)
    if os.path.isdir(os.path.join(path, "files", "md5")):
        return Folder("store", ours)
    if not names:
        return Folder("empty", ours)
    return Folder("store" if all(map(_is_store_name, names)) else "other", ours)


def _is_store_name(name: str) -> bool:
    temporary = name.startswith(".") and name.endswith(".tmp")
    return name in _STORE_NAMES or temporary or (len(name) == 2 and _HEX.issuperset(name))


def _is_ours(info: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):
        return True
    return info.st_uid in {os.geteuid(), 0} or info.st_gid in {os.getegid(), *os.getgroups()}


def is_inside(root: str, path: str) -> bool:
    """Whether a path, symbolic links followed, is the project's root or lies below it."""
    top, real = os.path.realpath(root), os.path.realpath(path)
    return real == top or real.startswith(top.rstrip(os.sep) + os.sep)


def vet_folder(
    path: str, access: Access, *, root: str, level: str, name: str, trust: Trust, hint_command: str
) -> None:
    """Refuse to use a folder that only the committed configuration names, where it could do harm.

    Args:
        path: The folder, absolute.
        access: What for.
        root: The project's root.
        level: The level of the configuration that names it; ``default`` where none does.
        name: The option, as ``cache.dir``.
        trust: What the user trusts.
        hint_command: The command that says it for this machine only.

    Raises:
        UntrustedFolderError: it may not be used so.
    """
    if level not in {"project", "default"} or is_inside(root, path) or trust.holds(root, name, path):
        return
    reason = judge(look_at(path), access)
    if reason is not None:
        raise UntrustedFolderError(
            f"{name} of the committed configuration is {path}, outside of the project: {reason}",
            hint=f"if you trust it: ff trust; or say it for this machine: {hint_command}",
        )


def vet_cache(config: Config, cache_dir: str, access: Access, *, root: str, trust: Trust) -> None:
    """Apply `vet_folder` to the cache; the default one may be a symbolic link that leads outside."""
    origin = config.origin("cache", "dir")
    vet_folder(
        cache_dir,
        access,
        root=root,
        level=origin.level if origin else "default",
        name="cache.dir",
        trust=trust,
        hint_command=f"ff cache dir --local {cache_dir}",
    )


def vet_remote(
    remote: RemoteConfig, access: Access, *, root: str, trust: Trust
) -> tuple[RemoteConfig, tuple[Warned, ...]]:
    """A remote as it may be used: without commands that the committed configuration brought.

    Raises:
        UntrustedFolderError: it is a folder that may not be used so.
        UntrustedEndpointError: it would get a token of the user.
    """
    name = f"remote.{remote.name}.url"
    level = remote.origins["url"].level if "url" in remote.origins else "local"
    if not remote.scheme:
        vet_folder(
            remote.url,
            access,
            root=root,
            level=level,
            name=name,
            trust=trust,
            hint_command=f"ff remote modify --local {remote.name} url {remote.url}",
        )
    _vet_endpoint(remote, root, trust)
    options = dict(remote.options)
    warnings = []
    for option in COMMANDS & options.keys():
        if _is_committed(remote, option) and not trust.holds(
            root, f"remote.{remote.name}.{option}", options[option]
        ):
            del options[option]
            warnings.append(
                Warned(
                    "committed-command-ignored",
                    f"remote '{remote.name}': the {option} of the committed configuration is not run",
                    hint=f"to use it: ff remote modify --local {remote.name} {option} <command>",
                )
            )
    return remote._replace(options=options), tuple(warnings)


def _is_committed(remote: RemoteConfig, option: str) -> bool:
    origin = remote.origins.get(option)
    return origin is not None and origin.level == "project"


def _vet_endpoint(remote: RemoteConfig, root: str, trust: Trust) -> None:
    """Google's client sends its token to whatever endpoint it is given; S3's and Azure's only sign."""
    endpoint = remote.options.get("endpointurl", "")
    if remote.scheme != "gs" or not endpoint or not _is_committed(remote, "endpointurl"):
        return
    host = endpoint.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0].lower()
    anonymous = remote.flag("allow_anonymous_login")
    if host == "googleapis.com" or host.endswith(".googleapis.com") or anonymous:
        return
    if not trust.holds(root, f"remote.{remote.name}.endpointurl", endpoint):
        raise UntrustedEndpointError(
            f"remote '{remote.name}': the committed endpointurl {host} would receive your Google token",
            hint=f"if you trust it: ff trust; or: ff remote modify --local {remote.name} endpointurl <url>",
        )


def values_to_trust(config: Config, root: str) -> Iterator[tuple[str, str]]:
    """The committed (option, value) pairs that need trust: what ``ff trust`` shows and adds."""
    for level in config.levels:
        if level.level == "project":
            for section, options in level.sections.items():
                for option, value in options.items():
                    if isinstance(value, str) and needs_trust(root, section, option, value):
                        yield option_name(section, option), value


def needs_trust(root: str, section: Key, option: str, value: str) -> bool:
    """Whether a value in the committed configuration has an effect only when it is trusted, or at times.

    Args:
        root: The project's root.
        section: Its section.
        option: Its name.
        value: The value; a path made absolute.
    """
    if section == "cache":
        return option == "dir" and not is_inside(root, value)
    if isinstance(section, str) or section[0] != "remote":
        return False
    if option == "url":
        return os.path.isabs(value) and not is_inside(root, value)
    return option in COMMANDS or option == "endpointurl"


def option_name(section: Key, option: str) -> str:
    """An option as ``ff config`` names it: ``cache.dir``, ``remote.storage.url``."""
    return ".".join([section, option] if isinstance(section, str) else [*section, option])
