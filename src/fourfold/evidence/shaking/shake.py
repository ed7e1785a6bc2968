"""Shake: a run replayed again and again, one circumstance otherwise each time: what its results hang on.

First plainly, more than once: what differs there is noise, and no factor is blamed for it. All replays but
one stand in a folder of the same name. Where a factor changed something, one more plain replay says whether
that was noise too. What the factors are is `factors`, what is told of them `shaken`.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.evidence.lineage import identity
from fourfold.evidence.replaying.box import REPLAYS
from fourfold.evidence.replaying.replay import Changes, Replayed, Streams, replay
from fourfold.evidence.shaking.apart import WHOLE
from fourfold.evidence.shaking.apart import parts as parts_of
from fourfold.evidence.shaking.factors import (
    Ground,
    Untried,
    Variation,
    chosen,
    plain,
    prefix,
    unreached,
    variation,
)
from fourfold.evidence.shaking.shaken import Changed, Factor, Outcome, Shaken
from fourfold.formats.native.record import RunId
from fourfold.runs.redact import redact
from fourfold.runs.scratch import claim, drop, remove

if TYPE_CHECKING:
    from fourfold.evidence.replaying.surroundings import Policy
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

_PHASE = "shaking"
_TREE = "tree"
_LOG = "said"
#: So much of what a failing replay says last is shown, in characters.
_SHOWN = 200
#: The exit codes of shells for a process that crashed: by SIGILL, SIGABRT, SIGBUS, SIGSEGV.
_CRASHED = frozenset({132, 134, 135, 139, -4, -6, -7, -11})


class ShakeBaselineError(ConflictError):
    """A run does not come to its end when it is replayed plainly: no factor can be blamed."""

    code = "shake-baseline-fails"
    default_hint = "see what it says: ff replay"


class _Seen(NamedTuple):
    """What one replay left.

    Attributes:
        run: Its record.
        code: How its commands ended.
        said: The last line that they said.
        names: What names the content of each output; "" where it is not known, None where it is missing.
        files: Where each output is, as long as its worktree is there.
    """

    run: RunId
    code: int
    said: str
    names: Mapping[str, str | None]
    files: Mapping[str, str | None]


#: What differs between two replays: the parts of each output, with words for each.
_Found = Mapping[str, Mapping[str, str]]


class _Tried(NamedTuple):
    """A factor that was varied, not judged yet."""

    name: str
    varied: Variation
    seen: _Seen
    found: _Found
    unreached: str = ""


def shake(
    place: "Place",
    records: "Records",
    run: RunId,
    *,
    factors: Sequence[str] | None = None,
    repeats: int = 1,
    policy: "Policy" = "auto",
    remote: bool = True,
    events: Sink = silent,
) -> Shaken:
    """Replay a run plainly, then once for each factor.

    Args:
        place: The user's.
        records: Theirs: has the run, and gets the records of the replays.
        run: What is shaken.
        factors: Names of `fourfold.evidence.shaking.factors.FACTORS`; None for all.
        repeats: How often it is replayed plainly once more, for the noise; 1 at least.
        policy: Which environments may be taken.
        remote: Whether the default remote is asked for inputs that the cache lacks.
        events: Hears of progress.

    Raises:
        UnknownFactorError: a factor is not known.
        ShakeBaselineError: it does not come to its end when nothing is varied.
        FourfoldError: it cannot be replayed, see `fourfold.evidence.replaying.replay.replay`.
    """
    names = chosen(factors)
    repeats = max(1, repeats)
    folder = claim(place.make(REPLAYS))
    bench = _Bench(place, records, run, folder, policy=policy, remote=remote, events=events)
    events(PhaseStarted(_PHASE, total=1 + repeats + len(names), unit="replays"))
    try:
        bench.begin()
        for _ in range(repeats):
            bench.repeat()
        tried = [bench.vary(name) for name in names]
        blamed = (bench.judged(one).outcome for one in tried if not isinstance(one, Factor))
        if any(outcome in {"changes", "fails"} for outcome in blamed):
            bench.repeat()
        return bench.shaken(tried)
    finally:
        events(PhaseEnded(_PHASE))
        drop(folder)


class _Bench:
    """One shake under way."""

    def __init__(
        self,
        place: "Place",
        records: "Records",
        run: RunId,
        folder: str,
        *,
        policy: "Policy",
        remote: bool,
        events: Sink,
    ) -> None:
        self._place, self._records, self._run = place, records, run
        self._folder = folder
        self._policy: Policy = policy
        self._remote = remote
        self._events = events
        self._record = records.get(run)
        self._pinned = plain(self._record)
        self._noise: dict[str, dict[str, str]] = {}
        self._unsteady = ""
        self._plain = 0
        self._environ: Mapping[str, str] = {}
        self._contained = False
        self._reproduces: bool | None = None

    # -- replays ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """The plain replay that all others are held against; its worktree stays."""
        with self._replayed(None) as replayed:
            self._base = self._seen(replayed)
            if replayed.record.outcome.state != "succeeded":
                said = f": {self._base.said}" if self._base.said else ""
                raise ShakeBaselineError(
                    f"a plain replay of the run ends with exit code {self._base.code}{said}"
                )
            known = [pair.same for pair in replayed.outputs]
            self._reproduces = None if None in known else all(known)
            self._contained = replayed.surroundings.wrap is not None
            self._environ = {**self._place.environ, **replayed.surroundings.environ}
        kept = os.path.join(self._folder, "first")
        os.rename(os.path.join(self._folder, _TREE), kept)
        root = replayed.box.root
        files = {
            path: os.path.join(kept, os.path.relpath(file, root)) if file is not None else None
            for path, file in self._base.files.items()
        }
        self._base = self._base._replace(files=files)
        self._advance(plainly=True)

    def repeat(self) -> None:
        """One more plain replay: what differs is noise."""
        with self._replayed(None) as replayed:
            seen = self._seen(replayed)
            for path, parts in self._found(seen).items():
                self._noise.setdefault(path, {}).update(parts)
            if replayed.record.outcome.state != "succeeded":
                self._unsteady = f"a plain replay failed too, with exit code {seen.code}"
        self._advance(plainly=True)

    def vary(self, name: str) -> _Tried | Factor:
        """A replay with one factor otherwise."""
        ground = Ground(self._place, self._record, self._environ, self._contained, self._folder)
        varied = variation(name, ground)
        if isinstance(varied, Untried):
            self._advance()
            return Factor(name, "not tried", "", varied.why, "", (), None)
        with self._replayed(varied, name) as replayed:
            seen = self._seen(replayed)
            found = self._found(seen) if not seen.code else {}
            tried = _Tried(name, varied, seen, found, unreached(varied))
        self._advance()
        return tried

    def _replayed(self, varied: Variation | None, name: str = "") -> Replayed:
        tree = os.path.join(self._folder, varied.folder if varied is not None and varied.folder else _TREE)
        for old in (os.path.join(self._folder, "elsewhere"), tree, self._log):
            remove(old)
        os.makedirs(os.path.dirname(tree), exist_ok=True)
        changes = Changes(prefix=prefix(self._pinned, varied, self._log), varied=name)
        return replay(
            self._place,
            self._records,
            self._run,
            policy=self._policy,
            folder=tree,
            changes=changes,
            streams=Streams(),
            remote=self._remote,
            events=silent if self._plain else self._events,
        )

    @property
    def _log(self) -> str:
        return os.path.join(self._folder, _LOG)

    def _advance(self, *, plainly: bool = False) -> None:
        self._plain += plainly
        self._events(Advanced(_PHASE, 1))

    # -- what came out ---------------------------------------------------------------------------

    def _seen(self, replayed: Replayed) -> _Seen:
        names: dict[str, str | None] = {}
        for pair in replayed.outputs:
            names[pair.path] = identity(pair.after) if pair.after is not None else None
        files = {pair.path: pair.file for pair in replayed.outputs}
        said = redact(_last_line(self._log), self._place.environ)
        return _Seen(replayed.run, replayed.record.outcome.code, said, names, files)

    def _found(self, seen: _Seen) -> _Found:
        """What differs from the first plain replay."""
        found: dict[str, dict[str, str]] = {}
        for path in sorted({*self._base.names, *seen.names}):
            before, after = self._base.names.get(path), seen.names.get(path)
            if before == after and before != "":
                continue
            files = self._base.files.get(path), seen.files.get(path)
            parts = dict(parts_of(path, *files))
            if parts:
                found[path] = parts
        return found

    def judged(self, tried: _Tried) -> Factor:
        """What a factor did, beyond the noise that is known by now."""
        run, seen = tried.seen.run, tried.seen
        said = seen.said if seen.code else ""

        def factor(outcome: Outcome, why: str = "", outputs: tuple[Changed, ...] = ()) -> Factor:
            return Factor(tried.name, outcome, tried.varied.how, why, said, outputs, run)

        if seen.code:
            outcome, why = self._failing(tried)
            return factor(outcome, why)
        outputs = []
        for path, parts in tried.found.items():
            noise = self._noise.get(path, {})
            fresh = {} if WHOLE in noise else {key: words for key, words in parts.items() if key not in noise}
            if fresh:
                outputs.append(Changed(path, next(iter(fresh.values())), len(fresh)))
        if outputs:
            why = f"outputs differ, and yet {tried.unreached}" if tried.unreached else ""
            return factor("unclear" if why else "changes", why, tuple(outputs))
        if tried.unreached:
            return factor("not tried", tried.unreached)
        whole = sorted(path for path, parts in self._noise.items() if WHOLE in parts)
        if whole and len(whole) == len(self._base.names):
            return factor("unclear", "every output differs from replay to replay anyway")
        if self._noise:
            return factor("same", f"apart from what differs anyway: {', '.join(sorted(self._noise))}")
        return factor(
            "same", "" if self._base.names else "it has no outputs: that it ends well is all that is known"
        )

    def _failing(self, tried: _Tried) -> tuple[Outcome, str]:
        seen = tried.seen
        why = f"exit code {seen.code}"
        if self._unsteady or tried.unreached:
            return "unclear", f"{why}; {self._unsteady or tried.unreached}"
        if tried.name == "clock" and tried.varied.python and seen.code in _CRASHED:
            return "not tried", f"the clock could not be shifted inside its processes: {why}"
        return "fails", why

    def shaken(self, tried: Sequence[_Tried | Factor]) -> Shaken:
        """All of it, judged by all noise."""
        factors = tuple(one if isinstance(one, Factor) else self.judged(one) for one in tried)
        noise = tuple(
            Changed(path, next(iter(parts.values())), len(parts))
            for path, parts in sorted(self._noise.items())
        )
        return Shaken(self._run, self._reproduces, self._plain, self._pinned.how, noise, factors)


def _last_line(path: str) -> str:
    with suppress(OSError), open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 4096))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
        return "".join(sign if sign.isprintable() else " " for sign in lines[-1])[:_SHOWN] if lines else ""
    return ""
