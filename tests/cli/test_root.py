"""`ff root` beside `dvc root`."""

from pathlib import Path

from tests.fixtures.sandbox import Tool


def test_root_prints_what_dvc_prints(ff: Tool, dvc: Tool, tmp_path: Path) -> None:
    (tmp_path / "repo" / ".dvc").mkdir(parents=True)
    deep = tmp_path / "repo" / "a" / "b"
    deep.mkdir(parents=True)
    for folder in (tmp_path / "repo", deep):
        assert ff("root", cwd=folder).stdout == dvc("root", cwd=folder).stdout


def test_root_outside_a_project_exits_as_dvc_does_and_says_how_to_begin(
    ff: Tool, dvc: Tool, tmp_path: Path
) -> None:
    ours = ff("root", cwd=tmp_path, check=False)
    assert ours.code == dvc("root", cwd=tmp_path, check=False).code == 253
    assert ours.stdout == ""
    assert "hint: " in ours.stderr
    assert "ff init" in ours.stderr


def test_root_is_found_from_the_directory_of_cd(ff: Tool, dvc: Tool, tmp_path: Path) -> None:
    (tmp_path / "repo" / ".dvc").mkdir(parents=True)
    (tmp_path / "repo" / "a").mkdir()
    for tool in (ff, dvc):
        assert tool("--cd", "repo/a", "root", cwd=tmp_path).stdout == "..\n"
