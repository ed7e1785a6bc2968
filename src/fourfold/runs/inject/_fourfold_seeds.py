"""Inside of a stage: one seed of the run, made into a seed for each library in each process.

How the one becomes the many is ``_fourfold_derive``, which process this is ``_fourfold_process``. Libraries
are seeded just after they are imported; what the program seeds itself comes later, and wins. Nothing is
imported that the stage did not import.
"""

import os
import sys

if __package__:  # as part of the package, for `fourfold.seed_everything`
    from . import _fourfold_derive, _fourfold_entropy, _fourfold_hooks, _fourfold_process
else:
    import _fourfold_derive  # type: ignore[import-not-found, no-redef]
    import _fourfold_entropy  # type: ignore[import-not-found, no-redef]
    import _fourfold_hooks  # type: ignore[import-not-found, no-redef]
    import _fourfold_process  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from fourfold.runs.inject._fourfold_hooks import Finder

#: How NumPy begins to say that it does not know a feature.
_FEATURES = "During parsing environment variable: 'NPY_DISABLE_CPU_FEATURES'"


class _Run:
    """What this process knows of its run."""

    seed = 0
    stage = ""
    determinism = "off"
    #: How many generators without a seed have got a derived one.
    drawn = 0
    is_installed = False
    hears_of_forks = False

    def __init__(self) -> None:
        self.numerics = {}  # type: dict[str, str]
        #: Library -> "ok" or why it could not be seeded; the same for switches.
        self.libraries = {}  # type: dict[str, str]
        self.switches = {}  # type: dict[str, str]


_run = _Run()


def _is_seeded() -> bool:
    return _run.determinism != "off"


def seed_for(library: str) -> int:
    """The sub-seed of a library in this process."""
    place = _fourfold_process.rank(), _fourfold_process.name()
    return _fourfold_derive.derive(_run.seed, _run.stage, *place, library)


def _drawn(library: str, size: int) -> int:
    """What the next generator that got no seed is seeded with."""
    place = _fourfold_process.rank(), _fourfold_process.name()
    name = "{}:{}".format(library, _run.drawn)  # noqa: UP032 - as the documentation has it
    _run.drawn += 1
    found = b""
    while len(found) < size:
        more = f"{name}:{len(found)}" if found else name
        found += _fourfold_derive.digest(_run.seed, _run.stage, *place, more, min(size, 64))
    return int.from_bytes(found[:size], "big")


def _tried(found: "dict[str, str]", name: str, act: "Callable[..., object]", *args: object) -> None:
    try:
        act(*args)
        found[name] = "ok"
    except Exception as error:  # noqa: BLE001 - what fails is told, and the stage goes on
        found[name] = type(error).__name__


# --- seeds ------------------------------------------------------------------------------------------------


def _seed_random(module: "Any") -> None:
    module.seed(seed_for("random"))


def _seed_numpy(module: "Any") -> None:
    module.seed(_fourfold_derive.short(seed_for("numpy")))


def _seed_polars(module: "Any") -> None:
    module.set_random_seed(seed_for("polars"))


def _seed_torch(module: "Any") -> None:
    module.manual_seed(seed_for("torch"))


def _seed_tensorflow(module: "Any") -> None:
    module.random.set_seed(_fourfold_derive.short(seed_for("tensorflow")))


#: Module -> its library, and how its global generators are seeded.
_SEEDERS = {
    "random": ("random", _seed_random),
    "numpy.random": ("numpy", _seed_numpy),
    "polars": ("polars", _seed_polars),
    "torch": ("torch", _seed_torch),
    "tensorflow": ("tensorflow", _seed_tensorflow),
}  # type: dict[str, tuple[str, Callable[[Any], None]]]


def _seed(module: "ModuleType") -> None:
    library, act = _SEEDERS[module.__name__]
    if _is_seeded():
        _tried(_run.libraries, library, act, module)


def _seed_again() -> None:
    """This process has another name, or another seed."""
    for name in _SEEDERS:
        module = sys.modules.get(name)
        if module is not None and not (name == "random" and _is_foreign(module)):
            _seed(module)


# --- libraries --------------------------------------------------------------------------------------------


def _is_foreign(module: "ModuleType") -> bool:
    """Whether a module only has the name of one of the standard library: a file of the stage."""
    return not _fourfold_entropy.is_stdlib(module.__file__ or "")


def _random(module: "Any") -> None:
    """The standard library's `random`: its global generator, and those made without a seed."""
    if _is_foreign(module):
        return
    _seed(module)
    if hasattr(os, "register_at_fork"):
        # After the module's own function, which seeds a child from the system.
        os.register_at_fork(after_in_child=_seed_fork)
    original = module.Random.__init__

    def __init__(self: object, x: object = None) -> None:  # noqa: N807 - it takes the place of one
        original(self, x)
        if x is None and type(self) is module.Random:
            _unseeded_random(self)

    for name in ("__doc__", "__module__", "__qualname__"):
        setattr(__init__, name, getattr(original, name))
    module.Random.__init__ = __init__


def _seed_fork() -> None:
    module = sys.modules.get("random")
    if module is not None and _run.hears_of_forks:
        _fourfold_hooks.call(_seed, module)


def _unseeded_random(generator: "Any") -> None:
    try:
        caller = sys._getframe(2).f_code.co_filename  # noqa: SLF001 - there is no other way to see it
        if _fourfold_entropy.is_stdlib(caller):
            return  # names of temporary files, and the like: they are to differ
        where = _fourfold_entropy.place(2)
        if _is_seeded():
            generator.seed(_drawn("random.Random", 8))
        _fourfold_entropy.note_unseeded("random.Random", where, _is_seeded())
    except Exception:  # noqa: BLE001, S110 - silent whatever happens
        pass


def _numpy_random(module: "ModuleType") -> None:
    """NumPy's global generator, and those made without a seed."""
    _seed(module)
    source = sys.modules.get("numpy.random.bit_generator")  # type: Any
    original = getattr(source, "randbits", None)
    if original is None:
        return

    def randbits(bits: int) -> int:
        try:
            where = _fourfold_entropy.place(1)
            _fourfold_entropy.note_unseeded("numpy.random", where, _is_seeded())
            if _is_seeded():
                size = (bits + 7) // 8
                return _drawn("numpy.random", size) >> (8 * size - bits)
        except Exception:  # noqa: BLE001, S110 - silent whatever happens
            pass
        return original(bits)  # type: ignore[no-any-return]

    source.randbits = randbits


def _numpy_looks(module: "ModuleType") -> None:
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
    warnings = sys.modules.get("warnings")
    if warnings is not None:  # another build may lack one of them, and is not to say so for our sake
        warnings.filterwarnings("ignore", _FEATURES, ImportWarning)
    present = os.environ.get("NPY_DISABLE_CPU_FEATURES", "").replace(",", " ").split()
    names += [name for name in present if name not in names and _run.determinism != "strict"]
    os.environ["NPY_DISABLE_CPU_FEATURES"] = " ".join(names)


def _numpy_looked(_module: "ModuleType") -> None:
    """NumPy has looked at the processor: its warnings are the program's again."""
    warnings = sys.modules.get("warnings")  # type: Any
    for entry in list(warnings.filters) if warnings is not None else ():
        if getattr(entry[1], "pattern", "") == _FEATURES:
            warnings.filters.remove(entry)


def _features(version: "tuple[int, int]", ceiling: str) -> "list[str]":
    """The groups of instructions above a ceiling, as a version of NumPy calls those it can do without."""
    if version >= (2, 4):
        names = ["X86_V4", "AVX512_ICL", "AVX512_SPR"]
        return names if ceiling == "x86-64-v3" else ["X86_V3", *names]
    names = ["AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL", "AVX512_ICL"]
    if version >= (2, 3):
        names.append("AVX512_SPR")
    return names if ceiling == "x86-64-v3" else ["FMA3", "AVX2", *names]


def _torch(module: "Any") -> None:
    """PyTorch: processor and accelerators, those lazily; deterministic algorithms where asked for."""
    _seed(module)
    if _run.numerics.get("deterministic") == "true":
        # Strict means strict: what has no deterministic way raises. Otherwise it warns. This way to ask does
        # not load the compiler, which is told by the environment (`randomness`).
        mode = "error" if _run.determinism == "strict" else "warn"
        ask = module.set_deterministic_debug_mode
        _tried(_run.switches, "torch.deterministic_algorithms", ask, mode)
        _tried(_run.switches, "torch.backends.cudnn", _cudnn, module)


def _cudnn(torch: "Any") -> None:
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def _tensorflow(module: "Any") -> None:
    """TensorFlow; Keras draws its seeds from `random`."""
    _seed(module)
    if _is_seeded() and _run.numerics.get("deterministic") == "true":
        ask = module.config.experimental.enable_op_determinism
        _tried(_run.switches, "tensorflow.op_determinism", ask)


def _spawn(module: "Any") -> None:
    """A child that `multiprocessing` starts anew hears its name before the program is imported."""
    original = module.prepare

    def prepare(data: "dict[str, object]", *args: object) -> object:
        try:
            if _is_seeded():
                main = data.get("init_main_from_name") or data.get("init_main_from_path") or ""
                _fourfold_process.called(str(data.get("name", "spawn")), str(main))
                _seed_again()
        except Exception:  # noqa: BLE001, S110 - silent whatever happens
            pass
        return original(data, *args)

    module.prepare = prepare


# --- the process ------------------------------------------------------------------------------------------


def install(folder: str, finder: "Finder") -> None:
    """Seed libraries in this process as they are imported, and note what no seed reaches.

    Args:
        folder: Where processes of this run meet.
        finder: Tells of imports.
    """
    environ = os.environ
    _fourfold_process.install(folder)
    _run.stage = environ.get("FOURFOLD_STAGE", "")
    for item in environ.get("FOURFOLD_NUMERICS", "").split(","):
        key, _, value = item.partition("=")
        _run.numerics[key] = value
    seed = environment_seed()
    if seed is not None:
        _run.seed = seed
        _run.determinism = environ.get("FOURFOLD_DETERMINISM", "off")
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_fourfold_entropy.forget)
    if _is_seeded():
        _hear_of_forks()
    _attend(finder)
    _fourfold_entropy.watch()


def _attend(finder: "Finder") -> None:
    _run.is_installed = True
    finder.before["numpy"] = _numpy_looks
    finder.after["numpy"] = _numpy_looked
    finder.after["numpy.random"] = _numpy_random
    finder.after["random"] = _random
    finder.after["polars"] = _seed
    finder.after["torch"] = _torch
    finder.after["tensorflow"] = _tensorflow
    finder.after["multiprocessing.spawn"] = _spawn


def _hear_of_forks() -> None:
    if hasattr(os, "register_at_fork") and not _run.hears_of_forks:
        _run.hears_of_forks = True
        os.register_at_fork(before=_fourfold_process.before_fork, after_in_child=_after_fork)


def _after_fork() -> None:
    try:
        _fourfold_process.after_fork()
        _run.drawn = 0
    except Exception:  # noqa: BLE001, S110 - silent whatever happens
        pass


def environment_seed() -> "int | None":
    """The seed of the run that this process is part of."""
    return _fourfold_derive.parse_seed(os.environ.get("FOURFOLD_SEED", ""))


def everything(seed: int, workers: bool) -> None:
    """Seed what is imported, and what will be, as `fourfold.seed_everything` says.

    Args:
        seed: 0 to 2**63 - 1.
        workers: Whether children that are forked get seeds of their own.
    """
    _run.seed = seed
    _run.drawn = 0
    if not _is_seeded():
        _run.determinism = "seeded"
    if workers:
        _hear_of_forks()
    if _run.is_installed:
        _seed_again()
        return
    _run.stage = os.environ.get("FOURFOLD_STAGE", "")
    finder = _fourfold_hooks.Finder()
    _attend(finder)
    _fourfold_hooks.attach(finder)
    import random  # noqa: F401, PLC0415 - so that it is seeded now, and not when somebody imports it


def seeds() -> "dict[str, object]":
    """For the report: what was seeded here, and what was switched."""
    return {
        "determinism": _run.determinism,
        "libraries": dict(_run.libraries),
        "switches": dict(_run.switches),
        "rank": _fourfold_process.rank(),
        "worker": _fourfold_process.known(),
    }


entropy = _fourfold_entropy.entropy
unseeded = _fourfold_entropy.unseeded
