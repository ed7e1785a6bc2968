"""The configuration of another repository, and what the user or a pointer file says over it.

Values that a pointer file brings are the word of whoever wrote the repository, and get no more trust than a
committed configuration.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from fourfold.base.errors import ConfigError, from_os_error
from fourfold.formats.dvc.config import Key, Sections, is_path_option, parse
from fourfold.project.config import Config, Level, resolve_path

#: Bytes of the largest configuration file that is read.
MAX_CONFIG = 1 << 20


class RemoteSettings(NamedTuple):
    """Which remote of the source to use, and how, apart from what its own configuration says.

    Attributes:
        config: A configuration file, or its values, to merge over the source's own.
        remote: The remote to use.
        options: Options of that remote.
        trusted: The user said so just now; what a pointer file says is no more trusted than a committed
            configuration.
    """

    config: str | Mapping[str, Any] | None = None
    remote: str | None = None
    options: Mapping[str, Any] | None = None
    trusted: bool = True


def committed(data: bytes, source: str, folder: str) -> Level:
    """The level of a configuration that was read from Git.

    Args:
        data: Its bytes.
        source: Its name, for messages.
        folder: The absolute folder against which its paths are meant.

    Raises:
        ConfigSyntaxError: it cannot be parsed.
    """
    sections = parse(data, source) if data else {}
    _resolve(sections, folder, "")
    return Level("project", source, sections)


def _resolve(sections: Sections, folder: str, home: str) -> None:
    for section, options in sections.items():
        for option, value in options.items():
            if isinstance(value, str) and is_path_option(section, option):
                options[option] = resolve_path(value, folder, home)


class NoRemoteToConfigureError(ConfigError):
    """Options of a remote were given, but no remote was named and none is the default."""

    code = "no-remote-to-configure"


def with_settings(config: Config, settings: RemoteSettings, base: str, home: str = "") -> Config:
    """A configuration with what the user, or a pointer file, says over it.

    Args:
        config: The source's own.
        settings: What is said.
        base: The folder against which the path of a configuration file is meant.
        home: What ``~`` stands for.

    Raises:
        RemoteNotFoundError: the source has no such remote.
        ConfigError: it cannot be understood; a file is missing.
    """
    level = "call" if settings.trusted else "project"
    levels = [*config.levels]
    if isinstance(settings.config, str):
        levels.append(Level(level, settings.config, _read_config(settings.config, base, home)))
    elif settings.config:
        levels.append(Level(level, "", _sections(settings.config)))
    if settings.remote:
        levels.append(Level(level, "", {"core": {"remote": settings.remote.lower()}}))
    merged = Config(levels, config.files)
    if settings.remote and not settings.options:
        merged.remote(settings.remote)
    if settings.options:
        name = settings.remote or merged.default_remote
        if not name:
            raise NoRemoteToConfigureError(
                "options of a remote were given, but it is not said of which", hint="name it with --remote"
            )
        options = {key: _text(value) for key, value in settings.options.items()}
        merged = merged.with_remote(name, options, level=level)
    if merged.levels != config.levels:
        merged.validate()
    return merged


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sections(values: Mapping[str, Any]) -> Sections:
    """The nested mapping of a pointer file or of Python as sections."""
    found: Sections = {}
    for name, options in values.items():
        if not isinstance(options, Mapping):
            raise ConfigError(f"the configuration section '{name}' must hold options")
        for key, value in options.items():
            if name in {"remote", "machine", "db"} and isinstance(value, Mapping):
                section: Key = (name, str(key).lower())
                found.setdefault(section, {}).update({one: _text(two) for one, two in value.items()})
            else:
                found.setdefault(name, {})[str(key)] = _text(value)
    return found


def _read_config(path: str, base: str, home: str) -> Sections:
    full = os.path.join(base, path)
    try:
        with open(full, "rb") as file:
            data = file.read(MAX_CONFIG)
    except OSError as error:
        raise from_os_error(error, "reading the configuration") from error
    sections = parse(data, path)
    _resolve(sections, os.path.dirname(os.path.abspath(full)), home)
    return sections
