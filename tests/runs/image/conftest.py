"""Registries for the tests of images: one open, one with tokens, one with passwords; one set of images."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import bcrypt
import pytest

from tests.runs.image import registries
from tests.runs.image.registries import Made, Running, TokenServer

PLATFORMS = ("linux/amd64", "linux/arm64/v8", "linux/arm/v7")


class Port(NamedTuple):
    """What there is to ask for: ``team/multi:1.0`` (an index), ``team/single:1.0``, ``library/hub:latest``.

    Attributes:
        open: A registry that asks nobody who they are.
        made: The image behind the names.
    """

    open: Running
    made: Made


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    """A filled registry."""
    base = tmp_path_factory.mktemp("registry")
    made = registries.make_image(base / "layout", PLATFORMS)
    with registries.registry(base) as running:
        running.push(base / "layout", "team/multi:1.0")
        running.push(base / "layout", "team/single:1.0", only="linux/amd64")
        yield Port(running, made)


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    """A server of tokens."""
    with registries.tokens(tmp_path_factory.mktemp("tokens")) as server:
        yield server


@pytest.fixture(scope="session")
def guarded(port: Port, tokens: TokenServer) -> Iterator[Running]:
    """The same images behind tokens."""
    with registries.registry(port.open.base, tokens.auth) as running:
        yield running


@pytest.fixture(scope="session")
def locked(port: Port) -> Iterator[Running]:
    """The same images behind a password."""
    file: Path = port.open.base / "htpasswd"
    digest = bcrypt.hashpw(registries.PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    file.write_text(f"{registries.USER}:{digest}\n")
    with registries.registry(port.open.base, {"htpasswd": {"realm": "test", "path": str(file)}}) as running:
        yield running
