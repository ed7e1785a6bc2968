"""A reproducibility checklist: each question answered from the record where it can be, left blank where not.

The questions are those that venues ask (code, data, environment, randomness, compute, variation), put in our
own words. An answer says how it is known; a blank is for people.
"""

from collections.abc import Iterator
from typing import Any

from fourfold.evidence.export.card import BLANK, count, environment, text
from fourfold.evidence.export.dossier import Dossier, utf8
from fourfold.runs.changes import mapping, value_of

_YES, _NO, _OPEN = "[x]", "[ ]", "[?]"


def render(dossier: Dossier) -> bytes:
    """The list, as Markdown."""
    return utf8("\n".join(_lines(dossier)) + "\n")


def _lines(dossier: Dossier) -> Iterator[str]:
    yield f"# Reproducibility checklist: {text(dossier.act.name)}"
    yield ""
    yield f"Answered from run `{dossier.run}` by Fourfold {dossier.record.tool}."
    yield f"{_YES} holds, by the record; {_NO} does not; {_OPEN} is for people to say."
    yield ""
    for title, answers in (
        ("Code", _code(dossier)),
        ("Data", _data(dossier)),
        ("Environment", _environment(dossier)),
        ("Randomness", _randomness(dossier)),
        ("Compute", _compute(dossier)),
        ("Results", _results(dossier)),
    ):
        yield f"## {title}"
        yield ""
        for mark, question, answer in answers:
            yield f"- {mark} {question}{': ' + answer if answer else ''}"
        yield ""


Answers = Iterator[tuple[str, str, str]]


def _marked(holds: object) -> str:
    return _YES if holds else _NO


def _none_of(value: object, question: str, some: str) -> tuple[str, str, str]:
    """The answer to a question that holds where a fact lists nothing; what is not known does not hold."""
    if value is None:
        return _OPEN, question, "the record does not know"
    found = count(value)
    return _marked(not found), question, f"{found} {some}" if found else ""


def _code(dossier: Dossier) -> Answers:
    tree = dossier.value("code", "tree")
    told = f"tree `{text(str(tree))}`" if tree else "no Git repository"
    yield _marked(tree), "The exact code is recorded", told
    dirty = dossier.value("code", "dirty")
    if dossier.commit and dirty is None:
        yield _OPEN, "It is a commit, without changes", "the record does not know"
    else:
        yield (
            _marked(dossier.commit and not dirty),
            "It is a commit, without changes",
            "the record has the changes" if dirty else f"`{dossier.commit}`" if dossier.commit else "",
        )
    remote = dossier.value("code", "remote")
    yield _marked(remote), "It has a place where others can get it", text(str(remote)) if remote else ""
    yield _none_of(dossier.value("code", "left_out"), "Nothing that was used is left out", "files")
    yield _OPEN, "Archived under a persistent identifier (DOI, SWHID)", BLANK
    yield _OPEN, "Licence", BLANK


def _data(dossier: Dossier) -> Answers:
    items = dossier.act.inputs
    known = [item for item in items if item.md5]
    yield (
        _marked(len(known) == len(items)),
        "Each input is recorded by its content",
        f"{len(known)} of {len(items)}",
    )
    counts: list[Any] = [
        mapping(value_of(act.record.trace, "undeclared_reads")).get("count") for act in dossier.acts
    ]
    methods = [mapping(value_of(act.record.trace, "coverage")).get("method") for act in dossier.acts]
    watched = methods[-1]
    if not all(type(each) is int for each in counts) or any(each in (None, "none") for each in methods):
        yield _OPEN, "Nothing else was read", "not every run was watched"
    else:
        undeclared = sum(counts)
        yield (
            _marked(undeclared == 0),
            "Nothing else was read",
            f"{undeclared} undeclared, seen by {text(str(watched))}",
        )
    network = value_of(dossier.record.trace, "network")
    yield _none_of(network, "Nothing came over the network", "places, which the record names")
    yield _OPEN, "Origin, collection, consent, terms of use", BLANK
    yield _OPEN, "How it was split, and what was left out, and why", BLANK


def _environment(dossier: Dossier) -> Answers:
    for what, which in environment(dossier):
        yield _YES, f"{what[0].upper()}{what[1:]}", which
    lock = mapping(dossier.value("environment", "lock"))
    fact = dossier.record.environment.get("lock")
    fixed = lock.get("file") and fact is not None and fact.grade == "observed"
    yield _marked(fixed), "A lock file fixes the packages", ""
    yield _marked(lock.get("verified")), "What was installed is what the lock file says, file by file", ""
    yield _marked(dossier.value("environment", "image")), "The container image is known by digest", ""


def _randomness(dossier: Dossier) -> Answers:
    seed = dossier.value("randomness", "seed")
    told = f"`{text(str(seed))}`" if seed is not None else ""
    yield _marked(seed is not None), "The seed is recorded", told
    determinism = dossier.value("randomness", "determinism")
    how = f"`{text(str(determinism))}`" if determinism is not None else "the record does not know"
    yield _marked(determinism == "strict"), "Deterministic algorithms were asked for", how
    yield _none_of(dossier.value("randomness", "unseeded"), "No generator ran without a seed", "did")
    entropy = dossier.value("randomness", "entropy")
    yield _none_of(entropy, "Nothing drew from the system's randomness", "places")


def _compute(dossier: Dossier) -> Answers:
    total = sum(act.record.times.seconds for act in dossier.acts)
    yield _YES, "Time of the run", f"{dossier.record.times.seconds:.1f} s"
    yield _YES, "Time of everything that it stands on", f"{total:.1f} s in {len(dossier.acts)} runs"
    yield _OPEN, "Compute of the whole project, runs that are not reported included", BLANK


def _results(dossier: Dossier) -> Answers:
    for name, value in sorted(dossier.act.metrics.items()):
        yield _YES, f"`{text(name)}`", repr(value)
    said = "; ".join(f"{one.level}, {text(one.signed)}" for one in dossier.statements)
    yield _marked(dossier.statements), "A replay was compared with it", said
    yield _OPEN, "Error bars, over what they vary, and how many runs there are", BLANK
    yield _OPEN, "How hyperparameters were chosen, and between which bounds", BLANK
