"""PyTorch, as stages use it: seeds, workers of loaders, ranks, deterministic algorithms.

It lives in an environment of its own, which ``make envs`` creates: ``.venv-torch``, or ``FF_TEST_TORCH``.
"""

import re
from pathlib import Path

import pytest

from fourfold.runs.task import Numerics
from tests.runs.inject.starting import run


@pytest.fixture
def python(torch_python: str) -> str:
    return torch_python


TRAIN = """
import hashlib, sys
import torch
from torch import nn
model = nn.Sequential(nn.Linear(64, 700), nn.Dropout(0.3), nn.ReLU(), nn.Linear(700, 1))
for _ in range(5):
    x = torch.randn(300, 64)
    loss = ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.01 * parameter.grad
            parameter.grad = None
digest = hashlib.sha256()
for parameter in model.parameters():
    digest.update(parameter.detach().numpy().tobytes())
print(digest.hexdigest(), loss.item())
print(torch.are_deterministic_algorithms_enabled(), torch.get_num_threads())
"""


def test_a_seeded_training_is_equal_bit_for_bit(tmp_path: Path, python: str) -> None:
    first, second, other = (run(tmp_path, TRAIN, python=python, seed=seed) for seed in (7, 7, 8))
    assert first.err == ""
    assert first.out == second.out != other.out
    assert {"torch"} <= set(first.value("injected")["done"])
    assert "False" in first.out


def test_a_strict_training_does_not_depend_on_the_threads_that_there_are(tmp_path: Path, python: str) -> None:
    ends = [
        run(tmp_path, TRAIN, python=python, determinism="strict", environ={"OMP_NUM_THREADS": threads})
        for threads in "12"
    ]
    assert ends[0].out == ends[1].out
    assert ends[0].out.endswith("True 1\n")
    assert ends[1].value("numerics")["overruled"] == ["OMP_NUM_THREADS"]
    assert ends[1].value("numerics")["switches"] == {
        "done": ["torch.backends.cudnn", "torch.deterministic_algorithms"]
    }


def test_strict_raises_where_there_is_no_deterministic_way_and_a_profile_only_warns(
    tmp_path: Path, python: str
) -> None:
    program = """
import torch
torch.zeros(5).put_(torch.tensor([1, 1]), torch.tensor([1.0, 2.0]), accumulate=False)
print("went on")
"""
    strict = run(tmp_path, program, python=python, determinism="strict")
    assert "RuntimeError: put_" in strict.err
    mild = run(tmp_path, program, python=python, numerics=Numerics(deterministic=True))
    assert mild.out == "went on\n"
    assert "UserWarning: put_" in mild.err


LOADER = """
import random
import numpy as np, torch
from torch.utils.data import DataLoader, Dataset

class Noise(Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, at):
        return torch.tensor([random.random(), np.random.rand(), np.random.default_rng().random(),
                             float(torch.rand(1, dtype=torch.float64))], dtype=torch.float64)

if __name__ == "__main__":
    for epoch in range(2):
        for batch in DataLoader(Noise(), batch_size=2, shuffle=True, num_workers=2):
            print([value.hex() for value in batch.flatten().tolist()])
"""


def test_workers_of_a_loader_differ_from_each_other_and_are_the_same_again(
    tmp_path: Path, python: str
) -> None:
    first, second = (run(tmp_path, LOADER, python=python) for _ in range(2))
    assert (first.err, first.out) == ("", second.out)
    numbers = first.out.replace("[", "").replace("]", ",").replace("'", "").split(",")
    values = [number.strip() for number in numbers if number.strip()]
    assert len(set(values)) == len(values) == 64


RANKS = """
import random
import numpy as np, torch, torch.distributed as dist
dist.init_process_group("gloo")
mine = torch.tensor([random.random(), np.random.rand(), np.random.default_rng().random(),
                     float(torch.rand(1, dtype=torch.float64))], dtype=torch.float64)
found = [torch.zeros_like(mine) for _ in range(dist.get_world_size())]
dist.all_gather(found, mine)
if dist.get_rank() == 0:
    print(torch.stack(found).flatten().tolist())
dist.destroy_process_group()
"""


def test_ranks_of_distributed_training_differ_from_each_other_and_are_the_same_again(
    tmp_path: Path, python: str
) -> None:
    (tmp_path / "ranks.py").write_text(RANKS, encoding="utf-8")
    launcher = [python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "ranks.py"]
    first, second = (run(tmp_path, launcher) for _ in range(2))
    values = first.out.strip("[]\n").split(", ")
    assert len(set(values)) == len(values) == 8, first.err
    assert first.out == second.out
    assert first.section == second.section


SPAWNED = """
import torch
import torch.multiprocessing as mp

def work(rank, queue):
    queue.put((rank, float(torch.rand(1, dtype=torch.float64))))

if __name__ == "__main__":
    queue = mp.get_context("spawn").SimpleQueue()
    mp.spawn(work, args=(queue,), nprocs=2)
    print(sorted([queue.get(), queue.get()]), float(torch.rand(1, dtype=torch.float64)))
"""


def test_processes_that_pytorch_spawns_differ_from_each_other(tmp_path: Path, python: str) -> None:
    ended = run(tmp_path, SPAWNED, python=python)
    numbers = re.findall(r"0\.\d+", ended.out)
    assert (ended.err, len(set(numbers)), len(numbers)) == ("", 3, 3)
