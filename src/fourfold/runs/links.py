"""Files of the workspace that were used by where their links lead: into the cache.

Where the cache is linked to symbolically, a program that resolves a path first, and the dynamic loader as
`runs.tracer` sees it, name the object and not the file. What is used is the file.
"""

import os
from collections.abc import Iterable, Iterator

from fourfold.runs.observation import Access, Trace
from fourfold.runs.zones import below

#: So many files of the workspace are looked at.
_MOST = 200_000


def followed_back(trace: Trace, cache: str, names: Iterable[str]) -> Trace:
    """The same trace, in which objects of the cache that links of the workspace lead to have their names.

    Args:
        trace: What processes did.
        cache: The folder of objects, absolute.
        names: Files and folders that may be links, or hold some; the first that leads to an object is it.
    """
    folders = {cache, os.path.realpath(cache)}
    objects = {
        one.path
        for one in trace.accesses
        if one.how in {"read", "exec"} and any(below(one.path, folder) for folder in folders)
    }
    if not objects:
        return trace
    links: dict[str, str] = {}
    for path in _links(names):
        if (target := os.path.realpath(path)) in objects:
            links.setdefault(target, path)
            if len(links) == len(objects):
                break
    found: dict[tuple[str, str], Access] = {}
    for access in trace.accesses:
        named = access._replace(path=links.get(access.path, access.path))
        earlier = found.get((named.path, named.how))
        if earlier is not None:
            times, first = earlier.times + named.times, earlier.first or named.first
            named = earlier._replace(times=times, first=first, found=earlier.found or named.found)
        found[named.path, named.how] = named
    return trace._replace(accesses=tuple(found[key] for key in sorted(found)))


def _links(names: Iterable[str]) -> Iterator[str]:
    """Symbolic links to files, of some names and below them."""
    looked = 0
    for name in dict.fromkeys(names):
        if os.path.islink(name):
            yield name
            continue
        for folder, _folders, files in os.walk(name):
            for file in sorted(files):
                looked += 1
                if looked > _MOST:
                    return
                if os.path.islink(path := os.path.join(folder, file)):
                    yield path
