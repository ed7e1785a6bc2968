"""The command table and the command modules are the same list, and both keep DVC's names."""

import argparse
from importlib import import_module

import pytest

from fourfold.cli import describe, table
from tests.architecture.sources import ROOT, sources

#: DVC's own parser, as data: name, aliases, exit code on failure (tests/cli/dvc_commands.tsv).
DVC = [
    line.split("\t")
    for line in (ROOT / "tests" / "cli" / "dvc_commands.tsv").read_text().splitlines()
    if line and not line.startswith("#")
]


def line_for(module: str) -> str:
    """The line that a new module wants in the table, with DVC's facts filled in."""
    known = {name.replace(" ", "_").replace("-", "_"): (name, aliases, code) for name, aliases, code in DVC}
    name, aliases, code = known.get(module.rstrip("_"), (module.replace("_", "-"), "-", "1"))
    also = "" if aliases == "-" else f", aliases={tuple(aliases.split(','))}"
    return f'"{name}": Command("{module}", "<one line>", "<heading>", {code}{also}),'


def test_every_command_module_is_in_the_table_and_every_entry_has_its_module() -> None:
    folder = table.PACKAGE + "."
    modules = {
        source.module.removeprefix(folder)
        for source in sources()
        if source.module.startswith(folder) and "\ndef configure(" in source.text
    }
    listed = {command.module for command in table.COMMANDS.values()}
    assert [line_for(module) for module in sorted(modules - listed)] == [], "append to table.COMMANDS"
    assert listed - modules == set(), "the table names modules that do not exist"


def test_the_table_is_sorted_and_its_words_are_known() -> None:
    assert list(table.COMMANDS) == sorted(table.COMMANDS)
    for name, command in table.COMMANDS.items():
        family, _, member = name.rpartition(" ")
        assert command.group in table.HEADINGS
        assert command.help[:1].isupper()
        assert not command.help.endswith(".")
        assert len(command.help) <= 72
        assert member
        assert not family or family in table.FAMILIES


@pytest.mark.parametrize("name", list(table.COMMANDS))
def test_a_command_configures_a_parser_whose_every_option_has_help_and_ends_with_an_example(
    name: str,
) -> None:
    entry = next(found for found in describe.entries(hidden=True) if found.name == name)
    silent = [argument.names for argument in entry.arguments if not argument.help and not argument.hidden]
    assert silent == []
    if not entry.command.hidden:
        assert entry.example.startswith("Example: ")
        assert f"ff {name}" in entry.example


@pytest.mark.parametrize("name", list(table.COMMANDS))
def test_a_command_takes_the_global_options_from_the_frame(name: str) -> None:
    parser = argparse.ArgumentParser()
    import_module(f"{table.PACKAGE}.{table.COMMANDS[name].module}").configure(parser)
    own = {option for action in parser._actions for option in action.option_strings}
    assert own & {"--json", "--quiet", "--verbose", "--color", "--cd", "--wait-for-lock"} == set()


def test_names_aliases_and_failure_codes_are_dvcs() -> None:
    known = table.names()
    for name, aliases, code in DVC:
        if name not in known:
            continue
        command = table.COMMANDS[known[name]]
        assert command.failure_code == int(code), name
        head = name.rpartition(" ")[0]
        for alias in aliases.split(",") if aliases != "-" else []:
            assert known.get(f"{head} {alias}".strip()) == known[name]


def test_dvcs_options_are_taken_by_our_command_of_that_name() -> None:
    missing = []
    ours = {entry.name: entry for entry in describe.entries(hidden=True)}
    known = table.names()
    for line in (ROOT / "tests" / "cli" / "dvc_options.tsv").read_text().splitlines():
        name, _, options = line.partition("\t")
        if name in known:
            taken = {option for argument in ours[known[name]].arguments for option in argument.names}
            missing += [f"{name} {option}" for option in options.split() if option not in taken]
    assert missing == []
