"""Drawing one stage: what it reads and writes, and the shell lines that make the one of the other.

Lines are cheap and depend on all that is read and on nothing else. A stage may be repeated by ``foreach`` or
``matrix``, and say variables of its file.
"""

import os
from random import Random
from typing import Any

PARAMS = ("params.yaml", "other.yaml", "p.json", "p.toml", "p.py")
KEYS = ("lr", "depth", "model.width", "model.deep.leaf", "names")
#: What `vars` of a ``dvc.yaml`` may give, and what of it commands say.
WORDS = ("hello", "'a b'", 3, 1.5, True)
VARIABLES = ("word", "conf.num", "conf.list[1]", "conf", "local")
#: What a stage is repeated for, and what stands for the current one in its text.
ITEMS: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "list": (["a", 1, "c-d"], "${item}", ("a", "1", "c-d")),
    "table": ({"a": {"n": 1}, "b": {"n": 2}}, "${key}.${item.n}", ("a.1", "b.2")),
    "records": ([{"n": 1}, {"n": "x"}], "${item.n}", ("1", "x")),
    "matrix": ({"m": ["a", "b"], "n": [1, 2]}, "${item.m}-${item.n}", ("a-1", "a-2", "b-1", "b-2")),
}


class World:
    """What stages are drawn in.

    Attributes:
        random: Where chance comes from.
        made: Where each thing that can be depended on lies (from the root), and whether it is a folder.
        outs: The outputs among them.
        repeated: The ends of the names of repeated stages, by stage.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.made: dict[str, bool] = {}
        self.outs: list[str] = []
        self.repeated: dict[str, tuple[str, ...]] = {}

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random.random() < probability


class DrawnStage:
    """One stage on its way: what it reads, what it writes, and the shell lines between."""

    def __init__(self, world: World, name: str, wdir: str) -> None:
        self.world = world
        self.random = world.random
        self.chance = world.chance
        self.name = name
        self.wdir = wdir
        self.made: dict[str, bool] = {}
        self.outs: list[str] = []
        self.lines: list[str] = []
        kind = self.random.choice(tuple(ITEMS)) if self.chance(0.2) else ""
        #: How it is repeated, the text that stands for the current item, and all that it stands for.
        self.kind = kind
        nothing: tuple[Any, str, tuple[str, ...]] = (None, "", ("",))
        self.items, self.mark, self.ends = ITEMS[kind] if kind else nothing

    def repeated(self, definition: dict[str, Any]) -> dict[str, Any]:
        """The definition, wrapped when the stage is repeated."""
        if not self.kind:
            return definition
        self.world.repeated[self.name] = self._names()
        if self.kind == "matrix":
            return {"matrix": self.items, **definition}
        return {"foreach": self.items, "do": definition}

    def _names(self) -> tuple[str, ...]:
        """How the repetitions are called after the ``@``."""
        return {"table": ("a", "b"), "records": ("0", "1")}.get(self.kind, self.ends)

    def _here(self, path: str) -> str:
        """A path from the root as the stage writes it."""
        return os.path.relpath(path, self.wdir or ".")

    def definition(self, variables: tuple[str, ...]) -> dict[str, Any]:
        """The mapping under the stage's name in ``dvc.yaml``.

        Args:
            variables: What the file gives.
        """
        reads: list[str] = [f"echo {self.mark}"] if self.mark else []
        own = {"vars": [{"local": self.random.choice(WORDS)}]} if variables and self.chance(0.3) else {}
        named = [name for name in variables if self.chance(0.3) and (name != "local" or own)]
        reads += [f"echo ${{{name}}}" for name in named]
        deps = self._deps(reads)
        params = self._params(reads)
        lists: dict[str, list[Any]] = {"outs": [], "metrics": [], "plots": []}
        for number in range(self.random.choice((0, 1, 1, 1, 1, 2, 3))):
            self._out(number, lists, reads)
        if not self.lines:
            self.lines.append(self._read(reads) + " > /dev/null")
        if self.chance(0.04):
            self.lines.append(self.random.choice(("false", "exit 3", "no-such-program")))
        if len(self.lines) > 1 and self.chance(0.03):
            self.lines.pop(0)  # an output that is declared and not written
        found: dict[str, Any] = {**own, "cmd": self._command()}
        found |= {key: value for key, value in {"deps": deps, "params": params, **lists}.items() if value}
        return found | self._some(
            ("frozen", True, 0.05),
            ("always_changed", True, 0.06),
            ("desc", "what it does", 0.1),
            ("meta", {"owner": "me", "n": [1, 2]}, 0.1),
        )

    def _some(self, *choices: tuple[str, Any, float]) -> dict[str, Any]:
        """Some keys with their values, each as often as it says."""
        return {key: value for key, value, often in choices if self.chance(often)}

    def _command(self) -> Any:
        form = self.random.choice(("and", "list", "lines"))
        if form == "list":
            return list(self.lines)
        return (" && " if form == "and" else "\n").join(self.lines)

    def _deps(self, reads: list[str]) -> list[str]:
        possible = sorted(self.world.made)
        recent = [path for path in possible if path in self.world.outs]
        chosen: list[str] = []
        for _ in range(self.random.choice((0, 1, 1, 2, 2, 3))):
            path = self.random.choice(recent if recent and self.chance(0.6) else possible)
            if all(not _overlap(path, other) for other in chosen):
                chosen.append(path)
        for path in chosen:
            folder = self.world.made[path]
            here = self._here(path)
            reads.append(f"find {here} -type f | sort | xargs cat" if folder else f"cat {here}")
        return [self._here(path) for path in chosen]

    def _params(self, reads: list[str]) -> list[Any]:
        chosen: list[Any] = []
        for file in self.random.sample(PARAMS, self.random.choice((0, 0, 1, 1, 2))):
            here = self._here(file)
            keys = self.random.sample(KEYS, self.random.randint(1, 3))
            reads.append(f"cat {here}")
            if here == "params.yaml" and self.chance(0.7):
                chosen += keys
            elif self.chance(0.2):
                chosen.append({here: None} if self.chance(0.5) else {here: []})
            else:
                chosen.append({here: keys})
        return chosen

    def _read(self, reads: list[str]) -> str:
        inside = "; ".join(reads) if reads else f"echo {self.name}"
        return f"({inside})"

    def _out(self, number: int, lists: dict[str, list[Any]], reads: list[str]) -> None:
        section = self.random.choice(("outs", "outs", "outs", "metrics", "plots"))
        folder = section != "metrics" and self.chance(0.3)
        suffix = {"outs": "", "metrics": ".json", "plots": ".csv"}[section] if not folder else ".d"
        base = f"{self.name}{number}{self.mark and '-' + self.mark}{suffix}"
        path = os.path.normpath(self.random.choice((base, base, f"out/{base}", f"{self.wdir or '.'}/{base}")))
        here = self._here(path)
        flags = self._some(
            ("cache", False, 0.2), ("persist", True, 0.1), ("push", False, 0.05), ("desc", "an output", 0.05)
        )
        if section == "plots" and not folder and self.chance(0.3):
            flags.update(x="a", y="b", title="T")
        lists[section].append({here: flags} if flags else here)
        self._write_line(here, section, reads, folder=folder, persist="persist" in flags)
        for end in self.ends:
            real = path.replace(self.mark, end) if self.mark else path
            self.made[real] = folder
            if folder:
                self.made[f"{real}/x"] = False
            self.outs.append(real)

    def _write_line(self, here: str, section: str, reads: list[str], *, folder: bool, persist: bool) -> None:
        read = self._read(reads)
        if self.chance(0.3):
            read += self.random.choice((" | head -c 2", " | wc -c", " | wc -l"))
        to = ">>" if persist else ">"
        make = f"mkdir -p {os.path.dirname(here)} && " if "/" in here else ""
        if folder:
            self.lines.append(f"mkdir -p {here}/in && {read} {to} {here}/x && echo {self.name} > {here}/in/k")
        elif section == "metrics":
            self.lines.append(f"""{make}echo '{{"size": '$( {read} | wc -c)'}}' {to} {here}""")
        elif section == "plots":
            self.lines.append(f"{make}(echo a,b; echo 1,$( {read} | wc -c)) {to} {here}")
        else:
            self.lines.append(f"{make}{read} {to} {here}")


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")
