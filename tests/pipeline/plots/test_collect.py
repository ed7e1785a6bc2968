"""Which plots a moment has, and what is in them."""

import pytest

from fourfold.pipeline.moments import FileAbsentError
from fourfold.pipeline.plots.collect import collect, compared, load
from fourfold.project.scope import NoHistoryError
from fourfold.scm.git import UnknownRevisionError
from tests.project.workplace import Workplace

PNG = b"\x89PNG\r\n\x1a\n"


def commit(work: Workplace) -> None:
    work.git("add", "-A")
    work.git("commit", "--quiet", "-m", "a commit")


def names(work: Workplace, *targets: str, cwd: str = "") -> list[str]:
    return [plot.id for plot in collect(work.open(cwd), targets)]


def test_files_folders_names_and_outputs_of_stages_are_plots(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": "plots:\n- pics\n- a.csv: {title: T}\n- N: {y: {a.csv: y}}\n"
            "stages:\n  s:\n    cmd: echo\n"
            "    plots: [{a.csv: {cache: false}}]\n    outs: [{b.csv: {cache: false}}]\n",
            "pics": {"2.png": PNG, "10.png": PNG, "deep": {"c.csv": "y\n1\n"}},
            "a.csv": "x,y\n1,2\n",
        }
    )
    assert names(work) == ["pics/10.png", "pics/2.png", "pics/deep/c.csv", "dvc.yaml::a.csv", "a.csv", "N"]
    assert names(work, "N") == ["N"]
    assert names(work, "pics/deep") == ["pics/deep/c.csv"]


def test_of_two_definitions_of_a_file_the_closer_one_counts(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": "plots:\n- d: {x: y}\n- d/a.csv: {title: T}\n",
            "d": {"a.csv": "y\n1\n", "b.csv": "y\n1\n"},
        }
    )
    found = {plot.id: plot for plot in collect(work.open())}
    assert found["d/a.csv"].title == "T"
    assert found["d/a.csv"].props["x"] == "step"
    assert found["d/b.csv"].props["x"] == "y"


def test_a_revision_is_read_from_git_and_from_the_cache_without_a_checkout(work: Workplace) -> None:
    work.track("kept.csv", b"y\n1\n")
    work.gen(
        {".gitignore": "/kept.csv\n", "dvc.yaml": "plots: [loose.csv, kept.csv]\n", "loose.csv": "y\n5\n"}
    )
    commit(work)
    work.gen({"kept.csv": "y\n2\n", "loose.csv": "y\n6\n"})
    found = {plot.id: plot for plot in collect(work.open(), revs=["HEAD", "workspace"])}
    assert [row["y"] for row in found["kept.csv"].rows] == ["2", "1"]
    assert [row["y"] for row in found["loose.csv"].rows_of("HEAD")] == ["5"]
    assert found["loose.csv"].asked == ("workspace", "HEAD")
    assert work.text("loose.csv") == "y\n6\n"


def test_what_cannot_be_read_is_an_error_of_that_plot_at_that_moment(work: Workplace) -> None:
    work.gen(
        {"dvc.yaml": "plots:\n- gone.csv\n- a.csv: {y: nope}\n- a.txt\n", "a.csv": "x\n1\n", "a.txt": "?"}
    )
    errors = [type(error).__name__ for plot in collect(work.open()) for _rev, error in plot.errors()]
    assert errors == ["FileAbsentError", "FieldNotFoundError", "PlotFileTypeError"]


def test_a_moment_that_cannot_be_loaded_does_not_stop_the_others(work: Workplace) -> None:
    work.gen({"dvc.yaml": "plots: [a.csv]\n", "a.csv": "y\n1\n"})
    commit(work)
    work.gen({"dvc.yaml": "plots: {\n"})
    found = load(work.open(), revs=["workspace", "HEAD"])
    assert list(found.errors) == ["workspace"]
    assert [plot.revs for plot in found.plots] == [("HEAD",)]


def test_no_name_of_a_plot_leads_out_of_the_project(work: Workplace) -> None:
    work.gen(
        {
            "../secret.csv": "y\n42\n",
            "dvc.yaml": "plots:\n- ../secret.csv\n- N: {y: {/etc/hostname: y}}\n- /etc/passwd\n",
        }
    )
    for plot in collect(work.open()):
        assert plot.rows == ()
        assert all(isinstance(error, FileAbsentError) for _rev, error in plot.errors())


def test_paths_are_told_from_where_the_user_stands(work: Workplace) -> None:
    work.gen({"dvc.yaml": "plots: [a.csv, sub/b.csv]\n", "a.csv": "y\n1\n", "sub": {"b.csv": "y\n1\n"}})
    found = collect(work.open("sub"))
    assert [plot.id for plot in found] == ["../a.csv", "../sub/b.csv"]
    assert [len(plot.rows) for plot in found] == [1, 1]


def test_a_diff_is_with_head_when_something_changed_and_with_nothing_else_otherwise(work: Workplace) -> None:
    work.gen({"a.csv": "y\n1\n"})
    assert compared(work.open(), []) is None
    commit(work)
    assert compared(work.open(), []) == ("workspace",)
    work.gen({"a.csv": "y\n2\n"})
    assert compared(work.open(), []) == ("HEAD", "workspace")
    assert compared(work.open(), ["HEAD"]) == ("HEAD", "workspace")
    assert compared(work.open(), ["HEAD", "main"]) == ("HEAD", "main")


def test_an_experiment_is_compared_with_the_commit_that_it_began_from(work: Workplace) -> None:
    work.gen({"a.csv": "y\n1\n"})
    commit(work)
    baseline = work.git("rev-parse", "HEAD").strip()
    work.gen({"a.csv": "y\n2\n"})
    commit(work)
    work.git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/mine", "HEAD")
    assert compared(work.open(), ["HEAD"], experiment=True) == ("HEAD", baseline[:7])
    assert compared(work.open(), ["HEAD~1"], experiment=True) == ("HEAD~1", "workspace")


def test_a_revision_that_git_does_not_know_is_an_error(work: Workplace) -> None:
    commit(work)
    with pytest.raises(UnknownRevisionError):
        collect(work.open(), revs=["nosuch"])


def test_without_git_there_is_nothing_to_compare_with(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(NoHistoryError):
        compared(Workplace(tmp_path_factory.mktemp("plain"), no_scm=True).open(), [])
