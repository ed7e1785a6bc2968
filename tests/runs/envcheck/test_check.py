"""``ff env check`` on real environments: what was tampered with is named, and the real uv says nothing."""

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Tool
from tests.runs.envcheck.uvproject import Project


def test_an_environment_as_uv_made_it_is_equal_and_every_distribution_is_proven(project: Project) -> None:
    code, found = project.check()
    assert (code, found["equal"], found["findings"]) == (0, True, [])
    assert found["lock"]["kind"] == "uv.lock"
    assert (found["lock"]["proven"], found["lock"]["unproven"]) == (3, 0)
    assert found["files"]["hashed"] > 20


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


def flip(path: Path) -> None:
    """Change one byte and keep size and time."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


TAMPERED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "an edited module": ("yaml/__init__.py", append, "file-changed"),
    "one byte of a module, size and time kept": ("yaml/loader.py", flip, "file-changed"),
    "a swapped shared library": ("yaml/_yaml.*.so", flip, "library-changed"),
    "a removed file": ("yaml/nodes.py", Path.unlink, "file-missing"),
    "a file that became a folder": (
        "yaml/error.py",
        lambda path: (path.unlink(), path.mkdir()),
        "file-changed",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_tampered_with_is_named_where_uv_finds_nothing(project: Project, name: str) -> None:
    pattern, tamper, code = TAMPERED[name]
    path = next(project.site.glob(pattern))
    tamper(path)
    assert project.uv("sync", "--check", "--locked").returncode == 0
    found = project.findings()
    assert [item[0] for item in found] == [code]
    assert f"yaml/{path.name}" in found[0][1]
    assert "pyyaml" in found[0][1]
    assert project.check()[0] == 1


def test_a_stray_path_file_and_a_stray_module_are_named(project: Project) -> None:
    (project.site / "zz.pth").write_text("import os; os.environ['X'] = '1'\n")
    (project.site / "sitecustomize.py").write_text("print('hello')\n")
    (project.site / "numpy.py").write_text("\n")
    (project.site / "yaml" / "evil.py").write_text("\n")
    (project.site / "yaml" / "notes.txt").write_text("no code\n")
    found = project.findings()
    assert [code for code, _ in found] == ["stray-pth", "stray-file", "stray-customize", "stray-file"]
    assert found[0][1] == "zz.pth was not installed by anything: it runs code at every start"
    assert (
        found[3][1] == "pyyaml 6.0.3: yaml/evil.py is no file of it"
        or "yaml/evil.py is no file of it" in found[3][1]
    )


def test_no_line_of_the_environment_runs_while_it_is_examined(project: Project) -> None:
    witness = project.root / "ran"
    line = f"import pathlib; pathlib.Path({str(witness)!r}).touch()\n"
    (project.site / "zz.pth").write_text(line)
    (project.site / "sitecustomize.py").write_text(line)
    assert len(project.findings()) == 2
    assert not witness.exists()


def test_another_version_a_package_too_many_and_one_that_is_missing(project: Project) -> None:
    project.uv("pip", "install", "beta==1.0", "extra")
    project.uv("pip", "uninstall", "alpha")
    assert project.findings() == [
        ("missing", "alpha 1.0 is not installed"),
        ("not-locked", "beta is 1.0, locked is 1.1"),
        ("extra", "extra 1 is not in the lock"),
    ]
    assert project.findings("--fast") == project.findings()


def test_a_changed_file_whose_record_was_changed_along_is_told_by_the_locked_hash(project: Project) -> None:
    path = project.site / "beta" / "__init__.py"
    path.write_text("import os\n")
    record = next(project.site.glob("beta-*.dist-info")) / "RECORD"
    digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
    lines = record.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("beta/__init__.py")]
    record.write_text("\n".join([*kept, f"beta/__init__.py,sha256={digest},{path.stat().st_size}"]) + "\n")
    found = project.findings()
    assert [code for code, _ in found] == ["hash-not-locked"]
    assert found[0][1].startswith("beta 1.1 ")


def test_a_record_that_leads_out_of_the_environment_is_not_followed(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    os.mkfifo(outside)  # would wait for ever
    record = next(project.site.glob("beta-*.dist-info")) / "RECORD"
    with record.open("a") as file:
        file.write(f"../../../../../secret,sha256=AAAA,1\n{outside},sha256=AAAA,1\n")
        file.write("beta/" + "x" * 300 + ",sha256=AAAA,1\n")
        file.write("beta/\udcff.py,sha256=AAAA\n".encode("utf-8", "surrogateescape").decode("latin-1"))
    codes = [code for code, _ in project.findings()]
    assert codes.count("record-outside") == 2
    assert "file-missing" in codes or "file-changed" in codes


def test_a_lock_of_another_python_and_a_lock_that_is_named(project: Project) -> None:
    (project.root / "pylock.other.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\nrequires-python = ">=3.99"\npackages = []\n'
    )
    found = project.findings("--lock", "pylock.other.toml")
    assert found[0][0] == "wrong-python"
    assert [code for code, _ in found[1:]] == ["extra"] * 3
    code, answer = project.check("--lock", "nowhere.lock")
    assert (code, answer["error"]["code"]) == (255, "no-lock-file")


def test_an_environment_without_a_lock_and_without_a_project_is_compared_with_its_records(
    project: Project, tmp_path: Path, ff: Tool
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = ff("env", "check", "--python", str(project.root / ".venv"), cwd=empty, check=False)
    assert done.code == 0
    assert "Lock: none found" in done.stdout
    assert list(empty.iterdir()) == []
    (project.site / "yaml" / "nodes.py").write_text("")
    done = ff(
        "env", "check", "--python", str(project.root / ".venv" / "bin" / "python"), cwd=empty, check=False
    )
    assert done.code == 1
    assert "differs: pyyaml 6.0.3: file yaml/nodes.py is not what was installed" in done.stdout
    assert "hint: uv pip install --reinstall --no-deps pyyaml==6.0.3" in done.stdout


def test_a_python_that_does_not_exist_or_is_none_is_an_error(project: Project, ff: Tool) -> None:
    done = ff("env", "check", "--python", "nowhere", cwd=project.root, check=False)
    assert (done.code, "code: no-python" in done.stderr) == (255, True)
    fake = project.root / "fake"
    fake.write_text("#!/bin/sh\necho hello\n")
    fake.chmod(0o755)
    done = ff("env", "check", "--python", "./fake", cwd=project.root, check=False)
    assert (done.code, "code: python-does-not-answer" in done.stderr) == (255, True)


def test_in_a_project_what_did_not_move_is_not_read_again(project: Project, ff: Tool) -> None:
    assert ff("init", "--no-scm", cwd=project.root).code == 0
    assert project.check()[1]["files"]["remembered"] == 0
    _code, again = project.check()
    assert again["files"]["hashed"] == 0
    assert again["files"]["remembered"] > 20
    flip(project.site / "yaml" / "loader.py")
    assert [code for code, _ in project.findings()] == ["file-changed"]


def test_hashes_in_hexadecimal_digits_are_hashes_too(project: Project) -> None:
    record = next(project.site.glob("beta-*.dist-info")) / "RECORD"
    path = project.site / "beta" / "__init__.py"
    size = path.stat().st_size
    lines = [line for line in record.read_text().splitlines() if not line.startswith("beta/__init__.py")]
    lines.append(f"beta/__init__.py,sha256={hashlib.sha256(path.read_bytes()).hexdigest()},{size}")
    record.write_text("\n".join(lines) + "\n")
    assert [code for code, _ in project.findings()] == ["hash-not-locked"]
    flip(path)
    assert [code for code, _ in project.findings()] == ["file-changed", "hash-not-locked"]


def test_a_python_that_came_with_the_repository_is_not_run_unless_it_is_named(
    tmp_path: Path, ff: Tool
) -> None:
    folder = tmp_path / "hostile"
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
    python.chmod(0o755)
    for command in (("env", "check", "--fast"), ("env", "lock", "-o", "-"), ("env", "show"), ("doctor",)):
        ff(*command, cwd=folder, check=False)
        assert not (folder / "ran").exists(), command


def test_pythonpath_and_packages_of_the_user_are_told(project: Project, tmp_path: Path, ff: Tool) -> None:
    env = {"PYTHONPATH": "/somewhere", "VIRTUAL_ENV": str(project.root / ".venv")}
    done = ff("env", "check", "--json", cwd=project.root, env=env, check=False)
    assert [item["code"] for item in done.json()["findings"]] == ["pythonpath"]
    assert done.code == 0
    base = tmp_path / "base"
    version = project.site.parent.name
    user = base / "lib" / version / "site-packages"
    user.mkdir(parents=True)
    (user / "beta").mkdir()
    (user / "beta" / "__init__.py").write_text("")
    config = project.root / ".venv" / "pyvenv.cfg"
    config.write_text(config.read_text().replace("= false", "= true"))
    done = ff("env", "check", "--json", cwd=project.root, env={"PYTHONUSERBASE": str(base)}, check=False)
    told = {(item["code"], item["weight"]) for item in done.json()["findings"]}
    assert ("user-site", "note") in told
    assert ("stray-file", "differs") in told


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe,sha256=x,1\n",
        b'"unclosed,sha256=x,1\n',
        b"a,b\n,,\n,sha256=,\n",
        b"beta/__init__.py,sha256=,\n",
        b"beta/__init__.py,md5=aaaa,1\nbeta/__init__.py,nonsense=1,1\n",
        b"beta,sha256=aaaa,99999999999999999999999999999999\n",
        b"beta/__init__.py/x,sha256=aaaa,1\nbeta/\x00,sha256=aaaa,1\n",
        b"x" * 5000 + b",sha256=aaaa,1\n",
    ],
)
def test_a_record_of_nonsense_is_findings_and_no_crash(project: Project, text: bytes) -> None:
    record = next(project.site.glob("beta-*.dist-info")) / "RECORD"
    record.write_bytes(text)
    code, found = project.check()
    assert code == 1
    assert "hash-not-locked" in {item["code"] for item in found["findings"]}


def test_what_tools_put_into_their_environments_is_a_note_and_only_as_they_put_it(project: Project) -> None:
    (project.site / "_virtualenv.py").write_text("pass\n")
    (project.site / "_virtualenv.pth").write_text("import _virtualenv")
    assert project.findings() == []
    notes = project.findings(weight="note")
    assert [code for code, _ in notes] == ["unverified"]
    assert notes[0][1].startswith("_virtualenv.py runs at every start: uv put it there")
    (project.site / "_virtualenv.pth").write_text("import _virtualenv; import os")
    assert [code for code, _ in project.findings()] == ["stray-pth"]
