"""The parser: DVC's meanings, our errors."""

import argparse

import pytest

from fourfold.base.errors import UsageError
from fourfold.cli import options
from fourfold.cli.options import HelpWanted, MissingArgumentError, Parser, ours


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", "--cloud", action="store_true", help="compare with the remote")
    parser.add_argument("-j", "--jobs", type=int, metavar="N", help="workers")
    parser.add_argument("-R", "--rev", nargs="?", help="revision")
    ours(parser.add_argument("--clone", action="store_true", help="ours alone"))
    parser.add_argument("--secret", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", help="what to look at")
    parser.epilog = "Example: ff status"


def parser() -> Parser:
    return options.command_parser("status", "Show changes", configure)


@pytest.mark.parametrize("abbreviated", ["--c", "--cl", "--clo", "--clou"])
def test_abbreviations_of_dvcs_options_are_not_made_ambiguous_by_ours(abbreviated: str) -> None:
    assert parser().parse([abbreviated]).cloud is True


def test_our_options_may_be_abbreviated_where_nothing_of_dvcs_begins_so() -> None:
    assert parser().parse(["--clone"]).clone is True
    assert parser().parse(["--clon"]).clone is True
    assert options.settings_of([parser().parse(["--js", "--col", "never"])]).json is True


def test_arguments_and_options_may_be_mixed_as_in_dvc() -> None:
    found = parser().parse(["--jobs", "2", "a", "b", "-c"])
    assert (found.jobs, found.targets, found.cloud) == (2, ["a", "b"], True)


def test_two_dashes_end_the_options() -> None:
    assert parser().parse(["--", "-c", "--json"]).targets == ["-c", "--json"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--jobs", "x"], "-j/--jobs: invalid int value: 'x'"),
        (["--jobs"], "-j/--jobs: expected one argument"),
        (["--c=1"], "-c/--cloud: ignored explicit argument '1'"),
    ],
)
def test_argparses_complaints_become_one_line(argv: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parser().parse(argv)
    assert caught.value.message == message
    assert caught.value.hint == "see: ff status --help"


def test_a_missing_argument_is_named() -> None:
    needs = Parser("ff get")
    needs.add_argument("url")
    needs.add_argument("path")
    with pytest.raises(MissingArgumentError) as caught:
        needs.parse([])
    assert caught.value.message == "missing argument: url, path"


def test_help_shows_every_option_once_and_hides_what_is_hidden() -> None:
    with pytest.raises(HelpWanted) as caught:
        parser().parse(["-h"])
    page = caught.value.page
    assert page.startswith("Show changes.\n\nUsage: ff status [options] [<targets> ...]\n\nArguments:\n")
    assert "-j, --jobs <n>" in page
    assert "-R, --rev [<rev>]" in page
    assert page.count("--json") == 1
    assert "secret" not in page
    assert page.endswith("Example: ff status\n")


def test_the_later_global_option_wins() -> None:
    before, after = argparse.Namespace(color="always", quiet=1), argparse.Namespace(color="never")
    settings = options.settings_of([before, after])
    assert (settings.color, settings.quiet, settings.verbose) == ("never", True, 0)
