"""Files of plots as rows, joined as DVC joins them: ``rev``, ``filename`` and ``field`` beside the data.

Facts (DVC 3.67.1): CSV and TSV give text; JSON, YAML, TOML and Python give the lists of mappings in them,
joined by position. Without ``x`` the row's number stands under ``step``; without ``y`` the last column of
the first list is taken. Several fields share the column ``dvc_inferred_y_value``. No drawing here.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fourfold.base.errors import InvalidFileError, NotFoundError
from fourfold.formats.dvc import params, yamlio
from fourfold.pipeline.plots.definitions import Props

IMAGES = frozenset({".jpg", ".jpeg", ".gif", ".png", ".svg"})
#: The column of row numbers, where no other is the x axis.
STEP = "step"
INFERRED_X = "dvc_inferred_x_value"
INFERRED_Y = "dvc_inferred_y_value"

_DOCUMENTS = frozenset({".json", ".yaml", ".yml", ".toml", ".py"})

Row = dict[Any, Any]


class PlotFileTypeError(InvalidFileError):
    """A plot names a file that is no image and of no format that has rows."""

    code = "plot-file-type"


class FieldNotFoundError(NotFoundError):
    """A plot names a column that its file does not have."""

    code = "plot-field-not-found"


class UnequalRowsError(InvalidFileError):
    """The x and the y of a plot come from files that do not fit together."""

    code = "plot-unequal-rows"


class NoRowsError(InvalidFileError):
    """A file of a plot holds no list whose entries have the same columns."""

    code = "plot-no-rows"


class Rows(NamedTuple):
    """The rows of one plot at one moment.

    Attributes:
        rows: In DVC's form.
        props: The plot's properties with ``x`` and ``y`` as columns, and both labels.
        ys: File (shortened) and column of each series.
    """

    rows: list[Row]
    props: dict[str, Any]
    ys: tuple[tuple[str, str], ...] = ()


def is_image(path: str) -> bool:
    """Whether a plot is a picture, by its name."""
    return os.path.splitext(path)[1] in IMAGES


def parse(data: bytes, path: str, *, header: bool = True) -> Any:
    """The content of a file of data: a list of rows, or a document with lists of rows.

    Args:
        data: The file's bytes.
        path: For its extension, and for messages.
        header: Whether the first line of a CSV or TSV file names its columns.

    Raises:
        PlotFileTypeError: the extension is of no known format.
        InvalidFileError: the content is not what the extension says.
    """
    suffix = os.path.splitext(path)[1]
    if suffix in {".csv", ".tsv"}:
        return _table(yamlio.decode(data, path), path, "\t" if suffix == ".tsv" else ",", header=header)
    if suffix not in _DOCUMENTS:
        raise PlotFileTypeError(
            f"'{path}' is of a type that has no plot",
            hint="plots are made of JSON, YAML, CSV, TSV, and images",
        )
    return params.parse(data, path)


def _table(text: str, path: str, delimiter: str, *, header: bool) -> list[Row]:
    import csv  # noqa: PLC0415 - only tables need it
    import io  # noqa: PLC0415 - likewise

    try:
        names = None
        if not header:
            first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
            names = [str(at) for at in range(len(first))]
        return list(csv.DictReader(io.StringIO(text, newline=""), names, delimiter=delimiter))
    except csv.Error as error:
        raise InvalidFileError(f"{path}: {error}") from None


def _lists(value: Any) -> Iterator[list[Any]]:
    """The lists of a document, depth first, in its order; lists in lists are data."""
    if isinstance(value, list):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            if isinstance(item, Mapping | list):
                yield from _lists(item)


def _are_rows(items: list[Any]) -> bool:
    if not items or not all(isinstance(item, dict) for item in items):
        return False
    return set(items[0]) == {key for item in items for key in item}


def datapoints(content: Any) -> list[Row]:
    """The rows of a file: the n-th row of each of its lists, put together."""
    rows: list[Row] = []
    for items in _lists(content):
        if _are_rows(items):
            for at, item in enumerate(items):
                if at == len(rows):
                    rows.append({})
                rows[at].update(item)
    return rows


def convert(name: str, contents: Mapping[str, Any], props: Props, rev: str) -> Rows:
    """The rows of a plot at one moment.

    Args:
        name: The plot's, as defined; the file of axes that name none.
        contents: By file, as `parse` gives them.
        props: How the plot is defined.
        rev: The name of the moment.

    Raises:
        NoRowsError: a file has none.
        FieldNotFoundError: a column is not in its file.
        UnequalRowsError: x and y do not fit together.
    """
    points = {file: datapoints(content) for file, content in contents.items()}
    y = _y_axis(name, contents, props)
    x = _x_axis(name, props, y)
    xs, ys = list(_pairs(x)), list(_pairs(y))
    for file, field in (*xs, *ys):
        _must_have(points, file, field)
    if len(xs) > 1 and len(xs) != len(ys):
        raise UnequalRowsError(
            "Cannot have different number of x and y data sources. Found "
            f"{len(xs)} x and {len(ys)} y data sources"
        )
    x_field, y_field = _column([field for _file, field in xs] or [STEP], INFERRED_X), None
    if ys:
        y_field = _column([field for _file, field in ys], INFERRED_Y)
    short = _shortened([file for file, _field in ys])
    rows: list[Row] = []
    for at, (file, field) in enumerate(ys):
        part = [dict(row) for row in points.get(file, ())]
        if y_field == INFERRED_Y:
            _take(part, part, field, INFERRED_Y)
        if xs:
            x_file, x_source = xs[at if len(xs) > 1 else 0]
            _join(part, points.get(x_file, []), x_source, x_field, (x_file, file, field))
        else:
            for number, row in enumerate(part):
                row[STEP] = number
        for row in part:
            row.update(rev=rev, filename=short[file], field=field)
        rows.extend(part)
    if not rows:
        return Rows([], {})
    full = {**props, "x": x_field, "y": y_field, "x_label": _x_label(props, x), "y_label": _y_label(props, y)}
    return Rows(rows, full, tuple((short[file], field) for file, field in ys))


def _y_axis(name: str, contents: Mapping[str, Any], props: Props) -> Mapping[str, Any] | None:
    y = props.get("y")
    if y is not None:
        return y if isinstance(y, Mapping) else {name: y}
    for items in _lists(contents.get(name)):
        if items and all(isinstance(item, dict) for item in items) and items[0]:
            return {name: list(items[0])[-1]}
    return None


def _x_axis(name: str, props: Props, y: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    x = props.get("x")
    if x is None or isinstance(x, Mapping):
        return x
    if y is None or not isinstance(props.get("y"), Mapping):
        return {name: x}
    return {file: [x] * len(fields) if isinstance(fields, list) else x for file, fields in y.items()}


def _pairs(axis: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    for file, fields in (axis or {}).items():
        for field in fields if isinstance(fields, list) else [fields]:
            if isinstance(field, str):
                yield file, field


def _must_have(points: Mapping[str, list[Row]], file: str, field: str) -> None:
    if file not in points:
        return
    if not points[file]:
        raise NoRowsError(f"'{file}' has no rows: no list of mappings with the same keys")
    known = list(points[file][0])
    if field not in known:
        raise FieldNotFoundError(
            f"Could not find provided field ('{field}') in data fields ('{', '.join(map(str, known))}')",
            hint=f"look at the columns of '{file}'",
        )


def _column(fields: list[str], shared: str) -> str:
    """The one field of an axis, or the column that several share."""
    return fields[0] if len(set(fields)) == 1 else shared


def _shortened(files: list[str]) -> dict[str, str]:
    common = 0
    if len(set(files)) > 1:
        try:
            common = len(os.path.commonpath(files))
        except ValueError:  # absolute beside relative
            common = 0
    return {file: file[common:].strip("/\\") for file in files}


def _take(rows: list[Row], source: list[Row], field: str, name: str) -> None:
    for row, given in zip(rows, source, strict=True):
        if field in given:
            row[name] = given[field]


def _join(rows: list[Row], source: list[Row], field: str, name: str, who: tuple[str, str, str]) -> None:
    if len(rows) != len(source):
        x_file, y_file, y_field = who
        raise UnequalRowsError(
            f"Cannot join '{field}' from '{x_file}' and '{y_field}' from '{y_file}'. "
            "They have to have same length"
        )
    _take(rows, source, field, name)


def _y_label(props: Props, y: Mapping[str, Any] | None) -> str | None:
    given: str | None = props.get("y_label")
    if given is not None or y is None:
        return given
    fields = {field for _file, field in _pairs(y)}
    return fields.pop() if len(fields) == 1 else "y"


def _x_label(props: Props, x: Mapping[str, Any] | None) -> str:
    given: str | None = props.get("x_label")
    if given is not None:
        return given
    if x is None:
        return STEP
    fields = {field for _file, field in _pairs(x)}
    return fields.pop() if len(fields) == 1 else "x"
