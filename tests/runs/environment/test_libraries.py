"""Libraries by build id, what is remembered of files, and the machine."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from fourfold.runs.environment.host import cgroup_limits, locale_of, machine, share
from fourfold.runs.environment.libraries import Asked, build_id, content, document, identity, is_shared
from fourfold.runs.environment.naming import names_of
from fourfold.runs.environment.remembered import Remembered


def compiled(folder: Path, *options: str) -> Path:
    (folder / "a.c").write_text("int answer(void) { return 42; }\n")
    path = folder / "liba.so"
    subprocess.run(["gcc", "-shared", *options, "-o", str(path), str(folder / "a.c")], check=True)
    return path


@pytest.fixture
def asked() -> Asked:
    return Asked(Remembered(""), time.time_ns())


def test_build_id_is_the_one_that_the_linker_wrote(tmp_path: Path) -> None:
    path = compiled(tmp_path, "-Wl,--build-id=sha1")
    told = subprocess.run(["readelf", "-n", str(path)], check=True, capture_output=True, text=True).stdout
    match = re.search(r"Build ID: ([0-9a-f]+)", told)
    assert match is not None
    assert build_id(str(path)) == match[1]


def test_library_without_a_build_id_is_named_by_its_content(tmp_path: Path, asked: Asked) -> None:
    path = str(compiled(tmp_path, "-Wl,--build-id=none"))
    assert build_id(path) == ""
    told = content(path, asked)
    assert told is not None
    assert identity(path, asked) == told
    assert set(told) == {"size", "blake3"}


@pytest.mark.parametrize("keep", [0, 3, 20, 52, 60, 64, 100, 200])
def test_build_id_of_a_file_that_was_cut_short_is_none_or_the_right_one(tmp_path: Path, keep: int) -> None:
    path = compiled(tmp_path, "-Wl,--build-id=sha1")
    right = build_id(str(path))
    path.write_bytes(path.read_bytes()[:keep])
    assert build_id(str(path)) in {"", right}


def test_build_id_of_hostile_bytes_is_none(tmp_path: Path) -> None:
    path = compiled(tmp_path, "-Wl,--build-id=sha1")
    whole = path.read_bytes()
    for at in range(16, 64):
        path.write_bytes(whole[:at] + b"\xff" * 4 + whole[at + 4 :])
        assert isinstance(build_id(str(path)), str)


def test_libraries_that_are_gone_are_told(tmp_path: Path, asked: Asked) -> None:
    path = compiled(tmp_path)
    found = document([str(path), str(tmp_path / "gone.so")], str, asked)
    assert set(found) == {str(path), str(tmp_path / "gone.so")}
    assert found[str(tmp_path / "gone.so")] == {"gone": True}


def test_names_of_shared_libraries_are_known() -> None:
    assert is_shared("/lib/libc.so.6")
    assert is_shared("/x/a.cpython-311-x86_64-linux-gnu.so")
    assert not is_shared("/etc/ld.so.cache".replace("ld.so.cache", "ld.conf"))


def test_what_is_remembered_outlives_the_process_and_a_file_that_moved_is_looked_at_again(
    tmp_path: Path,
) -> None:
    file, kept = tmp_path / "a", tmp_path / "own" / "runs" / "facts" / "files.json"
    file.write_text("one")
    kept.parent.mkdir(parents=True)

    class Here:
        def make(self, *parts: str) -> str:
            return os.path.join(tmp_path, "own", *parts)

    first = Remembered(str(kept))
    first.put("a", file.stat(), {"x": 1}, time.time_ns() + 10**9)
    first.save(Here())  # type: ignore[arg-type]
    assert Remembered(str(kept)).get("a", file.stat()) == {"x": 1}
    file.write_text("other")
    assert Remembered(str(kept)).get("a", file.stat()) is None
    for broken in (b"", b"[", b"[]", b'{"version": 1, "files": []}', b'{"version": 1, "files": {"a": 3}}'):
        kept.write_bytes(broken)
        assert Remembered(str(kept)).get("a", file.stat()) is None


def test_file_that_changed_a_moment_ago_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    known = Remembered("")
    known.put("a", file.stat(), 1, file.stat().st_mtime_ns + 1000)
    assert known.get("a", file.stat()) is None


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_limits_of_control_groups_are_the_least_of_a_group_and_those_above_it(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/jobs/one\n",
            "sys/fs/cgroup/jobs/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/jobs/one/cpu.max": "max 100000\n",
            "sys/fs/cgroup/jobs/one/memory.max": "2147483648\n",
            "sys/fs/cgroup/jobs/memory.max": "max\n",
        },
    )
    assert cgroup_limits(root) == {"cpu_max": 1.5, "memory_max": 2147483648}


def test_limits_of_the_first_version_of_control_groups_are_read(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/a\n3:cpu,cpuacct:/a\n1:name=systemd:/a\n",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
        },
    )
    assert cgroup_limits(root) == {"cpu_max": 0.5, "memory_max": 1073741824}


def test_control_groups_that_are_not_there_limit_nothing(tmp_path: Path) -> None:
    assert cgroup_limits(str(tmp_path)) == {}


def test_machine_tells_system_and_processor_and_not_its_name() -> None:
    found = {**machine(), **share()}
    assert found["kernel"] == os.uname().release
    assert found["cpu"]["model"]
    assert found["memory"] > 1 << 20
    assert found["affinity"] >= 1
    assert os.uname().nodename not in str(found)


def test_locale_of_a_run_is_what_its_variables_say() -> None:
    environ = {"LC_ALL": "C", "TZ": "UTC", "LANG": "de", "LCD": "x", "SECRET": "y"}
    assert locale_of(environ) == {"LANG": "de", "LC_ALL": "C", "TZ": "UTC"}


def test_files_are_named_by_the_deepest_folder_that_has_a_name() -> None:
    report = {"prefix": "/home/me/project/.venv", "base_prefix": "/home/me/.pyenv/3.11"}
    names = names_of("/home/me/project", {"HOME": "/home/me"}, report)
    assert names.shown("/home/me/project/.venv/bin/python") == "{prefix}/bin/python"
    assert names.shown("/home/me/.pyenv/3.11/lib/x.so") == "{base}/lib/x.so"
    assert names.shown("/home/me/project/src/a.py") == "src/a.py"
    assert names.shown("/home/me/project") == "."
    assert names.shown("/home/me/other/a.py") == "~/other/a.py"
    assert names.shown("/home/me") == "~"
    assert names.shown("/usr/lib/libc.so.6") == "/usr/lib/libc.so.6"
    assert names_of("/p", {}, {"prefix": "/usr"}).shown("/usr/lib/a") == "/usr/lib/a"


@pytest.mark.parametrize("path", ["/dev/zero", "/dev", "/nowhere"])
def test_what_is_no_file_has_no_content(path: str, asked: Asked) -> None:
    assert content(path, asked) is None
    assert identity(path, asked) is None
