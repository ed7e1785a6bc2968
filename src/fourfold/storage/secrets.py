"""Taking secrets out of what people typed: command lines, arguments, texts of any origin.

`redact` knows URLs, requests and our configuration, `secrecy` the names that say that a secret follows; here
are the shapes that secrets have by themselves (tokens of services, private keys), and where names stand.
Every pattern reads a text once, whatever stands in it. Loaded by those who write or fail, never by hot paths.
"""

import re
from collections.abc import Sequence

from fourfold.storage.redact import HIDDEN, SECRET_OPTIONS, redact
from fourfold.storage.secrecy import is_secret_value, looks_random

_TOKENS = (
    r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt|oas|ffct)-[A-Za-z0-9_.-]{16,}",
    r"(?:hf|api_org)_[A-Za-z0-9]{20,}",
    r"(?<![_-])sk-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}",
    r"xox[abceoprs]-[A-Za-z0-9-]{10,}",
    r"xapp-[A-Za-z0-9-]{10,}",
    r"AIza[A-Za-z0-9_-]{35}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[A-Za-z0-9_-]{50,}",
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"dapi[0-9a-f]{32}",
    r"do[opr]_v1_[0-9a-f]{64}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
    r"(?<![_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
)
_TOKEN = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_TOKENS)})")
_HOOK = re.compile(r"(hooks\.slack\.com/(?:services|workflows)/)[A-Za-z0-9/_-]+")
_PEM_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM = re.compile(rf"-----BEGIN [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----(?:.*?{_PEM_END}|.*)", re.DOTALL)
#: A word of a shell: quoted parts and others in a row; a quote that is never closed reaches to the end.
_SHELL_WORD = r"""(?:'[^']*'?|"(?:[^"\\]|\\.)*"?|\\.|[^\s'"\\;|&<>()])+"""
#: ``--name value``, ``--name=value``, ``-name value``.
_OPTION = re.compile(rf"(?<![\w.-])(--?)([A-Za-z][A-Za-z0-9_.-]*)(=|\s+(?=[^\s-]))({_SHELL_WORD})", re.DOTALL)
#: ``NAME=value``.
_ASSIGNMENT = re.compile(rf"(?<![\w.-])([A-Za-z_][A-Za-z0-9_.-]*)(=)(?!\*\*\*)({_SHELL_WORD})", re.DOTALL)
#: ``"name": "value"`` and ``name: value`` of JSON and YAML.
_MEMBER = re.compile(
    r"""(?<![\w.-])([A-Za-z_][A-Za-z0-9_.-]*)(['"]\s?:\s?|:\s)"""
    r"""("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s'"\\;,|&<>(){}\[\]]+)""",
    re.DOTALL,
)
#: The same as one quoted argument: ``-e "NAME=a value"``.
_QUOTED = re.compile(r"""(["'])([A-Za-z_][A-Za-z0-9_.-]*)=((?:(?!\1).)*)""", re.DOTALL)
#: ``curl -u user:password``, ``wget --user ...``.
_LOGIN = re.compile(
    r"(\b(?:curl|wget|https?|aria2c)\b[^\n;|&]{0,500}?"
    r"\s(?:-u|--user|--proxy-user|-U)[ =]?['\"]?[^\s:'\"/]+):[^\s'\"]+"
)
#: ``sshpass -p``, ``docker login -p``, ``mysql -pX``.
_SHORT = re.compile(
    r"\b((?:sshpass|(?:docker|podman|skopeo|oras|helm)\s+login)\b[^\n;|&]{0,500}?\s-p\s*"
    r"|(?:wandb|huggingface-cli|hf)\s+login\s+(?=[^\s-])"
    rf"|(?:mysql|mariadb)\w*\b[^\n;|&]{{0,500}}?\s-p(?=\S))({_SHELL_WORD})"
)
#: A value that names a variable or a command instead of saying a secret.
_INDIRECT = re.compile(r"""["']?\$(?:\w+|\{\w+\})["']?|["']?@[\w./-]+["']?""")


def strike(text: str) -> str:
    """A command line, or any text, without what is or looks like a secret."""
    text = _PEM.sub(HIDDEN, text)
    text = redact(text)
    text = _HOOK.sub(rf"\1{HIDDEN}", text)
    text = _TOKEN.sub(HIDDEN, text)
    text = _LOGIN.sub(rf"\1:{HIDDEN}", text)
    text = _SHORT.sub(_hide_short, text)
    text = _QUOTED.sub(_hide_quoted, text)
    text = _OPTION.sub(_hide_option, text)
    text = _ASSIGNMENT.sub(_hide_assignment, text)
    return _MEMBER.sub(_hide_member, text)


def strike_arguments(arguments: Sequence[str]) -> list[str]:
    """The arguments of a process without secrets, also those that follow their name as an argument."""
    shown = [strike(text) for text in arguments]
    for at, text in enumerate(arguments[:-1]):
        name = text.lstrip("-")
        follows = text.startswith("-") and "=" not in text and is_secret_value(name, arguments[at + 1])
        if follows or text.rpartition(".")[2] in SECRET_OPTIONS:
            shown[at + 1] = HIDDEN
    return shown


def _hide_option(found: re.Match[str]) -> str:
    dashes, name, between, value = found.groups()
    if _INDIRECT.fullmatch(value) or not is_secret_value(name, value):
        return found[0]
    return f"{dashes}{name}{between}{HIDDEN}"


def _hide_quoted(found: re.Match[str]) -> str:
    quote, name, value = found.groups()
    if _INDIRECT.fullmatch(value) or not is_secret_value(name, value):
        return found[0]
    return f"{quote}{name}={HIDDEN}"


def _hide_assignment(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    if _INDIRECT.fullmatch(value) or not is_secret_value(name, value):
        return found[0]
    return f"{name}{between}{HIDDEN}"


def _hide_member(found: re.Match[str]) -> str:
    # Prose has colons too: 'unexpected token: x'.
    prose = found[2][0] == ":" and not looks_random(found[3])
    return found[0] if prose else _hide_assignment(found)


def _hide_short(found: re.Match[str]) -> str:
    return found[0] if _INDIRECT.fullmatch(found[2]) else f"{found[1]}{HIDDEN}"
