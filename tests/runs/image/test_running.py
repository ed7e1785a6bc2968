"""Which image a run is in, by the marks that launchers, clusters and engines leave."""

import json
import os
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.formats.native.fact import Fact
from fourfold.formats.oci import Platform
from fourfold.runs import lockfile
from fourfold.runs.image import fact
from fourfold.runs.image.reference import parse
from fourfold.runs.image.resolve import Image, keep
from fourfold.runs.place import Place
from fourfold.runs.task import Declared, Task
from tests.runs.image import registries
from tests.runs.image.registries import Quiet, serving

CONTAINER = "c0ffee" + "0" * 58
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def task(image: str | None = None) -> Task:
    return Task("stage", "train", ("true",), "/", "/", {}, Declared(image=image))


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(root: Path, environ: Mapping[str, str] | None = None, image: str | None = None) -> Fact:
    return fact(task(image), environ or {}, root=str(root))


def in_docker(root: Path) -> None:
    line = (
        f"700 650 8:1 /var/lib/docker/containers/{CONTAINER}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"
    )
    write(root, {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": line, ".dockerenv": ""})


# --- nothing, and little ---


def test_outside_of_containers_the_image_is_absent(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/user.slice/session-2.scope\n"})
    assert found(tmp_path) == Fact("absent", None, "not in a container")


def test_it_costs_less_than_a_millisecond_where_nothing_applies(tmp_path: Path) -> None:
    mounts = "700 650 8:1 / /some/where/else rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro\n" * 60
    write(tmp_path, {"proc/self/cgroup": "0::/init.scope\n", "proc/self/mountinfo": mounts})
    times = []
    for _ in range(20):
        began = time.perf_counter()
        found(tmp_path)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.001


def test_in_a_container_that_tells_nothing_the_way_out_is_named(tmp_path: Path) -> None:
    write(tmp_path, {".dockerenv": ""})
    assert found(tmp_path).grade == "absent"
    assert "meta: fourfold: image" in found(tmp_path).why


def test_a_control_group_of_version_1_shows_a_container(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": f"12:cpu:/docker/{CONTAINER}\n"})
    assert found(tmp_path).why.startswith("in a container")


# --- what launchers and engines leave ---


def test_what_a_launcher_says_is_attested(tmp_path: Path) -> None:
    given = {"reference": "python:3.12", "index": DIGEST, "platform": "linux/amd64", "more": "x"}
    said = found(tmp_path, {"FOURFOLD_IMAGE": json.dumps(given)})
    assert said.grade == "attested"
    assert said.value == {"reference": "python:3.12", "index": DIGEST, "platform": "linux/amd64"}


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"index": "latest"}', '{"index": ["a"]}', "[" * 50_000, '{"manifest": null}']
)
def test_what_a_launcher_says_is_checked(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, {"FOURFOLD_IMAGE": text}).grade == "absent"
    assert found(tmp_path, {"FOURFOLD_IMAGE": text}, "python:3.12").grade == "declared"


def test_the_file_of_podman_is_read(tmp_path: Path) -> None:
    text = f'engine="podman-4.3.1"\nid="{CONTAINER}"\nimage="docker.io/library/python:3.12"\n'
    text += f'imageid="{DIGEST.partition(":")[2]}"\n'
    write(tmp_path, {"run/.containerenv": text})
    said = found(tmp_path)
    assert said.grade == "observed"
    assert said.value == {"config": DIGEST, "reference": "docker.io/library/python:3.12"}


def test_an_image_file_of_apptainer_tells_its_uuid(tmp_path: Path) -> None:
    uuid = bytes(range(16))
    path = tmp_path / "images" / "train.sif"
    path.parent.mkdir()
    path.write_bytes(b"#!/usr/bin/env run-singularity\n\0" + b"SIF_MAGIC\x0001\x0002\0" + uuid + bytes(100))
    said = found(tmp_path, {"APPTAINER_CONTAINER": "/images/train.sif"})
    assert said.grade == "observed"
    assert said.value == {"file": "train.sif", "uuid": uuid.hex(), "size": path.stat().st_size}


@pytest.mark.parametrize("data", [b"", b"SIF", b"x" * 64])
def test_an_image_file_that_is_none_is_absent(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.sif").write_bytes(data)
    assert found(tmp_path, {"SINGULARITY_CONTAINER": "/a.sif"}).grade == "absent"
    assert found(tmp_path, {"SINGULARITY_CONTAINER": "/gone.sif"}).grade == "absent"


# --- who can be asked ---


@contextmanager
def docker_socket(path: Path, answers: Mapping[str, Any]) -> Iterator[list[str]]:
    """Docker's API on a socket."""
    seen: list[str] = []

    class Handler(Quiet):
        def address_string(self) -> str:
            return "socket"

        def reply(self) -> None:
            seen.append(self.path)
            known = self.path in answers
            self.answer(200 if known else 404, json.dumps(answers.get(self.path)).encode())

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    path.parent.mkdir(parents=True)
    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield seen
        server.shutdown()
        thread.join(10)


def test_docker_is_asked_by_its_socket(tmp_path: Path) -> None:
    in_docker(tmp_path)
    answers = {
        f"/containers/{CONTAINER}/json": {"Image": DIGEST, "Config": {"Image": "team/train:1"}},
        f"/images/{DIGEST}/json": {
            "RepoDigests": [f"ghcr.io/team/train@{OTHER}"],
            "RootFS": {"Layers": [OTHER]},
        },
    }
    with docker_socket(tmp_path / "var/run/docker.sock", answers) as seen:
        said = found(tmp_path)
        assert said == found(tmp_path)
    assert said.grade == "attested"
    assert said.value == {
        "id": DIGEST,
        "reference": "team/train:1",
        "diff_ids": [OTHER],
        "pulled": f"ghcr.io/team/train@{OTHER}",
    }
    assert len(seen) == 2  # asked once a process


def test_a_dead_socket_of_docker_fails_nothing(tmp_path: Path) -> None:
    in_docker(tmp_path)
    write(tmp_path, {"var/run/docker.sock": ""})
    assert found(tmp_path).grade == "absent"
    assert found(tmp_path, image="python:3.12").grade == "declared"


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"Image": 5}', b'{"ImageID": "latest"}'])
def test_an_agent_of_ecs_that_talks_nonsense_fails_nothing(tmp_path: Path, body: bytes) -> None:
    class Handler(Quiet):
        def reply(self) -> None:
            self.answer(200, body)

    with serving(Handler) as port:
        said = found(tmp_path, {"ECS_CONTAINER_METADATA_URI_V4": f"http://127.0.0.1:{port}/v4/x"})
    assert said.grade == "absent"


def test_the_agent_of_ecs_is_asked(tmp_path: Path) -> None:
    class Handler(Quiet):
        def reply(self) -> None:
            assert self.path == "/v4/abc"
            document = {
                "DockerId": "x",
                "Image": "123.dkr.ecr.eu-west-1.amazonaws.com/train:1",
                "ImageID": DIGEST,
            }
            self.answer(200, json.dumps(document).encode())

    with serving(Handler) as port:
        said = found(tmp_path, {"ECS_CONTAINER_METADATA_URI_V4": f"http://127.0.0.1:{port}/v4/abc"})
    assert said.grade == "attested"
    assert said.value == {"id": DIGEST, "reference": "123.dkr.ecr.eu-west-1.amazonaws.com/train:1"}


@pytest.mark.parametrize("url", ["http://example.org/v4/x", "https://127.0.0.1/", "file:///etc/passwd", "x"])
def test_no_other_address_is_asked_because_a_variable_names_it(tmp_path: Path, url: str) -> None:
    said = found(tmp_path, {"ECS_CONTAINER_METADATA_URI_V4": url})
    assert said.why == "the address of the agent of ECS is none"


@contextmanager
def cluster(root: Path, status: int, document: Any) -> Iterator[dict[str, str]]:
    """A cluster's API over TLS; gives the environment of a pod, and the paths that were asked for."""
    shown, hidden = registries.own_certificate(root)
    pem = Path(shown).read_text()
    account = "var/run/secrets/kubernetes.io/serviceaccount"
    write(
        root,
        {
            f"{account}/token": "pod-token-1234567890\n",
            f"{account}/namespace": "ml",
            f"{account}/ca.crt": pem,
            "proc/self/cgroup": "0::/\n",
        },
    )

    class Handler(Quiet):
        def reply(self) -> None:
            allowed = self.headers["authorization"] == "Bearer pod-token-1234567890"
            right = self.path == "/api/v1/namespaces/ml/pods/train-0"
            self.answer(status if allowed and right else 404, json.dumps(document).encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, hidden)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(server.server_address[1]),
            "HOSTNAME": "train-0",
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def status_of(name: str, image_id: str, container: str = "1" * 64) -> dict[str, str]:
    return {
        "name": name,
        "image": f"docker.io/team/{name}:1",
        "imageID": image_id,
        "containerID": f"containerd://{container}",
    }


def test_the_clusters_api_names_the_image_of_a_pod(tmp_path: Path) -> None:
    pod = {
        "status": {
            "containerStatuses": [status_of("train", f"docker-pullable://docker.io/team/train@{DIGEST}")]
        }
    }
    with cluster(tmp_path, 200, pod) as environ:
        said = found(tmp_path, environ)
    assert said.grade == "attested"
    assert said.value == {"pulled": f"docker.io/team/train@{DIGEST}", "reference": "docker.io/team/train:1"}


def test_among_several_containers_the_one_that_this_is_is_found(tmp_path: Path) -> None:
    pod = {
        "status": {"containerStatuses": [status_of("proxy", OTHER), status_of("train", DIGEST, CONTAINER)]}
    }
    with cluster(tmp_path, 200, pod) as environ:
        assert "several containers" in found(tmp_path, environ).why
        mount = "9 8 0:1 /var/lib/kubelet/pods/u-1/containers/train/0abc12de /dev/termination-log rw\n"
        write(tmp_path, {"proc/self/mountinfo": mount})
        assert found(tmp_path, environ).value["id"] == DIGEST
        write(
            tmp_path, {"proc/self/mountinfo": "", "proc/self/cgroup": f"1:cpu:/kubepods/pod1/{CONTAINER}\n"}
        )
        assert found(tmp_path, environ).value["id"] == DIGEST


def test_a_cluster_that_forbids_it_is_told_with_what_helps(tmp_path: Path) -> None:
    with cluster(tmp_path, 403, {}) as environ:
        assert "get pods" in found(tmp_path, environ).why
        declared = found(tmp_path, environ, "python:3.12")
    assert declared.grade == "declared"
    assert "get pods" in declared.why


@pytest.mark.parametrize("pod", [None, [], {"status": None}, {"status": {"containerStatuses": [7, None]}}])
def test_a_cluster_that_talks_nonsense_fails_nothing(tmp_path: Path, pod: Any) -> None:
    with cluster(tmp_path, 200, pod) as environ:
        assert found(tmp_path, environ).grade == "absent"


def test_a_cluster_that_does_not_answer_fails_nothing(tmp_path: Path) -> None:
    with cluster(tmp_path, 200, {}) as environ:
        environ["KUBERNETES_SERVICE_PORT"] = str(registries.free_port())
        assert "did not answer" in found(tmp_path, environ).why


def test_the_token_of_a_pod_stands_in_no_fact(tmp_path: Path) -> None:
    for status in (200, 403, 500):
        with cluster(tmp_path, status, {}) as environ:
            assert "pod-token" not in str(found(tmp_path, environ))


# --- what is declared ---


def test_a_declared_image_has_the_digests_of_its_last_resolution(tmp_path: Path) -> None:
    place = Place(str(tmp_path), str(tmp_path / "own"), str(tmp_path), {}, SYSTEM, None, None)
    image = Image(
        parse("python:3.12"), DIGEST, OTHER, DIGEST, Platform("linux", "amd64"), (OTHER,), "2024", {}
    )
    keep(image, place)
    said = fact(task("docker.io/library/python:3.12"), {}, own=place.own, root=str(tmp_path))
    assert said.grade == "declared"
    assert said.value == {
        "reference": "docker.io/library/python:3.12",
        "index": DIGEST,
        "manifest": OTHER,
        "config": DIGEST,
        "platform": "linux/amd64",
        "diff_ids": [OTHER],
    }
    assert said.why == "nothing shows that it ran in a container"


@pytest.mark.parametrize(
    "name", ["me:hunter2@r.example.org/x", "https://me:hunter2@r.example.org/x:1", "x y"]
)
def test_a_login_in_a_name_reaches_no_fact(tmp_path: Path, name: str) -> None:
    launched = {"FOURFOLD_IMAGE": json.dumps({"index": DIGEST, "reference": name})}
    text = f'image="{name}"\nimageid="{DIGEST.partition(":")[2]}"\n'
    for said in (found(tmp_path, image=name), found(tmp_path, launched, name)):
        assert "hunter2" not in str(said)
    assert found(tmp_path, image=name).grade == "absent"
    write(tmp_path, {"run/.containerenv": text})
    assert found(tmp_path).value == {"config": DIGEST}


def test_what_runs_outranks_what_is_declared(tmp_path: Path) -> None:
    environ = {"FOURFOLD_IMAGE": json.dumps({"manifest": DIGEST})}
    assert found(tmp_path, environ, "python:3.12").value == {"manifest": DIGEST}


def test_the_machine_of_this_test_answers_without_failing() -> None:
    assert fact(task(), os.environ).grade in {"attested", "observed", "absent"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"reference": "python:3.12", "index": DIGEST, "manifest": OTHER}, f"python:3.12@{DIGEST}"),
        (
            {"reference": "docker.io/team/train:1", "pulled": f"docker.io/team/train@{OTHER}"},
            f"docker.io/team/train@{OTHER}",
        ),
        ({"reference": "team/train:1", "id": DIGEST}, f"team/train:1@{DIGEST}"),
        ({"config": DIGEST}, DIGEST),
        ({"reference": "python:3.12"}, "python:3.12"),
        ({"file": "a.sif"}, None),
        (None, None),
    ],
)
def test_the_lock_file_names_the_image_by_what_is_known(value: Any, text: str | None) -> None:
    assert lockfile._image_text(value) == text
