"""The clock is ahead: what `time` and `datetime` tell of now, in processes of Python.

C libraries that ask the system themselves (NumPy, pandas, PyArrow), file times and programs in other
languages still have the real time. Clocks that only measure (`time.monotonic`, `time.perf_counter`) are left
alone.
"""

import datetime  # noqa: ICN001 - its names are replaced in it
import importlib.machinery
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Seconds: four hundred days, and some hours, minutes and seconds.
AHEAD = 400 * 86400 + 5 * 3600 + 17 * 60 + 23


def begin() -> None:
    """Begin, in this process."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + AHEAD
    time.time_ns = lambda: real_ns() + AHEAD * 10**9
    for name in ("localtime", "gmtime", "ctime"):
        setattr(time, name, _with_now(getattr(time, name)))
    for name in ("strftime", "asctime"):
        setattr(time, name, _with_local_now(getattr(time, name), 1 if name == "strftime" else 0))
    real_types = datetime.datetime, datetime.date
    moment = _datetime(datetime.datetime)
    ahead = moment, _date(datetime.date, moment)

    def put(types: "tuple[Any, Any]") -> None:
        datetime.datetime, datetime.date = types  # type: ignore[misc]

    loader = importlib.machinery.ExtensionFileLoader
    for name in ("create_module", "exec_module"):
        setattr(loader, name, _between(getattr(loader, name), lambda: put(real_types), lambda: put(ahead)))
    put(ahead)


def _between(
    function: "Callable[..., Any]", before: "Callable[[], None]", after: "Callable[[], None]"
) -> "Callable[..., Any]":
    """Extensions build upon the real types while they are loaded: others crash them."""

    def loading(*args: "Any") -> "Any":
        before()
        try:
            return function(*args)
        finally:
            after()

    return loading


def _with_now(function: "Callable[..., Any]") -> "Callable[..., Any]":
    """A function of seconds, for which none means now."""

    def shifted(seconds: "Any" = None) -> "Any":
        return function(time.time() if seconds is None else seconds)

    return shifted


def _with_local_now(function: "Callable[..., Any]", count: int) -> "Callable[..., Any]":
    """A function whose last argument, which may be left out, is the local time."""

    def shifted(*args: "Any") -> "Any":
        return function(*args) if len(args) > count else function(*args, time.localtime())

    return shifted


def _kin(old: type) -> type:
    """A metaclass with which a class takes the instances and subclasses of an old class for its own."""

    class Kin(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, old) if cls.__base__ is old else type.__instancecheck__(cls, value)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, old) if cls.__base__ is old else type.__subclasscheck__(cls, other)

    return Kin


def _datetime(old: "Any") -> "Any":
    ahead = datetime.timedelta(seconds=AHEAD)

    def now(cls: "Any", tz: "Any" = None) -> "Any":
        return cls._of(old.now(tz) + ahead)

    def utcnow(cls: "Any") -> "Any":
        return cls._of(old.now(datetime.timezone.utc).replace(tzinfo=None) + ahead)  # noqa: UP017 - 3.8

    def today(cls: "Any") -> "Any":
        return cls.now()

    def of(cls: "Any", at: "Any") -> "Any":
        rest = (at.hour, at.minute, at.second, at.microsecond, at.tzinfo)
        return cls(at.year, at.month, at.day, *rest, fold=at.fold)

    return _made("datetime", old, {"now": now, "utcnow": utcnow, "today": today, "_of": of})


def _date(old: "Any", moment: "Any") -> "Any":
    def today(cls: "Any") -> "Any":
        at = moment.now()
        return cls(at.year, at.month, at.day)

    return _made("date", old, {"today": today})


def _made(name: str, old: type, methods: "dict[str, Any]") -> type:
    members = {key: classmethod(method) for key, method in methods.items()}  # type: dict[str, object]
    # Extensions compare its size with that of the old one: no instance has more than that had.
    own = {"__module__": "datetime", "__qualname__": name, "__slots__": ()}
    return _kin(old)(name, (old,), {**own, **members})  # type: ignore[no-any-return]
