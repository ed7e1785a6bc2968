"""Small files are read whole, bounded, and only where they are files."""

import os
from pathlib import Path

import pytest

from fourfold.base.fs.reading import FileTooLargeError, NotAFileError, read_file


@pytest.mark.parametrize("data", [b"", b"a", bytes(range(256)) * 100])
def test_a_file_is_read_whole(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    (tmp_path / "link").symlink_to("file")
    assert read_file(str(tmp_path / "file")) == data
    assert read_file(str(tmp_path / "link"), len(data)) == data


def test_what_is_longer_than_allowed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(FileTooLargeError):
        read_file(str(tmp_path / "file"), 4)


def test_what_has_no_end_or_never_answers_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "zeros").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for name in ("zeros", "pipe"):
        with pytest.raises(NotAFileError):
            read_file(str(tmp_path / name))


def test_a_folder_and_nothing_fail_as_open_does(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_file(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        read_file(str(tmp_path / "nothing"))


def test_a_file_of_the_kernel_that_tells_no_size_is_read_whole() -> None:
    assert read_file("/proc/self/status").startswith(b"Name:")
