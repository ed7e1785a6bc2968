"""Inside of a stage: hears when a library has been imported, without being in anybody's way.

A finder that stands first and answers for a few names only: it lets the others find the module, and has
its loader tell when the module has been executed. Specs and loaders stay those of the others; once the
module is there, no trace is left on them. What is done then is ``_fourfold_seeds``.
"""

import _thread
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Hook = Callable[[ModuleType], None]


class Finder:
    """Watches for the import of some modules.

    Attributes:
        before: Name of a module -> what is called just before it is executed.
        after: Name of a module -> what is called just after.
    """

    def __init__(self) -> None:
        self.before = {}  # type: dict[str, Hook]
        self.after = {}  # type: dict[str, Hook]
        #: What is being looked for now, by which thread: other finders may ask all finders too.
        self._busy = set()  # type: set[tuple[int, str]]

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None, /
    ) -> "ModuleSpec | None":
        """The spec that the other finders have for a module, if it is one of ours."""
        mine = (_thread.get_ident(), name)
        if name not in self.after or mine in self._busy:
            return None
        self._busy.add(mine)
        try:
            for finder in list(sys.meta_path):
                find = getattr(finder, "find_spec", None)
                ours = getattr(find, "__self__", None) is self
                spec = find(name, path, target) if find is not None and not ours else None
                if spec is not None:
                    self._attend(name, spec.loader)
                    return spec  # type: ignore[no-any-return]
            return None
        finally:
            self._busy.discard(mine)

    def _attend(self, name: str, loader: object) -> None:
        """Have a loader tell of the execution of one module, once."""
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module: "ModuleType") -> None:
            if module.__name__ != name:
                execute(module)
                return
            if vars(loader).get("exec_module") is exec_module:
                del loader.exec_module  # type: ignore[attr-defined]
            call(self.before.get(name), module)
            execute(module)
            call(self.after.get(name), module)

        try:  # noqa: SIM105 - contextlib may not be loaded
            loader.exec_module = exec_module  # type: ignore[attr-defined]
        except (AttributeError, TypeError):
            pass  # a class of the interpreter: what it loads is not ours


def call(hook: "Hook | None", module: "ModuleType") -> None:
    """Call what waits for a module; a stage never fails for it."""
    if hook is not None:
        try:  # noqa: SIM105 - contextlib may not be loaded
            hook(module)
        except Exception:  # noqa: BLE001, S110 - silent whatever happens
            pass


def attach(finder: Finder) -> None:
    """Let a finder hear of imports; of what is there already, it hears at once."""
    sys.meta_path.insert(0, finder)
    for name, hook in list(finder.after.items()):
        module = sys.modules.get(name)
        if module is not None:
            call(hook, module)


def start() -> None:
    """Begin in this process: fewer questions, reports, the audit where it is asked for, seeds."""
    folder = os.environ.get("FOURFOLD_RUN_DIR", "")
    if not folder:
        return
    finder = Finder()
    for begin in (_bytecode, _reports, _audit, _seeds):
        try:  # noqa: SIM105 - contextlib may not be loaded
            begin(folder, finder)
        except Exception:  # noqa: BLE001, S110 - one that fails leaves the others
            pass
    attach(finder)


def _reports(folder: str, _finder: Finder) -> None:
    import _fourfold_report  # type: ignore[import-not-found]  # noqa: PLC0415 - each stands for itself

    _fourfold_report.install(folder)


def _audit(folder: str, _finder: Finder) -> None:
    if os.environ.get("FOURFOLD_AUDIT") == "1":
        import _fourfold_audit  # type: ignore[import-not-found]  # noqa: PLC0415 - seldom

        _fourfold_audit.install(folder)


def _seeds(folder: str, finder: Finder) -> None:
    import _fourfold_report  # noqa: PLC0415 - each stands for itself
    import _fourfold_seeds  # type: ignore[import-not-found]  # noqa: PLC0415 - likewise

    _fourfold_seeds.install(folder, finder)
    for key in ("seeds", "unseeded", "entropy"):
        _fourfold_report.contribute(key, getattr(_fourfold_seeds, key))


def _bytecode(_folder: str, finder: Finder) -> None:
    if sys.platform == "linux" and os.environ.get("FOURFOLD_AUDIT") != "1":
        import _fourfold_bytecode  # type: ignore[import-not-found]  # noqa: PLC0415 - each stands for itself

        _fourfold_bytecode.install(finder)
