"""``.dvc/config``: what its sections mean, and edits that write what DVC writes.

Option and section names are lower-cased, the names of remotes too. ``['remote "x"']`` is the section
``("remote", "x")``; so are ``db`` and ``machine``. An edit leaves the bytes that ``dvc config`` and ``dvc
remote`` leave: plain sections first, in order, then remotes, machines, databases; empty plain sections
dropped; relative paths normalized; 4 spaces of indent. DVC drops comments when it edits: they are kept
here, and blank lines with them. The grammar is `fourfold.formats.dvc.config_text`; schema and levels are
`fourfold.project.config`. No I/O.
"""

import posixpath
import re
from collections.abc import Callable

from fourfold.formats.dvc.config_text import ConfigSyntaxError, Entry, Text, Value, parse_text, render_text

__all__ = [
    "PATH_OPTIONS",
    "ConfigSyntaxError",
    "Key",
    "Sections",
    "Value",
    "edit",
    "is_path_option",
    "parse",
    "remove_section",
    "rename_section",
    "render",
    "rewrite",
    "stored_path",
]

#: A section: ``"core"``, or ``("remote", "name")``. ``""`` holds options outside of any section.
Key = str | tuple[str, str]
Sections = dict[Key, dict[str, Value]]

_NAMED = ("remote", "machine", "db")
_NAMED_HEADER = re.compile(r'\s*(remote|machine|db)\s*"(.*)"\s*')
_URL = re.compile(r"\w+://")
#: Options that hold a path relative to the folder of their file.
PATH_OPTIONS: dict[str, frozenset[str]] = {
    "cache": frozenset({"dir"}),
    "remote": frozenset(
        {
            "url",
            "gdrive_user_credentials_file",
            "gdrive_service_account_json_file_path",
            "credentialpath",
            "configpath",
            "keyfile",
            "cert_path",
            "key_path",
        }
    ),
    "machine": frozenset({"startup_script", "setup_script"}),
}


def is_path_option(section: Key, option: str) -> bool:
    """Whether an option's value is a path (or a URL, which `stored_path` leaves alone)."""
    if section in {"remote", "machine"}:
        return False  # a plain section of that name is a mistake, which the schema reports
    kind = section if isinstance(section, str) else section[0]
    return option in PATH_OPTIONS.get(kind, ())


def parse(data: bytes, source: str) -> Sections:
    """Read a configuration file.

    Args:
        data: Its bytes.
        source: How messages name it.

    Raises:
        ConfigSyntaxError: it is not of the grammar; the message names the line.
    """
    return _sections(parse_text(data, source))


def _key(header: str) -> Key:
    name = header.lower()
    named = _NAMED_HEADER.fullmatch(name)
    return (named[1], named[2]) if named else name


def _sections(text: Text) -> Sections:
    sections: Sections = {}
    for entry in text.entries:
        key = _key(entry.section)
        if entry.option is None:
            sections[key] = {}  # two spellings of one name: the later section stands, as in DVC
        else:
            sections.setdefault(key, {})[entry.option.lower()] = entry.value
    return sections


def render(sections: Sections, comments: Text | None = None) -> bytes:
    """Write sections in DVC's order; ``comments`` is the parsed old file whose comments are kept.

    Raises:
        UnquotableValueError: a name or value has no written form.
    """
    kept = _Comments(comments)
    entries: list[Entry] = []
    for option, value in sections.get("", {}).items():
        entries.append(kept.entry("", "", option, value))
    plain: list[Key] = [key for key in sections if isinstance(key, str) and key and sections[key]]
    named: list[Key] = [
        key for kind in _NAMED for key in sections if isinstance(key, tuple) and key[0] == kind
    ]
    for key in [*plain, *named]:
        header = key if isinstance(key, str) else f'{key[0]} "{key[1]}"'
        entries.append(kept.entry(key, header, None, ""))
        entries += [kept.entry(key, header, option, value) for option, value in sections[key].items()]
    return render_text(Text(tuple(entries), kept.head, kept.tail))


class _Comments:
    """The comments of an old file by what they belong to; all gone when it has none but blank lines."""

    def __init__(self, text: Text | None) -> None:
        self.head: tuple[str, ...] = ()
        self.tail: tuple[str, ...] = ()
        self.of: dict[tuple[Key, str | None], tuple[tuple[str, ...], str]] = {}
        if text is None or not _has_comments(text):
            return
        self.head, self.tail = text.head, text.tail
        for entry in text.entries:
            option = None if entry.option is None else entry.option.lower()
            self.of[_key(entry.section), option] = (entry.above, entry.inline)

    def entry(self, key: Key, header: str, option: str | None, value: Value) -> Entry:
        above, inline = self.of.get((key, option), ((), ""))
        return Entry(header, option, value, above, inline)


def _has_comments(text: Text) -> bool:
    if any(text.head) or any(text.tail):
        return True
    return any(entry.inline or any(entry.above) for entry in text.entries)


# --- edits ------------------------------------------------------------------------------------------------


def rewrite(old: bytes, change: Callable[[Sections], None], *, directory: str, source: str) -> bytes:
    """The bytes of a file after ``change`` has worked on its sections.

    Args:
        old: The file as it is; empty when there is none.
        change: Alters the sections in place. Paths that it sets are already as `stored_path` makes them.
        directory: The absolute folder of the file: relative paths in it are normalized, as DVC does.
        source: How messages name the file.

    Raises:
        ConfigSyntaxError: the old file cannot be parsed; nothing is lost, it stays as it is.
        UnquotableValueError: a new name or value has no written form.
    """
    text = parse_text(old, source)
    sections = _sections(text)
    for key, options in sections.items():
        for option, value in options.items():
            if isinstance(value, str) and is_path_option(key, option):
                options[option] = stored_path(value, directory=directory, base=directory)
    change(sections)
    return render(sections, text)


def stored_path(value: str, *, directory: str, base: str) -> str:
    """A path as a configuration file holds it: URLs, absolute and ``~`` paths as typed, others relative.

    Args:
        value: The path or URL.
        directory: The absolute folder of the configuration file.
        base: The absolute folder that a relative ``value`` is meant against.
    """
    if _URL.match(value) or value.startswith(("/", "~")):
        return value
    return posixpath.relpath(posixpath.normpath(posixpath.join(base, value)), directory)


def edit(
    old: bytes, section: Key, option: str, value: Value | None, *, directory: str, cwd: str, source: str
) -> bytes:
    """Set one option, or with None remove it; see `rewrite`.

    Args:
        old: The file as it is; empty when there is none.
        section: ``"core"`` or ``("remote", "name")``, lower case.
        option: Lower case.
        value: What to set; a relative path is meant against ``cwd``.
        directory: The absolute folder of the file.
        cwd: The absolute folder where the user stands.
        source: How messages name the file.
    """
    if isinstance(value, str) and is_path_option(section, option):
        value = stored_path(value, directory=directory, base=cwd)

    def change(sections: Sections) -> None:
        if value is not None:
            sections.setdefault(section, {})[option] = value
        elif section in sections:
            sections[section].pop(option, None)

    return rewrite(old, change, directory=directory, source=source)


def remove_section(old: bytes, section: Key, *, directory: str, source: str) -> bytes:
    """Drop a whole section; see `rewrite`."""
    return rewrite(old, lambda sections: _drop(sections, section), directory=directory, source=source)


def _drop(sections: Sections, section: Key) -> None:
    sections.pop(section, None)


def rename_section(old: bytes, section: Key, new: Key, *, directory: str, source: str) -> bytes:
    """Give a section another name; it moves behind the others of its kind, as DVC has it."""

    def change(sections: Sections) -> None:
        sections[new] = sections.pop(section)

    return rewrite(old, change, directory=directory, source=source)
