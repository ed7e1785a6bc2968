"""The environment of a replay: the one that is here when it is the recorded one, else built, else refused.

Tried in turn: what a stage would find now; the recorded lock, built with uv (`building`); the recorded image,
by its digest (`containers`). Nothing is taken for equal by its name: what was built is looked at and compared
like what was there before.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fourfold.base.errors import ConflictError, FourfoldError, from_os_error
from fourfold.base.events import Noticed, Sink, silent
from fourfold.evidence.replaying.box import REPLAYS
from fourfold.evidence.replaying.standing import (
    Compared,
    Recorded,
    Standing,
    altered,
    candidates,
    compare,
    is_of_project,
    look,
    present,
    recorded,
)
from fourfold.formats.native.record import RunRecord
from fourfold.runs import sites
from fourfold.runs.changes import mapping, value_of
from fourfold.runs.environment.distributions import is_installed
from fourfold.runs.environment.libraries import Asked, content
from fourfold.runs.environment.remembered import remembered
from fourfold.scm.refs import find_root

if TYPE_CHECKING:
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

#: What may be taken: the first that fits, the running one as it is, one built from the lock, the image.
Policy = Literal["auto", "running", "lock", "image"]
How = Literal["running", "lock", "record", "image"]
#: So many differences are named; the rest is a number.
_SHOWN = 10
#: Folders of environments that the words of a command start a Python from, relative: ``.venv`` of
#: ``.venv/bin/python train.py``.
_RELATIVE = re.compile(r"(?:^|[\s;&|('\"=])([\w.@+-][\w./@+-]*)/bin/python[\w.]*", re.MULTILINE)


class EnvironmentDiffersError(ConflictError):
    """The recorded environment is neither here nor can it be made."""

    code = "environment-differs"
    default_hint = "take the running one and be told what differs: --environment running"


class Surroundings(NamedTuple):
    """The environment of a replay.

    Attributes:
        how: Which one was taken.
        environ: What the environment of its commands gets besides.
        wrap: What goes before the shell that runs a command; None without a container.
        differences: What is otherwise than recorded, in words.
        executable: The interpreter; "" where none is known.
        notes: What differs and does not matter, and what could not be compared, in words.
        image: The image that its commands run in, by its digest; "" outside of containers.
        compared: Whether the record has anything of it that could be compared.
    """

    how: How
    environ: Mapping[str, str]
    wrap: tuple[str, ...] | None
    differences: tuple[str, ...]
    executable: str = ""
    notes: tuple[str, ...] = ()
    image: str = ""
    compared: bool = True


def choose(
    place: "Place",
    records: "Records",
    record: RunRecord,
    *,
    policy: Policy = "auto",
    folder: str,
    events: Sink = silent,
) -> Surroundings:
    """The environment for a replay.

    Where the run's Python was in a folder of the project, a link of that name is made in the box.

    Args:
        place: That of the user: what is built is kept there, and its environment is the running one.
        records: Where parts are.
        record: Of the run whose environment is wanted.
        policy: What may be taken.
        folder: The root of the project in the box, absolute: its code is restored.
        events: Hears of what is built.

    Raises:
        EnvironmentDiffersError: what the policy allows is not the recorded environment.
        LockUnbuildableError, UvMissingError, BuildFailedError: by policy ``lock``: it cannot be built.
        NoContainerProgramError, ImageNotRecordedError, ImageUnavailableError: by policy ``image``: it cannot
            be had.
    """
    before = recorded(record, records.part)
    told: list[str] = []
    hint = ""
    if policy in {"auto", "running"}:
        found, seen = _running(place, record, before, folder, policy)
        if found is not None:
            return found
        told += _first(seen)
    for how, make in (("lock", _locked), ("image", _imaged)):
        if policy not in {"auto", how}:
            continue
        try:
            made = make(place, record, before, folder, events)
        except FourfoldError as error:
            if policy == how:
                raise
            events(Noticed(error.message))
            told.append(f"{how}: {error.message}")
            hint = hint or (error.hint if how == "lock" else "")
            continue
        if not made.differences or policy == how:
            return made
        more = f", and {len(made.differences) - 1} more" if made.differences[1:] else ""
        told.append(f"{how}: {made.differences[0]}{more}")
    raise _refused(told, hint)


def _first(told: Sequence[str]) -> list[str]:
    """The first of many words, and how many there are besides."""
    more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
    return [*told[:_SHOWN], *more]


def _refused(told: Sequence[str], hint: str) -> EnvironmentDiffersError:
    first = told[0] if told else "nothing is known of it"
    hints = [each for each in (hint, EnvironmentDiffersError.default_hint) if each]
    return EnvironmentDiffersError(
        f"the environment is not the recorded one: {first}", hint="; or ".join(hints), details=list(told)
    )


# --- the running one ---


def _running(
    place: "Place", record: RunRecord, before: Recorded, folder: str, policy: Policy
) -> tuple[Surroundings | None, tuple[str, ...]]:
    """The environment that is here; None, and what differs, when it is not the recorded one."""
    if not before.digest:
        return _without_python(place, record, before, folder), ()
    taken: tuple[Standing, Compared] | None = None
    asked = policy == "running"
    tried = present if asked else candidates
    for path in tried(place, before, record.command):
        try:
            standing = look(place, path, place.environ)
        except FourfoldError:
            continue
        compared = compare(before, standing)
        if not compared.counted:
            taken = standing, compared
            break
        # What is nearest to the record is what is told.
        if taken is None or len(compared.counted) < len(taken[1].counted):
            taken = standing, compared
    if taken is None:
        why = ("there is no Python on PATH",)
        environ = _code_paths(place, before, None, folder)
        return (Surroundings("running", environ, None, why) if policy == "running" else None), why
    standing, compared = taken
    if compared.counted and policy != "running":
        return None, compared.counted
    used = [name for name, row in before.listing.items() if row.get("imported") is True]
    # Records name RECORDs, not files: whether it was so when the run was is not known.
    edited = [f"{text}; was it then?" for text in altered(place, standing, used)]
    compared = compared._replace(aside=(*compared.aside, *edited))
    return _standing_in(place, record, before, standing, folder, compared), ()


def _standing_in(
    place: "Place",
    record: RunRecord,
    before: Recorded,
    standing: Standing,
    folder: str,
    compared: Compared,
    how: How = "running",
) -> Surroundings:
    """What makes commands find an environment of this machine."""
    notes = _link(place, record, before, standing, folder)
    environ = _activated(place, standing)
    environ |= _code_paths(place, before, standing, folder)
    return Surroundings(how, environ, None, compared.counted, standing.executable, (*compared.aside, *notes))


def _without_python(place: "Place", record: RunRecord, before: Recorded, folder: str) -> Surroundings:
    """The running environment of what is not Python: its programs are compared where they are known."""
    environ = _code_paths(place, before, None, folder)
    programs = mapping(value_of(record.environment, "executables"))
    asked = Asked(remembered(place, "files"), place.clock.now_ns())
    home = place.environ.get("HOME", "")
    differing = []
    for name, row in sorted(programs.items()):
        path = os.path.join(home, name[2:]) if name.startswith("~/") else name
        if not os.path.isabs(path):
            continue  # of the project: code or data
        now, then = content(path, asked), mapping(row).get("blake3")
        if now is None:
            differing.append(f"{name} is not here")
        elif then is not None and now["blake3"] != then:
            differing.append(f"{name} is another program than recorded")
    fact = record.environment.get("digest")
    why = fact.why if fact is not None and fact.why else "no Python ran"
    note = f"{why}: its programs are all that was compared"
    if not programs:
        note = f"{why}, and its programs are not recorded: nothing could be compared"
    compared = bool(programs)
    return Surroundings("running", environ, None, tuple(differing), notes=(note,), compared=compared)


def _activated(place: "Place", standing: Standing) -> dict[str, str]:
    """What puts an environment first on the search path, unless it is."""
    folder, name = os.path.split(standing.executable)
    if sites.which(name, place.environ) == standing.executable:
        return {}
    path = place.environ.get("PATH", os.defpath)
    found = {"PATH": os.pathsep.join([folder, path])}
    if os.path.isfile(os.path.join(standing.prefix, "pyvenv.cfg")):
        found["VIRTUAL_ENV"] = standing.prefix
    return found


def _code_paths(place: "Place", before: Recorded, standing: Standing | None, folder: str) -> dict[str, str]:
    """What makes Python import the code of the box where it would import that of the workspace.

    Editable installs and ``PYTHONPATH`` name folders of the workspace; the box has other code. What stands on
    ``PYTHONPATH`` goes before them. An environment that was built has no editable install of the project; the
    record says that there was one.
    """
    top = find_root(place.root) or place.root
    box = os.path.normpath(os.path.join(folder, os.path.relpath(top, place.root)))
    variable = place.environ.get("PYTHONPATH", "")
    given = [entry for entry in variable.split(os.pathsep) if entry]
    found = [entry for entry in given if _is_below(entry, top)]
    rows = [*before.listing.values()]
    if standing is not None:
        own = [entry for entry in standing.path if _is_below(entry, top)]
        found += [entry for entry in own if not is_installed(os.path.relpath(entry, top) + "/")]
        rows += standing.listing.values()
    moved = [os.path.normpath(os.path.join(box, os.path.relpath(entry, top))) for entry in found]
    moved += _editables(rows, moved, folder, box)
    if not moved:
        return {}
    rest = [entry for entry in given if not _is_below(entry, top)]
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys([*moved, *rest]))}


def _editables(
    rows: Sequence[Mapping[str, Any]], known: Sequence[str], folder: str, box: str
) -> Iterator[str]:
    """Folders of the box that editable installs of the project stand for, where no path of Python names them.

    Their hooks know which folder has the modules; without them it is ``src``, else the project itself.
    """
    for row in rows:
        source = os.path.normpath(os.path.join(folder, str(row.get("source", ""))))
        if is_of_project(row) and row.get("direct") == "editable" and _is_below(source, box):
            inner = os.path.join(source, "src")
            if not any(entry == source or _is_below(entry, source) for entry in known):
                yield inner if os.path.isdir(inner) else source


def _is_below(path: str, folder: str) -> bool:
    path = os.path.normpath(path)
    return os.path.isabs(path) and (path == folder or path.startswith(folder.rstrip(os.sep) + os.sep))


def _link(
    place: "Place", record: RunRecord, before: Recorded, standing: Standing, folder: str
) -> tuple[str, ...]:
    """Give the environment, in the box, the names relative to the project that commands call it by."""
    prefix = str(before.interpreter.get("prefix", ""))
    cwd = str(value_of(record.code, "cwd") or ".")
    names = {prefix} if prefix and not prefix.startswith(("/", "~")) else set()
    for word in _RELATIVE.findall("\n".join(record.command)):
        if os.path.basename(os.path.normpath(word)) == os.path.basename(prefix):
            names.add(os.path.join("" if os.path.isabs(cwd) else cwd, word))
    top = _scratch(place, folder)
    notes = []
    for name in sorted(names):
        path = os.path.normpath(os.path.join(folder, name))
        if os.path.lexists(path):
            continue
        # A record may come from a stranger, and its code have links that lead out.
        real = os.path.realpath(os.path.dirname(path))
        if not (_is_below(path, top) and _is_below(real, os.path.realpath(top))):
            notes.append(f"commands look for their Python in {os.path.normpath(name)}, outside of the box")
            continue
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(standing.prefix, path)
        except OSError as error:
            raise from_os_error(error, f"linking the environment to {path}") from error
    return tuple(notes)


def _scratch(place: "Place", folder: str) -> str:
    """The folder of ours that a box lies in; its repository where it lies elsewhere."""
    own = os.path.join(place.own, REPLAYS)
    if not _is_below(folder, own):
        return find_root(folder) or folder
    return os.path.join(own, os.path.relpath(folder, own).split(os.sep)[0])


# --- what is made ---


def _locked(place: "Place", record: RunRecord, before: Recorded, folder: str, events: Sink) -> Surroundings:
    """An environment built from the recorded lock; from the record itself where no lock fixes versions."""
    from fourfold.evidence.replaying.building import LockUnbuildableError, build  # noqa: PLC0415 - mostly one is here

    lock = mapping(value_of(record.environment, "lock"))
    if not before.digest:
        raise LockUnbuildableError("the run recorded no environment of Python to build")
    pythons = [path for path in candidates(place, before) if _is_twin(place, path, before)]
    built = build(place, before, lock, folder, pythons=pythons, events=events)
    compared = compare(before, built.standing, partial=built.partial)
    if built.partial:
        count = len(compared.aside)
        aside = (f"{count} distributions that the run did not import are left out",) if count else ()
        compared = Compared(compared.counted, aside)
    how: How = "record" if built.partial else "lock"
    return _standing_in(place, record, before, built.standing, folder, compared, how)


def _is_twin(place: "Place", path: str, before: Recorded) -> bool:
    """Whether an interpreter is of the recorded version and platform."""
    try:
        return look(place, path, place.environ).portable == before.portable
    except FourfoldError:
        return False


def _imaged(place: "Place", record: RunRecord, before: Recorded, folder: str, events: Sink) -> Surroundings:
    """The recorded image, by its digest."""
    from fourfold.evidence.replaying.containers import compose  # noqa: PLC0415 - likewise

    image = mapping(value_of(record.environment, "image"))
    cwd = os.path.normpath(os.path.join(folder, str(value_of(record.code, "cwd") or ".")))
    container = compose(place, image, folder, cwd=cwd, events=events)
    note = f"in the image {container.reference}, by {container.program}; what is in it is not looked at"
    environ = {"SHELL": container.shell, **_code_paths(place, before, None, folder)}
    return Surroundings("image", environ, container.words, (), notes=(note,), image=container.reference)
