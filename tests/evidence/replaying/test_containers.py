"""Commands in recorded images: the line that is composed, and run by a stand-in for podman."""

import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.evidence.replaying.containers import (
    PROGRAMS,
    ImageNotRecordedError,
    ImageUnavailableError,
    NoContainerProgramError,
    UnmountablePathError,
    compose,
)
from fourfold.evidence.replaying.replay import replay
from fourfold.formats.native.fact import observed
from fourfold.runs.store import records_of
from fourfold.wiring import find_place
from tests.conftest import find_ff
from tests.evidence.envworld import World
from tests.fixtures.sandbox import Sandbox, Tool

MANIFEST, INDEX, CONFIG = (f"sha256:{letter * 64}" for letter in "abc")
IMAGE = {"reference": "python:3.12", "manifest": MANIFEST, "index": INDEX, "config": CONFIG}

#: Understands what podman would, as far as it is given, and runs the command on this machine.
PODMAN = """\
#!/bin/sh
case "$1 $2" in
    "image inspect") test -z "$PODMAN_LACKS"; exit ;;
    "pull --quiet") echo "one line"; echo "Cannot connect to the daemon" >&2; exit 125 ;;
    "run --rm") ;;
    *) exit 125 ;;
esac
echo "$@" > "$PODMAN_HEARD"
shift
while test $# -gt 0; do
    case "$1" in
        --workdir=*) cd "${1#--workdir=}" ;;
        --volume) shift ;;
        --env) shift; case "$1" in *=*) export "$1" ;; esac ;;
        --*) ;;
        *) break ;;
    esac
    shift
done
image="$1"; shift
test "$FOURFOLD_RUN_DIR" != /tmp || export FOURFOLD_RUN_DIR="$(dirname "$PODMAN_HEARD")"  # a /tmp of its own
IMAGE="$image" exec "$@"
"""


def _others(folder: Path) -> Path:
    """All programs of this machine but those that run containers."""
    found = folder.parent / "others"
    found.mkdir(exist_ok=True)
    for path in (*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()):
        if path.name not in PROGRAMS and not os.path.lexists(found / path.name):
            (found / path.name).symlink_to(path)
    return found


def program(world: World, name: str) -> Path:
    folder = world.root.parent / "bin"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(PODMAN)
    path.chmod(0o755)
    world.environ["PATH"] = f"{folder}:{_others(folder)}"
    world.environ["PODMAN_HEARD"] = str(folder / "heard")
    return path


def test_another_environment_is_had_from_the_recorded_image_by_a_stand_in_for_podman(world: World) -> None:
    program(world, "podman")
    world.install("extra")
    records, record = world.record()
    world.uv("pip", "uninstall", "--python", str(world.venv.python), "extra")
    record = record._replace(environment={**record.environment, "image": observed(IMAGE)})
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("image", ())
    assert found.notes[0].startswith(f"in the image docker.io/library/python@{MANIFEST}, by podman")
    said = world.run(found, 'import os; print(os.getcwd(), os.environ["IMAGE"])', "python3")
    assert said.split() == [str(world.box), f"docker.io/library/python@{MANIFEST}"]


def test_the_container_sees_the_box_and_what_seeds_and_is_the_same_user(world: World) -> None:
    program(world, "docker")
    world.environ |= {"CUSTOMER": "a secret value", "TZ": "UTC"}
    found = compose(world.place(), IMAGE, str(world.box))
    words = list(found.words)
    assert (found.program, words[0], words[1]) == ("docker", str(world.root.parent / "bin" / "docker"), "run")
    volumes = [words[at + 1] for at, word in enumerate(words) if word == "--volume"]
    scratch = world.box.parent
    assert volumes[0] == f"{scratch}:{scratch}"
    assert volumes[1].endswith("/runs/inject:ro")
    assert len(volumes) == 2
    assert f"--user={os.getuid()}:{os.getgid()}" in words
    assert f"--workdir={world.box}" in words
    variables = {words[at + 1] for at, word in enumerate(words) if word == "--env"}
    assert {
        "CUSTOMER",
        "TZ",
        "PYTHONPATH",
        "FOURFOLD_SEED",
        "FOURFOLD_RUN_DIR=/tmp",
        "PYTHONHASHSEED",
    } <= variables
    assert not {"PATH", "HOME", "TMPDIR"} & variables
    assert "a secret value" not in " ".join(words)
    assert words[-2:] == ["--entrypoint=", f"docker.io/library/python@{MANIFEST}"]


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        (IMAGE, f"docker.io/library/python@{MANIFEST}"),
        ({"reference": "ghcr.io/a/b:1", "index": INDEX}, f"ghcr.io/a/b@{INDEX}"),
        ({"reference": f"ghcr.io/a/b@{INDEX}"}, f"ghcr.io/a/b@{INDEX}"),
        ({"config": CONFIG}, CONFIG),
    ],
)
def test_an_image_is_named_by_its_digest(world: World, image: dict[str, str], reference: str) -> None:
    program(world, "podman")
    assert compose(world.place(), image, str(world.box)).reference == reference


@pytest.mark.parametrize(
    "image", [{}, {"reference": "python:3.12"}, {"reference": "--privileged", "manifest": MANIFEST}]
)
def test_an_image_without_a_digest_is_refused(world: World, image: dict[str, str]) -> None:
    program(world, "podman")
    with pytest.raises(ImageNotRecordedError, match="no image by its digest"):
        compose(world.place(), image, str(world.box))


def test_what_cannot_be_mounted_is_refused(world: World) -> None:
    program(world, "podman")
    odd = world.box.parents[1] / "2-b:c" / "tree"
    odd.mkdir(parents=True)
    with pytest.raises(UnmountablePathError, match="2-b:c"):
        compose(world.place(), IMAGE, str(odd))


def test_the_second_program_is_taken_where_the_first_has_no_image(world: World) -> None:
    lacking, having = program(world, "podman"), program(world, "docker")
    lacking.write_text('#!/bin/sh\necho "no such image" >&2; exit 125\n')
    found = compose(world.place(), IMAGE, str(world.box))
    assert (found.program, found.words[0]) == ("docker", str(having))


def test_folders_of_the_workspace_on_pythonpath_are_those_of_the_box_in_an_image_too(world: World) -> None:
    program(world, "podman")
    records, record = world.record()
    world.environ["PYTHONPATH"] = f"{world.root}/lib:tools"
    record = record._replace(environment={**record.environment, "image": observed(IMAGE)})
    assert world.choose(records, record, "image").environ["PYTHONPATH"] == f"{world.box}/lib:tools"


def test_without_podman_and_docker_it_is_said_which_image_is_wanted(world: World) -> None:
    world.environ["PATH"] = str(world.root)
    with pytest.raises(NoContainerProgramError, match=f"library/python@{MANIFEST}"):
        compose(world.place(), IMAGE, str(world.box))


def test_an_image_that_cannot_be_had_is_told_before_anything_runs(world: World) -> None:
    program(world, "docker")
    world.environ["PODMAN_LACKS"] = "1"
    with pytest.raises(ImageUnavailableError, match=r"docker has no image .*: Cannot connect to the daemon"):
        compose(world.place(), IMAGE, str(world.box))


def test_a_run_is_replayed_in_its_image_by_a_stand_in_for_podman_and_the_record_names_it(
    tmp_path: Path,
) -> None:
    repo = Sandbox(tmp_path / "repo", Tool([find_ff()], tmp_path / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    code = 'import os, random; open("out", "w").write(f"{random.random()} {os.getcwd() != 1}")'
    pipeline = """\
stages:
  make: {cmd: python3 make.py, deps: [make.py], outs: [out], meta: {fourfold: {seed: 1, image: IMAGE}}}
"""
    repo.gen({"make.py": code, "dvc.yaml": pipeline.replace("IMAGE", f"python@{MANIFEST}")})
    repo.commit()
    repo.run("repro", "-q")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "podman").write_text(PODMAN)
    (folder / "podman").chmod(0o755)
    repo.tool.env |= {
        "PATH": f"{folder}:{repo.tool.env['PATH']}",
        "PODMAN_HEARD": str(tmp_path / "heard"),
    }
    place = find_place(str(repo.path), environ=repo.tool.env, clock=SYSTEM)
    records = records_of(place)
    with replay(place, records, records.resolve("make"), policy="image") as found:
        assert found.equal
        assert found.surroundings.image == f"docker.io/library/python@{MANIFEST}"
        assert found.record.environment["image"].grade == "declared"
        assert found.record.environment["digest"].grade == "absent"
        assert found.record.trace["coverage"].value["method"] == "none"
    heard = (tmp_path / "heard").read_text()
    assert f"--volume {repo.path}/.git/objects:{repo.path}/.git/objects:ro" in heard


# -- the real podman -----------------------------------------------------------------------------------------


def podman(folder: Path) -> dict[str, str]:
    """The environment of a podman whose images and settings lie in a folder, and which starts containers."""
    if shutil.which("podman") is None or shutil.which("runc") is None:
        pytest.fail("no podman; run: apt-get install podman runc", pytrace=False)
    folder.mkdir()
    storage = {"driver": "vfs", "graphroot": f"{folder}/images", "runroot": f"{folder}/running"}
    lines = "".join(f'{key} = "{value}"\n' for key, value in storage.items())
    (folder / "storage.conf").write_text(f"[storage]\n{lines}")
    # In a container of its own podman may not raise limits.
    limits = [
        f"{name}={min(resource.getrlimit(kind)[1], 1024)}:{min(resource.getrlimit(kind)[1], 1024)}"
        for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
    ]
    (folder / "containers.conf").write_text(
        f"[containers]\ndefault_ulimits = {json.dumps(limits)}\n"
        '[engine]\nruntime = "runc"\nevents_logger = "file"\n'
    )
    return {
        "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf",
        "CONTAINERS_CONF": f"{folder}/containers.conf",
        "XDG_RUNTIME_DIR": str(folder),
    }


def image_of(folder: Path, environ: dict[str, str]) -> str:
    """An image with a shell and `cat`, the libraries that these need, and a file by which it is known."""
    top = folder / "top"
    for name in ("sh", "cat"):
        program = Path(f"/bin/{name}").resolve()
        told = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
        libraries = [word for word in told.split() if word.startswith("/")]
        for source, target in ((program, f"bin/{name}"), *((Path(each), each[1:]) for each in libraries)):
            (top / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, top / target)
    (top / "etc").mkdir()
    (top / "etc/made").write_text("in the image\n")
    (top / "tmp").mkdir()
    subprocess.run(["tar", "-C", str(top), "-cf", str(folder / "top.tar"), "."], check=True)
    full = {**os.environ, **environ}

    def run(*words: str) -> str:
        return subprocess.run(
            ["podman", *words], env=full, check=True, capture_output=True, text=True
        ).stdout.strip()

    run("import", "--quiet", str(folder / "top.tar"), "localhost/tiny:1")
    return f"localhost/tiny@{run('image', 'inspect', '--format', '{{.Digest}}', 'localhost/tiny:1')}"


@pytest.fixture
def engine() -> Iterator[dict[str, str]]:
    """The environment of a podman; its folder has a short name, for it makes sockets there."""
    with tempfile.TemporaryDirectory(prefix="pod", dir="/tmp") as folder:
        yield podman(Path(folder) / "p")


@pytest.mark.slow  # not every machine on which tests run may start containers
def test_a_run_is_replayed_in_its_image_by_podman(tmp_path: Path, engine: dict[str, str]) -> None:
    environ = engine
    image = image_of(tmp_path, environ)
    repo = Sandbox(tmp_path / "repo", Tool([find_ff()], tmp_path / "home"))
    repo.tool.env |= {**environ, "SHELL": "/bin/bash"}  # which the image has not
    repo.git("init", "-q")
    repo.run("init", "-q")
    pipeline = f"""\
stages:
  make:
    cmd: sh make.sh
    deps: [make.sh, data]
    outs: [made/out]
    meta: {{fourfold: {{seed: 7, image: "{image}"}}}}
"""
    code = 'cat /etc/made; cat data/in > made/out; echo "$CUSTOMER $FOURFOLD_SEED" >> made/out\n'
    repo.gen({"make.sh": code, "dvc.yaml": pipeline, "data/in": "word ", "made/.keep": ""})
    repo.run("add", "-q", "data")
    repo.commit()
    repo.tool.env["CUSTOMER"] = "ada"
    repo.run("repro", "-q")
    repo.gen({"data/in": "other"})
    ran = repo.run("replay", "make", "--environment", "image")
    assert "in the image" in ran.stdout.splitlines()
    assert f"environment  the recorded image, as recorded\n               in the image {image}" in ran.stdout
    assert "equal      made/out" in ran.stdout
    assert repo.run("replay", "make", "--environment", "image", "--json").json()["equal"] is True
    repo.gen({"make.sh": "exit 3\n"})
    repo.run("run", "-q", "--image", image, "--", "sh", "make.sh", check=False)
    failed = repo.run("replay", "@", "--environment", "image")
    assert "how it ended is all that was compared" in failed.stdout
    # A machine that starts no containers is no result of a replay.
    settings = Path(environ["CONTAINERS_CONF"])
    broken = settings.read_text().replace('runtime = "runc"', 'runtime = "broken"')
    settings.write_text(broken + '[engine.runtimes]\nbroken = ["/bin/false"]\n')
    refused = repo.run("replay", "make", "--environment", "image", check=False)
    assert refused.code == 255
    assert f"podman starts no container of {image}" in refused.stderr
