"""What a process of Python uses, by its own audit hook; read back as the tracer reads it."""

import socket
import sys
from pathlib import Path

from fourfold.runs.tracer import audit
from tests.runs.inject.starting import run


def uses(folder: Path, program: str) -> dict[str, set[str]]:
    """What the processes of a program used, below its folder: way to relative paths."""
    ended = run(folder, program, extra={"FOURFOLD_AUDIT": "1"})
    assert ended.err == ""
    (scratch,) = folder.glob("scratch-*")
    found = audit.read(str(scratch))
    assert found is not None
    ways: dict[str, set[str]] = {"connect": {f"{one.address}:{one.port}" for one in found.contacts}}
    for use in found.uses:
        path = Path(use.path.decode())
        if path.is_relative_to(folder):
            ways.setdefault(use.how, set()).add(str(path.relative_to(folder)))
        elif use.how == "exec":
            ways.setdefault("exec", set()).add(path.name)
    return ways


def test_files_are_told_by_what_was_done_with_them(tmp_path: Path) -> None:
    for name in ("data.csv", "config.yaml", "old.txt", "gone.txt", "both.txt"):
        (tmp_path / name).write_text("1", encoding="utf-8")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "x").write_text("1", encoding="utf-8")
    ways = uses(
        tmp_path,
        """
import os, pathlib, shutil, sqlite3
open("data.csv").read()
open(os.path.abspath("./config.yaml"), "rb").close()
os.close(os.open("both.txt", os.O_RDWR))
pathlib.Path("out").mkdir()
pathlib.Path("out/made.txt").write_text("2")
open("out/made.txt", "a").close()
os.rename("old.txt", "out/renamed.txt")
os.remove("gone.txt")
os.symlink("data.csv", "link")
list(os.scandir("folder")), os.listdir("out")
shutil.rmtree("folder")
sqlite3.connect("base.db").close()
try:
    open("missing.txt")
except FileNotFoundError:
    pass
""",
    )
    assert ways["read"] >= {"data.csv", "config.yaml", "both.txt", "missing.txt"}
    assert ways["write"] == {
        "both.txt",
        "out",
        "out/made.txt",
        "out/renamed.txt",
        "link",
        "base.db",
    }
    assert ways["delete"] == {"old.txt", "gone.txt", "folder", "folder/inner", "folder/inner/x"}
    assert ways["list"] >= {"folder", "out"}


def test_children_tell_for_themselves(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text("1", encoding="utf-8")
    ways = uses(
        tmp_path,
        f"""
import multiprocessing, os, subprocess, sys
def read(name):
    return open(name).read()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pool.map(read, ["a"])
        pool.close(); pool.join()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(read, ["b"])
        pool.close(); pool.join()
    subprocess.run([{sys.executable!r}, "-c", "open('c')"], check=True)
    subprocess.run(["ls"], check=True, stdout=subprocess.DEVNULL)
    os.system("exit 0")
""",
    )
    assert ways["read"] >= {"a", "b", "c"}
    assert ways["exec"] == {Path(sys.executable).name, "ls", "sh"}


def test_a_program_that_takes_the_place_of_another_loses_nothing(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("1", encoding="utf-8")
    ways = uses(
        tmp_path,
        f"""
import os
open("a").close()
os.execvp({sys.executable!r}, ["python", "-c", "open('b')"])
""",
    )
    assert ways["read"] >= {"a", "b"}
    assert ways["exec"] == {Path(sys.executable).name}


def test_connections_are_told_by_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ways = uses(tmp_path, f"import socket; socket.create_connection(('127.0.0.1', {port})).close()")
    assert ways["connect"] == {f"127.0.0.1:{port}"}
