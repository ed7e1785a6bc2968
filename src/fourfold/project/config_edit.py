"""Editing configuration files: one option, one remote, the cache's place; DVC's bytes, all or nothing.

Works on files, not on an open project, so that a configuration which cannot be understood can be mended
with the same commands. Every edit is checked as the file will be read before it is written, and undone with
``ff undo`` when it was a file of the project.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConfigError, NotAProjectError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.fs.reading import read_file
from fourfold.base.suggest import did_you_mean
from fourfold.formats.dvc.config import Key, Sections, Value, is_path_option, parse, rewrite, stored_path
from fourfold.project.config import (
    LEVELS,
    Config,
    RemoteNotFoundError,
    holds_secret,
    refuse_secret,
    resolve_path,
)
from fourfold.project.config_policy import needs_trust, option_name
from fourfold.project.config_schema import Origin, check_together, check_value
from fourfold.project.oplog import Operation, operation
from fourfold.project.trust import Trust

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: Permission bits of a configuration file that holds a secret.
_PRIVATE = 0o600


class NoSuchOptionSetError(ConfigError):
    """The option that should be read or removed is not set."""

    code = "option-not-set"


class RemoteExistsError(ConfigError):
    """A remote of that name is configured already."""

    code = "remote-exists"


class Desk(NamedTuple):
    """Where configuration lies for one invocation.

    Attributes:
        files: The path of each level; the two of a project are absent outside of one.
        cwd: Relative paths that the user types are meant against it.
        home: What ``~`` stands for.
        project: Keeps the log of operations; None outside of a project, or when it cannot be opened.
        root: The root of the project around; None outside of one.
        trust: Remembers the values that the user sets in the committed file as the user's own.
    """

    files: dict[str, str]
    cwd: str
    home: str = ""
    project: "Project | None" = None
    root: str | None = None
    trust: Trust | None = None

    def file(self, level: str | None) -> tuple[str, str]:
        """The level to write to (``project`` by default) and its file.

        Raises:
            NotAProjectError: the level belongs to a project, and there is none here.
        """
        name = level or "project"
        path = self.files.get(name)
        if path is None:
            raise NotAProjectError(
                "not inside of a DVC repository", hint="write to --global or --system, or run: ff init"
            )
        return name, path

    def load(self) -> Config:
        """The configuration as it is, unchecked."""
        return Config.load(self.files, home=self.home, validate=False)

    def up_to(self, level: str | None) -> Config:
        """The configuration of a level and of those that it shadows."""
        name = level or "project"
        seen = LEVELS[: LEVELS.index(name) + 1]
        return Config.load(
            {key: path for key, path in self.files.items() if key in seen}, home=self.home, validate=False
        )


def edit(desk: Desk, level: str | None, change: Callable[[Sections], None], *, command: str) -> str:
    """Change the file of one level.

    Args:
        desk: Where configuration lies.
        level: Which file; None for the project's.
        change: Alters the sections in place.
        command: Its name in the log of operations.

    Returns:
        The path that was written.

    Raises:
        ConfigError: the result could not be read again; the file is as it was.
        DeniedError, ExhaustedError: the system refuses; likewise.
    """
    name, path = desk.file(level)
    directory = os.path.dirname(path)
    old = _read(path)
    new = rewrite(old, change, directory=directory, source=path)
    _check(new, Origin(name, path), desk.load().raw())
    with _logged(desk, path, command) as op:
        if op is not None:
            op.will_write(path)
        try:
            os.makedirs(directory, exist_ok=True)
            write_atomic(path, new, mode=_PRIVATE if _has_secret(new, path) else None)
        except OSError as error:
            raise from_os_error(error, "writing the configuration") from error
    if name == "project":
        _remember(desk, parse(old, path), parse(new, path), directory)
    return path


def _remember(desk: Desk, old: Sections, new: Sections, directory: str) -> None:
    """Note that the user chose what is new in the committed file, where that needs trust."""
    if desk.trust is None or desk.root is None:
        return
    for section, options in new.items():
        for option, value in options.items():
            if not isinstance(value, str) or old.get(section, {}).get(option) == value:
                continue
            meant = resolve_path(value, directory, desk.home) if is_path_option(section, option) else value
            if needs_trust(desk.root, section, option, meant):
                desk.trust.remember(desk.root, option_name(section, option), meant)


def _logged(desk: Desk, path: str, command: str) -> "AbstractContextManager[Operation | None]":
    project = desk.project
    if project is None or not project.contains(path):
        return nullcontext()
    return operation(project, command)


def _read(path: str) -> bytes:
    try:
        return read_file(path)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise from_os_error(error, "reading the configuration") from error


def _check(data: bytes, origin: Origin, merged: Sections) -> None:
    """Refuse what could not be read again; a remote's options depend on its URL, wherever that is."""
    for section, options in parse(data, origin.file).items():
        url = options.get("url") or merged.get(section, {}).get("url")
        for option, value in options.items():
            check_value(section, option, value, url if isinstance(url, str) else None, origin)
        check_together(section, options, origin.file)


def _has_secret(data: bytes, source: str) -> bool:
    return any(
        holds_secret(option, value)
        for options in parse(data, source).values()
        for option, value in options.items()
    )


# -- one option -------------------------------------------------------------------------------------


def set_option(desk: Desk, level: str | None, section: Key, option: str, value: Value) -> str:
    """Set one option.

    Raises:
        SecretInCommittedConfigError: it is a secret and the level is the committed one.
        RemoteNotFoundError: the section is a remote that no level up to this one has.
        ConfigError: the option or the value has no sense.
    """
    name, path = desk.file(level)
    _require_remote(desk, level, section)
    refuse_secret(name, section, option, value if isinstance(value, str) else "")
    if isinstance(value, str) and is_path_option(section, option):
        value = stored_path(value, directory=os.path.dirname(path), base=desk.cwd)

    def change(sections: Sections) -> None:
        sections.setdefault(section, {})[option] = value

    return edit(desk, level, change, command="config")


def unset_option(desk: Desk, level: str | None, section: Key, option: str, *, strict: bool = True) -> str:
    """Remove one option.

    Args:
        desk: Where configuration lies.
        level: Which file; None for the project's.
        section: Its section.
        option: Its name.
        strict: Fail when it is not set.

    Raises:
        NoSuchOptionSetError: it is not set at that level.
    """
    _require_remote(desk, level, section)
    name, _path = desk.file(level)
    there = desk.load().raw(name).get(section, {})
    if strict and option not in there:
        raise not_set(section, option)

    def change(sections: Sections) -> None:
        sections.get(section, {}).pop(option, None)

    return edit(desk, level, change, command="config")


def not_set(section: Key, option: str) -> NoSuchOptionSetError:
    """The error for an option that is not there."""
    where = f"remote '{section[1]}'" if isinstance(section, tuple) else f"section '{section}'"
    return NoSuchOptionSetError(
        f"option '{option}' doesn't exist in {where}", hint="see what is set with: ff config --list"
    )


def _require_remote(desk: Desk, level: str | None, section: Key) -> None:
    if isinstance(section, tuple) and section[0] == "remote":
        _find(section[1], desk.up_to(level).remote_names())


def _find(name: str, names: Iterable[str]) -> None:
    known = tuple(names)
    if name not in known:
        raise RemoteNotFoundError(
            f"remote '{name}' doesn't exist",
            hint=did_you_mean(name, known, "list them with: ff remote list"),
        )


# -- remotes ----------------------------------------------------------------------------------------


def add_remote(
    desk: Desk, level: str | None, name: str, url: str, *, default: bool = False, force: bool = False
) -> str:
    """Configure a remote.

    Raises:
        RemoteExistsError: one of that name is there, and ``force`` is not given.
        ConfigError: the URL is of no known kind, or carries a secret into the committed file.
    """
    level_name, path = desk.file(level)
    key = ("remote", name)
    if not force and key in desk.load().raw(level_name):
        raise RemoteExistsError(f"remote '{name}' already exists", hint="overwrite it with: -f")
    refuse_secret(level_name, key, "url", url)
    stored = stored_path(url, directory=os.path.dirname(path), base=desk.cwd)

    def change(sections: Sections) -> None:
        sections[key] = {"url": stored}
        if default:
            sections.setdefault("core", {})["remote"] = name

    return edit(desk, level, change, command="remote add")


def remove_remote(desk: Desk, level: str | None, name: str) -> str:
    """Forget a remote, and that it was the default one at this level or a stronger one.

    Raises:
        RemoteNotFoundError: there is none of that name at this level.
    """
    level_name, _path = desk.file(level)
    raw = desk.load().raw(level_name)
    _find(name, (key[1] for key in raw if isinstance(key, tuple) and key[0] == "remote"))

    def change(sections: Sections) -> None:
        del sections["remote", name]

    written = edit(desk, level, change, command="remote remove")
    _replace_default(desk, level_name, name, None)
    return written


def _replace_default(desk: Desk, level: str, old: str, new: str | None) -> None:
    """Follow a renamed or removed remote in ``core.remote`` of its level and the stronger ones."""

    def change(sections: Sections) -> None:
        core = sections["core"]
        if new is None:
            core.pop("remote", None)
        else:
            core["remote"] = new

    for name in LEVELS[LEVELS.index(level) :]:
        if desk.load().raw(name).get("core", {}).get("remote") == old:
            edit(desk, name, change, command="remote default")


def rename_remote(desk: Desk, level: str | None, name: str, new: str) -> str:
    """Give a remote another name, also where it is the default.

    Raises:
        RemoteNotFoundError: there is none of that name at this level.
        RemoteExistsError: the new name is taken.
    """
    level_name, _path = desk.file(level)
    config = desk.load()
    if new in config.remote_names():
        raise RemoteExistsError(f"remote '{new}' already exists", hint="choose another name")
    raw = config.raw(level_name)
    _find(name, (key[1] for key in raw if isinstance(key, tuple) and key[0] == "remote"))

    def change(sections: Sections) -> None:
        sections["remote", new] = sections.pop(("remote", name))

    written = edit(desk, level, change, command="remote rename")
    _replace_default(desk, level_name, name, new)
    return written


def default_remote(desk: Desk, level: str | None) -> str | None:
    """The name of the default remote, of one level or of all of them merged."""
    value = desk.load().raw(level).get("core", {}).get("remote")
    return value if isinstance(value, str) else None


def set_default_remote(desk: Desk, level: str | None, name: str | None) -> str:
    """Make a remote the default one, or with None none.

    Raises:
        RemoteNotFoundError: no level up to this one has a remote of that name.
    """
    if name is not None:
        _find(name, desk.up_to(level).remote_names())

    def change(sections: Sections) -> None:
        if name is None:
            sections.get("core", {}).pop("remote", None)
        else:
            sections.setdefault("core", {})["remote"] = name

    return edit(desk, level, change, command="remote default")
