"""``ff image resolve``: what the name of a container image stands for now."""

import argparse
import platform as machine
from collections.abc import Iterator
from typing import Any

from fourfold.base.errors import NotAProjectError, UsageError
from fourfold.cli.options import completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.formats.oci import ARCHITECTURES, Platform, parse_platform
from fourfold.runs.image.reference import parse
from fourfold.runs.image.resolve import keep, resolve
from fourfold.runs.place import place_of


class BadPlatformError(UsageError):
    """A platform is not written as ``os/arch`` or ``os/arch/variant``."""

    code = "bad-platform"


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    completes(
        parser.add_argument(
            "image", type=parse, metavar="<name:tag>", help="an image: python:3.12, ghcr.io/org/name"
        ),
        "none",
    )
    completes(
        ours(
            parser.add_argument(
                "--platform",
                type=_platform,
                metavar="<os/arch>",
                help="the image for this platform, with /variant if need be (default: linux, as here)",
            )
        ),
        "none",
    )
    ours(
        parser.add_argument(
            "--plain-http",
            action="store_true",
            help="ask over http where the registry is not on this machine",
        )
    )
    parser.epilog = "Example: ff image resolve python:3.12 --platform linux/arm64"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Ask the registry; in a project, keep the answer for the records of runs that declare the name."""
    image = resolve(
        args.image,
        args.platform or _this_platform(),
        session.environ,
        strict=args.platform is not None,
        clock=session.clock,
        plain_http=args.plain_http,
    )
    try:
        keep(image, place_of(session.project))
    except NotAProjectError:
        session.opening_error = None
    document = image.document()
    return Outcome(data=document, text=_lines(document), loud=True)


def _this_platform() -> Platform:
    """Images are for Linux, whatever runs us."""
    name = machine.machine().lower()
    return Platform("linux", ARCHITECTURES.get(name, name))


def _platform(text: str) -> Platform:
    found = parse_platform(text)
    if found is None:
        raise BadPlatformError(f"'{text[:80]}' is no platform", hint="write it as: linux/amd64")
    return found


def _lines(document: dict[str, Any]) -> Iterator[str]:
    names = ("reference", "index", "manifest", "config", "platform", "created")
    for name in names:
        if document[name] is not None:
            yield f"{name + ':':<11}{document[name]}"
    for name, value in sorted(document["labels"].items()):
        yield f"{name + ':':<11}{value}"
    yield f"{'layers:':<11}{len(document['diff_ids'])}"
    if document["index"] is not None:
        yield f"{'pin as:':<11}{document['name']}@{document['index']}"
    else:
        yield f"{'pin as:':<11}{document['name']}@{document['manifest']}"
