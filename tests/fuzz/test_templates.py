"""Templates drawn at random, and hostile ones: resolved as the real DVC resolves them, or refused at once."""

import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc import resolve, stages
from fourfold.formats.dvc.fields import BadFieldError
from fourfold.formats.dvc.resolve import Surroundings
from fourfold.formats.dvc.templates import TemplateTooLargeError, Unpacking
from fourfold.formats.dvc.yamlio import dump

#: Resolves many files with the real DVC, in one process: a folder each.
ORACLE = r"""
import json, os, sys
from dvc.dvcfile import ProjectFile
from dvc.fs import LocalFileSystem
from dvc.parsing import DataResolver
from dvc.schema import COMPILED_MULTI_STAGE_SCHEMA
from dvc.utils.serialize import load_yaml

class Repo:
    fs = LocalFileSystem()
    config = {"parsing": {}}

answers = []
top = os.getcwd()
for folder in json.load(sys.stdin):
    os.chdir(os.path.join(top, folder))
    try:
        data = COMPILED_MULTI_STAGE_SCHEMA(load_yaml("dvc.yaml"))
        resolver = DataResolver(Repo(), os.getcwd(), data)
        made = {}
        for name in resolver.get_keys():
            made.update(resolver.resolve_one(name))
        answers.append({"stages": made, "order": list(made)})
    except Exception as error:
        answers.append({"error": f"{type(error).__name__}: {error}"})
json.dump(answers, sys.stdout)
"""

SCALARS = [
    1,
    0,
    -7,
    10**20,
    0.1,
    1e-5,
    1e22,
    2.0,
    True,
    False,
    None,
    "a",
    "b c",
    "",
    "x'y",
    "1",
    "${n}",
    r"\${n}",
    "é",
]
NAMES = ["n", "lr", "deep", "models", "plain", "opts", "a b", "x-y", "1"]


class Drawn:
    """A random file and its files of variables."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.params = {name: self.value(3) for name in self.random.sample(NAMES, self.random.randint(3, 8))}
        self.more = {f"more{at}": self.value(2) for at in range(self.random.randint(0, 3))}
        self.inline = {f"inl{at}": self.plain(2) for at in range(self.random.randint(0, 2))}
        self.variables: list[Any] = [self.inline] if self.inline else []
        self.known = {**self.params, **self.inline}
        if self.random.random() < 0.5:
            self.variables.append("more.json")
            self.known |= self.more
        elif self.random.random() < 0.3:
            self.variables.append("more.json:more0")

    def value(self, depth: int) -> Any:
        kind = self.random.random()
        if depth == 0 or kind < 0.4:
            return self.random.choice(SCALARS)
        if kind < 0.7:
            return {
                self.random.choice(NAMES): self.value(depth - 1) for _ in range(self.random.randint(0, 4))
            }
        return [self.value(depth - 1) for _ in range(self.random.randint(0, 4))]

    def plain(self, depth: int) -> Any:
        value = self.value(depth)
        while "${" in json.dumps(value):
            value = self.value(depth)
        return value

    def expression(
        self, extra: dict[str, Any] | None = None, kinds: tuple[type, ...] = (int, str, float, type(None))
    ) -> str:
        """``${...}``, mostly of something that is there and may stand where it is put."""
        chance = self.random.random()
        if chance < 0.004:
            return self.random.choice(
                ["${}", "${a..b}", "${a[}", "${a[0]b}", "${ }", "${${n}}", "${", "$n", "${[0]}"]
            )
        if chance < 0.006:
            return "${nowhere.at[0].all}"
        if chance < 0.06:
            return r"\${n}"
        for _ in range(20):
            value: Any = {**self.known, **(extra or {})}
            way = ""
            while isinstance(value, dict | list) and value and (not way or self.random.random() < 0.8):
                if isinstance(value, dict):
                    key = self.random.choice(list(value))
                    way += (f".{key}" if self.random.random() < 0.7 else f"[{key}]") if way else key
                    value = value[key]
                else:
                    at = self.random.randrange(-len(value), len(value))
                    way += f"[{at}]" if self.random.random() < 0.7 else f".{at}"
                    value = value[at]
            if type(value) in (*kinds, bool) or self.random.random() < 0.01:
                break
        else:
            return r"\${n}"
        return f"${{{way}}}" if self.random.random() < 0.9 else f"${{ {way} }}"

    def text(self, extra: dict[str, Any] | None = None) -> str:
        parts = [
            self.random.choice(["a", "b/", " ", "-", "\\", "$", "x y"])
            for _ in range(self.random.randint(1, 3))
        ]
        for _ in range(self.random.randint(0, 2)):
            parts.insert(self.random.randint(0, len(parts)), self.expression(extra))
        return "t" + "".join(parts)

    def stage(self, extra: dict[str, Any] | None = None) -> dict[str, Any]:
        entry: dict[str, Any] = {"cmd": self.command(extra)}
        for key in ("deps", "outs"):
            if self.random.random() < 0.4:
                entry[key] = [self.text(extra) for _ in range(self.random.randint(0, 3))]
        if self.random.random() < 0.2:
            entry["metrics"] = [{self.text(extra): {"cache": False, "desc": self.text(extra)}}]
        if self.random.random() < 0.2:
            entry["params"] = [self.text(extra), {self.text(extra): [self.text(extra)]}]
        if self.random.random() < 0.2:
            entry["meta"] = {"k": self.expression(extra), self.text(extra): [1, self.text(extra)]}
        if self.random.random() < 0.1:
            entry["wdir"] = self.text(extra)
        if self.random.random() < 0.2:
            entry["vars"] = [{"own": self.plain(1)}, *(["more.json"] if self.random.random() < 0.3 else [])]
        return entry

    def command(self, extra: dict[str, Any] | None) -> Any:
        if self.random.random() < 0.2:
            return [self.text(extra), f"run {self.expression(extra, (dict,))}"]
        if self.random.random() < 0.2:
            return f"run {self.expression(extra, (dict,))} {self.text(extra)}"
        return self.text(extra)

    def definition(self) -> dict[str, Any]:
        kind = self.random.random()
        if kind < 0.3:
            return self.stage()
        if kind < 0.7:
            data: Any = self.random.choice(
                [
                    self.expression(None, (dict, list)),
                    [self.plain(1) for _ in range(3)],
                    [self.expression(), self.expression(None, (dict, list)), self.text()],
                    {"k1": self.plain(1), "k2": self.expression(), "k3": self.expression(None, (dict, list))},
                    {1: "a", False: "b"},
                ]
            )
            first = (
                next((value for value in data if isinstance(value, dict)), "x") if type(data) is list else "x"
            )
            named = {"key": "k"} if isinstance(data, dict) else {}
            return {"foreach": data, "do": self.stage({"item": first, **named})}
        axes: dict[str, Any] = {
            name: self.random.choice(
                [
                    self.expression(None, (dict, list)),
                    [self.plain(1) for _ in range(2)],
                    [self.expression(), self.text()],
                    "ab",
                ]
            )
            for name in self.random.sample(["one", "two", "three"], self.random.randint(1, 2))
        }
        return {"matrix": axes, **self.stage({"item": dict.fromkeys(axes, "x"), "key": "k"})}

    def write(self, folder: Path) -> None:
        folder.mkdir()
        document = {
            "vars": self.variables,
            "stages": {f"s{at}": self.definition() for at in range(self.random.randint(1, 3))},
        }
        (folder / "dvc.yaml").write_bytes(dump(document))
        (folder / "params.yaml").write_bytes(dump(self.params))
        (folder / "more.json").write_text(json.dumps(self.more or {"more0": 1}))


def ours(folder: Path) -> dict[str, Any] | InvalidFileError:
    """The stages of a folder as they come out; what is refused as it is refused."""

    def read(path: str) -> bytes | None:
        return Path(path).read_bytes() if Path(path).is_file() else None

    data = (folder / "dvc.yaml").read_bytes()
    try:
        file = stages.parse(data, "dvc.yaml")
        if file.templated:
            around = Surroundings(data, "dvc.yaml", str(folder), read, lambda path: path, Unpacking())
            file = resolve.resolve_stages(file, around).file
    except InvalidFileError as error:
        return error
    return {name: spec.raw for name, spec in file.stages.items()}


#: What DVC resolves to something that is of no use to anybody: we say so at once.
USELESS = (
    "a key must be text",
    "which templates cannot insert",
    "cannot stand inside a text",  # in what foreach goes through: 'x${list}' would become "x[1, 2]"
)


def only_later(error: InvalidFileError, theirs: dict[str, Any]) -> bool:
    """Whether DVC resolves it to something that no command of it can use."""
    whole = any(isinstance(entry["cmd"], dict) for entry in theirs.values())
    return (
        type(error) is BadFieldError
        or any(words in error.message for words in USELESS)
        or (whole and "is a mapping" in error.message)
    )


def compare(top: Path, count: int, first: int, dvc: str) -> tuple[int, list[str]]:
    names = [f"case{first + at}" for at in range(count)]
    for at, name in enumerate(names):
        Drawn(first + at).write(top / name)
    python = Path(dvc).parent / "python"
    done = subprocess.run(
        [python, "-c", ORACLE], input=json.dumps(names), cwd=top, capture_output=True, text=True, check=True
    )
    resolved, wrong = 0, []
    for name, theirs in zip(names, json.loads(done.stdout), strict=True):
        made = ours(top / name)
        if isinstance(made, InvalidFileError):
            if "error" not in theirs and not only_later(made, theirs["stages"]):
                wrong.append(f"{name}: refused: {made.message}")
        elif "error" in theirs:
            wrong.append(f"{name}: DVC refuses: {theirs['error']}")
        else:
            resolved += 1
            wanted = json.loads(json.dumps(theirs["stages"]))
            for entry in wanted.values():
                entry.pop("matrix", None)
            if json.loads(json.dumps(made)) != wanted or list(made) != theirs["order"]:
                wrong.append(f"{name}:\n  ours {made}\n  dvc  {wanted}")
    return resolved, wrong


def test_drawn_files_resolve_as_the_real_dvc_resolves_them(tmp_path: Path, real_dvc: str) -> None:
    count = 250 if settings().max_examples < 500 else 10_000
    resolved, wrong = compare(tmp_path, count, 0, real_dvc)
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:5])
    assert resolved > count // 4


def at_once(text: str, **files: str) -> dict[str, stages.StageSpec]:
    """Resolve, in seconds at most.

    Raises:
        InvalidFileError: it is refused.
    """
    named = {f"/p/{name.replace('_', '.')}": content.encode() for name, content in files.items()}
    around = Surroundings(text.encode(), "dvc.yaml", "/p", named.get, lambda path: path)
    began = time.process_time()
    try:
        file = stages.parse(text.encode(), "dvc.yaml")
        return resolve.resolve_stages(file, around).file.stages
    finally:
        assert time.process_time() - began < 10


def refused_or_made(text: str) -> dict[str, stages.StageSpec] | InvalidFileError:
    """What comes out, one way or the other."""
    try:
        return at_once(text)
    except InvalidFileError as error:
        return error


LONG = "x" * 1_000_000
NUMBERS = "[" + ", ".join(map(str, range(40_000))) + "]"
PATHS = "[" + ", ".join(f"a{at}" for at in range(10_000)) + "]"
AXES = ", ".join(f"a{at}: [1, 2, 3, 4, 5, 6, 7, 8]" for at in range(40))
MANY = "".join(f"v{at}: 1\n" for at in range(200))
SHARED = "b: &b 'x y" + "x" * 20_000 + "'\nl: {l: [" + ", ".join(["*b"] * 4_000) + "]}\n"
STAGE = "stages:\n  s:\n"
EACH = STAGE + "    foreach: ${numbers}\n    do:\n      cmd: x\n"


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (f"{STAGE}    matrix: {{{AXES}}}\n    cmd: x\n", ""),
        (f"{STAGE}    foreach: [{', '.join(map(str, range(100_001)))}]\n    do:\n      cmd: x\n", ""),
        (f"{STAGE}    cmd: {'${big}' * 1000}\n", f"big: {LONG}\n"),
        (f"{STAGE}    cmd: run ${{l}}\n", SHARED),
        (f"{EACH}      desc: ${{big}}\n", f"big: {LONG}\nnumbers: {NUMBERS}\n"),
        (
            f'{STAGE}    matrix: {{a: ["${{big}}", "${{big}}y"], b: "${{numbers}}"}}\n    cmd: x\n',
            f"big: {LONG}\nnumbers: {NUMBERS}\n",
        ),
        (f"{EACH}      deps: {PATHS}\n", f"numbers: {NUMBERS}\n"),
        (f"{EACH}      vars:\n      - {{a: 1}}\n      wdir: w${{item}}\n", f"numbers: {NUMBERS}\n{MANY}"),
    ],
    ids=["combinations", "entries", "text", "shared", "text-times-stages", "names", "values", "variables"],
)
def test_what_would_grow_without_bound_is_refused_at_once(text: str, params: str) -> None:
    with pytest.raises(TemplateTooLargeError, match=r"^dvc.yaml:\d+:\d+: "):
        at_once(text, params_yaml=params)


@pytest.mark.parametrize(
    "inner",
    [
        "${" * 500_000,
        "${" * 500_000 + "\\n}",
        "${a" + "  .a" * 200_000 + "  ]}",
        "${a" + "." * 500_000 + "}",
        "${a" + "[0]" * 200_000 + "}",
        "\\\\${" * 400_000 + "}",
    ],
    ids=["open", "open-over-lines", "spaces", "dots", "indices", "escapes"],
)
def test_texts_made_to_be_slow_are_not(inner: str) -> None:
    text = f'stages:\n  s:\n    cmd: "x {inner}"\n'
    made = refused_or_made(text)
    assert len(made.message) < 500 if isinstance(made, InvalidFileError) else made["s"].cmd


def test_parameters_nested_too_deep_are_refused() -> None:
    deep = '{"a": ' + '{"b": ' * 300 + "1" + "}" * 301
    with pytest.raises(InvalidFileError, match="nested"):
        at_once(STAGE + "    cmd: run ${a}\n    vars: [d.json]\n", d_json=deep)


TEXTS = st.lists(
    st.sampled_from(["${", "}", "\\", "[", "]", ".", "a", "item", "key", " ", "0", "-1", "$", "\n", "é", "@"])
).map("".join)


@given(st.data())
def test_no_text_leads_to_anything_but_a_stage_or_a_typed_refusal(data: st.DataObject) -> None:
    draw = data.draw
    document = {
        "vars": [{"a": {"item": [1, "x"], "0": None}}],
        "stages": {
            "s": draw(
                st.sampled_from(
                    [
                        {"foreach": draw(TEXTS), "do": {"cmd": draw(TEXTS)}},
                        {
                            "foreach": [draw(TEXTS), draw(TEXTS)],
                            "do": {"cmd": draw(TEXTS), "outs": [draw(TEXTS)]},
                        },
                        {"matrix": {draw(TEXTS): draw(TEXTS), "b": [draw(TEXTS)]}, "cmd": draw(TEXTS)},
                        {"cmd": draw(TEXTS), "wdir": draw(TEXTS), "vars": [draw(TEXTS), {draw(TEXTS): 1}]},
                        {"cmd": [draw(TEXTS)], "plots": [{draw(TEXTS): {"x": draw(TEXTS)}}]},
                    ]
                )
            )
        },
    }
    made = refused_or_made(dump(document).decode())
    assert not isinstance(made, InvalidFileError) or made.message.startswith("dvc.yaml")
