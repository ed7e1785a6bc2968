"""Commands in recorded images: the line that is composed, and run by a stand-in for podman."""

import os
from pathlib import Path

import pytest

from fourfold.evidence.containers import ImageNotRecordedError, NoContainerProgramError, compose
from fourfold.formats.native.fact import observed
from tests.evidence.envworld import World, stock

MANIFEST, INDEX, CONFIG = (f"sha256:{letter * 64}" for letter in "abc")
IMAGE = {"reference": "python:3.12", "manifest": MANIFEST, "index": INDEX, "config": CONFIG}

#: Understands what podman would, as far as it is given, and runs the command on this machine.
PODMAN = """\
#!/bin/sh
test "$1" = run || exit 125
echo "$@" > "$PODMAN_HEARD"
shift
while test $# -gt 0; do
    case "$1" in
        --workdir=*) cd "${1#--workdir=}" ;;
        --volume | --env) shift ;;
        --*) ;;
        *) break ;;
    esac
    shift
done
image="$1"; shift
IMAGE="$image" exec "$@"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stock(tmp_path_factory.mktemp("made"))


@pytest.fixture
def world(tmp_path: Path, made: Path) -> World:
    return World(tmp_path, made)


def program(world: World, name: str) -> Path:
    folder = world.root.parent / "bin"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(PODMAN)
    path.chmod(0o755)
    world.environ["PATH"] = f"{folder}:/usr/bin:/bin"
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


def test_the_container_sees_the_box_and_what_observes_and_is_the_same_user(world: World) -> None:
    program(world, "docker")
    world.environ |= {"CUSTOMER": "a secret value", "TZ": "UTC"}
    found = compose(world.place(), IMAGE, str(world.box))
    words = list(found.words)
    assert (found.program, words[0], words[1]) == ("docker", str(world.root.parent / "bin" / "docker"), "run")
    volumes = [words[at + 1] for at, word in enumerate(words) if word == "--volume"]
    scratch = world.box.parent
    assert volumes[:2] == [
        f"{scratch}:{scratch}",
        *(f"{path}:{path}" for path in [world.root / ".fourfold" / "runs" / "live"]),
    ]
    assert volumes[2].endswith("/runs/inject:ro")
    assert f"--user={os.getuid()}:{os.getgid()}" in words
    assert f"--workdir={world.box}" in words
    variables = {words[at + 1] for at, word in enumerate(words) if word == "--env"}
    assert {
        "CUSTOMER",
        "TZ",
        "PYTHONPATH",
        "FOURFOLD_SEED",
        "FOURFOLD_RUN_DIR",
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


def test_without_podman_and_docker_it_is_said_which_image_is_wanted(world: World) -> None:
    world.environ["PATH"] = str(world.root)
    with pytest.raises(NoContainerProgramError, match=f"library/python@{MANIFEST}"):
        compose(world.place(), IMAGE, str(world.box))
