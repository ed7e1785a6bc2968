"""Values of parameters as the four languages of parameter files write them, odd ones among them."""

from collections.abc import Mapping

_LONG = " ".join(["word"] * 30)
_YAML = (
    *("1", "2", "0.1", "2.5", "1e-3", "1e3", "1e-5", "1.0", "-0.0", "1e20", "12345678901234567890"),
    *("true", "false", "no", "yes", "'no'", "~", "null", "''", "abc", "'1'", "'1e3'", "012", "0x1F", "0o17"),
    *("1_000", "190:20:30", "'2020-01-01'", ".inf", '"a\\nb"', '"a\\tb"', "' x '", "'it''s'", "é"),
    *('"\\U0001F600"', '"\\u2028"', "'a: b'", "'a #b'", "'- a'", "'*a'", "'@a'", "'%a'", "'&a'", "'!a'"),
    *("[1, 2]", "[]", "{}", "[a, [b, 1.5], {c: null}]", "{b: 1, a: {z: [x], y: 2}}", "'{a}'", "'[a'", "'?'"),
    *(_LONG, f"'{_LONG}: x'", "x" * 100, '"trailing \\n"', '"\\n lead"', "'a\\b'", '"q\\"q"'),
)
_JSON = (
    *("1", "2", "0.1", "1e-3", "1.0", "1e3", "1E400", "-0.0", "true", "false", "null", '""', '"abc"', '"1"'),
    *('"a\\nb"', '"é"', '"\\ud83d\\ude00"', "[1, 2]", "[]", "{}", '{"b": 1, "a": [null, {"c": 2.5}]}'),
    *('"yes"', '"~"', '"1e3"', f'"{_LONG}"', "12345678901234567890"),
)
_TOML = (
    *("1", "2", "0.1", "1e-3", "1.0", "-0.0", "inf", "true", "false", '""', '"abc"', "'1'", "0x1F", "1_000"),
    *('"a\\nb"', '"é"', "[1, 2]", "[]", '[["a"], [1.5]]', "{ b = 1, a = [1] }", '"no"', f'"{_LONG}"'),
)
# No tuples: inside of a class the real DVC takes one for changed for ever, as the lock holds a list.
_PYTHON = (
    *("1", "2", "0.1", "1e-3", "1.0", "-1", "-0.5", "True", "False", "None", "''", "'abc'", "'1'"),
    *("'a\\nb'", "'é'", "[1, 2]", "[]", "{'b': 1, 'a': [None]}", "'no'", "{}", "1_000"),
)


def of(file: str) -> tuple[str, ...]:
    """What a value in this file may look like."""
    return {"yaml": _YAML, "json": _JSON, "toml": _TOML, "py": _PYTHON}[file.rpartition(".")[2]]


def render(file: str, values: Mapping[str, str]) -> str:
    """A file of parameters: dotted keys nest."""
    kind = file.rpartition(".")[2]
    nested: dict[str, object] = {}
    for key, value in values.items():
        *above, last = key.split(".")
        inner = nested
        for part in above:
            inner = inner.setdefault(part, {})  # type: ignore[assignment]
        inner[last] = value
    return {"yaml": _yaml, "json": _json, "toml": _toml, "py": _python}[kind](nested)


def _yaml(values: Mapping[str, object], depth: int = 0) -> str:
    lines = ""
    for key, value in values.items():
        start = f"{'  ' * depth}{key}:"
        lines += f"{start}\n{_yaml(value, depth + 1)}" if isinstance(value, Mapping) else f"{start} {value}\n"
    return lines


def _json(values: Mapping[str, object]) -> str:
    items = (
        f'"{key}": {_json(value) if isinstance(value, Mapping) else value}' for key, value in values.items()
    )
    return f"{{{', '.join(items)}}}"


def _toml(values: Mapping[str, object], above: str = "") -> str:
    lines = "".join(f"{key} = {value}\n" for key, value in values.items() if not isinstance(value, Mapping))
    for key, value in values.items():
        if isinstance(value, Mapping):
            name = f"{above}{key}"
            lines += f"[{name}]\n{_toml(value, name + '.')}"
    return lines


def _python(values: Mapping[str, object]) -> str:
    """Plain names at the top; deeper ones are dictionaries and the attributes of a class."""
    lines = ""
    for key, value in values.items():
        if not isinstance(value, Mapping):
            lines += f"{key} = {value}\n"
            continue
        lines += f"class {key}:\n"
        for inner, leaf in value.items():
            lines += f"    {inner} = {_dict(leaf) if isinstance(leaf, Mapping) else leaf}\n"
    return lines


def _dict(values: Mapping[str, object]) -> str:
    items = (
        f"{key!r}: {_dict(value) if isinstance(value, Mapping) else value}" for key, value in values.items()
    )
    return f"{{{', '.join(items)}}}"
