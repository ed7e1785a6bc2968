"""``ff export``: files to take away, refusals in words, and what a stranger does with an archive."""

import json
import shutil
from pathlib import Path

import pytest

from fourfold.formats.attest import dsse, intoto
from tests.fixtures.fitted import make_fitted
from tests.fixtures.sandbox import Sandbox


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return make_fitted(tmp_path_factory.mktemp("command"))


@pytest.mark.parametrize(
    ("form", "has"),
    [
        ("ro-crate", '"@graph"'),
        ("cyclonedx", '"bomFormat": "CycloneDX"'),
        ("model-card", "# Model card: fit"),
        ("checklist", "# Reproducibility checklist: fit"),
    ],
)
def test_each_form_goes_to_the_terminal_or_into_a_file_that_is_not_written_over(
    fitted: Sandbox, tmp_path: Path, form: str, has: str
) -> None:
    told = fitted.run("export", "fit", "--format", form, "-o", "-").stdout
    assert has in told
    file = tmp_path / "out"
    fitted.run("export", "fit", "--format", form, "-o", str(file))
    assert file.read_text() == told
    refused = fitted.run("export", "fit", "--format", form, "-o", str(file), check=False)
    assert refused.code == 255
    assert "write over it with: --force" in refused.stderr
    fitted.run("export", "fit", "--format", form, "-o", str(file), "--force")


def test_provenance_is_an_envelope_of_a_statement(fitted: Sandbox) -> None:
    told = fitted.run("export", "fit", "--format", "slsa", "-o", "-").stdout
    statement = intoto.opened(dsse.parse(told.encode()))
    assert [one.name for one in statement.subjects] == ["model.bin", "scores.json"]


def test_an_archive_is_replayed_in_an_empty_folder_by_whoever_has_it(fitted: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "fit.ffrun.zip"
    told = json.loads(fitted.run("export", "--json", "-o", str(file)).stdout)
    assert (told["format"], len(told["runs"]), told["left_out"]) == ("archive", 2, [])
    (tmp_path / "empty").mkdir()
    stranger = Sandbox(tmp_path / "empty", fitted.tool)
    replayed = json.loads(stranger.run("replay", str(file), "--json").stdout)
    assert replayed["equal"] is True
    assert {one["path"]: one["same"] for one in replayed["outputs"]} == {
        "model.bin": True,
        "scores.json": True,
    }
    assert [*(tmp_path / "empty").iterdir()] == []
    stranger.run("replay", str(file), "--into", "here")
    assert (tmp_path / "empty" / "here" / "replay" / "model.bin").read_bytes() == fitted.read("model.bin")


def test_an_archive_with_a_flipped_byte_is_refused_by_name(fitted: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "fit.ffrun.zip"
    fitted.run("export", "-o", str(file))
    data = bytearray(file.read_bytes())
    at = data.index(b"git/commits.pack") + 200
    data[at] ^= 1
    file.write_bytes(data)
    refused = fitted.run("replay", str(file), check=False)
    assert refused.code == 255
    assert "git/commits.pack in the archive is damaged" in refused.stderr


def test_what_cannot_be_is_refused_in_one_line(fitted: Sandbox, tmp_path: Path) -> None:
    for words, says in (
        (("--format", "archive", "-o", "-"), "an archive is no text"),
        (("--format", "mlflow"), "no tracking store is named"),
        (("nothing-of-that-name",), "nothing-of-that-name"),
        (("-o", str(tmp_path)), "is a folder"),
        (("-o", str(tmp_path / "no" / "where.zip")), "where.zip"),
    ):
        refused = fitted.run("export", *words, check=False)
        assert refused.code, words
        assert says in refused.stderr
        assert "Traceback" not in refused.stderr
    shutil.copytree(fitted.path, tmp_path / "repo", symlinks=True)
    copy = Sandbox(tmp_path / "repo", fitted.tool)
    shutil.rmtree(copy.path / ".dvc" / "cache")
    refused = copy.run("export", "--format", "slsa", check=False)
    assert "no result of run" in refused.stderr
