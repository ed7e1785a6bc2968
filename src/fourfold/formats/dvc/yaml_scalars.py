"""Which plain words of YAML 1.2 mean something other than themselves, as ruamel.yaml decides it.

Shared by the quick reader and the quick writer. The patterns are facts about that implementation (leading
zeros are decimal or octal there, underscores are allowed in numbers, dates are dates), which a test compares
with it word by word.
"""

import re

#: Characters that both sides print as they are: others go the slow way.
ODD = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

#: Words with a meaning, by that meaning.
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}

#: What a word that is neither text nor one of `WORDS` may start with.
STARTS = frozenset("+-.0123456789<=")

_MEANS_OTHER = re.compile(
    r"""
    [-+]?[0-9_]+                                                         # integers,
  | [-+]?0b[01_]+ | [-+]?0o?[0-7_]+ | [-+]?0x[0-9a-fA-F_]+               #   of any base
  | [-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?                  # floats
  | [-+]?\.[0-9_]+(?:[eE][-+][0-9]+)? | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)
  | [0-9]{4}-[0-9]{2}-[0-9]{2}                                           # dates
  | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?
      (?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?
  | << | =                                                               # merge and default keys
    """,
    re.VERBOSE | re.ASCII,
)


def is_text(word: str) -> bool:
    """Whether a plain word is text: no number, date, truth value, null or merge key."""
    if word in WORDS:
        return False
    return word[0] not in STARTS or _MEANS_OTHER.fullmatch(word) is None
