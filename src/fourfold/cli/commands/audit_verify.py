"""``ff audit verify``: are records, statements and lock files what they say they are?"""

import argparse
import os
from collections.abc import Iterator, Mapping

from fourfold.base.errors import UsageError
from fourfold.cli import runs
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.evidence.auditing.audited import WEIGHTS, Audited, Finding
from fourfold.evidence.auditing.signing import PublicKey, trusted_keys
from fourfold.evidence.auditing.statements import keys_of
from fourfold.formats.native.record import is_id
from fourfold.project.scope import NoHistoryError

#: So many digits of an id are more than somebody can search for.
_LEAST = 32
#: So many further lines of a finding are printed.
_MOST = 12
_TITLES = {"broken": "not what it says", "open": "not proven", "note": "worth knowing"}

#: What is counted, where there is one of it.
_ONE = {"records": "record", "parts": "part", "statements": "statement", "entries": "entry", "files": "file"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    completes(
        parser.add_argument(
            "file",
            nargs="?",
            metavar="<file>",
            help="an exported run, an archive or a statement; else everything that is recorded here",
        ),
        "file",
    )
    completes(
        parser.add_argument(
            "--rev",
            action="append",
            default=[],
            metavar="<revision>",
            help="lock files of this revision too; repeatable",
        ),
        "none",
    )
    parser.add_argument("-A", "--all-commits", action="store_true", help="lock files of every commit too")
    parser.add_argument("--data", action="store_true", help="read the outputs again too")
    completes(
        parser.add_argument(
            "--keys", metavar="<path>", help="trust the keys of this list, not those of the project"
        ),
        "file",
    )
    completes(
        parser.add_argument(
            "--noted",
            action="append",
            default=[],
            type=_id,
            metavar="<id>",
            help="a run that the chain must have: the last one of then, noted elsewhere; repeatable",
        ),
        "none",
    )
    parser.add_argument(
        "--signed",
        action="store_true",
        help="every entry of dvc.lock needs a verdict that holds, signed with a key that is trusted",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 for what is merely not proven, too"
    )
    parser.epilog = "Example: ff audit verify --all-commits"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Audit; the exit code is 1 when something is not what it says it is."""
    keys = _keys(args, session)
    if args.file is not None:
        if args.rev or args.all_commits or args.data or args.signed or args.noted:
            raise UsageError(
                "a file stands alone: --rev, --all-commits, --data, --signed and --noted are of the project"
            )
        from fourfold.evidence.auditing.documents import audit_file  # noqa: PLC0415 - one of the two is wanted

        if keys is None:
            keys = keys_of(runs.opened(session)[0])
        found = audit_file(session.resolve(args.file), keys, args.file)
    else:
        from fourfold.evidence.auditing.audit import audit  # noqa: PLC0415 - likewise

        place, records = runs.opened(session)
        revs: list[str | None] = [None]
        if args.rev or args.all_commits:
            if place.project is None or place.git is None:
                raise NoHistoryError("there is no history here: revisions need a project in a Git repository")
            revs += [*args.rev, *(place.git.commits() if args.all_commits else [])]
        found = audit(
            place,
            records,
            revs=revs,
            keys=keys,
            data=args.data,
            signed=args.signed,
            noted=args.noted,
            events=session.sink,
        )
    bad = found.of("broken") or (args.strict and found.of("open"))
    return Outcome(
        data=found.document(), text=_lines(found, session.style), exit_code=1 if bad else 0, loud=True
    )


def _id(text: str) -> str:
    """An id of a run, or so much of it that nobody can make another run that begins so."""
    if len(text) < _LEAST or not is_id(text.lower().ljust(64, "0")):
        raise argparse.ArgumentTypeError(f"'{text}' is no id of a run: {_LEAST} to 64 hex digits")
    return text.lower()


def _keys(args: argparse.Namespace, session: Session) -> Mapping[str, PublicKey] | None:
    if args.keys is None:
        return None
    path = session.resolve(args.keys)
    if not os.path.isfile(path):
        raise UsageError(f"'{args.keys}' is no list of keys", hint="each line: a name, a blank, a public key")
    return trusted_keys(path)


def _lines(found: Audited, style: Style) -> Iterator[str]:
    for weight in WEIGHTS:
        listed = found.of(weight)
        if listed:
            yield style.bold(f"{_TITLES[weight]} ({len(listed)})")
        for one in listed:
            yield from _finding(one, style)
    counts = ", ".join(
        f"{count:,} {_ONE.get(what, what) if count == 1 else what}" for what, count in found.checked.items()
    )
    broken = len(found.of("broken"))
    if broken:
        yield style.red(f"{broken} broken") + f"; looked at {counts}"
    else:
        yield style.green("nothing is broken") + f"; looked at {counts}"


def _finding(one: Finding, style: Style) -> Iterator[str]:
    paint = {"broken": style.red, "open": style.yellow}.get(one.weight, style.dim)
    yield f"  {paint(one.kind)}  {style.cyan(_flat(one.subject))}: {_flat(one.message)}"
    for line in one.details[:_MOST]:
        yield f"      {_flat(line)}"
    if len(one.details) > _MOST:
        yield style.dim(f"      and {len(one.details) - _MOST} more (--json has all)")
    if one.hint:
        yield style.dim(f"      hint: {one.hint}")


def _flat(text: str) -> str:
    """What stands in a record or a statement on one line: it must not look like a finding of ours."""
    return text if text.isprintable() else " ".join(text.split())
