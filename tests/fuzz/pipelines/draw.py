"""Drawing a history: a random pipeline, and random edits and commands on it.

Every stage derives what it writes from what it reads by cheap shell lines, so that a run that happens when it
should not, or does not when it should, shows in bytes. The same seed draws the same history.
"""

import os
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.pipelines import scalars
from tests.fuzz.pipelines.history import History, Step
from tests.fuzz.pipelines.stages import KEYS, PARAMS, VARIABLES, WORDS, DrawnStage, World

NAMES = ("prep", "train", "eval_1", "a-b", "s0", "s1", "s2", "s3", "report", "x")
SOURCES = ("in0", "in1", "in2")
FOLDERS = {"data": ("a", "b", "sub/c"), "raw": ("x",)}
#: Small, so that an earlier content comes back and remembered runs are found.
CONTENTS = ("one\n", "two\n", "three", "", "line\r\nend\n")
#: How often each command runs, of all commands.
COMMANDS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (40, ("repro",)),
    (6, ("repro", "-k")),
    (4, ("repro", "--ignore-errors")),
    (4, ("repro", "-f")),
    (5, ("repro", "{stage}")),
    (4, ("repro", "-s", "{stage}")),
    (2, ("repro", "-s", "-f", "{stage}")),
    (3, ("repro", "-p", "{stage}")),
    (3, ("repro", "--downstream", "{stage}")),
    (3, ("repro", "--force-downstream")),
    (2, ("repro", "-P")),
    (2, ("repro", "-R", ".")),
    (2, ("repro", "--glob", "s*")),
    (3, ("repro", "--no-commit")),
    (4, ("repro", "--no-run-cache")),
    (3, ("repro", "--allow-missing")),
    (3, ("commit", "-f")),
    (2, ("commit",)),
    (2, ("checkout",)),
    (2, ("freeze", "{stage}")),
    (2, ("unfreeze", "{stage}")),
    (2, ("remove", "{stage}")),
)


def draw(seed: int) -> History:
    """The history of a seed."""
    return _Drawing(Random(seed)).history()


class _Drawing(World):
    """One history on its way: what the files hold now, so that edits can be made to them."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.files: dict[str, str] = {}
        self.params = {file: {key: self._value(file) for key in KEYS} for file in PARAMS}
        self.documents: dict[str, dict[str, Any]] = {"dvc.yaml": {"stages": {}}}
        if random.random() < 0.2:
            self.documents["sub/dvc.yaml"] = {"stages": {}}
        self.names = random.sample(NAMES, len(NAMES))
        for document in self.documents.values():
            if self.chance(0.4):
                document["vars"] = self._vars()

    # -- the whole ---------------------------------------------------------------------------------

    def history(self) -> History:
        """All of it: the first files, then rounds of edits, questions and commands."""
        for name in SOURCES:
            self._source(name, self.random.choice(CONTENTS))
        for folder, inner in FOLDERS.items():
            for name in inner:
                self._source(f"{folder}/{name}", self.random.choice(CONTENTS))
            self.made[folder] = True
        for _ in range(self.random.choice((1, 2, 3, 3, 4, 4, 5, 6, 8))):
            self._add_stage()
        first: dict[str, Any] = {**self.files, "w/keep": "kept\n", "sub/w/keep": "kept\n"}
        first.update({file: self._params_text(file) for file in PARAMS}, **self._documents())
        steps: History = [{"files": first}]
        if self.chance(0.2):
            steps.append({"run": ["add", self.random.choice(("in0", "data"))]})
        if self.chance(0.1):
            steps.append({"run": ["config", "cache.type", "hardlink"]})
        steps += self._questions(0.3)
        steps.append({"run": ["repro"]})
        for _ in range(self.random.choice((1, 2, 2, 3, 4))):
            if self.chance(0.25):
                steps.append({"swap": True})
            steps += self._round()
        if self.chance(0.5):
            steps.append({"run": ["repro"]})
        return steps

    def _round(self) -> list[Step]:
        steps: list[Step] = []
        changes: dict[str, Any] = {}
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
            changes.update(self._edit())
        if changes:
            steps.append({"files": changes})
        command: Step = {"run": self._command()}
        if command["run"][0] == "repro" and self.chance(0.2):
            command["jobs"] = 2
        return [*steps, *self._questions(0.5), command]

    def _questions(self, often: float) -> list[Step]:
        asked = []
        if self.chance(often):
            asked.append({"run": ["status", "--json"]})
        if self.chance(often / 2):
            asked.append({"run": ["repro", "--dry"]})
        return asked

    def _command(self) -> list[str]:
        weights = [weight for weight, _words in COMMANDS]
        _, words = self.random.choices(COMMANDS, weights)[0]
        if "{stage}" in words and not self._stages():
            return ["repro"]
        stage = self.random.choice(self._stages()) if self._stages() else ("dvc.yaml", "")
        address = stage[1] if stage[0] == "dvc.yaml" else f"{stage[0]}:{stage[1]}"
        if words[0] == "repro" and self.repeated.get(stage[1]) and self.chance(0.7):
            address += f"@{self.random.choice(self.repeated[stage[1]])}"
        if words[0] in {"freeze", "unfreeze"}:
            self._toggle_frozen(stage, frozen=words[0] == "freeze")
        if words[0] == "remove":
            del self.documents[stage[0]]["stages"][stage[1]]
        return [address if word == "{stage}" else word for word in words]

    def _toggle_frozen(self, stage: tuple[str, str], *, frozen: bool) -> None:
        definition = self._body(*stage)
        definition.pop("frozen", None)
        if frozen:
            definition["frozen"] = True

    def _body(self, file: str, name: str) -> dict[str, Any]:
        """What a stage is, also where it is repeated."""
        definition: dict[str, Any] = self.documents[file]["stages"][name]
        body: dict[str, Any] = definition.get("do", definition)
        return body

    def _stages(self) -> list[tuple[str, str]]:
        return [(file, name) for file, doc in self.documents.items() for name in doc["stages"]]

    def _documents(self) -> dict[str, Any]:
        """A copy of each ``dvc.yaml`` as it is now."""
        import copy  # noqa: PLC0415 - one use

        return {file: copy.deepcopy(doc) for file, doc in self.documents.items()}

    # -- sources and parameters --------------------------------------------------------------------

    def _source(self, path: str, content: str) -> dict[str, Any]:
        self.files[path] = content
        self.made[path] = False
        return {path: content}

    def _value(self, file: str) -> str:
        return self.random.choice(scalars.of(file))

    def _params_text(self, file: str) -> str:
        return scalars.render(file, self.params[file])

    # -- stages ------------------------------------------------------------------------------------

    def _vars(self) -> list[Any]:
        """The variables of one file."""
        conf = {"num": self.random.randint(1, 3), "list": ["x", self.random.choice(WORDS)], "on": True}
        found: list[Any] = [{"word": self.random.choice(WORDS), "conf": conf}]
        return [*found, {"extra": {"deep": 1}}] if self.chance(0.3) else found

    def _add_stage(self) -> None:
        if not self.names:
            return
        name = self.names.pop()
        file = self.random.choice(list(self.documents))
        home = os.path.dirname(file)
        wdir = self.random.choice(("w", "sub/w")) if self.chance(0.25) else home
        stage = DrawnStage(self, name, wdir)
        variables = VARIABLES if "vars" in self.documents[file] else ()
        definition = stage.definition(variables)
        if wdir != home:
            definition = {"wdir": os.path.relpath(wdir, home or "."), **definition}
        definition = stage.repeated(definition)
        stages = self.documents[file]["stages"]
        items = [*stages.items()]
        items.insert(self.random.randint(0, len(items)), (name, definition))
        stages.clear()
        stages.update(items)
        self.made.update(stage.made)
        self.outs += stage.outs

    # -- edits -------------------------------------------------------------------------------------

    def _edit(self) -> dict[str, Any]:
        kinds: list[tuple[int, Callable[[], dict[str, Any]]]] = [
            (6, self._change_param),
            (1, self._drop_param),
            (6, self._change_source),
            (2, self._rewrite_source),
            (1, self._drop_source),
            (3, self._break_output),
            (3, self._change_command),
            (2, self._change_stage),
            (2, self._change_vars),
            (2, self._new_stage),
            (1, self._drop_stage),
            (1, self._drop_lock),
            (1, lambda: {".dvc/cache/runs": None}),
        ]
        return self.random.choices([edit for _, edit in kinds], [weight for weight, _ in kinds])[0]()

    def _change_param(self) -> dict[str, Any]:
        file = self.random.choice(PARAMS)
        self.params[file][self.random.choice(KEYS)] = self._value(file)
        return {file: self._params_text(file)}

    def _drop_param(self) -> dict[str, Any]:
        file = self.random.choice(PARAMS)
        if self.chance(0.3):
            return {file: None}
        self.params[file].pop(self.random.choice(KEYS), None)
        return {file: self._params_text(file)}

    def _change_source(self) -> dict[str, Any]:
        if self.chance(0.2):
            return self._source(f"data/new{self.random.randint(0, 1)}", self.random.choice(CONTENTS))
        return self._source(self.random.choice(sorted(self.files)), self.random.choice(CONTENTS))

    def _rewrite_source(self) -> dict[str, Any]:
        path = self.random.choice(sorted(self.files))
        return {path: self.files[path]}

    def _drop_source(self) -> dict[str, Any]:
        return {self.random.choice([*sorted(self.files), "data"]): None}

    def _break_output(self) -> dict[str, Any]:
        if not self.outs:
            return {}
        path = self.random.choice(self.outs)
        if self.made.get(path) and self.chance(0.6):
            return {f"{path}/{self.random.choice(('x', 'more'))}": "changed by hand\n"}
        return {path: self.random.choice((None, None, "changed by hand\n"))}

    def _change_command(self) -> dict[str, Any]:
        if not self._stages():
            return {}
        file, name = self.random.choice(self._stages())
        definition = self._body(file, name)
        comment = self.random.choice((" # one", " # two", ""))
        command = definition["cmd"]
        if isinstance(command, list):
            definition["cmd"] = [*command[:-1], command[-1].split(" #")[0] + comment]
            if self.chance(0.1):
                definition["cmd"].append("exit 3")
        else:
            definition["cmd"] = command.split(" #")[0] + comment
        return self._documents()

    def _change_stage(self) -> dict[str, Any]:
        if not self._stages():
            return {}
        file, name = self.random.choice(self._stages())
        definition = self._body(file, name)
        kind = self.random.choice(("frozen", "always_changed", "desc", "deps", "outs", "params"))
        if kind in {"deps", "outs", "params"} and definition.get(kind):
            definition[kind] = self.random.sample(definition[kind], len(definition[kind]))
            if self.chance(0.5):
                definition[kind].pop()
        elif kind == "desc":
            definition["desc"] = "a description\nof two lines"
        elif kind in {"frozen", "always_changed"}:
            definition[kind] = not definition.get(kind, False)
        return self._documents()

    def _change_vars(self) -> dict[str, Any]:
        for document in self.documents.values():
            if "vars" in document:
                document["vars"] = self._vars()
        return self._documents()

    def _new_stage(self) -> dict[str, Any]:
        self._add_stage()
        return self._documents()

    def _drop_stage(self) -> dict[str, Any]:
        if len(self._stages()) > 1:
            file, name = self.random.choice(self._stages())
            del self.documents[file]["stages"][name]
        return self._documents()

    def _drop_lock(self) -> dict[str, Any]:
        return {"dvc.lock": None}
