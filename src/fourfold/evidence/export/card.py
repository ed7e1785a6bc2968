"""A model card: the facts of a run filled in, judgement left blank for people.

Markdown with the metadata block of model hubs (https://huggingface.co/docs/hub/model-cards); the headings are
those of Mitchell et al., *Model Cards for Model Reporting*, 2019. A blank is ``[to be filled in]``: what no
record can know is never guessed.
"""

import json
from collections.abc import Iterator
from typing import Any

from fourfold.evidence.export.dossier import Dossier, Item, leaves, shown_size, utf8
from fourfold.runs.changes import mapping

BLANK = "[to be filled in]"
#: So many packages are named: those that the run imported.
_PACKAGES = 40


def render(dossier: Dossier) -> bytes:
    """The card."""
    return utf8("\n".join(_lines(dossier)) + "\n")


def _lines(dossier: Dossier) -> Iterator[str]:
    yield from _metadata(dossier)
    yield f"# Model card: {text(dossier.act.name)}"
    yield ""
    yield from (
        f"Filled in from run `{dossier.run}` by Fourfold {dossier.record.tool}. What stands in brackets is",
        "for people to say: no record can know it.",
        "",
        "## Model details",
        "",
        f"- Made by: {_author(dossier)}",
        f"- Made on: {text(dossier.record.times.ended)}",
        f"- Code: {_code(dossier)}",
        f"- Kind of model: {BLANK}",
        f"- Licence: {BLANK}",
        f"- Questions to: {BLANK}",
        "",
    )
    yield from _table("Files", ("file", "size", "digest"), map(_file, dossier.act.outputs))
    yield from ("## Intended use", "", BLANK, "", "### Out of scope", "", BLANK, "")
    yield from ("## Factors", "", f"Groups, instruments and surroundings that matter: {BLANK}", "")
    yield "## Metrics"
    yield ""
    rows = [(f"`{text(name)}`", repr(value)) for name, value in sorted(dossier.act.metrics.items())]
    yield from _table("", ("metric", "value"), rows)
    yield f"Why these, and how they vary: {BLANK}"
    yield ""
    yield from _data(dossier)
    yield from _training(dossier)
    yield from ("## Ethical considerations", "", BLANK, "", "## Caveats and recommendations", "", BLANK, "")
    yield from _verified(dossier)
    yield from _unknown(dossier)


def _metadata(dossier: Dossier) -> Iterator[str]:
    yield "---"
    yield "# What model hubs read; licence and tags are for people to say."
    yield "library_name: " + json.dumps(_library(dossier))
    yield "model-index:"
    yield f"- name: {json.dumps(dossier.act.name)}"
    yield "  results:"
    yield "  - task: {type: other}"
    yield f"    dataset: {{type: other, name: {json.dumps(', '.join(sorted(dossier.raw())) or 'none')}}}"
    yield "    metrics:" if dossier.act.metrics else "    metrics: []"
    for name, value in sorted(dossier.act.metrics.items()):
        label = name.rpartition(":")[2]
        yield f"    - {{type: {json.dumps(label)}, name: {json.dumps(name)}, value: {value!r}}}"
    yield "---"
    yield ""


def _library(dossier: Dossier) -> str:
    known = ("torch", "tensorflow", "jax", "scikit-learn", "xgboost", "lightgbm", "catboost", "keras")
    imported = {package.name for package in dossier.packages if package.imported}
    return next((name for name in known if name in imported), "other")


def _author(dossier: Dossier) -> str:
    return f"{text(dossier.author[0])} (of the commit)" if dossier.author else BLANK


def _code(dossier: Dossier) -> str:
    remote, tree = dossier.value("code", "remote"), dossier.value("code", "tree")
    where = f" of {text(str(remote))}" if remote else ""
    dirty = ", with uncommitted changes that the record has" if dossier.value("code", "dirty") else ""
    if not dossier.commit:
        return BLANK
    return f"commit `{dossier.commit}`{where}{dirty}; tree `{text(str(tree))}`"


def _file(item: Item) -> tuple[str, str, str]:
    name = f"`{text(item.path)}`" + (f" ({item.nfiles} files)" if item.nfiles is not None else "")
    size = shown_size(item.size) if item.size is not None else "not known"
    best = next(iter(item.digests.items()), None)
    return name, size, f"{best[0]} `{best[1]}`" if best else "not known"


def _table(title: str, heads: tuple[str, ...], rows: Any) -> Iterator[str]:
    listed = list(rows)
    if title:
        yield f"### {title}"
        yield ""
    if not listed:
        yield "None recorded."
        yield ""
        return
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in listed:
        yield f"| {' | '.join(row)} |"
    yield ""


def _data(dossier: Dossier) -> Iterator[str]:
    yield "## Data"
    yield ""
    yield from _table("", ("data that no run made", "size", "digest"), map(_file, dossier.raw().values()))
    yield from (
        f"- Where it is from, and under what terms: {BLANK}",
        f"- How it was collected, and labelled: {BLANK}",
        f"- Which of it was held out, and why: {BLANK}",
        "",
    )


def _training(dossier: Dossier) -> Iterator[str]:
    yield "## How it was made"
    yield ""
    for act in dossier.acts:
        command = text("; ".join(act.record.command))
        yield f"- {text(act.name)} ({act.record.times.seconds:.1f} s): {command}"
    yield ""
    rows = [(f"`{text(name)}`", f"`{text(json.dumps(value))}`") for name, value in leaves(dossier.act.params)]
    yield from _table("Parameters", ("parameter", "value"), rows)
    yield from _table("Randomness", ("what", "value"), _randomness(dossier))
    yield from _table("Environment", ("what", "value"), environment(dossier))


def _randomness(dossier: Dossier) -> Iterator[tuple[str, str]]:
    for name in ("seed", "determinism"):
        value = dossier.value("randomness", name)
        if value is not None:
            yield name, f"`{text(str(value))}`"
    unseeded = count(dossier.value("randomness", "unseeded"))
    if unseeded:
        yield "generators without a seed", str(unseeded)


def environment(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """The environment of a run in rows: what, and which."""
    python = mapping(dossier.value("environment", "interpreter"))
    host = mapping(dossier.value("environment", "host"))
    cpu = mapping(host.get("cpu"))
    if python.get("version"):
        yield "Python", f"{text(str(python.get('implementation', '')))} {text(str(python['version']))}"
    if host.get("distribution"):
        yield "system", f"{text(str(host['distribution']))}, {text(str(host.get('libc', '')))}"
    if cpu.get("model"):
        yield "processor", f"{text(str(cpu['model']))}, {text(str(host.get('cores', '?')))} cores"
    cards = mapping(dossier.value("environment", "accelerators")).get("cards")
    for card in cards if isinstance(cards, list) else ():
        yield "accelerator", text(str(mapping(card).get("name", "")))
    image = mapping(dossier.value("environment", "image"))
    if image.get("reference"):
        yield "image", f"`{text(str(image['reference']))}` `{text(str(image.get('manifest') or ''))}`"
    lock = mapping(dossier.value("environment", "lock"))
    if lock.get("file"):
        state = "verified" if lock.get("verified") else "not verified"
        yield "lock file", f"`{text(str(lock['file']))}` ({state})"
    imported = [f"{package.name} {package.version}" for package in dossier.packages if package.imported]
    if imported:
        more = f" and {len(imported) - _PACKAGES} more" if len(imported) > _PACKAGES else ""
        yield "packages that were imported", text(", ".join(imported[:_PACKAGES])) + more
    digest = dossier.value("environment", "digest")
    if digest:
        yield "digest", f"`{text(str(digest))}`"


def _verified(dossier: Dossier) -> Iterator[str]:
    yield "## Verified"
    yield ""
    if not dossier.statements:
        yield f"No replay of this run is recorded. `ff verify {dossier.run[:12]}` makes one."
    for said in dossier.statements:
        reason = f": {text(said.reason)}" if said.reason else ""
        yield f"- {said.level} ({text(said.signed)}){reason}"
    yield ""


def _unknown(dossier: Dossier) -> Iterator[str]:
    yield "## Not known"
    yield ""
    if not dossier.unknown:
        yield "The record has every fact that it could have."
    for name, why in sorted(dossier.unknown.items()):
        yield f"- {text(name)}: {text(why)}"
    yield ""


def count(value: object) -> int:
    """How many a fact lists; of what is no list, one where there is something."""
    return len(value) if isinstance(value, list | tuple | dict) else int(bool(value))


def text(value: str) -> str:
    """A value where it can be nothing else: no markup, one line."""
    flat = " ".join(value.split()).replace("`", "'")
    for letter in "\\*_[]<>|#":
        flat = flat.replace(letter, "\\" + letter)
    return flat
