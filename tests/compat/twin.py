"""Play scenarios by hand: ``python -m tests.compat.twin [--a EXE] [--b EXE] [NAME...]``.

Without ``--a`` and ``--b``: the real DVC against our command. ``--list`` names the scenarios.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.compat.harness import Stage, same
from tests.compat.scenarios import SCENARIOS as PLAIN
from tests.compat.scenes_pipelines import PIPELINES
from tests.compat.scenes_templates import TEMPLATES
from tests.conftest import find_dvc, find_ff

SCENARIOS = (*PLAIN, *PIPELINES, *TEMPLATES)


def main() -> int:
    """Play what the command line names; 1 when something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="scenarios; none means all")
    parser.add_argument("--a", default=None, help="first executable (default: the real dvc)")
    parser.add_argument("--b", default=None, help="second executable (default: our ff)")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("-q", "--quiet", action="store_true", help="names of differences only")
    args = parser.parse_args()
    chosen = [s for s in SCENARIOS if not args.names or s.name in args.names]
    if args.list:
        print(*(f"{s.name:32} {s.rank}" for s in SCENARIOS), sep="\n")
        return 0
    if args.names and len(chosen) != len(set(args.names)):
        parser.error(f"unknown scenario among {args.names}; see --list")
    a, b = (os.path.abspath(exe) for exe in (args.a or find_dvc(), args.b or find_ff()))
    failed = 0
    for scenario in chosen:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as base:
            try:
                found = [
                    d.key if args.quiet else str(d)
                    for d in same(Stage(Path(base)), scenario, a, b, handoff=a != b)
                ]
            except (
                AssertionError
            ) as broken:  # a step that did not happen as told, or a tool that cannot begin
                found = [str(broken)]
        took = time.monotonic() - began
        print(
            f"{'differs' if found else 'same   '} {scenario.name} ({took:.1f} s)",
            *found,
            sep="\n",
            flush=True,
        )
        failed += bool(found)
    print(f"{len(chosen) - failed} same, {failed} differ")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
