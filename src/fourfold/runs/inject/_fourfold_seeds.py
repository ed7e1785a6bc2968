"""Inside of a stage: one seed of the run, made into a seed for each library in each process.

How the one becomes the many is ``_fourfold_derive``. Libraries are seeded just after they are imported; what
the program seeds itself comes later, and wins. Nothing is imported that the stage did not import.
"""

import os
import sys

if __package__:  # as part of the package, for `fourfold.seed_everything`
    from . import _fourfold_derive, _fourfold_entropy
else:
    import _fourfold_derive  # type: ignore[import-not-found, no-redef]
    import _fourfold_entropy  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from fourfold.runs.inject._fourfold_hooks import Finder


class _Run:
    """What this process knows of its run."""

    seed = 0
    stage = ""
    determinism = "off"
    folder = ""
    #: Which process this is; None as long as nobody had to know.
    worker = None  # type: str | None
    forks = 0
    drawn = 0

    def __init__(self) -> None:
        self.numerics = {}  # type: dict[str, str]
        #: Library -> "ok" or why it could not be seeded; the same for switches.
        self.libraries = {}  # type: dict[str, str]
        self.switches = {}  # type: dict[str, str]


_run = _Run()


def seed_for(library: str) -> int:
    """The sub-seed of a library in this process."""
    return _fourfold_derive.derive(
        _run.seed, _run.stage, _fourfold_derive.rank_of(os.environ), _worker(), library
    )


# --- which process this is --------------------------------------------------------------------------------


def _worker() -> str:
    if _run.worker is None:
        _set_worker(_own_name(getattr(sys, "orig_argv", None) or getattr(sys, "argv", [])))
    return _run.worker or ""


def _set_worker(own: str) -> None:
    above = os.environ.get("FOURFOLD_WORKER", "")
    _run.worker = "/".join(part for part in (above, own) if part)
    if own:
        os.environ["FOURFOLD_WORKER"] = _run.worker  # for programs that it starts


def _own_name(argv: "list[str]") -> str:
    """The name of this process below the one that started it: "" for the first of its program."""
    if "--process-name" in argv[:-1]:  # a worker of loky, which joblib starts
        return argv[argv.index("--process-name") + 1]
    if "--multiprocessing-fork" in argv:
        return "spawn"  # `multiprocessing` tells its name in a moment
    program = _program(argv)
    if program.startswith("from multiprocessing."):
        return "server"
    # The first process of a program has no name, so that it has the same seeds whatever was started before.
    # All later ones have different seeds: a loop that simulates in processes must not repeat itself.
    number = _claim(
        "\0".join((str(_fourfold_derive.rank_of(os.environ)), os.environ.get("FOURFOLD_WORKER", ""), program))
    )
    return "p{}".format(number + 1) if number else ""  # noqa: UP032 - as the other names are made


def _program(argv: "list[str]") -> str:
    """What a command line of Python runs: a script, a module, or the text of a program."""
    skip = False
    for at, word in enumerate(argv[1:] if hasattr(sys, "orig_argv") else argv, 1):
        if skip:
            skip = False
        elif word in ("-c", "-m") and hasattr(sys, "orig_argv"):
            return argv[at + 1] if at + 1 < len(argv) else word
        elif word in ("-W", "-X", "--check-hash-based-pycs"):
            skip = True
        elif not word.startswith("-"):
            return word
    return ""


def _claim(program: str) -> int:
    """How many processes of a program of this run have needed randomness before this one."""
    name = _fourfold_derive.digest(0, "", 0, "", program, 8).hex()
    try:
        fd = os.open(
            os.path.join(_run.folder, "program-" + name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        try:
            os.write(fd, b".")
            return os.lseek(fd, 0, os.SEEK_CUR) - 1  # what is appended ends where it was put, in one step
        finally:
            os.close(fd)
    except OSError:
        return 0


def _before_fork() -> None:
    _run.forks += 1


def _after_fork() -> None:
    """In a child: another process, with a name that follows from how many there were before it."""
    try:
        name = "f%d" % _run.forks  # noqa: UP031 - as short as it gets
        _run.worker = "/".join(part for part in (_worker(), name) if part)
        _run.forks = _run.drawn = 0
        os.environ["FOURFOLD_WORKER"] = _run.worker
        _fourfold_entropy.forget()
    except Exception:  # noqa: BLE001, S110 - silent whatever happens
        pass


# --- libraries --------------------------------------------------------------------------------------------


def _tried(found: "dict[str, str]", name: str, act: "object", *args: object, **kwargs: object) -> None:
    try:
        act(*args, **kwargs)  # type: ignore[operator]
        found[name] = "ok"
    except Exception as error:  # noqa: BLE001 - what fails is told, and the stage goes on
        found[name] = type(error).__name__


def _is_seeded() -> bool:
    return _run.determinism != "off"


def _random(module: "ModuleType") -> None:
    """The standard library's `random`, its global generator and those made without a seed."""
    if not _fourfold_entropy.is_stdlib(module.__file__ or ""):
        return  # the stage has a file of that name
    if _is_seeded():
        _tried(_run.libraries, "random", module.seed, seed_for("random"))
        if hasattr(os, "register_at_fork"):
            # After the module's own function, which seeds a child from the system.
            os.register_at_fork(after_in_child=_reseed_random)
    original = module.Random.__init__

    def __init__(self: object, x: object = None) -> None:  # noqa: N807 - it takes the place of one
        original(self, x)
        if x is None and type(self) is module.Random:
            _unseeded_random(self)

    for name in ("__doc__", "__module__", "__qualname__", "__defaults__"):
        setattr(__init__, name, getattr(original, name))
    module.Random.__init__ = __init__


def _reseed_random() -> None:
    try:  # noqa: SIM105 - contextlib may not be loaded
        sys.modules["random"].seed(seed_for("random"))
    except Exception:  # noqa: BLE001, S110 - silent whatever happens
        pass


def _unseeded_random(generator: "object") -> None:
    try:
        caller = sys._getframe(2).f_code.co_filename  # noqa: SLF001 - there is no other way to see it
        if _fourfold_entropy.is_stdlib(caller):
            return  # names of temporary files, and the like: they are to differ
        where = _fourfold_entropy.place(2)
        if _is_seeded():
            generator.seed(_drawn("random.Random"))  # type: ignore[attr-defined]
        _fourfold_entropy.note_unseeded("random.Random", where, _is_seeded())
    except Exception:  # noqa: BLE001, S110 - silent whatever happens
        pass


def _drawn(library: str, size: int = 8) -> int:
    """What the next generator that got no seed is seeded with."""
    at = _run.drawn
    _run.drawn += 1
    name = "%s:%d" % (library, at)  # noqa: UP031 - as short as it gets
    found = _fourfold_derive.digest(
        _run.seed, _run.stage, _fourfold_derive.rank_of(os.environ), _worker(), name, size
    )
    return int.from_bytes(found, "big")


def _numpy_random(module: "ModuleType") -> None:
    """NumPy's global generator, and those made without a seed."""
    if _is_seeded():
        _tried(_run.libraries, "numpy", module.seed, _fourfold_derive.short(seed_for("numpy")))
    source = sys.modules.get("numpy.random.bit_generator")
    original = getattr(source, "randbits", None)
    if source is None or original is None:
        return

    def randbits(bits: int) -> int:
        try:
            where = _fourfold_entropy.place(1)
            _fourfold_entropy.note_unseeded("numpy.random", where, _is_seeded())
            if _is_seeded():
                wide = (bits + 7) // 8
                return _drawn("numpy.random", wide) >> (8 * wide - bits)
        except Exception:  # noqa: BLE001, S110 - silent whatever happens
            pass
        return original(bits)  # type: ignore[no-any-return]

    source.randbits = randbits  # type: ignore[attr-defined]


def _numpy_features(module: "ModuleType") -> None:
    """Before NumPy looks at the processor: the ceiling that the numerics profile sets."""
    ceiling = _run.numerics.get("simd")
    origin = getattr(module.__spec__, "origin", None)
    if ceiling not in ("x86-64-v2", "x86-64-v3") or not origin:
        return
    with open(os.path.join(os.path.dirname(origin), "version.py"), encoding="utf-8") as file:
        text = file.read(65536)
    start = text.find('version = "')
    major, minor = text[start + 11 :].split(".")[:2] if start >= 0 else ("1", "0")
    names = _features((int(major), int(minor)), ceiling)
    present = os.environ.get("NPY_DISABLE_CPU_FEATURES", "").replace(",", " ").split()
    os.environ["NPY_DISABLE_CPU_FEATURES"] = " ".join(
        names + [name for name in present if name not in names and _run.determinism != "strict"]
    )


def _features(version: "tuple[int, int]", ceiling: str) -> "list[str]":
    """The groups of instructions above a ceiling, as a version of NumPy calls those it can do without."""
    if version >= (2, 4):
        names = ["X86_V4", "AVX512_ICL", "AVX512_SPR"]
        return names if ceiling == "x86-64-v3" else ["X86_V3", *names]
    names = ["AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL", "AVX512_ICL"]
    if version >= (2, 0):
        names.append("AVX512_SPR")
    return names if ceiling == "x86-64-v3" else ["FMA3", "AVX2", *names]


def _torch(module: "ModuleType") -> None:
    """PyTorch: processor and accelerators, those lazily; deterministic algorithms where asked for."""
    if _is_seeded():
        _tried(_run.libraries, "torch", module.manual_seed, seed_for("torch"))
    if _run.numerics.get("deterministic") == "true":
        # Strict means strict: what has no deterministic way raises. Otherwise it warns.
        lenient = _run.determinism != "strict"
        ask = module.use_deterministic_algorithms
        _tried(_run.switches, "torch.use_deterministic_algorithms", ask, mode=True, warn_only=lenient)
        _tried(_run.switches, "torch.backends.cudnn", _cudnn, module)


def _cudnn(torch: "ModuleType") -> None:
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def _tensorflow(module: "ModuleType") -> None:
    """TensorFlow; Keras draws its seeds from `random`."""
    if _is_seeded():
        _tried(
            _run.libraries,
            "tensorflow",
            module.random.set_seed,
            _fourfold_derive.short(seed_for("tensorflow")) >> 1,
        )
        if _run.numerics.get("deterministic") == "true":
            ask = module.config.experimental.enable_op_determinism
            _tried(_run.switches, "tensorflow.op_determinism", ask)


#: Module -> how it is seeded, in the order in which it would be done anew.
_LIBRARIES = {
    "random": _random,
    "numpy.random": _numpy_random,
    "torch": _torch,
    "tensorflow": _tensorflow,
}


def _spawn(module: "ModuleType") -> None:
    """A child that `multiprocessing` starts anew hears its name before the program is imported."""
    original = module.prepare

    def prepare(data: "dict[str, object]", *args: object) -> object:
        try:  # noqa: SIM105 - contextlib may not be loaded
            _named(str(data.get("name", "spawn")))
        except Exception:  # noqa: BLE001, S110 - silent whatever happens
            pass
        return original(data, *args)

    module.prepare = prepare  # type: ignore[attr-defined]


def _named(name: str) -> None:
    inherited = os.environ.get("FOURFOLD_WORKER", "")
    if inherited == _run.worker and inherited:
        above = inherited.rpartition("/")[0]  # "spawn", the name until now, or that of a server's child
        os.environ["FOURFOLD_WORKER"] = above
    _set_worker(name)
    if "random" in _run.libraries:
        _reseed_random()
    if "numpy" in _run.libraries:
        sys.modules["numpy.random"].seed(_fourfold_derive.short(seed_for("numpy")))
    if "torch" in _run.libraries:
        sys.modules["torch"].manual_seed(seed_for("torch"))


# --- the process ------------------------------------------------------------------------------------------


def install(folder: str, finder: "Finder") -> None:
    """Seed libraries in this process as they are imported, and note what no seed reaches.

    Args:
        folder: Where processes of this run meet.
        finder: Tells of imports.
    """
    environ = os.environ
    _run.folder = folder
    _run.stage = environ.get("FOURFOLD_STAGE", "")
    for item in environ.get("FOURFOLD_NUMERICS", "").split(","):
        key, _, value = item.partition("=")
        _run.numerics[key] = value
    seed = environ.get("FOURFOLD_SEED", "")
    if seed.isdigit() and int(seed) < 2**63:
        _run.seed = int(seed)
        _run.determinism = environ.get("FOURFOLD_DETERMINISM", "off")
    if _is_seeded():
        finder.after["multiprocessing.spawn"] = _spawn
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
    elif hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_fourfold_entropy.forget)
    finder.before["numpy"] = _numpy_features
    finder.after["numpy"] = lambda _module: None
    finder.after.update(_LIBRARIES)
    _fourfold_entropy.watch()


def seeds() -> "dict[str, object]":
    """For the report: what was seeded here, and what was switched."""
    return {
        "determinism": _run.determinism,
        "libraries": dict(_run.libraries),
        "switches": dict(_run.switches),
        "rank": _fourfold_derive.rank_of(os.environ),
        "worker": _run.worker or "",
    }


entropy = _fourfold_entropy.entropy
unseeded = _fourfold_entropy.unseeded
