"""Facts in few words, for whoever shows them: a terminal, a notebook. Text only; nothing is escaped here."""

from collections.abc import Callable, Mapping
from typing import Any

from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import Part, by_path, content_of, mapping, opened, params_of, reference

#: So many digits of an id are shown.
SHORT = 12
#: So much of a value stands on a line.
_WIDE = 100


def short(text: str, most: int) -> str:
    """A text on one line, cut."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."


def value_text(value: Any) -> str:
    """A value of a fact on one line: digests cut, short things whole."""
    if isinstance(value, str):
        is_digest = len(value) >= 32 and all(letter in "0123456789abcdef" for letter in value)
        return value[:SHORT] if is_digest else short(value, _WIDE)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return short(", ".join(f"{key}={value_text(inner)}" for key, inner in value.items()), _WIDE) or "none"
    if isinstance(value, list | tuple):
        return short(", ".join(value_text(inner) for inner in value), _WIDE) or "none"
    return str(value)


def told(name: str, value: Any, record: RunRecord, part: Part) -> tuple[str, list[str]]:
    """A value: its first line, and those below it."""
    lines: list[str] = []
    if name in {"inputs", "outputs", "elsewhere"} and by_path(value):
        lines = [_file(path, row) for path, row in by_path(value).items()]
        first = _count(len(lines), "file")
    elif name in {"undeclared_reads", "undeclared_writes"}:
        rows = by_path(mapping(value).get("files"))
        lines = [f"{path}  {row.get('kind', '')}" for path, row in rows.items()]
        first = _count(mapping(value).get("count", len(rows)), "file")
    elif name == "params":
        held = params_of(record, part).items()
        lines = [f"{file}:{key} = {value_text(one)}" for file, keys in held for key, one in keys.items()]
        first = _count(len(lines), "parameter")
    elif name == "distributions":
        first, lines = _distributions(mapping(opened(value, part)))
    elif name == "sources":
        lines = sorted(mapping(mapping(opened(mapping(value).get("files"), part)).get("files")))
        first = _count(len(lines), "file")
    elif name in _WORDS and isinstance(value, Mapping):
        first = _WORDS[name](value)
    elif (digest := reference(value)) is not None:
        first = f"part {digest[:SHORT]}, {value['size']} bytes"
    else:
        first = value_text(value)
    return first, lines


def _interpreter(value: Mapping[str, Any]) -> str:
    return f"{value.get('implementation')} {value.get('version')}, {value.get('executable')}"


def _host(value: Mapping[str, Any]) -> str:
    memory, cores = value.get("memory"), value.get("affinity") or value.get("cores")
    said = [value.get("distribution") or value.get("system"), f"kernel {value.get('kernel')}"]
    said += [mapping(value.get("cpu")).get("model"), f"{cores} cores" if cores else None]
    said.append(f"{memory / 2**30:.1f} GiB" if isinstance(memory, int) else None)
    return ", ".join(str(each) for each in said if each)


def _programs(value: Mapping[str, Any]) -> str:
    return short(", ".join(sorted({path.rpartition("/")[2] for path in value})), 90)


def _paths(value: Mapping[str, Any]) -> str:
    counts = mapping(value.get("counts"))
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())) or "none"


#: Facts that are told by a few of their words.
_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "interpreter": _interpreter,
    "host": _host,
    "executables": _programs,
    "paths": _paths,
    "coverage": lambda value: f"{value.get('method')}{': ' + str(value['why']) if value.get('why') else ''}",
    "limits": lambda value: _count(len(value), "limit"),
    "locale": lambda value: str(value.get("lc_ctype") or value_text(value)),
    "flags": lambda value: (
        ", ".join(
            f"{len(inner)} {name}" if isinstance(inner, Mapping | list) else name
            for name, inner in value.items()
        )
        or "none"
    ),
}


def _distributions(listing: Mapping[str, Any]) -> tuple[str, list[str]]:
    used = [
        f"{key} {entry.get('version', '')}"
        for key, entry in listing.items()
        if isinstance(entry, Mapping) and entry.get("imported") is True
    ]
    return f"{_count(len(listing), 'distribution')}, {len(used)} of them imported", used


def _file(path: str, row: Mapping[str, Any]) -> str:
    size = row.get("size")
    said = [str(content_of(row) or "unknown")[:SHORT]]
    if isinstance(size, int):
        said.append(f"{size:,} bytes")
    if isinstance(row.get("nfiles"), int):
        said.append(_count(row["nfiles"], "file"))
    return f"{path}  {'  '.join(said)}"


def _count(number: Any, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
