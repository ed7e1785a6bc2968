"""What `ff env show` and `ff env diff` share: which environment a word means, how one is told in lines."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import UsageError
from fourfold.cli.progress import amount
from fourfold.cli.render import Style
from fourfold.cli.runs import named
from fourfold.runs.changes import mapping
from fourfold.runs.words import SHORT, value_text

if TYPE_CHECKING:
    from fourfold.formats.native.fact import Section
    from fourfold.runs.place import Place

#: So many packages are named unless all are asked for.
_MOST = 24
#: Characters of a line of packages.
_WIDTH = 100


class TwoEnvironmentsError(UsageError):
    """A run was named where an interpreter was named too: one of them is the environment to look at."""

    code = "two-environments"
    default_hint = "leave --python out, or the run"


class Known(NamedTuple):
    """One environment.

    Attributes:
        label: What it is of, for people.
        run: The id of the run; None for the environment of now.
        facts: The section.
        parts: Its long documents, by their digests.
    """

    label: str
    run: str | None
    facts: "Section"
    parts: Mapping[str, Mapping[str, Any]]

    @property
    def prefix(self) -> str:
        """Where its interpreter is; "" when that is not known."""
        fact = self.facts.get("interpreter")
        return str(mapping(fact.value).get("prefix", "")) if fact is not None else ""

    def listing(self, name: str) -> Mapping[str, Any]:
        """The part that a fact names; empty when it is absent."""
        fact = self.facts.get(name)
        reference = fact.value.get("part") if fact is not None and isinstance(fact.value, Mapping) else None
        return self.parts.get(reference, {}) if isinstance(reference, str) else {}


def of_run(place: "Place", name: str) -> Known:
    """The environment of a run: an id or the beginning of one, a stage, ``stage~1``, ``@``, a revision.

    Raises:
        FourfoldError: it cannot be had: see `fourfold.evidence.naming.resolve`.
    """
    from fourfold.runs.store import records_of  # noqa: PLC0415 - not for the environment of now

    records = records_of(place)
    found = named(place, records, name)
    record = records.get(found)
    parts = {}
    for fact in record.environment.values():
        reference = fact.value.get("part") if isinstance(fact.value, Mapping) else None
        if isinstance(reference, str):
            parts[reference] = records.part(reference)
    label = f"run {found[:SHORT]}" + (f" of {record.stage}" if record.stage else "")
    return Known(label, found, record.environment, parts)


def chosen(place: "Place", run: str | None, python: str | None) -> Known:
    """The environment of a run when one is named, else that of now.

    Raises:
        TwoEnvironmentsError: both a run and an interpreter are named.
        FourfoldError: see `of_run` and `of_now`.
    """
    if run and python:
        raise TwoEnvironmentsError(f"run '{run}' and --python {python} are two environments")
    return of_run(place, run) if run else of_now(place, python)


def of_now(place: "Place", python: str | None) -> Known:
    """The environment of the Python that a stage would find now, or of one that is named.

    Raises:
        NoPythonError, NoPythonOnPathError, SilentPythonError: there is none that tells.
    """
    from fourfold.formats.native.canonical import canonical, digest  # noqa: PLC0415 - not for runs
    from fourfold.runs.environment.now import now, python_on_path  # noqa: PLC0415 - likewise

    if python is None:
        executable = python_on_path(place.environ)
    else:
        from fourfold.runs.envcheck.interpreter import find_python  # noqa: PLC0415 - likewise

        executable = find_python(place.cwd, place.environ, python)
    parts: dict[str, Mapping[str, Any]] = {}

    def keep(document: Mapping[str, Any]) -> dict[str, Any]:
        data = canonical(document)
        parts[digest(data)] = document
        return {"part": digest(data), "size": len(data)}

    return Known("now", None, now(place, executable, keep), parts)


def data_of(known: Known) -> dict[str, Any]:
    """As a program reads it: the facts, and the long documents that they name."""
    return {
        "run": known.run,
        "facts": {name: fact.document() for name, fact in known.facts.items()},
        "distributions": known.listing("distributions"),
        "libraries": known.listing("libraries"),
        "conda": known.listing("conda"),
    }


def lines_of(known: Known, style: Style, *, every: bool) -> Iterator[str]:
    """For people: what most often decides a result first, what is not known last."""
    yield style.bold(
        f"environment of {known.label}" if known.run else "environment that a stage would find now"
    )
    for name, tell in _TOLD.items():
        fact = known.facts.get(name)
        if fact is None or fact.grade == "absent":
            continue
        try:
            lines = list(tell(fact.value))
        except (AttributeError, KeyError, TypeError, ValueError):  # a record of another version
            lines = [value_text(fact.value)]
        if fact.grade == "declared":
            lines.append("declared, not observed")
        if name == "interpreter" and fact.why:
            lines.append(fact.why)
        for number, line in enumerate(lines):
            label = "" if number else name
            yield f"  {style.cyan(f'{label:<13}')} {line}"
    yield from _packages(known, style, every=every)
    missing = [(name, fact) for name, fact in known.facts.items() if fact.grade == "absent"]
    if missing:
        yield style.dim("not known")
        for name, fact in missing:
            yield style.dim(f"  {name:<13} {fact.why}")


def _packages(known: Known, style: Style, *, every: bool) -> Iterator[str]:
    listing = {name: mapping(entry) for name, entry in known.listing("distributions").items()}
    if not listing:
        return
    used = [name for name, entry in listing.items() if entry.get("imported")]
    total = f"{len(used)} of {len(listing)} packages imported" if known.run else f"{len(listing)} packages"
    yield style.bold(total)
    chosen = list(listing) if every else (used if known.run else list(listing))[:_MOST]
    told = ", ".join(f"{name} {listing[name].get('version', '')}{_from(listing[name])}" for name in chosen)
    yield from wrap(told, width=_WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False)
    if len(chosen) < len(listing):
        yield style.dim(f"  and {len(listing) - len(chosen)} more (--packages names them)")


def _from(entry: Mapping[str, Any]) -> str:
    if not entry.get("direct"):
        return ""
    words = [entry["direct"], entry.get("source"), str(entry.get("commit") or "")[:SHORT]]
    return f" ({' '.join(str(word) for word in words if word)})"


def _digest(value: Any) -> Iterator[str]:
    yield f"{str(value)[:SHORT]} (names interpreter and packages, not the machine)"


def _interpreter(value: Any) -> Iterator[str]:
    yield (
        f"{value.get('implementation')} {value.get('version')} in {value.get('prefix', '')}"
        f" on {value.get('platform')}-{value.get('machine')}"
    )
    built = ", ".join(str(value[key]) for key in ("build", "compiler") if value.get(key))
    if built:
        yield built


def _host(value: Any) -> Iterator[str]:
    words = [value.get("distribution"), value.get("system"), value.get("kernel"), value.get("libc")]
    yield ", ".join(str(word) for word in words if word)
    cpu = value.get("cpu") or {}
    cores = value.get("affinity") or value.get("cores")
    limit = f" limited to {value['cpu_max']} of their time" if "cpu_max" in value else ""
    memory = value.get("memory_max") or value.get("memory")
    sized = f", {amount(memory)} of memory" if isinstance(memory, int) else ""
    yield f"{cpu.get('model', 'processor')}, {cores} cores{limit}{sized}"


def _threads(value: Any) -> Iterator[str]:
    pairs = [
        (name, told)
        for kind in ("libraries", "frameworks", "switches")
        for name, told in value.get(kind, {}).items()
    ]
    if pairs:
        yield ", ".join(f"{name} = {told}" for name, told in pairs)


def _blas(value: Any) -> Iterator[str]:
    for one in value:
        words = [one.get("api"), one.get("version"), one.get("core"), one.get("layer")]
        yield " ".join(str(word) for word in words if word) + f" ({one.get('file')})"


def _simd(value: Any) -> Iterator[str]:
    for name, told in value.items():
        used = told.get("used", ()) if isinstance(told, Mapping) else [told]
        base = told.get("baseline", ()) if isinstance(told, Mapping) else ()
        yield f"{name}: {' '.join([*base, *used])}"


def _accelerators(value: Any) -> Iterator[str]:
    for maker, told in value.items():
        if maker == "used":
            continue
        names = ", ".join(str(gpu.get("name") or gpu.get("gfx")) for gpu in told.get("gpus", ()))
        yield f"{names or 'no card'} (driver {told.get('driver')})"


def _others(value: Any) -> Iterator[str]:
    for one in value:
        yield from _interpreter({**one.get("interpreter", {}), "build": "", "compiler": ""})


def _conda(_value: Any) -> Iterator[str]:
    yield "packages of conda are recorded too (--json names them)"


def _counted(value: Any) -> Iterator[str]:
    yield f"{len(value)} programs were started"


def _flags(value: Any) -> Iterator[str]:
    for name, entry in value.get("editable", {}).items():
        yield f"{name} is an editable install of {entry.get('source')}"
    for path, entry in value.get("pth", {}).items():
        if entry.get("owner") is None:
            yield f"{path} belongs to no package"
    for path in value.get("pythonpath", ()):
        yield f"{path} is on PYTHONPATH"
    for path in value.get("user_site", ()):
        yield f"{path} holds packages of the user"
    for path in value.get("outside", {}):
        yield f"{path} on sys.path is outside of the environment"


def _lock(value: Any) -> Iterator[str]:
    told = {True: "what is installed is what it locks", False: "what is installed is not what it locks"}
    yield f"{value.get('file')}: {told.get(value.get('verified'), 'not compared')}"
    yield from (str(one) for one in value.get("differences", ())[:3])


def _image(value: Any) -> Iterator[str]:
    words = value.values() if isinstance(value, Mapping) else [value]
    yield " ".join(str(word) for word in words if isinstance(word, str) and word)


def _locale(value: Any) -> Iterator[str]:
    variables = value.get("variables", {})
    told = [f"{name}={text}" for name, text in variables.items()]
    told += [f"{key} {value[key]}" for key in ("preferred", "umask") if value.get(key)]
    if told:
        yield ", ".join(told)


#: Facts that are told, in this order; `path`, `limits` and long lists only as data.
_TOLD = {
    "digest": _digest,
    "interpreter": _interpreter,
    "others": _others,
    "conda": _conda,
    "host": _host,
    "accelerators": _accelerators,
    "image": _image,
    "lock": _lock,
    "flags": _flags,
    "threads": _threads,
    "blas": _blas,
    "simd": _simd,
    "locale": _locale,
    "executables": _counted,
}
