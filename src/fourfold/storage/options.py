"""A remote's options, as configuration gives them: text by name, read once each, none left over.

Openers take what they know; `Options.finish` refuses the rest, so that no option is ever silently
ignored. Which options exist is DVC's list (`dvc config` reference, "remote").
"""

import os
from collections.abc import Mapping

from fourfold.base.errors import ConfigError
from fourfold.storage.redact import is_secret

#: Options of every remote that are for other rooms: they say nothing to a store of bytes.
COMMON = frozenset(
    {"url", "jobs", "checksum_jobs", "worktree", "version_aware", "no_traverse", "verify", "listobjects"}
)


class BadRemoteOptionError(ConfigError):
    """An option of a remote has a value that means nothing, or contradicts another."""

    code = "bad-remote-option"


class UnknownRemoteOptionError(ConfigError):
    """A remote of this type has no such option."""

    code = "unknown-remote-option"


class Options:
    """The options of one remote.

    Args:
        kind: The scheme, for messages.
        values: As written; an empty value counts as absent.
    """

    def __init__(self, kind: str, values: Mapping[str, str]) -> None:
        self._kind = kind
        self._left = {name: value for name, value in values.items() if value != "" and name not in COMMON}
        self._version_aware = values.get("version_aware", "").lower() == "true"

    @property
    def version_aware(self) -> bool:
        """Whether the remote keeps versions of objects by their ids."""
        return self._version_aware

    def text(self, name: str) -> str | None:
        """The value, or None."""
        return self._left.pop(name, None)

    def flag(self, name: str, default: bool = False) -> bool:
        """``true`` or ``false``.

        Raises:
            BadRemoteOptionError: it is neither.
        """
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in {"true", "false"}:
            raise self.bad(name, value, "true or false")
        return value.lower() == "true"

    def seconds(self, name: str) -> float | None:
        """A time that is not negative.

        Raises:
            BadRemoteOptionError: it is no number, or negative.
        """
        value = self.text(name)
        if value is None:
            return None
        try:
            seconds = float(value)
        except ValueError:
            raise self.bad(name, value, "a number of seconds") from None
        if not 0 <= seconds < 10**9:
            raise self.bad(name, value, "a number of seconds")
        return seconds

    def number(self, name: str) -> int | None:
        """A positive whole number.

        Raises:
            BadRemoteOptionError: it is not.
        """
        value = self.text(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or not 0 < int(value) < 2**31:
            raise self.bad(name, value, "a positive whole number")
        return int(value)

    def flag_or_text(self, name: str) -> bool | str | None:
        """``true``, ``false``, or other text such as a path (``ssl_verify``)."""
        value = self.text(name)
        if value is not None and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        return value

    def has(self, name: str) -> bool:
        """Whether the option is given and not yet read."""
        return name in self._left

    def bad(self, name: str, value: str, wanted: str) -> BadRemoteOptionError:
        """The error for a value that means nothing; a secret's value is not shown."""
        shown = "" if is_secret(name) else f", {value[:80]!r},"
        return BadRemoteOptionError(
            f"option {name!r} of a {self._kind} remote{shown} is not {wanted}",
            hint=f"mend it with: ff remote modify <name> {name} <value>",
        )

    def finish(self) -> None:
        """Refuse what nobody read.

        Raises:
            UnknownRemoteOptionError: an option of another type of remote, or of none.
        """
        if self._left:
            names = ", ".join(repr(name) for name in sorted(self._left))
            raise UnknownRemoteOptionError(
                f"a {self._kind} remote has no option {names}",
                hint=f"remove it with: ff remote modify --unset <name> {min(self._left)}",
            )


def expand_user(path: str, environ: Mapping[str, str]) -> str:
    """``~`` by the environment that was passed in."""
    if path == "~" or path.startswith(("~/", "~\\")):
        home = environ.get("HOME") or environ.get("USERPROFILE")
        if home:
            return os.path.join(home, path[2:])
    return path


class PasswordNeededError(ConfigError):
    """A remote says ``ask_password`` or ``ask_passphrase``: whoever can ask opens it again with the answer.

    Attributes:
        option: Which option the answer goes into.
    """

    code = "password-needed"

    def __init__(self, where: str, option: str) -> None:
        super().__init__(
            f"{where} needs a {option}",
            hint=f"give it, or store it with: ff remote modify --local <name> {option} <value>",
        )
        self.option = option


def asked(options: Options, option: str, where: str) -> str | None:
    """The value of a secret option, that ``ask_<option>`` may say is to be asked for.

    Raises:
        PasswordNeededError: it is to be asked for, and nobody has.
    """
    value = options.text(option)
    if options.flag(f"ask_{option}") and value is None:
        raise PasswordNeededError(where, option)
    return value
