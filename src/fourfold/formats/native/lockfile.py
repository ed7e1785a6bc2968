"""``fourfold.lock``: what each stage's result was made with, for people to review and for Git to keep.

YAML, sorted by stage, written the same way by everybody; documented in ``docs/formats/fourfold-lock.md``.
Keys that this version does not know are kept where nothing new is said. Where the file is, and who writes
it, is `fourfold.runs.lockfile`.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc import yamlio

if TYPE_CHECKING:
    from fourfold.formats.dvc.lock_text import LockText

#: The file's name; it lies beside ``dvc.lock``.
LOCK_NAME = "fourfold.lock"
SCHEMA = "fourfold.lock/1"
_HEAD = f"schema: {SCHEMA}\nstages:\n"
#: No such file is larger, in bytes, and none has more stages.
MOST = 16 * 1024 * 1024
MOST_STAGES = 100_000
#: How alike the results of a run and of its repetition can be, the strongest first.
LEVELS = ("bitwise", "canonical", "numeric", "statistical")
_HEX = frozenset("0123456789abcdef")
#: A text of the file is one line, and no longer.
_LONGEST = 1000


class BadLockFileError(InvalidFileError):
    """A ``fourfold.lock`` cannot be understood."""

    code = "bad-fourfold-lock"
    default_hint = "restore it from Git, or remove it: the next run of a stage writes it again"


class LockVerdict(NamedTuple):
    """That a run was repeated, and how alike the results were.

    Attributes:
        level: The strongest level that holds, of `LEVELS`; a later version may know others.
        statement: The id of the statement that says so.
    """

    level: str
    statement: str


class LockStage(NamedTuple):
    """What one stage's result was made with; None, and empty, for what is not known.

    Attributes:
        run: The id of the run that made it.
        tree: The Git tree of the code.
        environment: The digest of what can be the same on two machines.
        lock: The lock file of the environment, and its digest.
        verified: Whether what is installed was found to be what that lock file says.
        image: The container image, by digest.
        seed: The seed of the run.
        determinism: How far chance was taken out.
        numerics: What was set of the numerics profile.
        env: Declared environment variables: the keyed hash of each value.
        extra: Keys that this version does not know, by the mapping that they stand in ("" for the stage's
            own).
        verdict: Of the run; None where nobody has verified it.
    """

    run: str
    tree: str | None = None
    environment: str | None = None
    lock: str | None = None
    verified: bool | None = None
    image: str | None = None
    seed: int | None = None
    determinism: str | None = None
    numerics: Mapping[str, Any] = {}
    env: Mapping[str, str] = {}
    extra: Mapping[str, Mapping[str, Any]] = {}
    verdict: LockVerdict | None = None


class LockDocument(NamedTuple):
    """A whole ``fourfold.lock``.

    Attributes:
        stages: By name.
        extra: Keys of the file that this version does not know.
    """

    stages: Mapping[str, LockStage]
    extra: Mapping[str, Any] = {}


def is_lock(data: bytes) -> bool:
    """Whether these bytes begin as such a file does, of whatever version."""
    return data.startswith(b"schema: fourfold.lock/") or b"\nschema: fourfold.lock/" in data


def parse(data: bytes, source: str = LOCK_NAME) -> LockDocument:
    """Read a ``fourfold.lock``; an empty one has no stages.

    Raises:
        BadYamlError: it is not YAML.
        BadLockFileError: it is too large, of a later schema, or not what it must be.
    """
    if len(data) > MOST:
        raise BadLockFileError(f"{source} is larger than {MOST} bytes")
    value = yamlio.load(data, source) if data.strip() else None
    if value is None:
        return LockDocument({})
    if not isinstance(value, dict):
        raise BadLockFileError(f"{source} is no mapping")
    schema = value.get("schema")
    if schema != SCHEMA:
        raise BadLockFileError(
            f"{source} has schema {str(schema)[:40]!r}, not {SCHEMA!r}",
            hint="if a later version of Fourfold wrote it, upgrade this one; else restore it from Git",
        )
    stages = {} if value.get("stages") is None else value["stages"]
    if not isinstance(stages, dict) or len(stages) > MOST_STAGES:
        raise BadLockFileError(f"{source}: 'stages' is no mapping of stages")
    found = {}
    for name, entry in stages.items():
        if not isinstance(name, str):
            raise BadLockFileError(f"{source}: {str(name)[:80]!r} is no name of a stage")
        found[name] = _stage(entry, f"{source}: stages.{name[:80]}")
    return LockDocument(
        found, {str(key): inner for key, inner in value.items() if key not in {"schema", "stages"}}
    )


def _stage(value: object, source: str) -> LockStage:
    entry = _mapping(value, source)
    code = _inner(entry, "code", f"{source}.code")
    environment = _inner(entry, "environment", f"{source}.environment")
    randomness = _inner(entry, "randomness", f"{source}.randomness")
    env = _inner(entry, "env", f"{source}.env")
    numerics = _inner(randomness, "numerics", f"{source}.randomness.numerics")
    verdict = _inner(entry, "verdict", f"{source}.verdict")
    for name, digest in env.items():
        if not isinstance(digest, str) or len(digest) > _LONGEST:
            raise BadLockFileError(f"{source}.env.{name[:80]} is no hash")
    run = entry.get("run")
    if not _is_id(run):
        raise BadLockFileError(f"{source}.run is no id of a run: {str(run)[:80]!r}")
    known = {
        "": (entry, {"run", "code", "environment", "randomness", "env", "verdict"}),
        "code": (code, {"tree"}),
        "environment": (environment, {"digest", "lock", "verified", "image"}),
        "randomness": (randomness, {"seed", "determinism", "numerics"}),
        "verdict": (verdict, {"level", "stated"}),
    }
    unknown = {
        place: rest
        for place, (mapping, names) in known.items()
        if (rest := {key: inner for key, inner in mapping.items() if key not in names})
    }
    return LockStage(
        run,
        _take(code, "tree", source, _is_hex),
        _take(environment, "digest", source, _is_hex),
        _take(environment, "lock", source, _is_line),
        _take(environment, "verified", source, lambda found: isinstance(found, bool)),
        _take(environment, "image", source, _is_line),
        _take(randomness, "seed", source, lambda found: type(found) is int),
        _take(randomness, "determinism", source, _is_line),
        numerics,
        env,
        unknown,
        _verdict(verdict, source),
    )


def _verdict(value: Mapping[str, Any], source: str) -> LockVerdict | None:
    level = _take(value, "level", source, _is_line)
    statement = _take(value, "stated", source, _is_id)  # with a longer key YAML breaks the line
    return LockVerdict(level, statement) if level and statement else None


def _mapping(value: object, source: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise BadLockFileError(f"{source} is no mapping")
    return value


def _inner(mapping: Mapping[str, Any], key: str, source: str) -> dict[str, Any]:
    value = mapping.get(key)
    return {} if value is None else _mapping(value, source)


def _take(mapping: Mapping[str, Any], key: str, source: str, fits: Callable[[Any], bool]) -> Any:
    value = mapping.get(key)
    if value is not None and not fits(value):
        raise BadLockFileError(f"{source}: '{key}' is not what it must be: {str(value)[:80]!r}")
    return value


def _is_line(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST and "\n" not in value


def _is_hex(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 4 <= len(value) <= 128 and _HEX.issuperset(value)


def _is_id(value: object) -> TypeGuard[str]:
    return _is_hex(value) and len(value) == 64


def stage_document(stage: LockStage) -> dict[str, Any]:
    """A stage as the file holds it: keys in their fixed order, what is not known left out."""
    sections: dict[str, dict[str, Any]] = {
        "code": {"tree": stage.tree},
        "environment": {
            "digest": stage.environment,
            "lock": stage.lock,
            "verified": stage.verified,
            "image": stage.image,
        },
        "randomness": {
            "seed": stage.seed,
            "determinism": stage.determinism,
            "numerics": _sorted(stage.numerics),
        },
        "verdict": {}
        if stage.verdict is None
        else {"level": stage.verdict.level, "stated": stage.verdict.statement},
    }
    found: dict[str, Any] = {"run": stage.run}
    for name, section in sections.items():
        said = {key: value for key, value in section.items() if value is not None and value != {}}
        said |= _sorted(stage.extra.get(name, {}))
        if said:
            found[name] = said
    if stage.env:
        found["env"] = _sorted(stage.env)
    return found | _sorted(stage.extra.get("", {}))


def _sorted(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A copy by the order of keys: values that two stages share must not become YAML anchors."""
    from copy import deepcopy  # noqa: PLC0415 - what only reads never writes

    return {key: deepcopy(mapping[key]) for key in sorted(mapping)}


def render(document: LockDocument) -> bytes:
    """The bytes of a ``fourfold.lock``; equal documents have equal bytes."""
    stages = {name: stage_document(document.stages[name]) for name in sorted(document.stages)}
    return yamlio.dump({"schema": SCHEMA, **_sorted(document.extra), "stages": stages})


def updated(old: bytes, changes: Mapping[str, LockStage | None], source: str = LOCK_NAME) -> bytes | None:
    """The bytes of the file that said ``old``, once these stages are said anew, or with None are gone.

    Returns:
        None when no stage is left, and nothing that this version does not know.

    Raises:
        BadYamlError, BadLockFileError: ``old`` cannot be understood.
    """
    document = parse(old, source)
    stages = dict(document.stages)
    for name, entry in changes.items():
        if entry is None:
            stages.pop(name, None)
        else:
            stages[name] = _still_verified(entry, stages.get(name))
    if not stages and not document.extra:
        return None
    return render(document._replace(stages=stages))


def _still_verified(new: LockStage, old: LockStage | None) -> LockStage:
    """What is said anew of a stage; the verdict on its run stays while the run is that one."""
    if old is None or new.verdict is not None or old.run != new.run:
        return new
    return new._replace(verdict=old.verdict)


class LockBook:
    """The lock files that one run writes again and again: their text is cut once, not once a stage."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[bytes, LockText]] = {}

    def updated(
        self, path: str, old: bytes, changes: Mapping[str, LockStage | None], source: str
    ) -> bytes | None:
        """As the function `updated`, of the file at ``path``; other stages keep their lines.

        Raises:
            BadYamlError, BadLockFileError: ``old`` cannot be understood.
        """
        known, text = self._texts.get(path, (b"", None))
        if text is None or known != old:
            text = _cut(old)
        if text is None:
            return updated(old, changes, source)
        for name, stage in changes.items():
            if stage is None:
                text.drop(name)
            else:
                rank = {other: at for at, other in enumerate(sorted({*text, name}))}
                said = _still_verified(stage, _verified(text, name, source))
                text.put(name, stage_document(said), rank)
        self._texts.pop(path, None)
        if not len(text):
            return updated(old, changes, source)
        new = text.render()
        self._texts[path] = new, text
        return new


def _verified(text: "LockText", name: str, source: str) -> LockStage | None:
    """A stage that has a verdict, out of its lines."""
    lines = text.lines_of(name)
    if "\n    verdict:\n" not in lines:
        return None
    return _stage(yamlio.load(f"stages:\n{lines}".encode(), source)["stages"][name], source)


def _cut(data: bytes) -> "LockText | None":
    """The text of a file of the shape that `render` gives it, cut at its stages; None for any other."""
    from fourfold.formats.dvc.lock_text import LockText, cut  # noqa: PLC0415 - what only reads never writes

    if not data.strip():
        return LockText(_HEAD, {})
    return cut(data) if data.startswith(_HEAD.encode()) else None
