"""Imports are brought from their own repositories, at the commit on record, and proven."""

from pathlib import Path

import pytest

from fourfold.project.add import add
from fourfold.project.fetch import fetch
from fourfold.project.import_ import import_
from fourfold.project.pull import pull
from fourfold.project.push import push
from tests.project.depot import Depot, Place, md5
from tests.project.workplace import Workplace


@pytest.fixture
def source(tmp_path: Path) -> Workplace:
    """Another repository, with tracked and plain files."""
    (tmp_path / "source").mkdir()
    work = Workplace(tmp_path / "source")
    work.gen({"file": "data\n", "dir": {"a": "1\n", "b": "2\n"}, "plain.txt": "plain\n"})
    add(work.open(), ["file", "dir"])
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", "data")
    return work


@pytest.fixture
def importing(tmp_path: Path, folder: Place, source: Workplace) -> Depot:
    """A project with an import of each kind, and nothing in its cache."""
    depot = Depot(tmp_path, folder, {})
    for path in ("file", "dir", "plain.txt"):
        import_(depot.open(), str(source.root), path)
    depot.lose("file", "dir", "plain.txt")
    return depot


def test_pull_brings_imports_from_their_sources(importing: Depot) -> None:
    result = pull(importing.open())
    assert result.error is None
    assert [out.relpath for out in result.fetched.imported] == ["dir", "file", "plain.txt"]
    assert (importing.text("file"), importing.text("dir/b"), importing.text("plain.txt")) == (
        "data\n",
        "2\n",
        "plain\n",
    )
    assert pull(importing.open()).fetched.imported == ()


def test_imports_are_brought_at_the_commit_on_record(importing: Depot, source: Workplace) -> None:
    source.gen({"file": "newer\n", "plain.txt": "newer\n"})
    add(source.open(), ["file"])
    source.git("commit", "--quiet", "--all", "--message", "newer")
    assert pull(importing.open()).error is None
    assert (importing.text("file"), importing.text("plain.txt")) == ("data\n", "plain\n")


def test_imports_never_go_to_a_remote_of_ours(importing: Depot) -> None:
    fetch(importing.open())
    assert push(importing.open()).pushed == 0
    assert importing.place.keys() == set()


def test_a_source_that_is_gone_is_told_and_the_rest_is_fetched(importing: Depot, source: Workplace) -> None:
    importing.track_tree({"ours": "ours\n"})
    push(importing.open())
    importing.lose("ours")
    source.root.rename(source.root.with_name("moved"))
    result = fetch(importing.open())
    assert importing.objects() == {md5("ours\n")}
    assert result.error is not None
    assert result.error.code == "imports-not-fetched"
    assert len(result.imports) == 3
    assert pull(importing.open(), allow_missing=True).error is None


def test_an_import_that_was_made_without_its_content_is_no_failure(
    tmp_path: Path, folder: Place, source: Workplace
) -> None:
    depot = Depot(tmp_path, folder, {})
    import_(depot.open(), str(source.root), "file", no_download=True)
    result = fetch(depot.open())
    assert (result.error, len(result.imports)) == (None, 1)


def test_a_source_that_gives_something_else_is_refused(importing: Depot) -> None:
    text = importing.text("file.dvc")
    other = md5("something else\n")
    importing.gen({"file.dvc": text.replace(md5("data\n"), other)})
    result = fetch(importing.open(), ["file"])
    assert result.error is not None
    assert not importing.cached(other).exists()
