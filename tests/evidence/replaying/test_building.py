"""Environments built from recorded locks by the real uv; and locks from which none can be built."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.evidence.replaying import building
from fourfold.evidence.replaying.building import (
    BuildFailedError,
    LockUnbuildableError,
    UvMissingError,
    find_uv,
)
from fourfold.evidence.replaying.surroundings import EnvironmentDiffersError
from fourfold.formats.native.fact import absent, observed
from tests.evidence.envworld import World
from tests.fixtures.wheels import index_of, make_wheel, sha256


def environments(world: World) -> list[str]:
    folder = world.root / ".fourfold" / "environments"
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_an_environment_that_was_built_is_taken_again_and_built_anew_when_it_was_altered(
    world: World,
) -> None:
    records, record = world.record()
    first = world.choose(records, record, "lock")
    assert (first.how, first.differences, world.has_built) == ("lock", (), True)
    assert world.choose(records, record, "lock") == first
    assert not world.has_built
    site = next((Path(first.executable).parent.parent / "lib").glob("python*/site-packages"))
    shutil.rmtree(next(site.glob("beta-*")))
    assert world.choose(records, record, "lock") == first
    assert world.has_built


def test_what_was_half_made_is_swept(world: World) -> None:
    half = world.root / ".fourfold" / "environments" / "0123"
    half.mkdir(parents=True)
    (half / "pyvenv.cfg").write_text("")
    world.choose(*world.record(), "lock")
    assert "0123" not in environments(world)


@pytest.mark.parametrize("hashes", [True, False])
def test_requirements_are_a_lock_with_hashes_and_without(world: World, hashes: bool) -> None:
    wheels = world.made / "wheels"
    lines = []
    for name, version in (("alpha", "1.0"), ("beta", "1.1"), ("omega", "4")):
        proof = sha256(wheels / f"{name}-{version}-py3-none-any.whl")
        lines.append(f"{name}=={version}" + (f" --hash={proof}" if hashes else ""))
    world.lock("requirements.txt", "\n".join(lines) + "\n")
    records, record = world.record()
    world.install("beta==1.0")
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("lock", ())


def test_pylock_is_a_lock(world: World) -> None:
    rows = []
    for name, version in (("alpha", "1.0"), ("beta", "1.1"), ("omega", "4")):
        wheel = world.made / "wheels" / f"{name}-{version}-py3-none-any.whl"
        rows.append(
            f'[[packages]]\nname = "{name}"\nversion = "{version}"\n'
            f'wheels = [{{ url = "{wheel.as_uri()}", hashes = {{ sha256 = "{sha256(wheel)[7:]}" }} }}]\n'
        )
    world.lock("pylock.toml", 'lock-version = "1.0"\ncreated-by = "test"\n' + "".join(rows))
    records, record = world.record()
    world.install("beta==1.0")
    assert world.choose(records, record).how == "lock"


def poetry(rows: dict[str, tuple[str, str]]) -> str:
    made = [
        f'[[package]]\nname = "{name}"\nversion = "{version}"\ndescription = ""\noptional = false\n'
        f'python-versions = "*"\nfiles = [{{file = "{name}-{version}-py3-none-any.whl", hash = "{proof}"}}]\n'
        for name, (version, proof) in rows.items()
    ]
    return "\n".join(made) + '\n[metadata]\nlock-version = "2.0"\npython-versions = "*"\ncontent-hash = "0"\n'


def pdm(rows: dict[str, tuple[str, str]]) -> str:
    made = [
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n'
        f'files = [{{file = "{name}-{version}-py3-none-any.whl", hash = "{proof}"}}]\n'
        for name, (version, proof) in rows.items()
    ]
    return '[metadata]\nlock_version = "4.4"\n' + "\n".join(made)


def pipenv(rows: dict[str, tuple[str, str]]) -> str:
    made = {name: {"version": f"=={version}", "hashes": [proof]} for name, (version, proof) in rows.items()}
    meta = {"hash": {"sha256": "0"}, "pipfile-spec": 6, "requires": {}, "sources": []}
    return json.dumps({"_meta": meta, "default": made, "develop": {}})


@pytest.mark.parametrize(
    ("name", "write"), [("poetry.lock", poetry), ("pdm.lock", pdm), ("Pipfile.lock", pipenv)]
)
def test_locks_of_other_tools_are_built_with_their_hashes(
    world: World, name: str, write: Callable[[dict[str, tuple[str, str]]], str]
) -> None:
    rows = {
        name: (version, sha256(world.made / "wheels" / f"{name}-{version}-py3-none-any.whl"))
        for name, version in (("alpha", "1.0"), ("beta", "1.1"), ("omega", "4"))
    }
    world.lock(name, write(rows))
    records, record = world.record()
    assert record.environment["lock"].value["kind"] == name
    world.install("beta==1.0")
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("lock", ())


@pytest.mark.parametrize("folder", ["vendored wheels", "../elsewhere"])
def test_a_wheel_that_the_lock_names_by_its_path_is_taken_from_there(world: World, folder: str) -> None:
    wheel = Path("beta-1.1-py3-none-any.whl")
    for top in (world.root, world.box) if folder.startswith("v") else (world.root,):
        (top / folder).mkdir()
        shutil.copy(world.made / "wheels" / wheel, top / folder / wheel)
    project = (world.root / "pyproject.toml").read_text().replace('["alpha"]', '["alpha", "beta"]')
    (world.root / "pyproject.toml").write_text(
        f'{project}\n[tool.uv.sources]\nbeta = {{ path = "{folder}/{wheel}" }}\n'
    )
    world.uv("lock")
    world.uv("sync", "--frozen", "--group", "dev", UV_PROJECT_ENVIRONMENT=str(world.venv.path))
    world.lock("uv.lock", (world.root / "uv.lock").read_text())
    records, record = world.record()
    world.install("beta==1.0")
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("lock", ())


def test_a_wheel_of_other_bytes_under_the_same_name_is_not_installed(world: World, tmp_path: Path) -> None:
    records, record = world.record()
    wheels = tmp_path / "forged"
    wheels.mkdir()
    for name, version in (("alpha", "1.0"), ("beta", "1.1"), ("omega", "4")):
        make_wheel(wheels, name, version, files={f"{name}/__init__.py": b"raise SystemExit('forged')\n"})
    world.environ |= {
        "UV_INDEX_URL": index_of(wheels, tmp_path / "forged-index"),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }
    with pytest.raises(BuildFailedError, match="uv pip failed") as caught:
        world.choose(records, record, "lock")
    assert any("hash" in line.lower() for line in caught.value.details)
    assert environments(world) == [path for path in environments(world) if len(path) == 32]
    world.environ |= {
        "UV_INDEX_URL": f"file://{world.made}/simple",
        "UV_CACHE_DIR": str(world.made / "uv"),
    }
    assert world.choose(records, record, "lock").differences == ()


def test_by_policy_lock_what_the_lock_has_not_is_told(world: World) -> None:
    world.install("extra")
    found = world.choose(*world.record(), "lock")
    assert (found.how, found.differences) == ("lock", ("extra 1 is not installed",))


def test_a_pip_that_the_run_had_and_did_not_import_does_not_count(world: World) -> None:
    make_wheel(world.made / "wheels", "pip", "99.0")
    world.install("--no-index", str(world.made / "wheels" / "pip-99.0-py3-none-any.whl"))
    records, record = world.record()
    world.uv("pip", "uninstall", "--python", str(world.venv.python), "pip")
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("running", ())
    assert found.notes == ("pip 99.0 is not installed (the run did not import it)",)


def test_another_lock_in_the_code_than_the_recorded_one_is_refused(world: World) -> None:
    records, record = world.record()
    with (world.box / "uv.lock").open("a") as file:
        file.write("# another\n")
    with pytest.raises(LockUnbuildableError, match=r"uv\.lock in the code of the run is not the lock"):
        world.choose(records, record, "lock")
    (world.box / "uv.lock").unlink()
    with pytest.raises(LockUnbuildableError, match=r"uv\.lock, the lock of the run, is not in its code"):
        world.choose(records, record, "lock")


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("environment.yml", "name: x\ndependencies: [python=3.11, alpha=1.0]\n", "conda"),
        (
            "pixi.lock",
            "version: 6\nenvironments: {default: {channels: [], packages: {}}}\npackages: []\n",
            "conda",
        ),
    ],
)
def test_a_lock_that_uv_cannot_install_is_refused_by_its_name(
    world: World, name: str, data: str, why: str
) -> None:
    world.lock(name, data)
    (world.root / "pyproject.toml").unlink()
    with pytest.raises(LockUnbuildableError, match=rf"{name} .*{why}"):
        world.choose(*world.record(), "lock")


@pytest.mark.parametrize("lock", ["requirements.txt", ""])
def test_where_no_lock_fixes_versions_the_record_does_for_what_was_imported(world: World, lock: str) -> None:
    world.lock("requirements.txt", "alpha>=1\nbeta\nomega\n")
    (world.root / "pyproject.toml").unlink()
    records, record = world.record()
    facts = dict(record.environment)
    rows = records.part(facts["distributions"].value["part"])
    known = {name: {**row, "imported": name in {"alpha", "beta"}} for name, row in rows.items()}
    facts["distributions"] = observed(records.keep(known))
    if not lock:
        facts["lock"] = absent("no lock file")
    record = record._replace(environment=facts)
    world.install("beta==1.0")
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("record", ())
    assert any("the run did not import" in text for text in found.notes)
    assert world.run(found, "import alpha, beta; print(beta.VERSION)") == "1.1\n"
    # What comes out has to have the recorded files: a version that was made anew is not it.
    forged = {**known, "beta": {**known["beta"], "record": "0" * 64}}
    facts["distributions"] = observed(records.keep(forged))
    facts["digest"] = observed("0" * 64)
    with pytest.raises(EnvironmentDiffersError, match="beta"):
        world.choose(records, record._replace(environment=facts))


@pytest.mark.parametrize("name", ["../uv.lock", "/etc/passwd", "", ".git/config"])
def test_a_record_that_names_a_lock_elsewhere_is_refused(world: World, name: str) -> None:
    records, record = world.record()
    lock = {**record.environment["lock"].value, "file": name}
    forged = record._replace(environment={**record.environment, "lock": observed(lock)})
    with pytest.raises(LockUnbuildableError):
        world.choose(records, forged, "lock")


def test_a_version_that_is_none_never_reaches_uv(world: World) -> None:
    records, record = world.record()
    rows = {"alpha": {"version": "1.0\n--index-url http://evil.example", "record": None, "imported": True}}
    forged = record._replace(
        environment={**record.environment, "distributions": observed(records.keep(rows))}
    )
    found = world.choose(records, forged, "lock")
    assert any(text.startswith("alpha 1.0") for text in found.differences)


def test_without_uv_it_is_said_how_to_get_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building.sys, "executable", "/nowhere/python")  # type: ignore[attr-defined]
    with pytest.raises(UvMissingError) as caught:
        find_uv({"PATH": str(world.root)})
    assert caught.value.hint == "install it: pip install uv"


def test_an_environment_whose_files_were_edited_is_built_anew(world: World) -> None:
    records, record = world.record()
    first = world.choose(records, record, "lock")
    site = next((Path(first.executable).parent.parent / "lib").glob("python*/site-packages"))
    (site / "beta" / "__init__.py").write_text("VERSION = 'mine'\n")
    world.choose(records, record, "lock")
    assert world.has_built
    assert "mine" not in (site / "beta" / "__init__.py").read_text()


def test_what_nobody_asked_for_in_a_month_goes(world: World) -> None:
    records, record = world.record()
    first = Path(world.choose(records, record, "lock").executable).parent.parent
    os.utime(first / "fourfold.json", (0, 0))
    world.choose(records, record, "lock")
    assert not world.has_built
    os.utime(first / "fourfold.json", (0, 0))
    world.install("extra")
    world.choose(*world.record(), "lock")
    assert not first.exists()


def test_a_name_that_is_none_never_reaches_uv(world: World) -> None:
    records, record = world.record()
    rows = {
        "alpha\n--index-url http://evil.example\nbeta": {"version": "1.0", "imported": True},
        "alpha @ http://evil.example/a.whl #": {"version": "1.0", "imported": True},
    }
    forged = record._replace(
        environment={
            **record.environment,
            "distributions": observed(records.keep(rows)),
            "lock": absent("no lock file"),
        }
    )
    found = world.choose(records, forged, "lock")
    assert found.how == "record"
    assert {text for text in found.differences if "is not installed" in text} == {
        f"{name} 1.0 is not installed" for name in rows
    }


@pytest.mark.parametrize(
    ("name", "data", "command"),
    [
        ("environment.yml", "name: x\ndependencies: [python=3.11, alpha=1.0]\n", "conda env create --name"),
        (
            "pixi.lock",
            "version: 6\nenvironments: {default: {channels: [], packages: {}}}\npackages: []\n",
            "pixi install --locked",
        ),
        (
            "conda-lock.yml",
            "version: 1\nmetadata: {content_hash: {}, channels: [], platforms: [linux-64]}\npackage: []\n",
            "conda-lock install --name",
        ),
    ],
)
def test_what_differs_from_an_environment_of_conda_is_named_with_how_to_make_it(
    world: World, name: str, data: str, command: str
) -> None:
    world.lock(name, data)
    (world.root / "pyproject.toml").unlink()
    records, record = world.record()
    world.install("extra")
    with pytest.raises(EnvironmentDiffersError, match="extra 1 is installed and was not") as caught:
        world.choose(records, record)
    assert command in caught.value.hint
    assert caught.value.hint.endswith("--environment running")
    assert any(text.startswith(f"lock: {name} is of conda") for text in caught.value.details)
