"""Where we differ from DVC 3.67.1 on purpose, and why.

D1 to D15 are defects that were reproduced in the real DVC; each has its own test elsewhere. A `Deviation`
with a scenario explains differences of a twin run there: only those whose key matches, and nothing else.
"""

import re
from typing import NamedTuple

from tests.compat.snapshot import Difference

#: The defects, what DVC does, what we do instead.
DEFECTS = {
    "D1": "pull accepts a damaged object of a remote and calls it clean; we verify while downloading",
    "D2": "a directory whose manifest is in the remote counts as pushed; we prove every file of it",
    "D3": "pull deletes a damaged object of a local remote; reading never deletes",
    "D4": "an unsupported link type removes the workspace file; we link under a temporary name first",
    "D5": "the executable bit of a linked file changes the cached object's mode; we make a copy",
    "D6": "files of a directory lose their executable bits; we keep them where the format lets us",
    "D7": "import-url --to-remote leaves temporary files in the remote; we leave none",
    "D8": "a cached object edited through a hard link is deleted; we quarantine it and heal it",
    "D9": "checkout deletes what it did not write in a former output; we keep what was never saved",
    "D10": "a failed push to a worktree remote empties the pointer file; ours changes no pointer file",
    "D11": "update resurrects a file that was deleted in a worktree remote; deleted stays deleted",
    "D12": "an edit with the same size and time is missed; our proof includes the change time",
    "D13": "a file name that is not UTF-8 ends in an unexpected error; we name it and say what to do",
    "D14": "escaped lines of .gitignore are never removed; we remove what we wrote",
    "D15": "runs of disjoint stages that share a dependency exclude each other; ours do not",
}


class Deviation(NamedTuple):
    """Differences of one scenario that are meant.

    Attributes:
        defect: The key of `DEFECTS` that is the reason, or "" when ``reason`` stands alone.
        scenario: The scenario's name.
        key: A regular expression for the whole key of the difference.
        reason: What differs, for people.
    """

    defect: str
    scenario: str
    key: str
    reason: str


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        "D2",
        "push-and-pull-targets",
        r"step 8 `push d/sub`: remote/files/md5/(c1|fe).*",
        "a part of a directory is sent although the directory's manifest is there already",
    ),
    Deviation(
        "D2",
        "push-and-pull-targets",
        r"step 14 `~fetch d`: ws/\.dvc/cache/files/md5/(c1|c4|d4|fe)(/.*)?: only in [AB]",
        "what was sent of a directory can be fetched, although the rest of it lacks",
    ),
    Deviation(
        "D2",
        "push-and-pull-targets",
        r"written by . \(.*\): hand-over `status --json -c`: answer",
        "files of a directory that are not on the remote are told, although its manifest is there",
    ),
    Deviation(
        "",
        "pull-with-missing-objects",
        r"step 7 `\?fetch`: exit code",
        "a fetch that could not get everything fails; the real DVC warns and succeeds",
    ),
    Deviation(
        "",
        "gc-not-in-remote",
        r"written by . \(.*\): hand-over `data status --json --granular`: answer",
        "a manifest that the cache lost is unknown; the real DVC remembers it outside of the project",
    ),
    Deviation(
        "",
        "shared-cache",
        r"written by A \(.*\): hand-over `data status --json --granular`: answer",
        "a manifest that the cache lacks is unknown; the real DVC remembers it outside of the project",
    ),
    Deviation(
        "D7",
        "add-out-name",
        r"step 2 .*/\.<random [0-9a-f]{8}>\.tmp: only in A",
        "what comes from elsewhere leaves no temporary file in the cache",
    ),
    Deviation(
        "D7",
        "add-to-remote",
        r"step \d+ .*/\.<random [0-9a-f]{8}>\.tmp: only in A",
        "what goes straight to a remote leaves no temporary file there",
    ),
    Deviation(
        "",
        "dvcignore",
        r"step 14 `~add nested/d`: exit code",
        "a .dvcignore inside the data is refused like every other target; the real DVC lets its error escape",
    ),
    Deviation(
        "",
        "overlapping-outputs-are-refused",
        r"step 10 `\?status`: exit code",
        "two pointer files that claim one path are an error for status too; the real DVC lets one win",
    ),
    Deviation(
        "",
        "config",
        r"step 16 `config core\.check_update false`: ws/\.dvc/config: content",
        "comments of a configuration file are kept; the real DVC drops some of them",
    ),
    Deviation(
        "",
        "protected-files",
        r"step 9 `~unprotect nothing`: exit code",
        "a path that does not exist fails the command; the real DVC lets its error escape",
    ),
    Deviation(
        "",
        "legacy-text-differs-only-in-line-ends",
        r"step 5 `\?add text\.csv`: ws/text\.csv: content",
        "adding a text whose line ends alone differ from the cached one leaves the user's file as it is",
    ),
    Deviation(
        "",
        "cache-migrate",
        r"step 4 `cache migrate`: ws/\.dvc/cache/files/md5/(bb|e9)(/.*\.dir)?: only in [AB]",
        "a migrated manifest names migrated objects; the real DVC copies the old one as it is",
    ),
    Deviation(
        "",
        "legacy-repository",
        r"step 15 `add text\.csv d`: ws/\.dvc/cache/25(/.*\.dir)?: only in A",
        "what is added now is kept in the new layout only; the real DVC leaves a manifest in the old one too",
    ),
    Deviation(
        "",
        "legacy-status-after-a-change",
        r"step 4 `status --json`: ws/\.dvc/cache/25(/.*\.dir)?: only in A",
        "status writes nothing into the cache; the real DVC leaves the manifest of a directory as it is now",
    ),
    Deviation(
        "",
        "s3-missing-objects",
        r"step 5 `\?push`: exit code",
        "a push that could not send everything fails; the real DVC warns and succeeds",
    ),
    Deviation(
        "",
        "s3-of-a-bucket-that-is-not-there",
        r"step 5 `\?status -c`: exit code",
        "a bucket that does not exist is an error; the real DVC takes it for an empty one",
    ),
    Deviation(
        "",
        "import",
        r"step 14 `~import \.\./source nothing`: exit code",
        "a path that the source lacks fails the command; the real DVC lets its error escape",
    ),
    Deviation(
        "",
        "import",
        r"step 19 `pull f data`: ws/\.dvc/cache/(files/md5/(72|be)(/.*\.dir)?|fs(/local)?): only in A",
        "only what pointer files name is kept; the real DVC keeps manifests of inner folders, and more",
    ),
    Deviation(
        "",
        "import-of-a-path-inside-a-directory",
        r"step 11 `pull`: ws/\.dvc/cache/files/md5/be(/.*\.dir)?: only in A",
        "only what pointer files name is kept; the real DVC keeps manifests of inner folders too",
    ),
    Deviation(
        "",
        "update-without-download",
        r"step 14 `update f\.dvc --no-download`: ws/f\.dvc: content",
        "the checksum is of what the pointer file says now; the real DVC's is of what it said before",
    ),
    Deviation(
        "D7",
        "import-url-to-remote",
        r"step \d+ .*/\.<random [0-9a-f]{8}>\.tmp: only in A",
        "what goes straight to a remote leaves no temporary file there",
    ),
    Deviation(
        "",
        "import-url-to-remote",
        r"step 7 `update f\.dvc data\.dvc --to-remote`: ws/(f|data)\.dvc: content",
        "the checksum is of what the pointer file says now; the real DVC's is of what it said before",
    ),
    Deviation(
        "",
        "import-url-to-remote",
        r"written by . \(.*\): hand-over `data status --json --granular`: answer",
        "a manifest that the cache lacks is unknown; the real DVC remembers it outside of the project",
    ),
    Deviation(
        "D7",
        "s3-import-url-and-add-to-remote",
        r"step \d+ .*/\.<random [0-9a-f]{8}>\.tmp: only in A",
        "what goes straight to a remote leaves no temporary file there",
    ),
    Deviation(
        "",
        "get",
        r"step 13 `~get \.\./source nothing`: exit code",
        "a path that the source lacks fails the command; the real DVC lets its error escape",
    ),
    Deviation(
        "",
        "get",
        r"step 21 `=list-url \.\./elsewhere -R`: answer",
        "a listing is sorted; the real DVC's has the order in which the system lists a folder",
    ),
    Deviation(
        "",
        "list-and-du",
        r"step 11 `=du \. d`: answer",
        "a listing is sorted; the real DVC's has the order in which the system lists a folder",
    ),
    Deviation(
        "",
        "s3-version-aware",
        r"step 13 `pull`: ws/\.dvc/cache/files/md5/(72|be)(/.*\.dir)?: only in A",
        "a fetch keeps the manifests that pointer files name; the real DVC leaves one for each folder inside",
    ),
    Deviation(
        "D11",
        "s3-worktree",
        r"step 9 `push`: s3://twin/real/d/empty: only in A",
        "what was deleted here is deleted on the worktree too",
    ),
    Deviation(
        "",
        "s3-worktree",
        r"step 12 `pull`: ws/\.dvc/cache/files/md5/(72|be)(/.*\.dir)?: only in A",
        "a fetch keeps the manifests that pointer files name; the real DVC leaves one for each folder inside",
    ),
    Deviation(
        "",
        "stage-that-depends-on-paths-outside",
        r"step 13 `~repro`: ws/l: only in B",
        "outputs stay when a dependency is missing; the real DVC removes them before it looks",
    ),
    Deviation(
        "",
        "stage-that-depends-on-a-remote-of-this-machine",
        r"step \d+ `repro`: ws/\.dvc/cache/runs(/.*)?: only in A",
        "runs that need a remote are not remembered; the real DVC remembers them where it is a folder",
    ),
    Deviation(
        "",
        "datasets-of-repositories",
        r"step 37 `~repro a`: ws/a: only in B|step 39 `status --json a`: answer",
        "outputs stay when a data set is not known; the real DVC removes them before it looks",
    ),
    Deviation(
        "",
        "s3-stage-that-depends-on-objects",
        r".*ws/\.dvc/cache(/files(/md5(/dc(/.*\.dir)?)?)?)?: only in [AB]",
        "looking at a folder of a bucket leaves nothing here; the real DVC caches a manifest of tags",
    ),
    Deviation(
        "",
        "s3-datasets-and-stages-with-versions",
        r".*ws/\.dvc/cache(/files(/md5(/(c8|ae)(/.*\.dir)?)?)?)?: only in [AB]",
        "looking at a folder of a bucket leaves nothing here; the real DVC caches a manifest of tags",
    ),
    Deviation(
        "",
        "what-makes-a-stage-run",
        r"step 38 `~repro c`: ws/c\.out: only in B",
        "a stage that cannot run keeps its old outputs; the real DVC deletes them before it looks",
    ),
    Deviation(
        "",
        "stage-whose-inputs-are-missing",
        r"step \d+ `~repro.*`: ws/[abc]\.out: only in B",
        "a stage that cannot run keeps its old outputs; the real DVC deletes them before it looks",
    ),
    Deviation(
        "",
        "runs-are-pushed-and-pulled",
        r"step 6 `push --run-cache`: remote/runs/.*: mode",
        "remembered runs on a local remote are read-only; both tools replace them by renaming",
    ),
    Deviation(
        "",
        "repro-refuses-what-it-does-not-know",
        r"step 13 `\?status`: exit code",
        "two stages that claim one path are an error for status too; the real DVC lets both be",
    ),
    Deviation(
        "",
        "repro-refuses-what-it-does-not-know",
        r"step 17 `\?repro`: ws/\.gitignore: only in B|at the end: git",
        "what ran before a failure stays hidden from Git; the real DVC takes the lines of all of them back",
    ),
    Deviation(
        "",
        "stage-that-fails",
        r"step 2 `~repro broken`: ws/\.gitignore: only in B|at the end: git",
        "what ran before a failure stays hidden from Git; the real DVC takes the lines of all of them back",
    ),
    Deviation(
        "",
        "merge-driver-of-directories",
        r"step 1[45] `~git-hook merge-driver .*`: exit code",
        "a conflict exits with 1, as Git asks of merge drivers; the real DVC fails",
    ),
)


def unexplained(scenario: str, found: list[Difference]) -> list[Difference]:
    """The differences that no deviation explains."""
    known = [re.compile(d.key) for d in DEVIATIONS if d.scenario == scenario]
    return [d for d in found if not any(pattern.fullmatch(d.key) for pattern in known)]
