"""Chains: a run and all runs that it stands on, replayed in their order, each fed by those before it."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Self

from fourfold.base.events import Sink, silent
from fourfold.evidence.lineage import Makers, Step
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.evidence.replaying.recipe import Changes, Sources
from fourfold.evidence.replaying.replay import QUIET, Replayed, Streams, replay
from fourfold.formats.native.record import RunId

if TYPE_CHECKING:
    from fourfold.evidence.replaying.surroundings import Policy
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

_NONE_ELSE = Sources()
_NOTHING = Changes()


class Chain(NamedTuple):
    """A run and all runs that it stands on, replayed in their order; a context manager as a `Replayed` is.

    Attributes:
        steps: Each fed with what the ones before it made; ends with the first one whose commands failed.
        whole: Whether all of them ran.
    """

    steps: tuple[Replayed, ...]
    whole: bool

    @property
    def equal(self) -> bool:
        """Whether all ran, and all are equal."""
        return self.whole and all(step.equal for step in self.steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for step in self.steps:
            step.box.close()


def replay_chain(
    place: "Place",
    records: "Records",
    run: RunId,
    *,
    policy: "Policy" = "auto",
    sources: Callable[[Step], Sources] = lambda _step: _NONE_ELSE,
    changes: Changes = _NOTHING,
    streams: Streams = QUIET,
    remote: bool = True,
    events: Sink = silent,
) -> Chain:
    """Run again what a record is of and all that it stands on, each fed with what those before it made.

    Args:
        place: As in `replay`, like what is not named here.
        records: Likewise.
        run: The last one.
        policy: Likewise.
        sources: For each run, the runs to take coordinates from instead.
        changes: Likewise, of all.
        streams: Likewise.
        remote: Likewise.
        events: Likewise.

    Raises:
        As `replay`; nothing stays of those that ran before, but their records.
    """
    steps: list[Replayed] = []
    made: dict[RunId, dict[str, str]] = {}
    lineage = Makers(records, Holdings(place, records).inside).lineage(run)
    try:
        for step in lineage.steps:
            given = {
                path: file
                for path, maker in step.made_by.items()
                if (file := _made(path, made.get(maker, {}))) is not None and os.path.lexists(file)
            }
            replayed = replay(
                place,
                records,
                step.run,
                policy=policy,
                sources=sources(step),
                changes=changes,
                given=given,
                streams=streams,
                remote=remote,
                events=events,
            )
            steps.append(replayed)
            made[step.run] = {pair.path: pair.file for pair in replayed.outputs if pair.file is not None}
            if not replayed.verdict.is_good:
                break
    except BaseException:
        for done in steps:
            done.box.close()
        raise
    return Chain(tuple(steps), len(steps) == len(lineage.steps))


def _made(path: str, made: Mapping[str, str]) -> str | None:
    """Where a replay left what lies at a path: itself, or in a folder that it wrote."""
    folder, rest = path, ""
    while folder:
        if folder in made:
            return os.path.join(made[folder], *rest.split("/")) if rest else made[folder]
        folder, _, last = folder.rpartition("/")
        rest = f"{last}/{rest}" if rest else last
    return None
