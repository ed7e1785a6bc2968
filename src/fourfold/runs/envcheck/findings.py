"""What an examination of an environment finds: one value a finding, and what its codes mean."""

from typing import Literal, NamedTuple

from fourfold.runs.environment.distributions import Distribution

#: ``differs``: the environment is not what it should be. ``note``: an input that nothing vouches for.
Weight = Literal["differs", "note"]


class Finding(NamedTuple):
    """One thing that was found.

    Attributes:
        code: ``file-changed`` ``library-changed`` ``pth-changed`` ``file-missing`` ``record-missing``
            ``record-outside`` (it names a file outside of the environment) ``stray-file`` ``stray-pth``
            ``stray-customize`` ``not-locked`` (another version) ``missing`` ``extra`` ``hash-not-locked``
            ``stale-lock`` ``wrong-python`` ``no-conda`` ``editable`` ``user-site`` ``pythonpath``
            ``unverified``.
        weight: Whether it is a difference.
        message: One line.
        hint: What to do.
        distribution: The one that it belongs to; "".
        path: Absolute, of the file; "".
    """

    code: str
    weight: Weight
    message: str
    hint: str = ""
    distribution: str = ""
    path: str = ""


def of_system(one: Distribution) -> bool:
    """Whether the system's packages brought a distribution: these change files after they are recorded."""
    return one.site.startswith("/usr/lib/") and one.installer not in {"pip", "uv", "conda"}


def reinstall(one: Distribution, links: int = 1) -> str:
    """The command that brings a distribution back as it was."""
    if of_system(one):
        return f"ask the system: dpkg --verify python3-{one.name}"
    if one.direct in {"editable", "dir", "vcs"}:
        return f"install {one.name} again from {one.source or 'its source'}"
    if one.installer == "uv":
        again = f"uv pip install --reinstall --no-deps {one.name}=={one.version}"
        # uv links files from its cache: what was changed in place was changed there too.
        return f"uv cache clean {one.name} && {again}" if links > 1 else again
    if one.installer == "conda":
        return f"conda install --force-reinstall {one.name}={one.version}"
    return f"pip install --force-reinstall --no-deps {one.name}=={one.version}"
