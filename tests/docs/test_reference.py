"""Every command, option, error code, variable and configuration key is documented."""

import re

import pytest

from fourfold.cli import describe
from fourfold.evidence.verifying.declaring import Declared
from fourfold.pipeline import resources
from fourfold.project import config_schema
from fourfold.runs import declared
from tests.architecture.sources import sources
from tests.docs import reference
from tests.docs.reference import FOLDER, PAGES


@pytest.mark.parametrize("name", list(PAGES))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run: python -m tests.docs.reference"


def test_every_command_and_option_is_on_the_page() -> None:
    page = (FOLDER / "commands.md").read_text(encoding="utf-8")
    for entry in describe.entries():
        section = page.partition(f"### ff {entry.name}\n")[2].partition("\n### ")[0]
        assert section, entry.name
        for argument in entry.switches:
            if not argument.common:
                assert ", ".join(argument.names) in section


def test_error_codes_are_kebab_case_and_mean_one_thing_each() -> None:
    classes = reference.error_classes()
    codes = [cls.code for cls in classes]
    assert [code for code in codes if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)] == []
    assert sorted({code for code in codes if codes.count(code) > 1}) == []


def test_every_error_says_what_it_means_in_one_sentence_and_has_a_category() -> None:
    for cls in reference.error_classes():
        assert (cls.__doc__ or "").strip(), cls
        assert cls.exit_code in {1, 3, 251, 252, 253, 254, 255}


def test_every_environment_variable_is_documented() -> None:
    page = (FOLDER / "environment.md").read_text(encoding="utf-8")
    named = {
        name
        for source in sources()
        for name in re.findall(r"""["'](?:os\.environ\[)?((?:FF|DVC|FOURFOLD)_[A-Z0-9_]+)["']""", source.text)
    }
    # Those of the remotes are their libraries' own, as the page says.
    named |= {
        name
        for source in sources()
        if source.room != "storage"
        for name in re.findall(r"""\benviron(?:\.get\(|\[)["']([A-Z][A-Z0-9_]+)["']""", source.text)
    }
    assert sorted(name for name in named if f"`{name}`" not in page) == []


def test_every_exit_code_is_documented() -> None:
    page = (FOLDER / "exit-codes.md").read_text(encoding="utf-8")
    codes = {0, 1, 3, 141, 251, 252, 253, 254, 255}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == codes


def test_every_key_of_a_stage_is_documented() -> None:
    page = (FOLDER / "config.md").read_text(encoding="utf-8").partition("## What a stage says")[2]
    table = page.partition("\n## ")[0]
    keys = {*resources.TYPES, *declared.TYPES, *declared.NUMERICS, *resources.VERIFY}
    assert sorted(key for key in keys if f"`{key}`" not in table) == []
    assert resources.TYPES.keys().isdisjoint(declared.TYPES)
    assert set(resources.VERIFY) == set(Declared._fields)


def test_every_configuration_key_is_documented() -> None:
    page = (FOLDER / "config.md").read_text(encoding="utf-8")
    for section, keys in config_schema.SECTIONS.items():
        assert re.search(rf"^## {section}$|^\| .*\b{section}\b.* \|", page, re.MULTILINE), section
        assert [key for key in keys if f"`{key}`" not in page] == []
    for kind, keys in config_schema.REMOTES.items():
        assert not kind or f"`{kind}`" in page
        assert [key for key in keys if f"`{key}`" not in page] == []
