"""``ff coordinates``: code, data, environment and randomness of the recorded runs."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fourfold.cli.options import ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.pipeline.coordinates import NOT_CAPTURED, Coordinates, StageCoordinates, coordinates

#: So many packages are named unless all are asked for: those that most decide a result.
_KEY_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "polars",
    "pyarrow",
    "scikit-learn",
    "xgboost",
    "lightgbm",
    "catboost",
    "statsmodels",
    "torch",
    "torchvision",
    "tensorflow",
    "keras",
    "jax",
    "jaxlib",
    "flax",
    "transformers",
    "datasets",
    "lightning",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    parser.add_argument("targets", nargs="*", metavar="<stage>", help="stages; all by default")
    ours(parser.add_argument("--packages", action="store_true", help="name every installed package"))
    parser.epilog = "Example: ff coordinates train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Show the four, in their order."""
    found = coordinates(session.project, args.targets)
    return Outcome(data=_data(found), text=_lines(found, session.style, every=args.packages))


def _data(found: Coordinates) -> dict[str, Any]:
    return {
        "code": found.code._asdict(),
        "data": [stage._asdict() for stage in found.data],
        "environment": found.environment._asdict(),
        "randomness": found.randomness._asdict(),
        "not_captured": list(NOT_CAPTURED),
    }


def _lines(found: Coordinates, style: Style, *, every: bool) -> Iterator[str]:
    yield style.bold("code")
    yield from _code(found)
    yield style.bold("data")
    for stage in found.data:
        yield from _stage(stage)
    if not found.data:
        yield "  no stage is recorded"
    yield style.bold("environment")
    yield from _environment(found, every=every)
    yield style.bold("randomness")
    for name, value in found.randomness.seeds.items():
        yield f"  {name} = {value}"
    if not found.randomness.seeds:
        yield "  no seed among the recorded parameters"
    seed = found.randomness.hash_seed
    yield f"  PYTHONHASHSEED = {seed}" if seed is not None else "  PYTHONHASHSEED is not set"
    yield style.dim("not captured yet")
    yield from (style.dim(f"  {what}") for what in NOT_CAPTURED)


def _code(found: Coordinates) -> Iterator[str]:
    code = found.code
    if code.dirty is None:
        yield "  no Git repository"
        return
    where = f" on {code.branch}" if code.branch else ""
    yield f"  commit {code.commit or 'none yet'}{where}"
    yield (
        "  tracked files differ from that commit"
        if code.dirty
        else "  tracked files are those of that commit"
    )


def _stage(stage: StageCoordinates) -> Iterator[str]:
    if stage.command is None:
        yield f"  {stage.name}: has not run"
        return
    yield f"  {stage.name}: {stage.command if isinstance(stage.command, str) else '; '.join(stage.command)}"
    yield from _contents("<-", stage.deps)
    yield from _contents("->", stage.outs)


def _contents(arrow: str, contents: Mapping[str, Any]) -> Iterator[str]:
    for path, oid in contents.items():
        yield f"    {arrow} {oid or 'unknown':<36}  {path}"


def _environment(found: Coordinates, *, every: bool) -> Iterator[str]:
    env = found.environment
    if not env.python:
        yield "  no python answers on PATH"
        return
    yield f"  {env.implementation} {env.python} ({env.executable})"
    yield f"  {env.platform}"
    names: Sequence[str] = sorted(env.packages, key=str.lower)
    chosen = names if every else [name for name in names if name.lower() in _KEY_PACKAGES]
    if chosen:
        yield "  " + ", ".join(f"{name} {env.packages[name]}" for name in chosen)
    if len(chosen) < len(names):
        yield f"  and {len(names) - len(chosen)} more packages (--packages names them)"
