"""The generated pages of docs/reference: commands from the parsers, errors from their classes.

``python -m tests.docs.reference`` writes them; `test_reference` says when they are out of date.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path

import fourfold
from fourfold.base import errors
from fourfold.base.errors import FourfoldError
from fourfold.cli import describe, table
from fourfold.cli.describe import Argument, Entry

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
NOTE = "<!-- Written by `python -m tests.docs.reference`; edit the parsers or the classes instead. -->\n"
COMMANDS_INTRO = """\
`ff` takes DVC's names, options and meanings; an option may be abbreviated as long as it is clear.
Every command also takes the [options for every command](#options-for-every-command).
Exit codes: [exit-codes.md](exit-codes.md). Error codes: [errors.md](errors.md).
"""
ERRORS_INTRO = """\
A code never changes its meaning. It stands on the last line of an error, and in `error.code` with `--json`.
The headings are categories: what to do about it is the same for all codes below one. `bug` (exit code 3)
and `interrupted` (252) stand outside the categories.
"""


def commands_page() -> str:
    """Every command with its arguments, options, example, and its exit code on failure."""
    found = describe.entries(hidden=True)
    parts = [
        "# Commands\n",
        NOTE,
        COMMANDS_INTRO,
    ]
    for heading, title in table.HEADINGS.items():
        entries = [entry for entry in found if entry.command.group == heading]
        if entries:
            parts.append(f"## {title}\n")
            parts += [_command(entry) for entry in entries]
    parts.append("## Options for every command\n")
    parts.append(_arguments(describe.common()))
    parts.append(
        "`ff --version` and `ff -V` print the version; `ff help <command>` is `ff <command> --help`.\n"
    )
    return "\n".join(parts)


def _command(entry: Entry) -> str:
    head = entry.name.rpartition(" ")[0]
    aliases = [f"`ff {head} {alias}`".replace("  ", " ") for alias in entry.command.aliases]
    short = [alias for alias, family in table.FAMILY_ALIASES.items() if family == head]
    aliases += [f"`ff {alias} {entry.name.rpartition(' ')[2]}`" for alias in short]
    lines = [f"### ff {entry.name}\n", entry.description + "\n", f"    {entry.usage}\n"]
    if aliases:
        lines.append(f"Also: {', '.join(aliases)}.\n")
    if entry.command.hidden:
        lines.append("Called by the hooks that `ff install` writes; not meant for people.\n")
    own = [argument for argument in entry.arguments if not argument.common and not argument.hidden]
    if own:
        lines.append(_arguments(own))
    if entry.example:
        example = entry.example.removeprefix("Example: ").strip()
        lines.append(
            "Example:\n\n" + "\n".join(f"    {line.strip()}" for line in example.splitlines()) + "\n"
        )
    lines.append(f"Exits with {entry.command.failure_code} when it fails.\n")
    return "\n".join(lines)


def _arguments(arguments: list[Argument]) -> str:
    rows = ["| argument | meaning |", "|---|---|"]
    for argument in arguments:
        names = ", ".join(argument.names)
        shown = f"{names} {argument.metavar}".strip().replace("|", "\\|")
        meaning = argument.help.replace("|", "\\|").replace("%%", "%")
        choices = f" ({', '.join(argument.choices)})" if argument.choices else ""
        rows.append(f"| `{shown}` | {meaning}{choices} |")
    return "\n".join(rows) + "\n"


def error_classes() -> list[type[FourfoldError]]:
    """Every error class of the package that has a code of its own."""
    for module in pkgutil.walk_packages(fourfold.__path__, "fourfold."):
        # What runs inside of stages starts when it is imported, and knows no errors of ours.
        if module.name != "fourfold.__main__" and not module.name.startswith("fourfold.runs.inject."):
            importlib.import_module(module.name)
    return sorted(
        (
            cls
            for cls in _below(FourfoldError)
            if "code" in vars(cls) and cls.__module__.startswith("fourfold.")
        ),
        key=lambda cls: cls.code,
    )


def _below(cls: type[FourfoldError]) -> Iterator[type[FourfoldError]]:
    seen = set()
    todo = [cls]
    while todo:
        for child in todo.pop().__subclasses__():
            if child not in seen:
                seen.add(child)
                todo.append(child)
                yield child


def errors_page() -> str:
    """Every error code with its meaning, under its category."""
    classes = error_classes()
    categories = [cls for cls in classes if cls.__module__ == errors.__name__]
    parts = [
        "# Error codes\n",
        NOTE,
        ERRORS_INTRO,
    ]
    for category in categories:
        parts.append(f"## {category.code}\n")
        parts.append(_first_paragraph(category) + f" Exit code: {_exit_words(category)}.\n")
        members = [cls for cls in classes if issubclass(cls, category) and cls not in categories]
        if members:
            parts.append("| code | meaning |\n|---|---|")
            parts += [
                f"| `{cls.code}` | {_first_paragraph(cls).replace('|', chr(92) + '|')} |" for cls in members
            ]
            parts.append("")
    return "\n".join(parts)


def _exit_words(category: type[FourfoldError]) -> str:
    return (
        "1 or 255, by command" if category.exit_code == FourfoldError.exit_code else str(category.exit_code)
    )


def _first_paragraph(cls: type[FourfoldError]) -> str:
    return " ".join((cls.__doc__ or "").strip().partition("\n\n")[0].split())


PAGES: dict[str, Callable[[], str]] = {"commands.md": commands_page, "errors.md": errors_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        print(f"wrote docs/reference/{name}")
