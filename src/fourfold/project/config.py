"""The configuration of a project: its levels merged, typed, and where each value comes from.

Levels shadow each other in the order system, global, project (``.dvc/config``, committed), local
(``.dvc/config.local``). Reading is one pass over the files; nothing is written here. What options exist
is `config_schema`; what the committed level may not decide is `config_policy`. The process environment
and the home folder come in as parameters.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fourfold.base.errors import ConfigError, from_os_error
from fourfold.base.fs.reading import read_file
from fourfold.formats.dvc.config import Key, Sections, Value, is_path_option, parse
from fourfold.project.config_schema import (
    LINK_TYPES,
    BadOptionValueError,
    Checked,
    Origin,
    check_together,
    check_value,
    command_for,
    scheme_of,
)

LEVELS = ("system", "global", "project", "local")
CONFIG = "config"
CONFIG_LOCAL = "config.local"


class RemoteNotFoundError(ConfigError):
    """No remote of that name is configured."""

    code = "remote-not-found"


class NoRemoteError(ConfigError):
    """No remote was named and none is the default."""

    code = "no-remote"


class RemoteCycleError(ConfigError):
    """``remote://`` URLs of the configuration refer to each other in a circle."""

    code = "remote-cycle"


class SecretInCommittedConfigError(ConfigError):
    """A secret was about to be written where Git would publish it."""

    code = "secret-in-committed-config"


class Level(NamedTuple):
    """One configuration file: its name among `LEVELS`, its path, what it says (paths made absolute)."""

    level: str
    file: str
    sections: Sections


class RemoteConfig(NamedTuple):
    """One remote, ``remote://`` references resolved.

    Attributes:
        name: As configured, lower case.
        url: Complete; a folder of this machine as an absolute path.
        options: The other options as text; lists joined by commas; credential files as absolute paths.
        origins: Where ``url`` and each option come from.
    """

    name: str
    url: str
    options: Mapping[str, str]
    origins: Mapping[str, Origin]

    @property
    def scheme(self) -> str:
        """``"s3"``, ``"ssh"``, ...; empty for a folder of this machine."""
        return scheme_of(self.url)

    @property
    def version_aware(self) -> bool:
        """Whether objects lie under their own names, versions kept by the cloud."""
        return self.flag("version_aware") or self.worktree

    @property
    def worktree(self) -> bool:
        """Whether the remote mirrors the work tree."""
        return self.flag("worktree")

    @property
    def jobs(self) -> int | None:
        """The number of parallel transfers; None when it is not configured."""
        return int(self.options["jobs"]) if "jobs" in self.options else None

    def flag(self, option: str) -> bool:
        """A true-or-false option; absent is false."""
        return self.options.get(option, "").lower() == "true"


class Config:
    """The merged configuration.

    Attributes:
        levels: The files that exist, weakest first.
        files: Where each level's file is or would be.
    """

    __slots__ = ("_origins", "_values", "files", "levels")

    def __init__(self, levels: Sequence[Level], files: Mapping[str, str] | None = None) -> None:
        self.levels = tuple(levels)
        self.files = dict(files or {level.level: level.file for level in levels})
        self._values: dict[Key, dict[str, Value]] = {}
        self._origins: dict[tuple[Key, str], Origin] = {}
        for level in levels:
            origin = Origin(level.level, level.file)
            for section, options in level.sections.items():
                self._values.setdefault(section, {}).update(options)
                for option in options:
                    self._origins[section, option] = origin

    @classmethod
    def load(cls, files: Mapping[str, str], *, home: str = "", validate: bool = True) -> "Config":
        """Read the files that exist.

        Args:
            files: The path of each level, as `config_files` computes them; a level may be absent.
            home: What ``~`` in a path stands for.
            validate: Check every value now; False lets ``ff config`` mend a broken file.

        Raises:
            ConfigSyntaxError: a file cannot be parsed.
            UnknownOptionError, BadOptionValueError, UnsupportedUrlError: a value has no place or no sense.
            DeniedError: a file may not be read.
        """
        levels = []
        for name in LEVELS:
            path = files.get(name)
            data = None if path is None else _read(path)
            if path is not None and data is not None:
                sections = parse(data, path) if data else {}
                _resolve_paths(sections, os.path.dirname(path), home)
                levels.append(Level(name, path, sections))
        config = cls(levels, files)
        if validate:
            config.validate()
        return config

    def validate(self) -> None:
        """Check that every section and option exists and that every value is of its type.

        Raises:
            ConfigError: one of the subclasses in `config_schema`; the message names the file.
        """
        for section, options in self._values.items():
            url = self._url(section)
            for option, value in options.items():
                check_value(section, option, value, url, self._origins[section, option])
            check_together(
                section, options, self._origins[section, next(iter(options))].file if options else ""
            )
            if isinstance(section, tuple) and section[0] == "remote" and url is None:
                file = next((level.file for level in self.levels if section in level.sections), "")
                raise BadOptionValueError(
                    f"{file}: remote '{section[1]}' has no url",
                    hint=f"set it with: ff remote modify {section[1]} url <url>",
                )

    def _url(self, section: Key) -> str | None:
        url = self._values[section].get("url") if isinstance(section, tuple) else None
        return url if isinstance(url, str) else None

    # --- values ---

    def raw(self, level: str | None = None) -> Sections:
        """What one level says, or all of them merged; values as written, paths absolute."""
        if level is None:
            return {section: dict(options) for section, options in self._values.items()}
        found = next((one for one in self.levels if one.level == level), None)
        return {} if found is None else {key: dict(options) for key, options in found.sections.items()}

    def get(self, section: Key, option: str) -> Checked | None:
        """The typed value of an option; None where it is not set.

        Raises:
            ConfigError: the value is not of its type (only in a configuration loaded unchecked).
        """
        value = self._values.get(section, {}).get(option)
        if value is None:
            return None
        return check_value(section, option, value, self._url(section), self._origins[section, option])

    def origin(self, section: Key, option: str) -> Origin | None:
        """Where the value of an option comes from; None where it is not set."""
        return self._origins.get((section, option))

    def _flag(self, section: str, option: str, *, default: bool = False) -> bool:
        value = self.get(section, option)
        return default if value is None else bool(value)

    def _text(self, section: str, option: str) -> str | None:
        value = self.get(section, option)
        return value if isinstance(value, str) else None

    @property
    def no_scm(self) -> bool:
        """Whether the project lives without Git."""
        return self._flag("core", "no_scm")

    @property
    def autostage(self) -> bool:
        """Whether pointer files are added to Git's index when they change."""
        return self._flag("core", "autostage")

    @property
    def hardlink_lock(self) -> bool:
        """Whether the repository lock is a hard link, for file systems without locks."""
        return self._flag("core", "hardlink_lock")

    @property
    def checksum_jobs(self) -> int | None:
        """How many processes may hash at once."""
        value = self.get("core", "checksum_jobs")
        return value if isinstance(value, int) else None

    @property
    def cache_dir(self) -> str | None:
        """The configured folder of the cache, absolute; None for the default, ``.dvc/cache``."""
        return self._text("cache", "dir")

    @property
    def cache_types(self) -> tuple[str, ...]:
        """Kinds of links from the cache to the workspace, best first."""
        value = self.get("cache", "type")
        return tuple(value) if isinstance(value, list) else (LINK_TYPES[0], LINK_TYPES[-1])

    @property
    def cache_shared(self) -> bool:
        """Whether the group may write the cache (``cache.shared = group``)."""
        return self.get("cache", "shared") == "group"

    @property
    def slow_link_warning(self) -> bool:
        """Whether to mention that linking falls back to copies."""
        return self._flag("cache", "slow_link_warning", default=True)

    # --- remotes ---

    @property
    def default_remote(self) -> str | None:
        """The name of the default remote."""
        return self._text("core", "remote")

    def remote_names(self) -> tuple[str, ...]:
        """The names of all remotes, in the order of the files."""
        return tuple(key[1] for key in self._values if isinstance(key, tuple) and key[0] == "remote")

    def remote(self, name: str | None = None) -> RemoteConfig:
        """One remote, by default the default one.

        Raises:
            NoRemoteError: none was named and none is the default.
            RemoteNotFoundError: there is none of that name; the hint knows similar ones.
            RemoteCycleError: its ``remote://`` URL leads back to itself.
        """
        wanted = name or self.default_remote
        if not wanted:
            raise self._no_remote()
        return self._remote(wanted.lower(), ())

    def _no_remote(self) -> NoRemoteError:
        names = self.remote_names()
        if names:
            hint = f"name one with -r ({', '.join(names)}), or set it: ff remote default {names[0]}"
        else:
            hint = "create a default remote with: ff remote add -d <name> <url>"
        return NoRemoteError("no remote specified and there is no default remote", hint=hint)

    def _remote(self, name: str, above: tuple[str, ...]) -> RemoteConfig:
        key = ("remote", name)
        options = self._values.get(key)
        if options is None:
            from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - only a mistake pays for it

            hint = did_you_mean(name, self.remote_names(), "list them with: ff remote list")
            raise RemoteNotFoundError(f"remote '{name}' doesn't exist", hint=hint)
        if name in above:
            raise RemoteCycleError(
                f"remotes refer to each other: {' -> '.join([*above, name])}",
                hint=f"give one of them a place of its own: ff remote modify {name} url <url>",
            )
        texts = {option: _as_text(value) for option, value in options.items()}
        url = texts.pop("url", "")
        origins = {option: self._origins[key, option] for option in options}
        if scheme_of(url) != "remote":
            return RemoteConfig(name, url.removeprefix("file://"), texts, origins)
        base_name, _, path = url.removeprefix("remote://").partition("/")
        base = self._remote(base_name.lower(), (*above, name))
        joined = f"{base.url.rstrip('/')}/{path.lstrip('/')}" if path.strip("/") else base.url
        weaker = base.origins.get("url")
        origin = weakest(origins["url"], weaker) if weaker else origins["url"]
        return RemoteConfig(
            name, joined, {**base.options, **texts}, {**base.origins, **origins, "url": origin}
        )

    def with_remote(self, name: str, options: Mapping[str, str], *, level: str = "call") -> "Config":
        """A configuration in which the caller's options of one remote shadow those of the files."""
        sections: Sections = {("remote", name.lower()): dict(options)}
        return Config([*self.levels, Level(level, "", sections)], self.files)


def weakest(first: Origin, second: Origin) -> Origin:
    """The origin that deserves less trust: a committed part makes the whole committed."""
    return second if second.level == "project" else first


def _as_text(value: Value) -> str:
    return value if isinstance(value, str) else ",".join(value)


def _read(path: str) -> bytes | None:
    try:
        return read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise from_os_error(error, "reading the configuration") from error


def _resolve_paths(sections: Sections, directory: str, home: str) -> None:
    """Make relative paths absolute, against the folder of their file; URLs stay."""
    for section, options in sections.items():
        for option, value in options.items():
            if isinstance(value, str) and is_path_option(section, option):
                options[option] = resolve_path(value, directory, home)


def resolve_path(value: str, directory: str, home: str) -> str:
    """What a path of a configuration file means; URLs stay as they are."""
    if "://" in value and value.partition("://")[0].replace("_", "").isalnum():
        return value
    if home and (value == "~" or value.startswith("~/")):
        return home + value[1:]
    return value if os.path.isabs(value) else os.path.normpath(os.path.join(directory, value))


# --- where the files are ----------------------------------------------------------------------------------


def config_dirs(environ: Mapping[str, str], platform: str = sys.platform) -> tuple[str, str]:
    """The folders of the system and of the global level, as DVC finds them.

    Args:
        environ: The process environment: ``DVC_SYSTEM_CONFIG_DIR`` and ``DVC_GLOBAL_CONFIG_DIR`` come
            first, then what the platform says (``XDG_CONFIG_DIRS``, ``XDG_CONFIG_HOME``, ``HOME``).
        platform: As ``sys.platform``.
    """
    home = environ.get("HOME") or environ.get("USERPROFILE") or "/"
    if platform == "win32":
        data = environ.get("PROGRAMDATA") or r"C:\ProgramData"
        local = environ.get("LOCALAPPDATA") or home + r"\AppData\Local"
        system, user = data + r"\iterative\dvc", local + r"\iterative\dvc"
    elif platform == "darwin":
        system, user = "/Library/Application Support/dvc", home + "/Library/Application Support/dvc"
    else:
        shared = environ.get("XDG_CONFIG_DIRS", "").strip().split(":")[0] or "/etc/xdg"
        own = environ.get("XDG_CONFIG_HOME", "").strip() or home + "/.config"
        system, user = shared + "/dvc", own + "/dvc"
    return environ.get("DVC_SYSTEM_CONFIG_DIR") or system, environ.get("DVC_GLOBAL_CONFIG_DIR") or user


def config_files(
    dvc_dir: str | None, environ: Mapping[str, str], platform: str = sys.platform
) -> dict[str, str]:
    """The file of each level; without a project only ``system`` and ``global``."""
    system, user = config_dirs(environ, platform)
    files = {"system": os.path.join(system, CONFIG), "global": os.path.join(user, CONFIG)}
    if dvc_dir is not None:
        files["project"] = os.path.join(dvc_dir, CONFIG)
        files["local"] = os.path.join(dvc_dir, CONFIG_LOCAL)
    return files


# --- secrets ----------------------------------------------------------------------------------------------


def refuse_secret(level: str, section: Key, option: str, value: str = "") -> None:
    """Refuse to write a secret to the level that is committed.

    Args:
        level: Where it would be written.
        section: Its section.
        option: Its name.
        value: What would be written; a URL that holds a password is a secret too.

    Raises:
        SecretInCommittedConfigError: the level is ``project``; the hint is the right command.
    """
    if level == "project" and holds_secret(option, value):
        what = "a URL with a password" if option == "url" else f"'{option}'"
        raise SecretInCommittedConfigError(
            f"{what} is a secret, and .dvc/config is committed to Git",
            hint=f"keep it on this machine: {command_for(section, option, 'local')}",
        )


def holds_secret(option: str, value: Value) -> bool:
    """Whether an option, or a URL in it, is secret."""
    from fourfold.storage.redact import is_secret, redact_url  # noqa: PLC0415 - for a few verbs only

    return is_secret(option) or (option == "url" and isinstance(value, str) and redact_url(value) != value)


def committed_secrets(config: Config) -> tuple[tuple[Key, str, str], ...]:
    """The (section, option, file) of every secret that stands in the committed level."""
    return tuple(
        (section, option, level.file)
        for level in config.levels
        if level.level == "project"
        for section, options in level.sections.items()
        for option, value in options.items()
        if holds_secret(option, value)
    )
