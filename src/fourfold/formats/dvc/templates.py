r"""The language of ``${...}`` in a ``dvc.yaml``: what an expression is, and what text a value becomes.

An expression is a name followed by ``.name`` or ``[index]``; spaces around a name do not count. ``\${``
stands for ``${`` itself. A text that is one expression and nothing else becomes the value as it is; in any
other text a value is written as Python writes it, but ``true`` and ``false`` in lower case. A mapping is
allowed in a command only, where it becomes options (`unpacked`). What is inserted is not looked at again.
Facts: DVC 3.67.1.

Where names get their values is `variables`; which part of a file is resolved, and when, is `resolve`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.formats.dvc.fields import BadFieldError, Fault, Path, any_text
from fourfold.formats.dvc.yaml_faults import MAX_DEPTH

#: All text that one file may resolve to, in characters.
MAX_TEXT = 32 * 1024 * 1024
#: All values that one file may resolve to.
MAX_VALUES = 2_000_000

# Possessive throughout: nothing is tried twice, however the text is made.
_WORD = r"[^.\[\]]++"
_GRAMMAR = re.compile(rf"{_WORD}(?:\s*+(?:\.{_WORD}|\[{_WORD}\]))*+\s*+")
_SHOWN = 80


class TemplateError(BadFieldError):
    """What stands between ``${`` and ``}`` is no expression."""

    code = "bad-template"


class UnknownVariableError(TemplateError):
    """An expression names a variable that is nowhere given."""

    code = "unknown-variable"


class NotAScalarError(TemplateError):
    """A list or a mapping stands where only text, a number, or true or false can be inserted."""

    code = "not-a-scalar"


class VarsFileError(TemplateError):
    """A file of variables cannot be used: it is missing, lacks a key, or is named twice."""

    code = "bad-vars-file"


class VarsConflictError(TemplateError):
    """A variable is given twice, or takes the name of the current item."""

    code = "vars-conflict"


class BadIterationError(TemplateError):
    """What ``foreach`` or ``matrix`` goes through is not a list or a mapping, or gives unusable names."""

    code = "bad-iteration"


class StageNameClashError(TemplateError):
    """Two stages of a file have the same name, one of them made by ``foreach`` or ``matrix``."""

    code = "stage-name-clash"


class TemplateTooLargeError(TemplateError):
    """A file resolves to more stages, values or text than is sane."""

    code = "template-too-large"


class TemplateFault(Fault):
    """What is wrong in a template; `resolve` knows where it stands.

    Attributes:
        kind: The error that it becomes.
        expression: As written between the braces; None when no expression is to blame.
    """

    def __init__(
        self,
        kind: type[TemplateError],
        problem: str,
        hint: str = "",
        *,
        expression: str | None = None,
        path: Path = (),
    ) -> None:
        super().__init__(path, problem, hint)
        self.kind = kind
        self.expression = expression


class Expression(NamedTuple):
    """What stands between ``${`` and ``}``.

    Attributes:
        text: As written.
        parts: The names and indices on the way to the value.
    """

    text: str
    parts: tuple[str, ...]


class Template(NamedTuple):
    """A text with expressions.

    Attributes:
        pieces: Text and expressions, in their order.
        exact: The expression that is all of the text; None when there is more than that.
    """

    pieces: tuple[str | Expression, ...]
    exact: Expression | None


class Unpacking(NamedTuple):
    """How a mapping becomes options of a command (the section ``parsing`` of the configuration).

    Attributes:
        negate: False is written as ``--no-name`` instead of not at all (``bool = boolean_optional``).
        repeat: The option is repeated for each entry of a list (``list = append``).
    """

    negate: bool = False
    repeat: bool = False


class Budget:
    """What one file may still resolve to."""

    __slots__ = ("text", "values")

    def __init__(self) -> None:
        self.text = MAX_TEXT
        self.values = MAX_VALUES

    def spend_text(self, size: int) -> None:
        """Count text.

        Raises:
            TemplateFault: there is too much of it.
        """
        self.text -= size
        if self.text < 0:
            raise TemplateFault(
                TemplateTooLargeError,
                f"the file resolves to more than {MAX_TEXT} characters",
                "insert shorter values",
            )

    def spend_values(self, count: int) -> None:
        """Count values.

        Raises:
            TemplateFault: there are too many of them.
        """
        self.values -= count
        if self.values < 0:
            raise TemplateFault(
                TemplateTooLargeError,
                f"the file resolves to more than {MAX_VALUES} values",
                "generate fewer stages, or name folders instead of files",
            )


def has_expression(value: Any) -> bool:
    """Whether there is something to insert in a value or in a key of it."""
    return any_text(value, lambda text: next(_found(text), None) is not None)


def compile_text(text: str) -> str | Template:
    """Split a text into its expressions; one without any comes back as what it says.

    Raises:
        TemplateFault: something in braces is no expression.
    """
    if "${" not in text:
        return text
    pieces: list[str | Expression] = []
    done = 0
    for start, end in _found(text):
        if start > done:
            pieces.append(text[done:start])
        pieces.append(_expression(text[start + 2 : end - 1]))
        done = end
    if not pieces:
        return unescaped(text)
    if done < len(text):
        pieces.append(text[done:])
    only = pieces[0] if len(pieces) == 1 else None
    return Template(tuple(pieces), only if isinstance(only, Expression) else None)


def _found(text: str) -> Iterator[tuple[int, int]]:
    """Where expressions begin and end: ``${``, not after a backslash, to the next ``}`` of the same line.

    Each of the two looked-for signs is sought once for each place: no text takes longer than it is long.
    """
    at = brace = line = 0
    while (at := text.find("${", at)) >= 0:
        if at and text[at - 1] == "\\":
            at += 2
            continue
        if brace < at + 2 and (brace := text.find("}", at + 2)) < 0:
            return
        if line < at + 2 and (line := text.find("\n", at + 2)) < 0:
            line = len(text)
        if line < brace:
            at += 2
            continue
        yield at, brace + 1
        at = brace + 1


def unescaped(text: str) -> str:
    r"""``text`` with every ``\${`` as ``${``."""
    return text.replace("\\${", "${") if "\\${" in text else text


def _expression(inner: str) -> Expression:
    if not _GRAMMAR.fullmatch(inner):
        raise TemplateFault(
            TemplateError,
            f"'${{{short(inner)}}}' is no expression",
            "write ${name}, ${name.key} or ${name[0]}; to keep it as text, write \\${",
            expression=inner,
        )
    parts = inner.replace("[", ".").replace("]", "").split(".")
    return Expression(inner, tuple(part.strip() for part in parts))


def short(text: str) -> str:
    """Text of a file, cut for a message."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def is_composite(value: object) -> bool:
    """Whether a value is a list or a mapping."""
    return isinstance(value, Mapping | list | tuple)


def text_of(value: object) -> str:
    """A scalar as it stands in a text.

    Raises:
        TemplateFault: it is a number that is too long to write.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return _written(value)


def _written(value: object) -> str:
    try:
        return str(value)
    except ValueError:
        raise TemplateFault(
            NotAScalarError, "a number is too long to be inserted", "write it as text"
        ) from None


def unpacked(value: Mapping[str, Any], unpacking: Unpacking, budget: Budget, expression: str) -> str:
    """A mapping as options of a command: ``{a: {b: 1}, c: true}`` is ``--a.b 1 --c``.

    False is left out, an entry of a list follows the others, text is quoted for the shell.

    Raises:
        TemplateFault: a list holds a list or a mapping, two options have one name, or it is too much.
    """
    options: list[str] = []
    for name, item in _flat(value, "", 1, expression):
        budget.spend_values(1)
        budget.spend_text(len(name) + 3)
        if item is True:
            options.append(f"--{name}")
        elif item is False:
            if unpacking.negate:
                options.append(f"--no-{name}")
        elif isinstance(item, list | tuple):
            entries = [_entry(name, entry, expression, budget) for entry in item]
            if unpacking.repeat:
                options.extend(f"--{name} {entry}" for entry in entries)
            elif entries:
                options.append(f"--{name} {' '.join(entries)}")
        else:
            options.append(f"--{name} {_quoted(item, budget)}")
    return " ".join(options)


def _flat(value: Mapping[str, Any], prefix: str, depth: int, expression: str) -> Iterator[tuple[str, Any]]:
    """The values of nested mappings by their dotted names."""
    if depth > MAX_DEPTH:
        raise TemplateFault(TemplateTooLargeError, f"nested deeper than {MAX_DEPTH}", expression=expression)
    for key, item in value.items():
        name = prefix + key
        if isinstance(item, Mapping):
            yield from _flat(item, name + ".", depth + 1, expression)
        else:
            yield name, item


def _entry(name: str, entry: object, expression: str, budget: Budget) -> str:
    if is_composite(entry):
        raise TemplateFault(
            NotAScalarError,
            f"'{short(name)}' in '${{{short(expression)}}}' is a list of lists or mappings, "
            "which cannot become options of a command",
            "use a list of plain values",
            expression=expression,
        )
    budget.spend_values(1)
    budget.spend_text(len(name) + 3)  # it may be repeated
    return _quoted(entry, budget)


def _quoted(value: object, budget: Budget) -> str:
    if not isinstance(value, str):
        return _written(value)
    budget.spend_text(len(value))
    import os  # noqa: PLC0415 - few commands unpack a mapping

    if os.name == "nt":
        from subprocess import list2cmdline  # noqa: PLC0415 - likewise

        return list2cmdline([value])
    from shlex import quote  # noqa: PLC0415 - likewise

    return quote(value)


def named(values: Sequence[str]) -> str:
    """A list of names for a message."""
    return ", ".join(f"'{short(value)}'" for value in values[:5])
