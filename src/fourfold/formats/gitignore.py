"""Lines of ``.gitignore`` as DVC writes them: ``/name`` for one entry of the file's own folder.

Pure functions over the bytes of the file; what Git ignores already is Git's to say, and writing is
`fourfold.project.gitignore`. Bytes are DVC's, but for names that end in a blank: Git drops a trailing
blank unless it is escaped, and so it is here. Format: gitignore(5).
"""

from collections.abc import Iterable

_SPECIAL = frozenset("\\[]!*#?")


def escape(name: str) -> str:
    """A name as a pattern that matches it alone: what is special is escaped."""
    escaped = "".join(f"\\{character}" if character in _SPECIAL else character for character in name)
    return escaped[:-1] + "\\ " if escaped.endswith(" ") else escaped


def line_for(name: str) -> str:
    """The line that ignores ``name`` in the folder of the file."""
    return "/" + escape(name)


def add_line(old: bytes, name: str, before: Iterable[str] = ()) -> bytes:
    """The file with the line for ``name``; as it was when the line is there.

    Args:
        old: The file.
        name: An entry of its folder.
        before: Names before whose first line the new one goes; it goes to the end where there is none.
    """
    line = line_for(name).encode("utf-8", "surrogateescape")
    lines = old.splitlines(keepends=True)
    bare = [known.rstrip(b"\r\n") for known in lines]
    if line in bare:
        return old
    later = {line_for(other).encode("utf-8", "surrogateescape") for other in before}
    at = next((at for at, known in enumerate(bare) if known in later), None)
    if at is not None:
        return b"".join((*lines[:at], line + b"\n", *lines[at:]))
    return old + (b"" if not old or old.endswith(b"\n") else b"\n") + line + b"\n"


def remove_line(old: bytes, name: str) -> bytes | None:
    """The file without the lines for ``name``; None when nothing is left, which is when DVC deletes it.

    The line is recognised escaped, as it is written now, and bare, as old versions of DVC wrote it.
    """
    escaped = line_for(name).encode("utf-8", "surrogateescape")
    bare = b"/" + name.encode("utf-8", "surrogateescape")
    wanted = {escaped, bare.rstrip(b" ")}
    kept = [line for line in old.splitlines(keepends=True) if _bare(line) not in wanted]
    return b"".join(kept) or None


def _bare(line: bytes) -> bytes:
    """A line without its end, and without blanks around it but an escaped one."""
    text = line.rstrip(b"\r\n").lstrip()
    stripped = text.rstrip()
    return stripped + b" " if stripped.endswith(b"\\") and text != stripped else stripped
