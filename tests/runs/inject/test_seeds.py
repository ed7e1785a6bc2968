"""Seeds reach libraries and processes, the same each time; what the program does itself is left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.inject.starting import MODERN, run

GLOBALS = "import random, numpy as np; print(random.random(), np.random.rand(), hash('a'))"


def test_a_seeded_run_is_the_same_again_and_another_seed_or_stage_is_another(tmp_path: Path) -> None:
    first = run(tmp_path, GLOBALS)
    assert first.err == ""
    assert run(tmp_path, GLOBALS).out == first.out
    others = [run(tmp_path, GLOBALS, seed=8), run(tmp_path, GLOBALS, stage="evaluate")]
    numbers = [set(ended.out.split()) for ended in (first, *others)]
    assert len(set.union(*numbers)) == 9
    assert first.value("injected") == {"done": ["numpy", "random"]}


@pytest.mark.parametrize("python", MODERN)
def test_each_version_of_python_gets_the_same_numbers(tmp_path: Path, python: str) -> None:
    program = "import random, sys; print(random.random(), random.Random().random(), random.getrandbits(70))"
    ended = run(tmp_path, program, python=python)
    assert (ended.err, ended.value("injected")) == ("", {"done": ["random"]})
    assert ended.out.split()[0] == "0.4227637910791664"
    assert ended.out == run(tmp_path, program).out


def test_a_drawn_seed_gives_the_numbers_of_the_same_seed_declared(tmp_path: Path) -> None:
    drawn = run(tmp_path, GLOBALS, seed=None, seed_from="", drawn=7)
    assert drawn.out == run(tmp_path, GLOBALS).out


def test_nothing_is_seeded_where_determinism_is_off(tmp_path: Path) -> None:
    first, second = (run(tmp_path, GLOBALS, determinism="off") for _ in range(2))
    assert not set(first.out.split()) & set(second.out.split())
    assert first.section["injected"].grade == "absent"


def test_what_the_program_seeds_itself_wins(tmp_path: Path) -> None:
    program = """
import random, numpy as np
random.seed(1); np.random.seed(2)
print(random.random(), np.random.rand(), np.random.default_rng(3).random(), random.Random(4).random())
"""
    seeded, plain = run(tmp_path, program), run(tmp_path, program, determinism="off")
    assert seeded.out == plain.out
    assert seeded.value("unseeded") == []


def test_generators_without_a_seed_get_one_that_follows_from_the_run_and_are_told(tmp_path: Path) -> None:
    program = """
import random
import numpy as np
print(np.random.default_rng().random(), np.random.default_rng().random())
for _ in range(2):
    print(random.Random().random(), np.random.SeedSequence().entropy, np.random.RandomState().rand())
print(np.random.SeedSequence(pool_size=64).generate_state(2))
"""
    first, second = (run(tmp_path, program) for _ in range(2))
    assert first.out == second.out
    numbers = first.out.replace("[", " ").replace("]", " ").split()
    assert len(set(numbers)) == len(numbers)
    assert first.value("unseeded") == [
        {"at": "program.py:4", "what": "numpy.random", "times": 2, "derived": True},
        {"at": "program.py:6", "what": "numpy.random", "times": 4, "derived": True},
        {"at": "program.py:6", "what": "random.Random", "times": 2, "derived": True},
        {"at": "program.py:7", "what": "numpy.random", "times": 1, "derived": True},
    ]
    off = run(tmp_path, program, determinism="off")
    assert off.out != first.out
    assert {entry["derived"] for entry in off.value("unseeded")} == {False}


def test_the_place_of_an_unseeded_generator_is_that_in_the_program_not_in_a_library(tmp_path: Path) -> None:
    program = """
import numpy as np
import scipy.stats
scipy.stats.bootstrap(([1.0, 2.0, 4.0, 4.0],), np.mean, n_resamples=9, rng=None)
"""
    ended = run(tmp_path, program)
    found = [entry["at"] for entry in ended.value("unseeded")]
    assert found[0] == "program.py:4"
    # What libraries do while they are imported is told as theirs.
    assert all(at.startswith("{prefix}/lib/") for at in found[1:])


def test_randomness_of_the_system_is_told_with_its_place_and_not_changed(tmp_path: Path) -> None:
    program = """
import os, secrets, random, uuid, tempfile, multiprocessing
print(os.urandom(4), os.urandom.__name__)
for _ in range(3):
    print(uuid.uuid4(), secrets.token_hex(4))
print(random.SystemRandom().random(), uuid.uuid1() is None)
print(tempfile.mktemp())
"""
    first, second = (run(tmp_path, program) for _ in range(2))
    assert len(set(first.out.split()) & set(second.out.split())) == 2
    assert first.value("entropy") == second.value("entropy")
    assert [(entry["at"], entry["what"], entry["times"]) for entry in first.value("entropy")] == [
        ("program.py:3", "os.urandom", 1),
        ("program.py:5", "secrets", 3),
        ("program.py:5", "uuid.uuid4", 3),
        ("program.py:6", "random.SystemRandom", 1),
    ]
    assert first.value("unseeded") == []


def test_scikit_learn_without_a_random_state_is_the_same_again(tmp_path: Path) -> None:
    program = """
import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
X, y = make_classification(200)
a, b, c, d = train_test_split(X, y)
print(RandomForestClassifier(5, n_jobs=2).fit(a, c).predict_proba(b).sum(axis=0).tobytes().hex(), a.sum())
"""
    assert run(tmp_path, program).out == run(tmp_path, program).out != ""


def test_samples_of_data_frames_are_the_same_again(tmp_path: Path) -> None:
    program = """
import pandas, polars
numbers = {"a": range(1000)}
print(pandas.DataFrame(numbers).sample(3)["a"].tolist())
frame = polars.DataFrame(numbers)
print(frame.sample(3)["a"].to_list(), frame["a"].shuffle().head(3).to_list())
"""
    first = run(tmp_path, program)
    assert (first.err, run(tmp_path, program).out) == ("", first.out)
    assert {"numpy", "polars"} <= set(first.value("injected")["done"])


def test_ranks_of_a_launcher_have_seeds_of_their_own(tmp_path: Path) -> None:
    told = ({"RANK": "1"}, {"RANK": "0"}, {"SLURM_PROCID": "1"}, {"OMPI_COMM_WORLD_RANK": "2"})
    outs = [run(tmp_path, GLOBALS, extra=variables).out.split()[:2] for variables in told]
    first, zero, slurm, second = outs
    assert first == slurm
    assert zero == run(tmp_path, GLOBALS).out.split()[:2]
    assert len({*first, *zero, *second}) == 6


def test_a_program_that_is_started_again_and_again_does_not_repeat_itself(tmp_path: Path) -> None:
    (tmp_path / "simulate.py").write_text("import random; print(random.random())", encoding="utf-8")
    (tmp_path / "other.py").write_text("import random; print(random.random())", encoding="utf-8")
    python = sys.executable
    line = f"for i in 0 1 2; do '{python}' other.py >/dev/null; '{python}' -X utf8 simulate.py $i; done"
    first = run(tmp_path, ["sh", "-c", line])
    assert len(set(first.out.split())) == 3
    assert first.out.split()[0] == "0.4227637910791664"
    assert run(tmp_path, ["sh", "-c", line]).out == first.out


CHILDREN = """
import multiprocessing as mp, os, random, sys, tempfile
import numpy as np
import child

if __name__ == "__main__":
    context = mp.get_context(sys.argv[1])
    before = random.random()
    found = [before]
    for _ in range(2):
        ours, theirs = context.Pipe()
        process = context.Process(target=child.tell, args=(theirs,))
        process.start()
        found += ours.recv()
        process.join()
    print(found)
"""
CHILD = """
import random
import numpy as np
def tell(pipe):
    pipe.send([random.random(), np.random.default_rng().random(), random.Random().random()])
"""


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_differ_from_each_other_and_are_the_same_again(
    tmp_path: Path, how: str
) -> None:
    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    (tmp_path / "children.py").write_text(CHILDREN, encoding="utf-8")
    first, second = (run(tmp_path, [sys.executable, "children.py", how]) for _ in range(2))
    assert (first.err, first.out) == ("", second.out)
    numbers = first.out.strip("[]\n").split(", ")
    assert len(set(numbers)) == len(numbers) == 7
    assert first.section == second.section


def test_children_that_all_have_one_name_differ_too(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    program = CHILDREN.replace("Process(", "Process(name='worker', ")
    (tmp_path / "children.py").write_text(program, encoding="utf-8")
    first, second = (run(tmp_path, [sys.executable, "children.py", "spawn"]) for _ in range(2))
    assert (first.err, first.out) == ("", second.out)
    assert len(set(first.out.strip("[]\n").split(", "))) == 7


def test_a_forked_child_inherits_the_state_of_numpy_as_it_always_does(tmp_path: Path) -> None:
    program = """
import os, numpy as np
np.random.seed(5)
if os.fork() == 0:
    print(np.random.rand(), flush=True)
    os._exit(0)
os.wait()
print(np.random.rand())
"""
    first, second = run(tmp_path, program).out.split()
    assert first == second


def test_workers_of_joblib_differ_from_each_other_and_are_the_same_again(tmp_path: Path) -> None:
    program = """
import os, pathlib, tempfile, time
from joblib import Parallel, delayed
import numpy as np

def work(at, meeting):
    import random
    pathlib.Path(meeting, str(at)).touch()
    while len(os.listdir(meeting)) < 2:  # until each worker has one
        time.sleep(0.01)
    return random.random(), np.random.rand()

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as meeting:
        print(sorted(Parallel(n_jobs=2)(delayed(work)(at, meeting) for at in range(2))))
"""
    first, second = (run(tmp_path, program) for _ in range(2))
    assert (first.err, first.out) == ("", second.out)
    assert len(set(first.out.strip("[]\n").replace("(", "").replace(")", "").split(", "))) == 4


GEMM = """
import hashlib, numpy as np
rng = np.random.default_rng(1)
a, b = (rng.random((700, 700), dtype="f") for _ in "ab")
print(hashlib.md5((a @ b).tobytes()).hexdigest(), hashlib.md5(np.exp(rng.random(999)).tobytes()).hexdigest())
"""


def test_strict_is_equal_where_a_seed_is_not_enough_for_two_threads_and_one(tmp_path: Path) -> None:
    def outs(**says: object) -> set[str]:
        return {
            run(tmp_path, GEMM, environ={"OPENBLAS_NUM_THREADS": threads}, **says).out for threads in "12"
        }

    assert len(outs()) == 2
    assert len(outs(determinism="strict")) == 1


def test_numpy_is_kept_below_the_ceiling_without_a_word(tmp_path: Path) -> None:
    program = """
import numpy as np
found = np._core._multiarray_umath.__cpu_features__
print([name for name in ("X86_V4", "AVX512_ICL", "AVX512_SPR") if found[name]])
import warnings
print([entry for entry in warnings.filters if "parsing environment" in str(entry)])
"""
    ended = run(tmp_path, program, options=["-W", "error"], determinism="strict")
    assert (ended.err, ended.out.split()) == ("", ["[]", "[]"])


def test_tensorflow_is_asked_as_its_documentation_says(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(
        """
asked = []
class random:
    set_seed = staticmethod(lambda seed: asked.append(type(seed).__name__))
class config:
    class experimental:
        enable_op_determinism = staticmethod(lambda: asked.append("deterministic"))
""",
        encoding="utf-8",
    )
    program = "import tensorflow; print(*tensorflow.asked)"
    assert run(tmp_path, program).out == "int\n"
    strict = run(tmp_path, program, determinism="strict")
    assert strict.out == "int deterministic\n"
    assert strict.value("numerics")["switches"] == {"done": ["tensorflow.op_determinism"]}
    assert run(tmp_path, program, determinism="off").out == "\n"


def test_a_call_seeds_without_a_run(tmp_path: Path) -> None:
    program = """
import sys
import fourfold
print(fourfold.seed_everything(7), "numpy" in sys.modules)
import random, numpy as np
print(random.random(), np.random.rand(), np.random.default_rng().random())
print(fourfold.seed_everything(7))
print(random.random(), np.random.rand(), np.random.default_rng().random())
"""
    (tmp_path / "call.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "call.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "7 False"
    assert lines[1] == lines[3]
    # The same derivation as that of a run that has no stage.
    assert lines[1].split()[:2] == run(tmp_path, GLOBALS, stage="").out.split()[:2]


def test_a_call_in_a_run_takes_the_seed_of_the_run_even_if_nothing_was_injected(tmp_path: Path) -> None:
    program = """
import random, numpy as np, fourfold
random.random()
print(fourfold.seed_everything())
print(random.random(), np.random.rand())
"""
    seeded, off = (run(tmp_path, program, determinism=level) for level in ("seeded", "off"))
    assert seeded.out == off.out
    assert seeded.out.split()[1:] == run(tmp_path, GLOBALS).out.split()[:2]


def test_a_call_with_a_seed_that_is_none_is_refused(tmp_path: Path) -> None:
    for seed in ("-1", "2**63", "1.5", "True"):
        ended = run(tmp_path, f"import fourfold; fourfold.seed_everything({seed})")
        assert "SeedRangeError: seed must be a whole number from 0 to 9223372036854775807" in ended.err
