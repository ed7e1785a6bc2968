"""The named cases on data: tracking, looking, moving; `benchmarks.pipelines` has those on stages."""

import os
from collections.abc import Mapping

from benchmarks.case import Anchor, Case, Work, nothing

#: Made before the server starts, which remembers its first list of buckets.
BUCKET = "bench"


def _begin(work: Work) -> None:
    work.begin()


def _begin_hardlink(work: Work) -> None:
    work.begin()
    work.run("config", "cache.type", "hardlink,copy")


def _begin_linked(work: Work) -> None:
    """As `_begin_hardlink`, without another million inodes."""
    work.begin(data=False)
    work.run("config", "cache.type", "hardlink,copy")
    work.call("cp", "-al", str(work.source), "data")


def _added_linked(work: Work) -> None:
    _begin_linked(work)
    work.run("add", "data")


def _small(work: Work) -> None:
    work.begin(data=False)
    for name in ("one", "two", "three"):
        (work.ws / name).write_text(name)
    work.run("add", "one", "two", "three")
    work.call("git", "add", "--all")
    work.call("git", "commit", "--quiet", "--message", "tracked")


def _added(work: Work) -> None:
    work.begin()
    work.run("add", "data")


def _added_hardlink(work: Work) -> None:
    _begin_hardlink(work)
    work.run("add", "data")


def _without_data(work: Work) -> None:
    work.drop("data")


def _one_changed(work: Work) -> None:
    work.round += 1
    path = next((work.ws / "data" / "000").iterdir())
    path.write_text(f"changed in round {work.round} of {os.path.basename(work.command)}\n")


def _with_folder(work: Work) -> None:
    _added(work)
    work.run("remote", "add", "-d", "store", "../remote")


def _pushed_to_folder(work: Work) -> None:
    _with_folder(work)
    work.run("push")


def _without_remote(work: Work) -> None:
    """An empty remote, and no memory of what an earlier round pushed."""
    work.drop("../remote")
    work.round += 1
    work.run("remote", "modify", "store", "url", f"../remote/{work.round}")


def _without_copies(work: Work) -> None:
    work.drop("data", ".dvc/cache")


def _with_s3(work: Work) -> None:
    _added(work)
    if work.s3 is None:
        raise RuntimeError("this case needs an S3 server")
    work.run("remote", "add", "-d", "store", f"s3://{BUCKET}/{work.base.name}/0")


def _next_prefix(work: Work) -> None:
    work.round += 1
    work.run("remote", "modify", "store", "url", f"s3://{BUCKET}/{work.base.name}/{work.round}")


def _pushed_to_s3(work: Work) -> None:
    _with_s3(work)
    work.run("push")


MD5SUM = 'find "$1" -type f -print0 | xargs -0 md5sum > /dev/null'
COPY = Anchor("cp -r", 'cp -r "$1" "$2/c"')
COPY_AND_HASH = Anchor("cp -r and md5sum", f'cp -r "$1" "$2/c" && {MD5SUM}')
COPIES_AND_HASH = Anchor("2 cp -r and md5sum", f'cp -r "$1" "$2/c" && cp -r "$1" "$2/d" && {MD5SUM}')
LINKS = Anchor("cp -al", 'cp -al "$1" "$2/c"')
FIND = Anchor("find", "find \"$1\" -printf '%s %T@ %i\\n' > /dev/null")
PARALLEL_HASH = Anchor(
    "md5sum on all cores and cp -r",
    'find "$1" -type f -print0 | xargs -0 -n 1 -P "$(nproc)" md5sum > /dev/null && cp -r "$1" "$2/c"',
)
PYTHON = Anchor("python -I -c pass", "for i in 1 2 3 4 5 6 7 8 9 10; do $PYTHON -I -c pass; done")
#: How many times the shell line of an anchor does its work.
ANCHOR_REPEATS: Mapping[str, int] = {PYTHON.name: 10}

DATA: tuple[Case, ...] = (
    Case("version", "`--version`", "", _small, nothing, ("--version",), 5, PYTHON, repeat=11),
    Case("status-small", "`status`, small repository", "", _small, nothing, ("status",), 5, repeat=5),
    Case("status-noop", "no-op `status`, (b)", "b", _added, nothing, ("status",), 5, FIND, repeat=3),
    Case("add-copied", "first `add`, (a), copied", "a", nothing, _begin, ("add", "data"), 2.5, COPY_AND_HASH),
    Case(
        "add-hardlink",
        "first `add`, (a), hard links",
        "a",
        nothing,
        _begin_hardlink,
        ("add", "data"),
        3.5,
        LINKS,
    ),
    Case(
        "add-one-changed", "`add` of one changed file in (b)", "b", _added, _one_changed, ("add", "data"), 8
    ),
    Case("checkout-copied", "`checkout`, (a), copied", "a", _added, _without_data, ("checkout",), 2, COPY),
    Case(
        "checkout-hardlink",
        "`checkout`, (a), hard links",
        "a",
        _added_hardlink,
        _without_data,
        ("checkout",),
        3,
        LINKS,
    ),
    Case(
        "push-folder",
        "`push` to a folder, (a)",
        "a",
        _with_folder,
        _without_remote,
        ("push",),
        2.5,
        COPY_AND_HASH,
    ),
    Case(
        "pull-folder",
        "`pull` from a folder, (a)",
        "a",
        _pushed_to_folder,
        _without_copies,
        ("pull",),
        2.5,
        COPIES_AND_HASH,
    ),
    Case(
        "push-s3",
        "`push` to S3 on loopback, (a)",
        "a",
        _with_s3,
        _next_prefix,
        ("push",),
        3,
        cpu=1 / 3,
        rounds=2,
    ),
    Case(
        "pull-s3",
        "`pull` from S3 on loopback, (a)",
        "a",
        _pushed_to_s3,
        _without_copies,
        ("pull",),
        3,
        cpu=1 / 3,
        rounds=2,
    ),
    Case(
        "add-large",
        "`add`, (c)",
        "c",
        nothing,
        _begin,
        ("add", "data"),
        0,
        PARALLEL_HASH,
        within=1.25,
        rounds=2,
    ),
    Case(
        "memory-add",
        "`add`, one million entries",
        "m",
        nothing,
        _begin_linked,
        ("add", "data"),
        rss=400_000_000,
        peer=False,
        rounds=1,
    ),
    Case(
        "memory-status",
        "no-op `status`, one million entries",
        "m",
        _added_linked,
        nothing,
        ("status",),
        rss=400_000_000,
        peer=False,
        rounds=1,
    ),
)
