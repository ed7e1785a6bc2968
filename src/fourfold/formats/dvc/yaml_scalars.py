"""Which plain words of YAML 1.2 mean something other than themselves, as ruamel.yaml decides it.

Shared by the quick reader and the quick writer. The patterns are facts about that implementation (leading
zeros are decimal or octal there, underscores are allowed in numbers, dates are dates), which a test compares
with it word by word.
"""

import re

#: An MD5, but for those that are a number by chance: only digits, a power of ten, a binary number.
DIGEST = r"(?![0-9]+(?:e[0-9]+)?\b|0b[01]+\b)[0-9a-f]{32}(?:\.dir)?"
#: Text that is itself at sight (but for `WORDS`): names, paths, options, digests.
EASY = re.compile(rf"[A-Za-z_/][A-Za-z0-9_/.=+-]*|{DIGEST}", re.ASCII)

_ODD_ASCII = re.compile("[^\n -~]")
_ODD_WIDE = "[\x00-\x09\x0b-\x1f\x7f-\x9f]|[\u2028\u2029\ufeff\ufffe\uffff]|[\ud800-\udfff]"


#: Words with a meaning, by that meaning.
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}

#: What a word that is neither text nor one of `WORDS` may start with.
STARTS = frozenset("+-.0123456789<=")

# Compiled on first use: a start of the program seldom meets such a word.
_MEANS_OTHER = r"""(?x)
    [-+]?[0-9_]+                                                         # integers,
  | [-+]?0b[01_]+ | [-+]?0o?[0-7_]+ | [-+]?0x[0-9a-fA-F_]+               #   of any base
  | [-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?                  # floats
  | [-+]?\.[0-9_]+(?:[eE][-+][0-9]+)? | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)
  | [0-9]{4}-[0-9]{2}-[0-9]{2}                                           # dates
  | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?
      (?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?
  | << | =                                                               # merge and default keys
"""


def is_odd(text: str) -> bool:
    """Whether ``text`` has a character that is not written as it is: a control, a separator, half a pair."""
    if text.isascii():
        return _ODD_ASCII.search(text) is not None
    return re.search(_ODD_WIDE, text) is not None


def is_text(word: str) -> bool:
    """Whether a plain word is text: no number, date, truth value, null or merge key."""
    if word in WORDS:
        return False
    return word[0] not in STARTS or re.fullmatch(_MEANS_OTHER, word) is None
