"""``ff runs find``: which run made this file, which runs used that library, parameter, seed, code."""

import argparse
import re
import time

from fourfold.base.errors import FourfoldError, UsageError
from fourfold.cli import runs
from fourfold.cli.options import at_least_one, completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.runs.find import Criteria, find
from fourfold.runs.place import Place

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{1,64}", re.ASCII | re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f]{6,64}(?:\.dir)?", re.ASCII | re.IGNORECASE)


class BadMomentError(UsageError):
    """A moment is none that can be understood."""

    code = "bad-moment"


class BadConditionError(UsageError):
    """A condition on a parameter is not ``name=value``."""

    code = "bad-condition"


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    parser.add_argument("-o", "--output", metavar="<path or digest>", help="runs that wrote this")
    parser.add_argument(
        "-i", "--input", metavar="<path or digest>", help="runs that read this, declared or not"
    )
    for name, metavar, text in (
        ("--stage", "<stage>", "runs of this stage"),
        ("--seed", "<seed>", "runs with this seed"),
        (
            "--code",
            "<commit or tree>",
            "runs of this code: a revision, or the beginning of a commit or of a code tree",
        ),
        ("--env-digest", "<digest>", "runs in this environment: the beginning of its digest"),
        ("--since", "<moment>", "runs that started then or later: 2026-11-21, 2026-11-21T14:00, 3d, 2h"),
        ("--until", "<moment>", "runs that started before"),
    ):
        completes(parser.add_argument(name, metavar=metavar, help=text), "none")
    for name, metavar, text in (
        ("--param", "<name=value>", "runs with this parameter"),
        (
            "--package",
            "<name==version>",
            "runs where this distribution was installed, in any version or this one",
        ),
    ):
        completes(parser.add_argument(name, action="append", default=[], metavar=metavar, help=text), "none")
    parser.add_argument("--failed", action="store_true", help="runs that did not succeed")
    parser.add_argument("-n", "--limit", type=at_least_one, metavar="N", help="at most this many")
    parser.epilog = "Example: ff runs find --output model.pkl --package numpy==1.26.4"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Find them; all conditions must hold."""
    place, records = runs.opened(session)
    if args.seed is not None and not args.seed.isdecimal():
        raise BadConditionError(f"--seed {args.seed!r} is no seed", hint="give a number: --seed 42")
    now = session.clock.now_ns() // 1_000_000_000
    criteria = Criteria(
        stage=args.stage,
        wrote=_place(args.output, session, place),
        read=_place(args.input, session, place),
        params=tuple(_pair(text) for text in args.param),
        packages=tuple(_package(text) for text in args.package),
        seed=int(args.seed) if args.seed is not None else None,
        code=_code(args.code, place),
        environment=args.env_digest,
        since=_moment(args.since, now),
        until=_moment(args.until, now),
        failed=args.failed,
    )
    found = []
    for one in find(records, criteria, on_error=lambda error: session.warn(error.message, error.hint)):
        found.append((one.id, one.record))
        if args.limit is not None and len(found) == args.limit:
            break
    text = list(runs.rows(found, session.style)) or ["no run meets all of that"]
    return Outcome(data={"runs": [runs.overview(*one) for one in found]}, text=text)


def _place(text: str | None, session: Session, place: Place) -> str | None:
    """A digest as it is; a path as records name it."""
    if text is None or _DIGEST.fullmatch(text) or "://" in text:
        return text
    return place.shown(session.resolve(text))


def _code(text: str | None, place: Place) -> str | None:
    """The beginning of a commit or of a code tree as it is; a revision as the commit that it stands for.

    A branch or tag whose name could be the beginning of an id is meant by it.
    """
    if text is None or place.git is None:
        return text
    try:
        found = place.git.resolve(text)
    except FourfoldError:
        if _HEX.fullmatch(text):
            return text
        raise
    return text if found.startswith(text.lower()) else found


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise BadConditionError(f"--param {text!r} is not name=value", hint="for example: --param lr=0.1")
    return name, value


def _package(text: str) -> tuple[str, str | None]:
    name, equals, version = text.partition("==")
    return name.strip(), version.strip() if equals else None


def _moment(text: str | None, now: int) -> str | None:
    """A moment, as records write it."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago:
        return _written(now - int(ago[1]) * _UNITS[ago[2]])
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
        try:
            return _written(int(time.mktime(time.strptime(text, form))))
        except (ValueError, OverflowError):
            continue
    raise BadMomentError(f"{text!r} is no moment", hint="for example: 2026-11-21, 2026-11-21T14:00, 3d, 2h")


def _written(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(max(seconds, 0)))
