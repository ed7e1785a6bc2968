"""Which environment a replay gets: a uv project whose run was recorded; its environment moves on."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3

from fourfold.base.errors import FourfoldError
from fourfold.evidence.replaying.surroundings import EnvironmentDiffersError, choose
from fourfold.formats.native.fact import absent, observed
from fourfold.runs.environment.now import now
from fourfold.runs.store import records_of
from tests.evidence.envworld import World
from tests.runs.recordmaking import Parts, make


def test_the_running_environment_is_taken_when_it_is_the_recorded_one(world: World) -> None:
    found = world.choose(*world.record())
    assert (found.how, found.differences, found.wrap, dict(found.environ)) == ("running", (), None, {})
    assert found.executable == str(world.venv.python)


def test_the_recorded_environment_is_found_where_it_stood_though_it_is_not_active(world: World) -> None:
    records, record = world.record()
    found = world.choose(records, record, active=False)
    assert (found.how, found.differences) == ("running", ())
    assert found.environ["PATH"].startswith(f"{world.venv.path}/bin:")
    assert found.environ["VIRTUAL_ENV"] == str(world.venv.path)
    assert world.run(found, "import alpha, sys; print(sys.prefix)").strip() == str(world.venv.path)


def test_another_environment_is_built_from_the_recorded_lock_with_the_groups_of_then(world: World) -> None:
    records, record = world.record()
    world.install("beta==1.0", "extra")
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("lock", ())
    assert found.executable.startswith(str(world.root / ".fourfold" / "environments"))
    said = world.run(found, "import alpha, beta, omega; print(beta.VERSION)")
    assert said.strip() == "1.1"


def test_what_cannot_be_built_is_refused_with_what_differs(world: World) -> None:
    world.install("extra")
    records, record = world.record()
    world.install("beta==1.0")
    world.uv("pip", "uninstall", "--python", str(world.venv.python), "extra")
    with pytest.raises(EnvironmentDiffersError) as caught:
        world.choose(records, record)
    assert caught.value.message == "the environment is not the recorded one: beta is 1.0, recorded is 1.1"
    assert caught.value.hint == "take the running one and be told what differs: --environment running"
    told = caught.value.details
    assert "extra 1 is not installed" in told
    assert "lock: extra 1 is not installed" in told
    assert any(line.startswith("image: ") for line in told)


def test_by_policy_running_the_running_one_is_taken_and_what_differs_is_told(world: World) -> None:
    records, record = world.record()
    world.install("beta==1.0")
    found = world.choose(records, record, "running")
    assert (found.how, found.differences) == ("running", ("beta is 1.0, recorded is 1.1",))


def test_a_venv_in_the_repository_is_had_in_the_box_under_its_name(world: World) -> None:
    (world.root / "venv").symlink_to(world.venv.path)
    place = world.place()
    records = records_of(place)
    inside = str(world.root / "venv" / "bin" / "python")
    record = make(
        Parts(), command=("venv/bin/python train.py",), environment=now(place, inside, records.keep)
    )
    found = world.choose(records, record, active=False)
    assert (found.how, found.differences) == ("running", ())
    assert world.run(found, "import alpha, sys; print(sys.prefix)", "venv/bin/python").strip() == str(
        world.box / "venv"
    )


def test_a_venv_beside_the_repository_is_had_beside_the_box(world: World) -> None:
    records, record = world.record("../venv/bin/python train.py")
    found = world.choose(records, record, active=False)
    assert (world.box.parent / "venv").resolve() == world.venv.path.resolve()
    assert world.run(found, "import alpha; print(alpha.VERSION)", "../venv/bin/python").strip() == "1.0"


def test_an_editable_install_of_the_project_imports_the_code_of_the_box(world: World) -> None:
    for folder, text in ((world.root, "'workspace'"), (world.box, "'box'")):
        (folder / "src" / "own").mkdir(parents=True)
        (folder / "src" / "own" / "__init__.py").write_text(f"WHERE = {text}\n")
    info = world.venv.site / "own-1.0.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("own.pth,,\n")
    (info / "direct_url.json").write_text(
        json.dumps({"url": world.root.as_uri(), "dir_info": {"editable": True}})
    )
    (world.venv.site / "own.pth").write_text(f"{world.root}/src\n")
    records, record = world.record()
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("running", ())
    assert found.environ["PYTHONPATH"] == str(world.box / "src")
    found = found._replace(environ={**found.environ, "PATH": world.place().environ["PATH"]})
    assert world.run(found, "import own; print(own.WHERE)").strip() == "box"
    world.install("beta==1.0")
    built = world.choose(records, record)
    assert (built.how, built.differences) == ("lock", ())
    assert world.run(built, "import alpha, own; print(own.WHERE)").strip() == "box"


def test_folders_of_the_workspace_on_pythonpath_become_those_of_the_box(world: World) -> None:
    records, record = world.record()
    elsewhere = world.root.parent / "elsewhere"
    elsewhere.mkdir()
    world.environ["PYTHONPATH"] = f"{world.root}/lib:{elsewhere}:tools"
    found = world.choose(records, record)
    assert found.environ["PYTHONPATH"] == f"{world.box}/lib:{elsewhere}:tools"


def test_what_a_strange_record_calls_its_python_is_never_started_unless_it_is_one(world: World) -> None:
    touched = world.root.parent / "touched"
    program = world.root.parent / "reboot"
    program.write_text(f"#!/bin/sh\ntouch {touched}\n")
    program.chmod(0o755)
    records, record = world.record()
    described = {**record.environment["interpreter"].value, "executable": str(program)}
    facts = {**record.environment, "interpreter": observed(described), "digest": observed("0" * 64)}
    world.environ["PATH"] = str(world.root)
    with pytest.raises(EnvironmentDiffersError, match="no Python on PATH"):
        choose(
            world.place(active=False),
            records,
            record._replace(environment=facts),
            folder=str(world.box),
        )
    assert not touched.exists()


def test_of_what_is_no_python_the_programs_are_compared(world: World) -> None:
    records, record = world.record()
    shell = os.path.realpath("/bin/sh")
    digest = blake3(Path(shell).read_bytes()).hexdigest()
    programs = {shell: {"blake3": digest}, "/nowhere/tool": {"blake3": "0" * 64}, "/bin/ls": {"blake3": "1"}}
    facts = {"digest": absent("no Python"), "executables": observed(programs)}
    found = world.choose(records, record._replace(environment=facts))
    assert found.differences == ("/bin/ls is another program than recorded", "/nowhere/tool is not here")
    nothing = world.choose(records, record._replace(environment={}))
    assert nothing.differences == ()
    assert "nothing could be compared" in nothing.notes[0]


def test_another_version_of_python_is_told_before_anything_else(world: World) -> None:
    records, record = world.record()
    described = {**record.environment["interpreter"].value, "version": "3.9.1"}
    facts = {**record.environment, "interpreter": observed(described), "digest": observed("0" * 64)}
    with pytest.raises(
        EnvironmentDiffersError, match=r"Python is 3\.\d+\.\d+, recorded is 3\.9\.1"
    ) as caught:
        world.choose(records, record._replace(environment=facts))
    assert any(line.startswith("lock: uv venv failed") for line in caught.value.details)


def test_more_differences_than_ten_are_a_number(world: World) -> None:
    records, record = world.record()
    rows = {f"lib{number}": {"version": "1", "record": None, "imported": True} for number in range(30)}
    facts = {
        **record.environment,
        "distributions": observed(records.keep(rows)),
        "digest": observed("0" * 64),
    }
    with pytest.raises(EnvironmentDiffersError) as caught:
        world.choose(records, record._replace(environment=facts))
    *named, more, lock, image = caught.value.details
    assert len(named) == 10
    assert more.startswith("and ")
    assert lock.startswith("lock: ")
    assert image == "image: the run recorded no image by its digest"


def test_an_edited_file_of_what_the_run_imports_is_told_and_no_proof_of_another_environment(
    world: World,
) -> None:
    records, record = world.record()
    rows = dict(records.part(record.environment["distributions"].value["part"]))
    rows["beta"] = {**rows["beta"], "imported": True}
    facts = {**record.environment, "distributions": observed(records.keep(rows))}
    for name in ("beta", "omega"):
        (world.venv.site / name / "__init__.py").write_text("VERSION = 'mine'\n")
    found = world.choose(records, record._replace(environment=facts))
    assert (found.how, found.differences) == ("running", ())
    assert found.notes == ("beta 1.1: beta/__init__.py is not what was installed; was it then?",)


def test_a_link_in_strange_code_leads_no_link_of_ours_out_of_the_box(world: World) -> None:
    outside = world.root.parent / "outside"
    outside.mkdir()
    (world.box / "tools").symlink_to(outside)
    records, record = world.record("tools/venv/bin/python train.py")
    found = world.choose(records, record)
    assert list(outside.iterdir()) == []
    assert found.notes == ("commands look for their Python in tools/venv, outside of the box",)


ODD = [None, 7, "x", "../../..", ["x"], {"x": 1}, {"part": "0" * 64, "size": 1}, "\0", "{prefix}/" * 40]


KEYS = ("executable", "prefix", "version", "platform", "file", "digest", "reference", "manifest", "alpha")


@pytest.mark.parametrize("name", ["digest", "interpreter", "distributions", "lock", "image", "executables"])
def test_facts_of_any_shape_are_refused_or_told_and_never_a_mistake_of_ours(world: World, name: str) -> None:
    records, record = world.record()
    odd = [*ODD, *(dict.fromkeys(KEYS, one) for one in ODD)]
    facts = {**record.environment, "digest": observed("0" * 64)}
    world.environ["PATH"] = f"{world.root}:/usr/bin:/bin"
    for value in odd:
        strange = record._replace(environment={**facts, name: observed(value)})
        for policy in ("lock", "image"):
            with contextlib.suppress(FourfoldError):
                world.choose(records, strange, policy)
    strange = record._replace(environment={**facts, name: observed(odd[-3])})
    with contextlib.suppress(FourfoldError):
        world.choose(records, strange)


def test_in_a_box_elsewhere_links_stay_in_its_repository(world: World) -> None:
    elsewhere = world.root.parent / "elsewhere"
    inner = elsewhere / "sub"
    (inner / "deep").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(elsewhere)], check=True)
    world.box = inner
    records, record = world.record("../venv/bin/python train.py && ../../x/venv/bin/python test.py")
    found = world.choose(records, record)
    assert found.notes == ("commands look for their Python in ../../x/venv, outside of the box",)
    assert (elsewhere / "venv").is_symlink()
    assert not (elsewhere.parent / "x").exists()


def test_a_python_that_commands_name_by_its_place_is_asked_before_that_of_the_search_path(
    world: World,
) -> None:
    records, record = world.record(f"{world.venv.python} train.py")
    folder = world.root.parent / "shims"
    folder.mkdir()
    (folder / "python").write_text('#!/bin/sh\ntouch "$0.started"\nexit 1\n')
    (folder / "python").chmod(0o755)
    world.environ["PATH"] = f"{folder}:{world.environ['PATH']}"
    found = world.choose(records, record, active=False)
    assert (found.how, found.differences, found.executable) == ("running", (), str(world.venv.python))
    assert os.listdir(folder) == ["python"]
    assert world.choose(records, record._replace(command=("python train.py",)), active=False).how == "running"
    assert sorted(os.listdir(folder)) == ["python", "python.started"]
