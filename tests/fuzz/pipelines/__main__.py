"""Draw by hand: ``python -m tests.fuzz.pipelines --seeds 0 200`` or ``--replay history.json``.

Prints each difference with the smallest history found that shows it, as a shell script; ``--keep`` puts the
histories into a folder, to be played again. 1 when there is a difference.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.pipelines.draw import draw
from tests.fuzz.pipelines.history import script
from tests.fuzz.pipelines.play import Arena
from tests.fuzz.pipelines.shrink import smallest


def main() -> int:
    """Draw and compare what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 20), metavar=("FROM", "TO"))
    parser.add_argument("--replay", type=Path, help="a history that was kept")
    parser.add_argument("--keep", type=Path, help="a folder for histories that differ")
    parser.add_argument("--shrink", type=float, default=60.0, help="seconds for each, to make it small")
    args = parser.parse_args()
    began, compared, keys = time.monotonic(), 0, Counter[str]()
    explained = Counter[str]()
    seeds = range(*args.seeds) if args.replay is None else [-1]
    with tempfile.TemporaryDirectory(prefix="pipelines-") as base, Arena(Path(base)) as arena:
        for seed in seeds:
            history = draw(seed) if args.replay is None else json.loads(args.replay.read_text())
            played = arena.play(history)
            print(seed, end="\r", flush=True)
            compared += played.compared
            explained.update(played.explained)
            if played.found is None:
                continue
            found = played.found
            keys[found.key] += 1
            if keys[found.key] == 1 and args.shrink:
                history, found = smallest(arena, history, found, args.shrink)
            print(f"=== seed {seed}: {found}", flush=True)
            if keys[found.key] == 1 and args.shrink:
                print(f"--- the script:\n{script(history)}", flush=True)
            if args.keep:
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{seed}.json").write_text(json.dumps(history, indent=1))
    took = time.monotonic() - began
    print(f"{len(seeds)} draws, {compared} commands, {sum(keys.values())} differ, {took:.0f} s")
    for table in (keys, explained):
        print(*(f"{count:5} {key}" for key, count in table.most_common()), sep="\n")
    return bool(keys)


if __name__ == "__main__":
    sys.exit(main())
