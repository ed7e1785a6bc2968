"""What the commands that edit configuration share: the level options, and where the files are."""

import argparse

from fourfold.base.errors import ConfigError, NotAProjectError, UsageError
from fourfold.cli.session import Session
from fourfold.formats.dvc.config import Key
from fourfold.project.config import config_files
from fourfold.project.config_edit import Desk
from fourfold.project.project import DVC_DIR
from fourfold.project.trust import Trust, state_dir


class BadOptionNameError(UsageError):
    """The name of an option does not look like one."""

    code = "bad-option-name"


def add_levels(parser: argparse.ArgumentParser) -> None:
    """Define ``--global``, ``--system``, ``--project`` and ``--local``."""
    levels = parser.add_mutually_exclusive_group()
    helps = {
        "global": "the configuration of this user",
        "system": "the configuration of this machine",
        "project": "the committed configuration of the project, .dvc/config",
        "local": "the private configuration of the project, .dvc/config.local",
    }
    for name, text in helps.items():
        levels.add_argument(f"--{name}", dest="level", action="store_const", const=name, help=text)


def desk_of(session: Session) -> Desk:
    """The configuration files as seen from where the session stands; a project is optional."""
    home = session.environ.get("HOME") or session.environ.get("USERPROFILE") or ""
    try:
        root = session.find_root()
    except NotAProjectError:
        session.opening_error = None
        return Desk(config_files(None, session.environ), session.cwd, home)
    try:
        project = session.project
    except ConfigError:
        project = None  # it is what is to be mended
        session.opening_error = None
    return Desk(
        config_files(f"{root}/{DVC_DIR}", session.environ),
        session.cwd,
        home,
        project,
        root,
        Trust(state_dir(session.environ)),
    )


def split_name(name: str) -> tuple[Key, str]:
    """``core.remote`` or ``remote.NAME.url`` as section and option, lower case as DVC keeps them.

    Raises:
        BadOptionNameError: it is neither.
    """
    section, dot, option = name.partition(".")
    if section in {"remote", "db"} and dot:
        middle, dot, option = option.rpartition(".")
        if middle and option:
            return (section, middle.lower()), option.lower()
    elif dot and section and option and "." not in option:
        return section.lower(), option.lower()
    raise BadOptionNameError(
        f"'{name}' is not the name of an option",
        hint="options look like core.remote or remote.NAME.url",
    )
