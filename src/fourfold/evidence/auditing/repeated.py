"""A verdict against the replays that it names: whether they are replays of that run, and came out as it says.

A signature says who said it; the records say whether it can be so. Replays that are not here (a pull brings
the records that lock files name, not those of replays) are absent, and prove nothing either way. Levels that
need the bytes of then, *canonical* and below, are not judged again: `ff verify` does that.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fourfold.evidence.auditing.audited import SHORT, Finding
from fourfold.formats.attest.verdict import HELD, Verdict
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import by_path, mapping, rows_of, value_of

#: What a replay may have been given of other runs: then it is none of this run alone.
_COORDINATES = ("code", "data", "environment", "randomness")
#: What a verdict may vary: seeds, for a metric.
_SEED = "seed"


def repeats(
    said: Verdict, record: RunRecord, known: Mapping[RunId, RunRecord], subject: str
) -> Iterator[Finding]:
    """What speaks against a verdict in the records of its replays.

    Args:
        said: The verdict.
        record: Of the run that it is about.
        known: The records that are here.
        subject: What findings are about.
    """
    named = said.replays()
    here = {run: known[run] for run in named if run in known}
    wrong = next(filter(None, (_unfit(said, run, replay) for run, replay in here.items())), "")
    if not wrong:
        plain = [replay for replay in here.values() if not _about(replay).get("varied")]
        wrong = _against(said, record, plain, whole=len(here) == len(named)) if plain else ""
    if wrong:
        yield Finding("broken", "replay-contradicts", subject, wrong)
    absent = tuple(run for run in named if run not in known)
    if absent:
        told = f"{len(absent)} of {len(named)} replays that it names are not here to compare it with"
        yield Finding("note", "replay-absent", subject, told, "bring them: ff pull -A", absent)


def _about(replay: RunRecord) -> Mapping[str, Any]:
    return mapping(value_of(replay.trace, "replay"))


def _unfit(said: Verdict, run: RunId, replay: RunRecord) -> str:
    """Why a run is no replay that this verdict can stand on; "" where it is one."""
    about = _about(replay)
    told = f"it names run {run[:SHORT]} as a replay"
    if replay.kind != "replay" or not about:
        return f"{told}, which is none"
    if about.get("of") != said.run:
        return f"{told}, which repeats run {str(about.get('of'))[:SHORT]} and not run {said.run[:SHORT]}"
    mixed = [name for name in _COORDINATES if about.get(name)]
    if mixed:
        return f"{told}, which took its {mixed[0]} from another run"
    varied = about.get("varied")
    if varied and (run == said.replay or varied != _SEED):
        return f"{told}, in which the {str(varied)[:40]} was varied"
    if said.level in HELD and run == said.replay and replay.outcome.state != "succeeded":
        return f"{told}, which did not succeed ({replay.outcome.state})"
    return ""


def _against(said: Verdict, record: RunRecord, plain: list[RunRecord], *, whole: bool) -> str:
    """What outputs say against a verdict; "" for nothing.

    Args:
        said: The verdict.
        record: Of the run.
        plain: Its replays that are here, with nothing varied.
        whole: Whether all replays are here.
    """
    told = by_path(said.outputs)
    now = [by_path(rows_of(replay, "outputs")) for replay in plain]
    for path, then in by_path(rows_of(record, "outputs")).items():
        after = [each[path] for each in now if path in each]
        same = [_same(then, each) for each in after] + [False] * (len(now) - len(after))
        about = mapping(told.get(path))
        level = "bitwise" if said.level == "bitwise" else about.get("level")
        # Where commands failed, a verdict has the outputs of that replay only.
        if level == "bitwise" and said.level in HELD and False in same:
            return f"it calls '{path[:80]}' equal bit by bit, and a replay wrote something else"
        if level not in (None, "bitwise") and whole and all(same):
            return f"it calls '{path[:80]}' {str(level)[:40]}, and every replay wrote the same bytes"
        if about.get("before") and not _has([then], about["before"]):
            return f"it gives '{path[:80]}' another digest than the record of run {said.run[:SHORT]}"
        if about.get("after") and whole and not _has(after, about["after"]):
            return f"it gives '{path[:80]}' a digest that no replay wrote"
    return ""


def _has(rows: list[Mapping[str, Any]], digest: object) -> bool:
    return any(digest in (row.get("blake3"), row.get("md5")) for row in rows)


def _same(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool | None:
    """Whether two rows have one content; None where that is not known."""
    shared = [key for key in ("blake3", "md5") if then.get(key) and now.get(key)]
    return all(then[key] == now[key] for key in shared) if shared else None
