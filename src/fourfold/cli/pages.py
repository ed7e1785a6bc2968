"""The help pages that no single parser can write: of ``ff`` itself and of the families of commands.

Written from the command table alone; no command is imported. The pages of commands: `options.Parser`.
"""

from fourfold.cli import table

_COMMON = (
    ("-q, --quiet", "print nothing but errors"),
    ("-v, --verbose", "tell more"),
    ("--json", "print one JSON document"),
    ("--color <when>", "auto, always or never; NO_COLOR is respected"),
    ("--cd <path>", "act in this directory"),
    ("--wait-for-lock", "wait for another process instead of failing"),
    ("-V, --version", "print the version"),
    ("-h, --help", "show this page"),
)
_TITLE = "Fourfold: data, pipelines and runs on DVC's own files."


def short_page() -> str:
    """What ``ff`` alone says: the names of the commands by use."""
    lines = [_TITLE, "", "Usage: ff [options] <command> ...", ""]
    width = max(len(title) for title in table.HEADINGS.values()) + 2
    for key, title in table.HEADINGS.items():
        found = _visible(key)
        if found:
            lines.append(f"  {title:<{width}}{', '.join(found)}")
    lines += ["", "ff --help tells what each does, ff <command> --help how."]
    return "\n".join(lines) + "\n"


def long_page() -> str:
    """``ff --help``: every command with its line, by use; then the options for all of them."""
    lines = [_TITLE, "", "Usage: ff [options] <command> ..."]
    for key, title in table.HEADINGS.items():
        found = _visible(key)
        if found:
            lines += ["", f"{title}:"]
            lines += [f"  {_with_aliases(name):<20} {table.COMMANDS[name].help}" for name in found]
    lines += ["", "Options for every command:"]
    lines += [f"  {option:<20} {meaning}" for option, meaning in _COMMON]
    lines += ["", "Example: ff add data/raw", "See also: ff <command> --help, ff doctor"]
    return "\n".join(lines) + "\n"


def family_page(family: str) -> str:
    """``ff remote --help``: the commands of one family."""
    lines = [f"{table.FAMILIES[family]}.", "", f"Usage: ff {family} <command> ...", "", "Commands:"]
    for member in table.members(family):
        command = table.COMMANDS[f"{family} {member}"]
        lines.append(f"  {', '.join((member, *command.aliases)):<20} {command.help}")
    lines += ["", f"Example: ff {family} {table.members(family)[0]} --help"]
    return "\n".join(lines) + "\n"


def _visible(heading: str) -> list[str]:
    return [
        name for name, command in table.COMMANDS.items() if command.group == heading and not command.hidden
    ]


def _with_aliases(name: str) -> str:
    return ", ".join((name, *table.COMMANDS[name].aliases))
