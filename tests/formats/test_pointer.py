import pytest

from fourfold.base.ids import BadObjectNameError
from fourfold.formats.dvc import pointer
from fourfold.formats.dvc.fields import BadFieldError

DIRECTORY = b"""\
outs:
- md5: d751713988987e9331980363e24189ce.dir
  size: 12
  nfiles: 3
  hash: md5
  path: data
"""


def test_a_pointer_that_dvc_wrote_renders_to_the_same_bytes() -> None:
    assert pointer.render(pointer.parse(DIRECTORY, "data.dvc")) == DIRECTORY


def test_an_unknown_key_is_refused_with_its_place() -> None:
    with pytest.raises(BadFieldError, match=r"data.dvc:4:3: unknown key 'nfilez' in outs\[0\]"):
        pointer.parse(DIRECTORY.replace(b"nfiles", b"nfilez"), "data.dvc")


def test_a_hash_that_is_a_path_is_refused() -> None:
    with pytest.raises(BadObjectNameError):
        pointer.parse(DIRECTORY.replace(b"d75171", b"../../"), "data.dvc")
