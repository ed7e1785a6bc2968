"""Inside of a stage: what a process of Python can say of itself. Loaded by ``_fourfold_report`` at its end.

Only what the stage imported is asked; nothing is imported that was not there, no accelerator is
initialised, and each question may fail alone. Names of modules and files, never values of variables, but
for those of `SWITCHES`. Keys: docs/formats/run-record.md.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

#: Variables whose values decide numbers and hold no secret: told with their values.
SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "BLIS_NUM_THREADS",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "FLASH_ATTENTION_DETERMINISTIC",
    "GOTO_NUM_THREADS",
    "MKL_CBWR",
    "MKL_DYNAMIC",
    "MKL_NUM_THREADS",
    "NCCL_ALGO",
    "NCCL_PROTO",
    "NPY_DISABLE_CPU_FEATURES",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_DYNAMIC",
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
#: What there is of a library of linear algebra: part of its file's name -> the kind.
_KINDS = (
    ("openblas", "openblas"),
    ("mkl_rt", "mkl"),
    ("mkl_core", "mkl"),
    ("blis", "blis"),
    ("libblas.so", "reference"),
    ("libgomp", "openmp"),
    ("libomp", "openmp"),
    ("libiomp", "openmp"),
    ("vcomp", "openmp"),
)


def collect(own: str) -> "dict[str, object]":
    """All of it. ``own`` is the folder of this file, which the process would not know without us."""
    found = {}  # type: dict[str, object]
    loaded, mapped = _loaded()
    questions = (
        ("argv", _argv),
        ("executable", lambda: sys.executable),
        ("version", lambda: sys.version),
        ("implementation", _implementation),
        ("prefix", lambda: sys.prefix),
        ("base_prefix", lambda: sys.base_prefix),
        ("path", lambda: [entry for entry in sys.path if os.path.abspath(entry) != own]),
        ("pythonpath", lambda: _pythonpath(own)),
        ("flags", lambda: {n: int(getattr(sys.flags, n)) for n in _FLAGS if hasattr(sys.flags, n)}),
        ("modules", lambda: _modules(own)),
        ("locale", _locale),
        ("process", _process),
        ("switches", lambda: {name: os.environ[name] for name in SWITCHES if name in os.environ}),
        ("loaded", lambda: loaded),
        ("mapped", lambda: mapped or None),
        ("blas", lambda: _numerics(loaded)),
        ("simd", _simd),
        ("frameworks", _frameworks),
    )  # type: tuple[tuple[str, Callable[[], object]], ...]
    for key, question in questions:
        answer = _answer(question)
        if answer is not None:
            found[key] = answer
    return found


def _answer(question: "Callable[[], object]") -> "object":
    try:
        return question()
    except Exception:  # noqa: BLE001 - what cannot be told is left out
        return None


_FLAGS = (
    "debug",
    "optimize",
    "dont_write_bytecode",
    "no_user_site",
    "no_site",
    "ignore_environment",
    "hash_randomization",
    "isolated",
    "dev_mode",
    "utf8_mode",
    "safe_path",
)


def _pythonpath(own: str) -> "list[str]":
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [entry for entry in entries if entry and os.path.abspath(entry) != own]


def _argv() -> "list[str]":
    """The script only: what follows may hold a secret."""
    return [str(sys.argv[0])] if getattr(sys, "argv", None) else []


def _implementation() -> "dict[str, object]":
    import _imp  # noqa: PLC0415 - built in

    suffixes = _imp.extension_suffixes()
    gil = getattr(sys, "_is_gil_enabled", None)
    return {
        "name": sys.implementation.name,
        "version": ".".join(str(part) for part in sys.version_info[:3]),
        "cache_tag": sys.implementation.cache_tag,
        "abi": suffixes[0].strip(".").rsplit(".", 1)[0] if suffixes else "",
        "abiflags": getattr(sys, "abiflags", ""),
        "platform": sys.platform,
        "machine": os.uname().machine if hasattr(os, "uname") else "",
        "gil": bool(gil()) if gil else True,
        "bits": 64 if sys.maxsize > 2**32 else 32,
    }


def _modules(own: str) -> "dict[str, str]":
    """Name -> file, of all that came from one; ours left out."""
    found = {}
    inside = own + os.sep
    for name, module in sys.modules.copy().items():
        # Not by `getattr`: some modules import more when they are asked.
        known = getattr(module, "__dict__", None)
        if not isinstance(known, dict) or not isinstance(name, str):
            continue
        path = getattr(known.get("__spec__"), "origin", None) or known.get("__file__")
        if not isinstance(path, str) or path.startswith(inside):
            continue
        if os.path.isabs(path):
            found[name] = path
        elif name == "__main__" and path not in ("built-in", "frozen"):
            found[name] = os.path.abspath(path)
    return found


def _locale() -> "dict[str, object]":
    import _locale  # noqa: PLC0415 - built in

    found = {
        "lc_ctype": _locale.setlocale(_locale.LC_CTYPE, None),
        "lc_numeric": _locale.setlocale(_locale.LC_NUMERIC, None),
        "lc_collate": _locale.setlocale(_locale.LC_COLLATE, None),
        "filesystem": sys.getfilesystemencoding(),
        "stdout": getattr(sys.__stdout__, "encoding", None),
    }  # type: dict[str, object]
    if hasattr(_locale, "nl_langinfo"):
        found["preferred"] = _locale.nl_langinfo(_locale.CODESET)
    return found


def _process() -> "dict[str, object]":
    """What it was allowed: cores, limits, the mask of new files."""
    found = {}  # type: dict[str, object]
    if hasattr(os, "sched_getaffinity"):
        found["cores"] = len(os.sched_getaffinity(0))
    for line in _lines("/proc/self/status"):
        if line.startswith("Umask:"):
            found["umask"] = line.split()[1]
    limits = {}
    for line in _lines("/proc/self/limits")[1:]:
        words = line[26:].split()
        limits[line[:26].strip()] = words[:2]
    if limits:
        found["limits"] = limits
    return found


def _lines(path: str) -> "list[str]":
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return file.read().split("\n")[:-1]  # nothing else ends a line there
    except OSError:
        return []


def _loaded() -> "tuple[list[str], list[str]]":
    """Shared libraries in memory, and other files whose code is there, but for the program; each sorted."""
    found = set()
    for line in _lines("/proc/self/maps"):
        words = line.split(None, 5)
        if len(words) < 6 or words[4] == "0" or not words[5].startswith("/"):
            continue
        name = words[5]
        # A library may have nothing but data; and the kernel escapes the end of a line, and no backslash.
        if ("x" in words[1] or (".so" in name and words[1].endswith("p"))) and not name.startswith("/memfd:"):
            found.add(name.replace("\\012", "\n") if "\\012" in name and not os.path.lexists(name) else name)
    libraries = {path for path in found if ".so" in path}
    others = found - libraries - {os.path.realpath("/proc/self/exe")}
    return sorted(libraries), sorted(
        path for path in others if not path.endswith(" (deleted)") or os.path.lexists(path)
    )


def _numerics(loaded: "object") -> "list[dict[str, object]]":
    """What the libraries of linear algebra and OpenMP that are loaded say."""
    files = [path for path in loaded if isinstance(path, str)] if isinstance(loaded, list) else []
    known = [(kind, path) for path in files for kind in [_kind(os.path.basename(path))] if kind]
    if not known:
        return []
    import ctypes  # noqa: PLC0415 - there already wherever NumPy is

    found = []
    for kind, path in known:
        entry = {"api": kind, "file": path}  # type: dict[str, object]
        try:
            # RTLD_NOLOAD: what is not loaded any more is not loaded again.
            library = ctypes.CDLL(path, mode=getattr(os, "RTLD_NOLOAD", 4) | getattr(os, "RTLD_LAZY", 1))
            if kind in _ASKED:
                entry.update(_ASKED[kind](ctypes, library))
        except Exception:  # noqa: BLE001 - it is loaded, and says nothing
            entry["silent"] = True
        found.append(entry)
    return found


def _kind(name: str) -> str:
    for part, kind in _KINDS:
        if part in name:
            return kind
    return ""


def _first(ctypes: "ModuleType", library: object, names: "list[str]", text: bool) -> "object":
    """The answer of the first function that is there, of those without arguments."""
    for name in names:
        function = getattr(library, name, None)
        if function is None:
            continue
        function.restype = ctypes.c_char_p if text else ctypes.c_int
        answer = function()
        return answer.decode("ascii", "replace").strip() if isinstance(answer, bytes) else answer
    return None


def _openblas(ctypes: "ModuleType", library: object) -> "dict[str, object]":
    def names(what: str) -> "list[str]":
        prefixes = ("", "scipy_")
        suffixes = ("", "64_", "_64")
        return [p + "openblas_" + what + s for p in prefixes for s in suffixes]

    config = _first(ctypes, library, names("get_config"), text=True)
    words = str(config or "").split()
    version = words[1] if len(words) > 1 and words[0] == "OpenBLAS" else None
    parallel = _first(ctypes, library, names("get_parallel"), text=False)
    layers = {0: "none", 1: "pthreads", 2: "openmp"}
    return {
        "threads": _first(ctypes, library, names("get_num_threads"), text=False),
        "core": _first(ctypes, library, names("get_corename"), text=True),
        "version": version,
        "config": config,
        "layer": layers.get(parallel) if isinstance(parallel, int) else None,
    }


def _mkl(ctypes: "ModuleType", library: object) -> "dict[str, object]":
    found = {
        "threads": _first(ctypes, library, ["MKL_Get_Max_Threads"], text=False),
        "cbwr": _first(ctypes, library, ["MKL_CBWR_Get_Auto_Branch", "mkl_cbwr_get_auto_branch"], text=False),
    }
    asked = getattr(library, "MKL_Get_Version_String", None)
    if asked is not None:
        buffer = ctypes.create_string_buffer(200)
        asked(buffer, 200)
        found["version"] = buffer.value.decode("ascii", "replace").strip()
    return found


def _blis(ctypes: "ModuleType", library: object) -> "dict[str, object]":
    return {
        "threads": _first(ctypes, library, ["bli_thread_get_num_threads"], text=False),
        "version": _first(ctypes, library, ["bli_info_get_version_str"], text=True),
    }


def _openmp(ctypes: "ModuleType", library: object) -> "dict[str, object]":
    return {"threads": _first(ctypes, library, ["omp_get_max_threads"], text=False)}


_ASKED = {
    "openblas": _openblas,
    "mkl": _mkl,
    "blis": _blis,
    "openmp": _openmp,
}  # type: dict[str, Callable[[ModuleType, object], dict[str, object]]]


def _simd() -> "dict[str, object]":
    """Instruction sets that NumPy uses here, and those that PyTorch does."""
    found = {}  # type: dict[str, object]
    core = sys.modules.get("numpy._core._multiarray_umath") or sys.modules.get("numpy.core._multiarray_umath")
    features = getattr(core, "__cpu_features__", None)
    if isinstance(features, dict):
        dispatched = [str(name) for name in getattr(core, "__cpu_dispatch__", ())]
        found["numpy"] = {
            "baseline": sorted(str(name) for name in getattr(core, "__cpu_baseline__", ())),
            "used": sorted(name for name in dispatched if _has(features, name)),
            "unused": sorted(name for name in dispatched if not _has(features, name)),
        }
    cpu = sys.modules.get("torch.backends.cpu")
    if cpu is not None:
        found["torch"] = cpu.get_cpu_capability()
    return found


def _has(features: "dict[str, object]", name: str) -> bool:
    """Some of what is dispatched for is two features at once: ``AVX512F AVX512CD``, ``FMA3__AVX2``."""
    return all(features.get(part) for part in name.replace("__", " ").split())


def _frameworks() -> "dict[str, object]":
    found = {}  # type: dict[str, object]
    for name, question in _FRAMEWORKS:
        module = sys.modules.get(name)
        if module is not None:
            try:
                found[name] = question(module)
            except Exception:  # noqa: BLE001 - half loaded, or of a version that we do not know
                found[name] = {"version": str(getattr(module, "__version__", ""))}
    return found


def _torch(torch: "ModuleType") -> "dict[str, object]":
    cuda_ready = bool(torch.cuda.is_initialized())
    cudnn = torch.backends.cudnn
    found = {
        "version": str(torch.__version__),
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "git": getattr(torch.version, "git_version", None),
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "default_dtype": str(torch.get_default_dtype()),
        "cudnn_deterministic": cudnn.deterministic,
        "cudnn_benchmark": cudnn.benchmark,
        "config": torch.__config__.show(),
        "cuda_initialized": cuda_ready,
    }  # type: dict[str, object]
    precision = _answer(torch.get_float32_matmul_precision)
    if precision is not None:
        found["matmul_precision"] = precision
    if cuda_ready:
        found["cudnn"] = _answer(cudnn.version)
        nccl = sys.modules.get("torch.cuda.nccl")
        found["nccl"] = _answer(nccl.version) if nccl is not None else None
        count = torch.cuda.device_count()
        found["devices"] = [
            {
                "name": torch.cuda.get_device_name(index),
                "capability": list(torch.cuda.get_device_capability(index)),
            }
            for index in range(count)
        ]
    return found


def _tensorflow(tensorflow: "ModuleType") -> "dict[str, object]":
    threading = tensorflow.config.threading
    build = _answer(lambda: dict(tensorflow.sysconfig.get_build_info()))
    found = {
        "version": str(tensorflow.__version__),
        "inter_threads": _answer(threading.get_inter_op_parallelism_threads),
        "intra_threads": _answer(threading.get_intra_op_parallelism_threads),
    }  # type: dict[str, object]
    if isinstance(build, dict):
        found["build"] = {
            key: str(build[key]) for key in ("cuda_version", "cudnn_version", "is_cuda_build") if key in build
        }
    return found


def _jax(jax: "ModuleType") -> "dict[str, object]":
    bridge = sys.modules.get("jax._src.xla_bridge")
    # Asking for devices starts the backends: only those that are started already are named.
    backends = getattr(bridge, "_backends", {}) if bridge is not None else {}
    return {
        "version": str(jax.__version__),
        # At its own exit it forgets them: where that comes before us, none are left.
        "backends": sorted(str(name) for name in backends) or None,
        "x64": _answer(lambda: bool(jax.config.jax_enable_x64)),
        "prng": _answer(lambda: str(jax.config.jax_default_prng_impl)),
    }


def _versioned(module: "ModuleType") -> "dict[str, object]":
    return {"version": str(getattr(module, "__version__", ""))}


_FRAMEWORKS = (
    ("torch", _torch),
    ("tensorflow", _tensorflow),
    ("jax", _jax),
    ("numpy", _versioned),
    ("cupy", _versioned),
)  # type: tuple[tuple[str, Callable[[ModuleType], dict[str, object]]], ...]
