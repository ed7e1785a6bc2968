"""What can be captured of a run on this machine, for the doctor: each way is tried, with what helps it.

Trying starts two short processes of ours and asks no network. A way that does not work is no fault: records
say what they could not see.
"""

import os
import tempfile
from typing import TYPE_CHECKING, Literal, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.formats.locks.model import clean_url
from fourfold.runs.injection import FOLDER, RUN_DIR
from fourfold.runs.lockcheck.find import NoLockFileError, find_lock, parse_lock, read_lock

if TYPE_CHECKING:
    from fourfold.runs.place import Place

_SECONDS = 20
#: ``partly``: something is seen, less than elsewhere.
State = Literal["yes", "partly", "no"]


class Capability(NamedTuple):
    """One thing that a record can hold, or that a run can be given.

    Attributes:
        name: ``code`` | ``tracing`` | ``seccomp`` | ``strace`` | ``landlock`` | ``yama`` | ``io_uring`` |
            ``audit`` | ``python`` | ``lock`` | ``gpu`` | ``image``.
        state: Whether it can be.
        told: What was found.
        hint: What to do about what cannot; "" where nothing is amiss.
    """

    name: str
    state: State
    told: str
    hint: str = ""


def capabilities(place: "Place") -> tuple[Capability, ...]:
    """Try everything.

    Args:
        place: Where runs would happen.
    """
    return (_code(place), *_tracing(place), _python(place), _lock(place), _gpu(), _image(place))


def _code(place: "Place") -> Capability:
    if place.git is None:
        return Capability(
            "code",
            "partly",
            "no Git repository: files that were read are known, no commit is",
            "git init, and commit",
        )
    return Capability("code", "yes", "commits, and what is not committed, of the Git repository")


def _tracing(place: "Place") -> list[Capability]:
    from fourfold.runs.tracer.probe import probe  # noqa: PLC0415 - only the doctor tries all ways

    found = {item.name: item for item in probe(place.environ)}
    best = next((name for name in ("seccomp", "strace", "audit") if name in found and found[name].works), "")
    if best in {"seccomp", "strace"}:
        first = Capability("tracing", "yes", f"what a run reads, writes and connects to is seen, by {best}")
    else:
        first = Capability(
            "tracing",
            "partly",
            "only processes of Python tell what they open; files that their C libraries read go unseen",
            "run on Linux 5.5 or newer, or install strace: apt-get install strace",
        )
    return [first, *(_way(item.name, item.why, works=item.works, best=best) for item in found.values())]


def _way(name: str, why: str, *, works: bool, best: str) -> Capability:
    hints = {
        "seccomp": "in a container: --security-opt seccomp=unconfined, or a profile with user notification",
        "strace": "" if best == "seccomp" else "apt-get install strace; in a container: --cap-add SYS_PTRACE",
        "landlock": "runs cannot be hermetic here: that takes Linux 5.13 or newer, with Landlock",
        "yama": "sysctl kernel.yama.ptrace_scope=1",
        "io_uring": "sysctl kernel.io_uring_disabled=2",
    }
    return Capability(name, "yes" if works else "no", why, "" if works else hints.get(name, ""))


def _python(place: "Place") -> Capability:
    """Whether the ``python`` that a stage would start tells about itself: it is started once."""
    import shutil  # noqa: PLC0415 - likewise
    import subprocess  # noqa: PLC0415 - likewise

    path = place.environ.get("PATH", os.defpath)
    found = shutil.which("python", path=path) or shutil.which("python3", path=path)
    if found is None:
        return Capability(
            "python", "no", "there is no python on PATH", "activate the environment that stages run in"
        )
    with tempfile.TemporaryDirectory(prefix="ff-doctor-") as scratch:
        entries = [FOLDER, *filter(None, [place.environ.get("PYTHONPATH", "")])]
        environ = {**place.environ, "PYTHONPATH": os.pathsep.join(entries), RUN_DIR: scratch}
        try:
            done = subprocess.run(
                [found, "-c", "pass"],
                cwd=scratch,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
            code = str(done.returncode)
        except (OSError, subprocess.SubprocessError) as error:
            code = type(error).__name__
        told = any(name.startswith("python-") for name in os.listdir(scratch))
    if told:
        return Capability("python", "yes", f"{found} tells about itself: imports, seeds, libraries")
    return Capability(
        "python",
        "no",
        f"{found} does not tell about itself (it ended with {code})",
        "see whether it ignores PYTHONPATH (python -I, -E), is older than 3.8, or no Python",
    )


def _lock(place: "Place") -> Capability:
    advice = "write one: ff env lock"
    try:
        path = find_lock(place.root, place.environ)
        if path is None:
            return Capability("lock", "no", "no lock file: what should be installed is not known", advice)
        file = read_lock(path)
        locked = parse_lock(file, place.shown(path), place.root)
    except NoLockFileError as error:
        return Capability("lock", "no", error.message, error.hint)
    except FourfoldError as error:
        return Capability("lock", "no", clean_url(error.message), error.hint)
    if locked.grade == "declared":
        return Capability(
            "lock", "partly", f"{place.shown(path)} only declares, it fixes no versions", advice
        )
    if locked.stale:
        return Capability("lock", "partly", locked.stale, "lock again with the tool that wrote it")
    return Capability(
        "lock", "yes", f"{place.shown(path)} ({len(locked.packages)} packages); compare: ff env check"
    )


def _gpu() -> Capability:
    from fourfold.runs.environment import accelerators  # noqa: PLC0415 - likewise

    why = []
    for maker, (told, missing) in (("NVIDIA", accelerators.nvidia()), ("AMD", accelerators.amd())):
        if told is not None:
            return Capability("gpu", "yes", f"{maker}: driver, cards and their state")
        why.append(missing)
    return Capability("gpu", "no", "; ".join(why))


def _image(place: "Place") -> Capability:
    from fourfold.runs import image  # noqa: PLC0415 - likewise
    from fourfold.runs.task import Task  # noqa: PLC0415 - likewise

    fact = image.fact(Task("command", "", (), place.root, place.cwd, place.environ), place.environ)
    if fact.grade == "absent":
        return Capability("image", "no", fact.why or "not in a container that is known")
    states: dict[str, State] = {"attested": "yes", "observed": "yes"}
    return Capability("image", states.get(fact.grade, "partly"), f"the container image is {fact.grade}")
