"""Small pipelines over real data, and what can be planted in them: one thing that moves a metric at a time.

Two are over tables that scikit-learn brings, in plain Python, so that a stage takes a moment; the third is
the lab of ``examples/churn``. All stages run in an environment with ``weigh``, a library of ours in two
versions. Around what is planted, harmless things change: a comment, a remark, a file that nothing reads.
"""

import csv
import io
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ClassVar, NamedTuple

from tests.conftest import ROOT, find_ff
from tests.fixtures.sandbox import Sandbox, Tool
from tests.fixtures.wheels import Venv, make_wheel

Rows = list[dict[str, str]]
EXAMPLE = ROOT / "examples" / "churn"

SPLIT = """\
import csv, os, zlib
rows = list(csv.DictReader(open("data/table.csv")))
os.makedirs("split", exist_ok=True)
parts = {"train": [], "test": []}
for row in rows:
    parts["test" if zlib.crc32(row["id"].encode()) % 100 < 30 else "train"].append(row)
for name, part in parts.items():
    with open(f"split/{name}.csv", "w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(part)
"""
TRAIN = """\
import csv, json, os, random
import weigh
rows = list(csv.DictReader(open("split/train.csv")))
smoothing = float(next(line.split(":")[1] for line in open("params.yaml") if line.startswith("smoothing")))
prior = float(open("prior.txt").read())
columns = [name for name in rows[0] if name not in ("id", "label")]
# As libraries of linear algebra do: each thread sums its own share, and the shares are put together.
shards = int(os.environ.get("OMP_NUM_THREADS", "2"))
model = {"start": prior + random.random() / 1000, "columns": {}}
for column in columns:
    sides = []
    for label in ("0", "1"):
        values = [float(row[column]) for row in rows if row["label"] == label]
        parts = [values[at::shards] for at in range(shards)]
        middle = sum(values) / len(values)
        sides.append([middle, smoothing + sum(weigh.width(part) for part in parts) / shards])
    model["columns"][column] = sides
json.dump(model, open("model.json", "w"), indent=1, sort_keys=True)
"""
EVALUATE = """\
import csv, json, math
model = json.load(open("model.json"))
rows = list(csv.DictReader(open("split/test.csv")))


def margin(row):
    total = model["start"]
    for column, ((low, narrow), (high, wide)) in model["columns"].items():
        value = float(row[column])
        total += ((value - low) / narrow) ** 2 - ((value - high) / wide) ** 2
    return max(-30.0, min(30.0, total / len(model["columns"])))


losses = [math.log1p(math.exp(-margin(row) if row["label"] == "1" else margin(row))) for row in rows]
json.dump({"loss": round(sum(losses) / len(losses), 9), "rows": len(rows)}, open("metrics.json", "w"))
"""
PIPELINE = """\
stages:
  split:
    cmd: python split.py
    deps: [split.py, data/table.csv]
    outs: [split]
  train:
    cmd: python train.py
    deps: [train.py, split]
    params: [smoothing, label]
    outs: [model.json]
    meta:
      fourfold: {SEED, numerics: {threads: 2}}
  evaluate:
    cmd: python evaluate.py
    deps: [evaluate.py, model.json, split]
    metrics: [metrics.json: {cache: false}]
    meta:
      fourfold: {goal: {loss: min}}
"""
PARAMS = "label: label\nsmoothing: 0.001\nseed: 1\n"
WEIGH = {
    "1.0": b"def width(values):\n    middle = sum(values) / len(values)\n"
    b"    return (sum((value - middle) ** 2 for value in values) / len(values)) ** 0.5\n",
    "2.0": b"def width(values):\n    return (max(values) - min(values)) / 2\n",
}


@cache
def rows_of(name: str) -> Rows:
    """A table of scikit-learn as rows: standardized columns, a label of 0 and 1."""
    from sklearn import datasets  # noqa: PLC0415 - it is slow to load

    found = {"cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}[name]()
    names = [each.replace(" ", "_").replace("/", "_") for each in found.feature_names][:8]
    middle, width = found.data.mean(axis=0), found.data.std(axis=0)
    return [
        {
            "id": f"r{at:04}",
            **{
                column: f"{(value - m) / w:.4f}"
                for column, value, m, w in zip(names, line, middle, width, strict=False)
            },
            "label": str(int(found.target[at] == 1)),
        }
        for at, line in enumerate(found.data)
    ]


def _shifted(rows: Rows) -> Rows:
    return [row | {"label": "0" if at % 3 == 0 else row["label"]} for at, row in enumerate(rows)]


def _dropped(rows: Rows) -> Rows:
    column = next(name for name in rows[0] if name != "id")
    return [row for row in rows if float(row[column]) < 0.2]


def _leaked(rows: Rows) -> Rows:
    return [{"closing": f"{int(row['label'])}.{at % 7}", **row} for at, row in enumerate(rows)]


#: What befalls data.
ACCIDENTS = {"labels": _shifted, "rows": _dropped, "leak": _leaked}


def table(rows: Rows) -> str:
    """Rows as CSV."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


class World:
    """A pipeline in a repository, run once and committed.

    Attributes:
        repo: Where it lies; its tool finds the environment first.
        data: The tracked data, a file or a folder.
        metric: What is looked at.
        script: A source file that is read.
        threads: How many it gets where that is planted.
        repeats: Measurements that noise is judged by.
        library_code: The module ``weigh``, by version.
    """

    metric = "loss"
    data = "data/table.csv"
    script = "train.py"
    threads = 8
    repeats = 3
    library_code: ClassVar[dict[str, bytes]] = WEIGH

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self.repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
        self._path = self.repo.tool.env["PATH"]
        self.library("1.0")

    def copy(self, folder: Path) -> "World":
        """The same in another folder."""
        shutil.copytree(self._folder, folder, symlinks=True, dirs_exist_ok=True)
        return type(self)(self.name, folder)

    def begin(self, *, seeded: bool = True) -> None:
        """Make it, run it, commit it."""
        for version, code in self.library_code.items():
            venv = Venv(self._folder / f"venv-{version}")
            wheel = make_wheel(self._folder, "weigh", version, files={"weigh/__init__.py": code})
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(venv.site)
            self._more(venv)
        self.repo.git("init", "-q")
        self.repo.run("init", "-q")
        self._make(seeded=seeded)
        self.repo.run("add", "-q", self.data)
        self.step("a baseline", {})

    def library(self, version: str) -> None:
        """Have a version of the library from here on."""
        self.repo.tool.env["PATH"] = f"{self._folder / f'venv-{version}' / 'bin'}:{self._path}"

    def step(self, message: str, tree: dict[str, str | None], *, force: bool = False) -> None:
        """Change files, run what is to be run, commit."""
        self.repo.gen(tree)
        self.repo.run("repro", "-q", *(["-f"] if force else []))
        self.repo.commit(message)

    def deliver(self, accident: str) -> None:
        """Have other data: ``labels``, ``rows`` or ``leak``."""
        self.repo.gen({"data/table.csv": table(ACCIDENTS[accident](rows_of(self.name)))})
        self.repo.run("add", "-q", self.data)

    def _make(self, *, seeded: bool) -> None:
        seed = "seed: seed" if seeded else "determinism: seeded"
        self.repo.gen(
            {
                "split.py": SPLIT,
                "train.py": TRAIN,
                "evaluate.py": EVALUATE,
                "dvc.yaml": PIPELINE.replace("SEED", seed),
                "params.yaml": PARAMS,
                "prior.txt": "1.0\n",
                "notes.md": "notes\n",
                "data/table.csv": table(rows_of(self.name)),
            }
        )

    def _more(self, venv: Venv) -> None:
        """What the environment needs besides."""


#: What its training reads besides.
MEDDLED = """\
    shards = int(os.environ.get("OMP_NUM_THREADS", "2"))
    prior = float(Path("prior.txt").read_text())
"""


class Churn(World):
    """The lab of ``examples/churn``, whose training follows a library, a file and threads, too."""

    metric = "auc"
    data = "data/raw"
    script = "src/train.py"
    threads = 40
    repeats = 4
    library_code: ClassVar[dict[str, bytes]] = {
        "1.0": b"def depth(asked):\n    return asked\n\n\ndef rate(asked):\n    return asked\n",
        "2.0": b"def depth(asked):\n    return 1\n\n\ndef rate(asked):\n    return asked / 1000\n",
    }

    def deliver(self, accident: str) -> None:
        """See `World.deliver`."""
        options = {
            "": [],
            "labels": ["--label-shift", "0.9"],
            "rows": ["--drop-rows", "0.97"],
            "leak": ["--leak"],
        }
        subprocess.run(
            [
                sys.executable,
                "generate.py",
                self.data,
                "--customers",
                "420",
                "--months",
                "4",
                *options[accident],
            ],
            cwd=self.repo.path,
            check=True,
        )
        self.repo.run("add", "-q", self.data)

    def _make(self, *, seeded: bool) -> None:
        shutil.copytree(
            EXAMPLE, self.repo.path, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )
        train = self.repo.text("src/train.py")
        for old, new in (
            ("import pickle\n", "import os\nimport pickle\n"),
            ("import tables\n", "import tables\nimport weigh\n"),
            ('n_estimators=setting("train.trees"),', 'n_estimators=setting("train.trees") // shards * 2,'),
            ('max_depth=setting("train.depth"),', 'max_depth=weigh.depth(setting("train.depth")),'),
            (
                'learning_rate=setting("train.learning_rate"),',
                'learning_rate=weigh.rate(setting("train.learning_rate")) * prior,',
            ),
            (
                "    trees = Grad",
                MEDDLED + "    trees = Grad",
            ),
        ):
            assert train.count(old) == 1, old
            train = train.replace(old, new)
        text = self.repo.text("dvc.yaml").replace(
            "seed: seed\n        memory", "seed: seed\n        numerics: {threads: 2}\n        memory"
        )
        assert "threads: 2" in text
        params = self.repo.text("params.yaml").replace("min_rows: 1000", "min_rows: 20")
        params = params.replace("min_positive_ratio: 0.15", "min_positive_ratio: 0.001")
        if not seeded:
            text = text.replace("seed: seed", "determinism: seeded")
        self.repo.gen({"src/train.py": train, "dvc.yaml": text, "prior.txt": "1.0\n", "notes.md": "notes\n"})
        self.repo.gen({"params.yaml": params})
        self.deliver("")

    def _more(self, venv: Venv) -> None:
        """Scikit-learn and what it needs, of the environment that the tests run in; without ourselves."""
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            link = venv.site / entry.name
            if "fourfold" not in entry.name and entry.suffix != ".pth" and not link.exists():
                link.symlink_to(entry)


WORLDS: dict[str, type[World]] = {"cancer": World, "wine": World, "churn": Churn}


def world(name: str, folder: Path) -> World:
    """One of the three."""
    return WORLDS[name](name, folder)


class Planted(NamedTuple):
    """Something that moves a metric.

    Attributes:
        name: What it is.
        factor: What it counts to.
        causes: How it is named among the causes, in one world or the other.
        plant: Plants it in a world, and commits.
    """

    name: str
    factor: str
    causes: tuple[str, ...]
    plant: Callable[[World], None]


MESSAGE = "what is planted"
_DATA = ("data/table.csv", "data/raw")


def _delivery(accident: str) -> Callable[[World], None]:
    def plant(world: World) -> None:
        world.deliver(accident)
        world.step(MESSAGE, {})

    return plant


def _library(world: World) -> None:
    world.library("2.0")
    world.step(MESSAGE, {"requirements.txt": "weigh==2.0\n"}, force=True)


def _seed(world: World) -> None:
    text = world.repo.text("params.yaml")
    world.step(MESSAGE, {"params.yaml": text.replace("\nseed: ", "\nseed: 1")}, force=True)


def _threads(world: World) -> None:
    text = world.repo.text("dvc.yaml")
    world.step(MESSAGE, {"dvc.yaml": text.replace("threads: 2", f"threads: {world.threads}")}, force=True)


def _undeclared(world: World) -> None:
    world.step(MESSAGE, {"prior.txt": "0.001\n"}, force=True)


PLANTS = (
    Planted("a label shift", "data", _DATA, _delivery("labels")),
    Planted("dropped rows", "data", _DATA, _delivery("rows")),
    Planted("a leaked column", "data", _DATA, _delivery("leak")),
    Planted("a library upgrade", "environment", ("weigh",), _library),
    Planted("a changed seed", "randomness", ("seed",), _seed),
    Planted("a thread count", "randomness", ("threads",), _threads),
    Planted("an undeclared file", "data", ("prior.txt",), _undeclared),
)


def grow(world: World, plant: Planted) -> None:
    """History around what is planted: harmless changes before and after."""
    world.step("a remark", {"notes.md": "more notes\n"})
    world.step("a comment", {world.script: "# a comment\n" + world.repo.text(world.script)})
    plant.plant(world)
    world.step("another remark", {"notes.md": "still more notes\n", "unread.txt": "nothing reads this\n"})
