"""What the extra ``plots`` draws, by vl-convert: templates that are not ours, and PNG; nothing is fetched."""

import json
import re
from importlib.util import find_spec
from typing import Any

from fourfold.base.errors import InvalidFileError, UnsupportedError

_NAME = "vl_convert"
#: An address in a drawing, in the form in which vl-convert writes attributes, that leads out of it.
_ADDRESS = re.compile(r'(\bhref=")(?!data:|#)[^"]*"')


class PainterMissingError(UnsupportedError):
    """Something has to be drawn by vl-convert, which is not installed."""

    code = "plots-extra-missing"
    exit_code = 1


class NotDrawableError(InvalidFileError):
    """vl-convert cannot make a picture of a template with its values."""

    code = "plot-not-drawable"


def available() -> bool:
    """Whether the extra ``plots`` is installed."""
    return find_spec(_NAME) is not None


def require(what: str) -> None:
    """See that the extra ``plots`` is there.

    Raises:
        PainterMissingError: it is not.
    """
    _painter(what)


def _painter(what: str) -> Any:
    if not available():
        raise PainterMissingError(
            f"{what} needs the extra 'plots'", hint="install it: pip install 'fourfold[plots]'"
        )
    import vl_convert  # noqa: PLC0415 - an extra, and not small

    return vl_convert


def vega_svg(content: dict[str, Any], name: str) -> str:
    """A filled template as an SVG document; what it names by an address is neither fetched nor read.

    Args:
        content: Vega-Lite, or Vega when its schema says so.
        name: The template's, for messages.

    Raises:
        PainterMissingError: the extra is not installed.
        NotDrawableError: the template cannot be drawn.
    """
    painter = _painter(f"the template '{name}'")
    schema = str(content.get("$schema", ""))
    draw = painter.vega_to_svg if "/vega/" in schema else painter.vegalite_to_svg
    try:
        found: str = draw(json.dumps(content), allowed_base_urls=[])
    except (ValueError, TypeError, OSError) as error:
        why = " ".join(line.strip() for line in str(error).strip().splitlines()[:2]) or "no reason given"
        raise NotDrawableError(f"the template '{name}' cannot be drawn: {why}") from None
    return _ADDRESS.sub(r'\1"', found)


def png(svg: str, *, scale: float = 2.0) -> bytes:
    """An SVG document as a PNG.

    Args:
        svg: The document.
        scale: Pixels for each CSS pixel.

    Raises:
        PainterMissingError: the extra is not installed.
        NotDrawableError: it is no SVG that vl-convert can read.
    """
    painter = _painter("PNG")
    try:
        found: bytes = painter.svg_to_png(svg, scale=scale)
    except (ValueError, TypeError, OSError) as error:
        raise NotDrawableError(f"the picture cannot be drawn: {str(error).strip()[:200]}") from None
    return found
