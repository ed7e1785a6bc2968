"""``ff config``: read and write options, at every level."""

import argparse
import os
from collections.abc import Iterator

from fourfold.base.errors import UsageError
from fourfold.cli.configdesk import BadOptionNameError, add_levels, desk_of, split_name
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.formats.dvc.config import Key, Value
from fourfold.project.config import Config
from fourfold.project.config_edit import not_set, set_option, unset_option
from fourfold.storage.redact import is_secret, redact_url


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    add_levels(parser)
    parser.add_argument("name", nargs="?", type=_name, help="section.option, or remote.NAME.option")
    parser.add_argument("value", nargs="?", help="the value to set")
    parser.add_argument("-u", "--unset", action="store_true", help="remove the option")
    parser.add_argument("-l", "--list", action="store_true", help="list what is set")
    parser.add_argument("--show-origin", action="store_true", help="show the file that each value comes from")
    parser.epilog = "Example: ff config cache.type reflink,hardlink"


def _name(text: str) -> str:
    """Refuse what is not the name of an option while the command line is read."""
    try:
        split_name(text)
    except BadOptionNameError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.hint}") from None
    return text


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """List, read, set or remove."""
    if args.list:
        if args.name or args.value:
            raise UsageError("--list takes no name and no value")
        return _list(args, session)
    if args.name is None:
        raise UsageError("the name of an option is needed", hint="list what is set with: ff config --list")
    section, option = split_name(args.name)
    if args.unset or args.value is not None:
        if args.show_origin:
            raise UsageError("--show-origin cannot be used while setting or removing an option")
        desk = desk_of(session)
        if args.unset:
            path = unset_option(desk, args.level, section, option)
        else:
            path = set_option(desk, args.level, section, option, args.value)
        return Outcome(data={"file": path})
    return _get(args, session, section, option)


def _get(args: argparse.Namespace, session: Session, section: Key, option: str) -> Outcome:
    config = desk_of(session).load()
    for level in reversed(config.levels):
        if args.level not in {None, level.level} or option not in level.sections.get(section, {}):
            continue
        value = _shown(level.sections[section][option])
        prefix = f"{_origin(session, level.file)}\t" if args.show_origin else ""
        return Outcome(data={"value": value, "file": level.file}, text=(prefix + value,), loud=True)
    if _is_known(config, section):
        return Outcome(data={"value": None})
    raise not_set(section, option)


def _is_known(config: Config, section: Key) -> bool:
    return isinstance(section, str) or any(section in level.sections for level in config.levels)


def _list(args: argparse.Namespace, session: Session) -> Outcome:
    config = desk_of(session).load()
    rows = []
    for level in config.levels:
        if args.level not in {None, level.level}:
            continue
        for section, options in level.sections.items():
            name = section if isinstance(section, str) else ".".join(section)
            for option, value in options.items():
                text = "***" if is_secret(option) else redact_url(_shown(value))
                rows.append((f"{name}.{option}", text, level.file))
    data = [{"name": name, "value": value, "file": file} for name, value, file in rows]

    def lines() -> Iterator[str]:
        for name, value, file in rows:
            yield (f"{_origin(session, file)}\t" if args.show_origin else "") + f"{name}={value}"

    return Outcome(data=data, text=lines(), loud=True)


def _origin(session: Session, path: str) -> str:
    relative = os.path.relpath(path, session.cwd)
    return path if relative.startswith("..") and not path.startswith(session.cwd) else relative


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else ",".join(value)
