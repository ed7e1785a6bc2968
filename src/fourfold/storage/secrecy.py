"""Which names say that a value is secret: of options, variables, keys. How texts are struck is `secrets`.

Apart, because who starts a command asks for names alone, and should not wait for patterns of texts.
"""

import re
from typing import Literal

from fourfold.storage.redact import HIDDEN, SECRET_OPTIONS

#: How sure a name makes it that its value is secret: only if the value *looks* random for ``perhaps``.
Secrecy = Literal["no", "perhaps", "surely"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SURE = _set(
    "password passwd passphrase passcode pwd pw secret secrets credential credentials token apikey accesskey"
    " secretkey privatekey authtoken accesstoken jwt bearer dsn cookie pat pass"
)
#: Of ``*_KEY``: which keys are kept secret, and not the key of a table.
_KEYS = _set(
    "api access secret private account auth signing encryption encrypt master deploy storage service ssh"
    " license subscription shared host"
)
#: Tokens of a vocabulary and counts of them.
_VOCABULARY = _set("pad unk eos bos mask sep cls special stop start max min num n first last end")
#: Who ends so says something about a secret: where it is, how long it lives.
_ABOUT = _set(
    "name names file files path paths dir sock socket home type count length size limit ttl timeout region"
    " provider version helper url uri host port parallelism column columns field fields mode format env"
    " var"
)
#: Values that no name makes a secret.
_PLAIN = frozenset(("", "true", "false", "none", "null", "yes", "no", "on", "off", "0", "1", "2", HIDDEN))
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_GLUED = re.compile(r"(?:password|passwd|passphrase|secret|token|credentials?|apikey)\Z")


def secrecy(name: str) -> Secrecy:
    """Whether the value of an option, a variable or a key of this name is a secret."""
    lowered = name.lower().replace("-", "_")
    words = [word.lower() for word in _WORDS.findall(name) if not word.isdigit()]
    last, before = ["", "", *words][-1], ["", "", *words][-2]
    vocabulary = last in {"token", "tokens"} and before in _VOCABULARY
    if not words or last in _ABOUT or lowered in {"pwd", "oldpwd"} or vocabulary:
        return "no"
    if last in {"key", "keys"}:
        return "surely" if before in _KEYS else "perhaps"
    if lowered.rpartition(".")[2] in SECRET_OPTIONS or last in _SURE or _GLUED.search(last):
        return "surely"
    about_key = last == "id" and before == "key"
    if about_key or last in {"tokens", "signature", "sig", "auth"} or {"secret", "password"} & set(words):
        return "perhaps"
    return "no"


def looks_random(value: str) -> bool:
    """Whether a value could be a key: long, no blanks, letters and digits together, no path and no name."""
    if not 16 <= len(value) <= 4096 or not re.fullmatch(r"[A-Za-z0-9+/=_.~:-]+", value):
        return False
    if value.startswith(("/", "./", "../")) and "=" not in value and "+" not in value:
        return False
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value))


def is_secret_value(name: str, value: str) -> bool:
    """Whether this value, under this name, is a secret."""
    value = value.strip("'\"")
    if value.lower() in _PLAIN:
        return False
    sure = secrecy(name)
    return sure == "surely" or (sure == "perhaps" and looks_random(value))
