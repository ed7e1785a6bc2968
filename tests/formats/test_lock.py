import pytest

from fourfold.formats.dvc import lock, runcache
from fourfold.formats.dvc.fields import BadFieldError
from fourfold.formats.dvc.lock import LockSchemaError

#: Written by DVC 3.67.1: folding, quoting, types, order.
WRITTEN_BY_DVC = """\
schema: '2.0'
stages:
  prep:
    cmd: python -c "open('out.txt','w').write('1'); import os;\x20
      os.makedirs('dout', exist_ok=True); open('dout/f','w').write('q');\x20
      open('m.json','w').write('{}')"
    deps:
    - path: din
      hash: md5
      md5: d51834de0d0bf85d6a6c9a4c881ad503.dir
      size: 4
      nfiles: 2
    - path: in.txt
      hash: md5
      md5: 6137cde4893c59f76f005a8123d8e8e6
      size: 5
      isexec: true
    params:
      params.yaml:
        big: 1e+20
        empty: {}
        flag: yes
        inf: .inf
        long: some words that go on and on and on and on and on and on and on\x20
          and on and on and on and on
        lr: 0.001
        lst:
        - 1
        - - 2
          - 3
        - a: b
          c: []
        multi: "line 1\\nline 2\\n"
        n: 5
        nested:
          z: 1
          a:
            b: 2
            x: ''
        none:
        q: "it's: ok"
        s1: '1e3'
        s2: '012'
        s3: '2020-01-01'
        s4: 190:20:30
        small: 1e-05
        t: true
        tok:\x20
          /a/very/long/path/without/any/space/that/is/longer/than/eighty/characters/in/total/so/it/folds
        uni: é中😀
    outs:
    - path: dout
      hash: md5
      md5: bf07fe4a1915f437a7168c513de31257.dir
      size: 1
      nfiles: 1
    - path: m.json
      hash: md5
      md5: 99914b932bd37a50b983c5e7c90ae93b
      size: 2
    - path: out.txt
      hash: md5
      md5: c4ca4238a0b923820dcc509a6f75849b
      size: 1
  two:
    cmd:
    - cp out.txt out2.txt
    - echo a > p.csv
    deps:
    - path: out.txt
      hash: md5
      md5: c4ca4238a0b923820dcc509a6f75849b
      size: 1
    params:
      params.yaml:
        n: 5
        nested.a.b: 2
      other.json:
        k:
          m: 0.5
          b: x
    outs:
    - path: out2.txt
      hash: md5
      md5: c4ca4238a0b923820dcc509a6f75849b
      size: 1
    - path: p.csv
      hash: md5
      md5: 60b725f10c9c85c70d97880dfe8191b3
      size: 2
  three:
    cmd: "echo 1 > x3\\necho 2 >> x3\\n"
    deps:
    - path: ../out.txt
      hash: md5
      md5: c4ca4238a0b923820dcc509a6f75849b
      size: 1
    outs:
    - path: x3
      hash: md5
      md5: 6ddb4095eb719e2a9f0a3f95677d24e0
      size: 4
""".encode()

#: Where DVC 3.67.1 kept the runs of those three stages.
RUNS_OF_DVC = {
    "prep": "runs/87/87c87d60e92c97c8ab2f93a63cc55a9a947f60dfba8b52d4eea870b6ad2ba5fb"
    "/53ccef9f35590fdc8be66ef075a43e99cb8b6b6c3a1d4349666760f41f4364e6",
    "two": "runs/96/961082a558b489eb9276767ff691c7d6bd9d6a87c6ae1059fc0afb7e580dda79"
    "/f486e0ee1cf3a92856bd41e2195e246358d62ac4551d4f61bacff3cc74d46e09",
    "three": "runs/cd/cdaa59485642c7833f219c7b875ed9e2211601dde2dbec230fb3718cde79a077"
    "/a7095b23588ac150fa2a2b33c2f4db906133ceb63e16c4d0683119a9654531fa",
}


def test_a_lock_that_dvc_wrote_renders_to_the_same_bytes() -> None:
    assert lock.render(lock.parse(WRITTEN_BY_DVC)) == WRITTEN_BY_DVC


@pytest.mark.parametrize("stage", ["prep", "two", "three"])
def test_updating_a_stage_with_what_it_says_already_changes_no_byte(stage: str) -> None:
    entry = lock.parse(WRITTEN_BY_DVC).stages[stage]
    assert lock.update(WRITTEN_BY_DVC, stage, entry) == WRITTEN_BY_DVC


def test_a_lock_grown_stage_by_stage_equals_the_one_written_at_once() -> None:
    data = b""
    for name, entry in lock.parse(WRITTEN_BY_DVC).stages.items():
        data = lock.update(data, name, entry)
    assert data == WRITTEN_BY_DVC


def test_removing_the_last_stage_leaves_no_file() -> None:
    data: bytes | None = WRITTEN_BY_DVC
    for name in ("prep", "two", "three"):
        assert data is not None
        data = lock.remove(data, name)
    assert data is None


@pytest.mark.parametrize("stage", ["prep", "two", "three"])
def test_a_run_is_kept_where_dvc_keeps_it(stage: str) -> None:
    entry = lock.parse(WRITTEN_BY_DVC).stages[stage]
    assert runcache.relpath(entry) == RUNS_OF_DVC[stage]
    assert runcache.parse(runcache.render(entry)) == entry


def test_a_lock_of_schema_1_is_refused_with_a_way_out() -> None:
    with pytest.raises(LockSchemaError, match=r"1\.0") as caught:
        lock.parse(b"prep:\n  cmd: echo\n", "dvc.lock")
    assert "DVC 2" in caught.value.hint


def test_an_empty_lock_is_refused() -> None:
    with pytest.raises(BadFieldError, match="empty"):
        lock.parse(b"", "dvc.lock")
