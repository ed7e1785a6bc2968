"""``ff image resolve`` as people call it."""

from pathlib import Path

from tests.fixtures.sandbox import Sandbox, Tool
from tests.runs.image.conftest import Port


def test_the_command_tells_the_digests_outside_of_a_project(ff: Tool, port: Port, tmp_path: Path) -> None:
    done = ff(
        "image", "resolve", f"{port.open.host}/team/multi:1.0", "--platform", "linux/arm64", cwd=tmp_path
    )
    made = port.made
    assert f"index:     {made.top.digest}" in done.stdout
    assert f"manifest:  {made.manifests['linux/arm64/v8'].digest}" in done.stdout
    assert f"pin as:    {port.open.host}/team/multi@{made.top.digest}" in done.stdout


def test_the_command_gives_one_document(ff_repo: Sandbox, port: Port) -> None:
    name = f"{port.open.host}/team/single:1.0"
    document = ff_repo.run("image", "resolve", name, "--platform", "linux/amd64", "--json").json()
    assert document["index"] is None
    assert document["manifest"] == port.made.manifests["linux/amd64"].digest
    assert list(ff_repo.path.glob(".dvc/fourfold/runs/facts/image-*.json"))


def test_a_platform_that_is_none_is_refused(ff: Tool, tmp_path: Path) -> None:
    done = ff("image", "resolve", "python", "--platform", "linux", cwd=tmp_path, check=False)
    assert done.code == 254
    assert "bad-platform" in done.stderr
