"""Push: copy tracked data to its remotes, files first and proven, manifests last.

Takes no lock: it reads pointer files and objects, and neither changes; but the versions that some remotes
keep go into pointer files (`versioned_push`). What could not be sent is told object by object; everything
else is sent all the same.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import AuthError, FourfoldError, NotFoundError, UnavailableError
from fourfold.base.events import Sink, Warned, silent
from fourfold.content import transfer
from fourfold.project.collect import Collection, Group, collect, groups
from fourfold.project.litter import sweep_transfer
from fourfold.project.outs import Tracked
from fourfold.project.remotes import Remote, open_remote
from fourfold.project.runs import RunsUnsupportedError, push_runs
from fourfold.project.scope import WORKSPACE, Scope
from fourfold.project.targets import expand_globs
from fourfold.project.troubles import Trouble, push_error, troubles_of
from fourfold.project.vetting import Access

if TYPE_CHECKING:
    from fourfold.project.project import Project


class PushResult(NamedTuple):
    """What a push did.

    Attributes:
        pushed: Objects that were sent.
        size: Their bytes.
        present: Objects that were there already, each asked for.
        deleted: Files that were deleted on worktree remotes, by their names there.
        runs: Entries of the run cache that were sent.
        troubles: Objects that are not there now.
        failed: Revisions that could not be loaded.
    """

    pushed: int = 0
    size: int = 0
    present: int = 0
    runs: int = 0
    troubles: tuple[Trouble, ...] = ()
    failed: tuple[tuple[str, FourfoldError], ...] = ()
    deleted: tuple[str, ...] = ()

    @property
    def asked(self) -> int:
        """How many objects were looked at."""
        return self.pushed + self.present + len(self.troubles)

    @property
    def error(self) -> FourfoldError | None:
        """The error that this result amounts to; None when everything is on its remote."""
        return push_error(self.troubles, self.asked)


def push(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    remote: str | None = None,
    jobs: int | None = None,
    scope: Scope = WORKSPACE,
    recursive: bool = False,
    with_deps: bool = False,
    run_cache: bool = False,
    glob: bool = False,
    events: Sink = silent,
) -> PushResult:
    """Copy the content of outputs to their remotes.

    Durable on the remote when it returns. A path inside a tracked directory sends that path and the
    directory's manifest, as DVC does; whatever else the directory names stays to be pushed.

    Args:
        project: Whose.
        targets: As typed; none for everything.
        remote: The remote's name; by default each output's own, or the default one.
        jobs: Requests at once.
        scope: Revisions whose data goes too.
        recursive: Folders stand for the owners below.
        with_deps: Also what the targets depend on.
        run_cache: Also the remembered runs.
        glob: Targets are patterns.
        events: Hears the phases.

    Raises:
        NoRemoteError, RemoteNotFoundError: there is no such remote.
        TargetNotFoundError: a target names nothing.
        FourfoldError: a remote cannot be asked at all.
    """
    names = list(targets)
    if glob and names:
        names = expand_globs(project, names)
    runs = _push_runs(project, remote, jobs, events) if run_cache else 0
    found = collect(
        project,
        names,
        scope=scope,
        recursive=recursive,
        with_deps=with_deps,
        remote=remote,
        push=True,
        forgiving=True,
    )
    tell_skipped(found, events)
    opened = Opened(project, jobs, "write", events)
    result = PushResult(runs=runs, failed=found.failed)
    for out in found.clouds:
        raise opened.get(out.output.remote or remote).unsupported("push")
    wanted = groups(found.wants)
    for group in wanted:
        try:
            place = opened.get(group.remote)
            if place.version_aware:
                result = _push_versions(project, group, place, scope, names, result, events)
            else:
                result = _push_group(project, group, place, result, events)
        except (NotFoundError, UnavailableError, AuthError) as error:
            if len(wanted) == 1:
                raise
            failed = transfer.Transferred(failed=tuple((oid, error) for oid in group.oids))
            troubles = troubles_of(failed, group, project.store, group.remote or "the default remote")
            result = result._replace(troubles=result.troubles + tuple(troubles))
    return result


class Opened:
    """The remotes of one verb, each opened once."""

    def __init__(
        self, project: "Project", jobs: int | None, access: Access = "read", events: Sink = silent
    ) -> None:
        self._project = project
        self._jobs = jobs
        self._access = access
        self._events = events
        self._remotes: dict[str | None, Remote] = {}

    def get(self, name: str | None) -> Remote:
        """The remote of that name, or the default one."""
        if name not in self._remotes:
            remote = open_remote(self._project, name, jobs=self._jobs, access=self._access)
            self._remotes[name] = remote
            if remote.config.options.get("ssl_verify", "").lower() == "false":
                self._events(
                    Warned(
                        "certificate-not-checked",
                        f"the certificate of remote '{remote.name}' is not checked (ssl_verify = false)",
                        f"name its authority's file: ff remote modify {remote.name} ssl_verify <file.pem>",
                    )
                )
        return self._remotes[name]

    def opened(self) -> list[Remote]:
        """Those that were asked for, in that order."""
        return list(self._remotes.values())


#: What brings the content of an output that has none, in words.
_ACTS = {"update": "bring it", "repro": "run the stage", "commit": "save it"}


def tell_skipped(found: Collection, events: Sink) -> None:
    """Warn of revisions and outputs that could not take part."""
    for rev, error in found.failed:
        events(
            Warned(
                "revision-skipped",
                f"{rev or 'the workspace'} was skipped: {error.message}",
                error.hint,
            )
        )
    by_owner: dict[tuple[str, str | None], list[Tracked]] = {}
    for out in found.unsaved:
        by_owner.setdefault((out.file, out.stage), []).append(out)
    for outs in by_owner.values():
        events(_not_saved(outs))


def _not_saved(outs: Sequence[Tracked]) -> Warned:
    """The warning for the outputs of one owner."""
    owner = outs[0].owner
    act = "update" if owner.is_import else "repro" if owner.is_stage and not owner.locked else "commit"
    names = f"'{outs[0].relpath}'"
    if len(outs) > 1:
        names += f" and {len(outs) - 1} more of '{owner.addressing}'"
    verbs = ("has", "was") if len(outs) == 1 else ("have", "were")
    return Warned(
        "output-not-saved",
        f"{names} {verbs[0]} no saved content yet and {verbs[1]} left out",
        f"{_ACTS[act]} with: ff {act} {owner.addressing}",
    )


def _push_runs(project: "Project", remote: str | None, jobs: int | None, events: Sink) -> int:
    try:
        return push_runs(project, open_remote(project, remote, jobs=jobs, access="write"), events=events)
    except RunsUnsupportedError as error:
        events(Warned(error.code, error.message, error.hint))
        return 0


def _push_versions(
    project: "Project",
    group: Group,
    remote: Remote,
    scope: Scope,
    names: list[str],
    before: PushResult,
    events: Sink,
) -> PushResult:
    from fourfold.project.versioned_push import push_versions  # noqa: PLC0415 - few remotes keep versions

    if not scope.is_workspace or group.legacy:
        raise remote.unsupported("push of other revisions" if not group.legacy else "push of DVC 2's hashes")
    done = push_versions(project, group.wants, remote, names, events)
    return before._replace(
        pushed=before.pushed + done.done,
        size=before.size + done.size,
        present=before.present + done.present,
        deleted=before.deleted + done.deleted,
        troubles=before.troubles + done.troubles,
    )


def _push_group(
    project: "Project", group: Group, remote: Remote, before: PushResult, events: Sink
) -> PushResult:
    sweep_transfer(project, remote.store.local_root)
    done = transfer.push(
        group.oids,
        project.store,
        remote.store,
        project.index,
        legacy=group.legacy,
        pick=group.picker(),
        events=events,
    )
    troubles = troubles_of(done, group, project.store, remote.name)
    return before._replace(
        pushed=before.pushed + len(done.done),
        size=before.size + done.size,
        present=before.present + done.present,
        troubles=before.troubles + tuple(troubles),
    )
