"""Completion scripts for bash, zsh and fish, written from the parsers of all commands.

The scripts are static: a keystroke starts no interpreter, but for names of remotes, which ``ff remote list``
gives. Each script finds the command among the words before the cursor, then offers values, options or
arguments from its own tables.
"""

from collections.abc import Callable, Iterable

from fourfold.cli import describe, table
from fourfold.cli.describe import Argument, Entry

SHELLS = ("bash", "zsh", "fish")

_HEAD = "# Completion of ff for {name}. Written by: ff completion -s {name}\n"


def script(shell: str) -> str:
    """The completion script of one of `SHELLS`."""
    writers: dict[str, Callable[[list[Entry]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return writers[shell](describe.entries())


def _offer(argument: Argument) -> str:
    """What the script's ``_ff_offer`` is told: a kind, or ``=`` and the choices."""
    return "=" + " ".join(argument.choices) if argument.choices else argument.kind


def _labels(entry: Entry) -> list[str]:
    """The command's name and its aliases, in full."""
    head = entry.name.rpartition(" ")[0]
    return [entry.name, *(f"{head} {alias}" if head else alias for alias in entry.command.aliases)]


def _first_words(found: Iterable[Entry]) -> dict[str, str]:
    """The words that may stand first -> their help."""
    words = {label: entry.command.help for entry in found for label in _labels(entry) if " " not in label}
    words.update({family: table.FAMILIES[family] for family in table.families() if _open(family)})
    words["help"] = "Show the help page of a command"
    return dict(sorted(words.items()))


def _open(family: str) -> bool:
    return any(not table.COMMANDS[f"{family} {member}"].hidden for member in table.members(family))


def _second_words(found: Iterable[Entry]) -> dict[str, dict[str, str]]:
    """Family -> its members -> their help."""
    words: dict[str, dict[str, str]] = {}
    for entry in found:
        for label in _labels(entry):
            family, _, member = label.partition(" ")
            if member:
                words.setdefault(family, {})[member] = entry.command.help
    return words


def _quote(text: str) -> str:
    """A word in single quotes for bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def _valued(found: list[Entry]) -> list[str]:
    """``case`` lines for bash and zsh: command and option -> what to offer for the option's value."""
    lines = []
    for entry in found:
        for argument in entry.switches:
            if argument.kind and not argument.common:
                patterns = "|".join(
                    _quote(f"{label} {name}") for label in _labels(entry) for name in argument.names
                )
                lines.append(f"        {patterns}) kind={_quote(_offer(argument))} ;;")
    for argument in describe.common():
        if argument.kind:
            patterns = "|".join(f"*' {name}'" for name in argument.names)
            lines.append(f"        {patterns}) kind={_quote(_offer(argument))} ;;")
    return lines


def _patterns(entry: Entry) -> str:
    return "|".join(_quote(label) for label in _labels(entry))


def _positional_lines(found: list[Entry]) -> list[str]:
    """``case`` lines for bash and zsh: command -> what to offer for its arguments."""
    lines = []
    for entry in found:
        kinds = [_offer(argument) for argument in entry.positionals]
        lines.append(f"        {_patterns(entry)}) kind={_quote(kinds[0] if kinds else 'none')} ;;")
    return lines


def _fill(template: str, shell: str, found: list[Entry], offered: list[str]) -> str:
    families = " ".join(family for family in table.families() if _open(family))
    text = template.replace("@FAMILIES@", families).replace("@VALUES@", "\n".join(_valued(found)))
    text = text.replace("@OFFERED@", "\n".join(offered))
    return _HEAD.format(name=shell) + text.replace("@ARGUMENTS@", "\n".join(_positional_lines(found)))


_BASH = """\
_ff_offer() {
    case $1 in
        file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
        dir) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
        remote) COMPREPLY=($(compgen -W "$(ff remote list 2>/dev/null | cut -d ' ' -f 1)" -- "$cur")) ;;
        '='*) COMPREPLY=($(IFS=' '; compgen -W "${1#=}" -- "$cur")) ;;
    esac
}
_ff() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local name="" word skip="" kind="" offered="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $skip ]]; then skip=""; continue; fi
        case $word in
            --cd|--color) skip=1 ;;
            -*|help) ;;
            *) name="${name:+$name }$word"; [[ " @FAMILIES@ " == *" $name "* ]] || break ;;
        esac
    done
    case "$name $prev" in
@VALUES@
    esac
    case $name in
@OFFERED@
    esac
    if [[ -z $kind ]]; then
        if [[ $cur == -* || -z $name || " @FAMILIES@ " == *" $name "* ]]; then
            COMPREPLY=($(compgen -W "$offered" -- "$cur"))
            return
        fi
        case $name in
@ARGUMENTS@
        esac
    fi
    local IFS=$'\\n'
    _ff_offer "$kind"
}
complete -F _ff ff
"""

_ZSH = """\
_ff_offer() {
    case $1 in
        file) _files ;;
        dir) _files -/ ;;
        remote) compadd -- ${(f)"$(ff remote list 2>/dev/null | cut -d ' ' -f 1)"} ;;
        '='*) compadd -- ${(s: :)1#=} ;;
    esac
}
_ff() {
    local cur=${words[CURRENT]} prev=${words[CURRENT-1]} name="" word skip="" kind="" i
    local -a offered
    for ((i = 2; i < CURRENT; i++)); do
        word=${words[i]}
        if [[ -n $skip ]]; then skip=""; continue; fi
        case $word in
            --cd|--color) skip=1 ;;
            -*|help) ;;
            *) name="${name:+$name }$word"; [[ " @FAMILIES@ " == *" $name "* ]] || break ;;
        esac
    done
    case "$name $prev" in
@VALUES@
    esac
    case $name in
@OFFERED@
    esac
    if [[ -z $kind ]]; then
        if [[ $cur == -* || -z $name || " @FAMILIES@ " == *" $name "* ]]; then
            _describe -o 'ff' offered
            return
        fi
        case $name in
@ARGUMENTS@
        esac
    fi
    _ff_offer "$kind"
}
if [[ $funcstack[1] == _ff ]]; then _ff "$@"; else compdef _ff ff; fi
"""

_FISH = """\
function __ff_name
    set -l name
    set -l skip 0
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case --cd --color
                set skip 1
            case '-*' help
            case '*'
                set -a name $word
                contains -- "$name" @FAMILIES@; or break
        end
    end
    echo "$name"
end
function __ff_at
    contains -- (__ff_name) $argv
end
function __ff_remotes
    ff remote list 2>/dev/null | cut -d ' ' -f 1
end
complete -c ff -f
"""


def _bash(found: list[Entry]) -> str:
    def case(labels: str, words: Iterable[str]) -> str:
        return f"        {labels}) offered={_quote(' '.join(words))} ;;"

    offered = [case("''", [*_first_words(found), *_long(describe.common()), "--version"])]
    offered += [case(_quote(family), members) for family, members in _second_words(found).items()]
    offered += [case(_patterns(entry), _long(entry.switches)) for entry in found]
    return _fill(_BASH, "bash", found, offered)


def _long(arguments: Iterable[Argument]) -> list[str]:
    return [name for argument in arguments for name in argument.names if name.startswith("--")]


def _zsh(found: list[Entry]) -> str:
    def case(labels: str, words: dict[str, str]) -> str:
        pairs = " ".join(_quote(f"{word}:{text.replace(':', chr(92) + ':')}") for word, text in words.items())
        return f"        {labels}) offered=({pairs}) ;;"

    def helps(arguments: Iterable[Argument]) -> dict[str, str]:
        return {name: argument.help for argument in arguments for name in argument.names}

    offered = [
        case("''", _first_words(found) | helps(describe.common()) | {"--version": "print the version"})
    ]
    offered += [case(_quote(family), members) for family, members in _second_words(found).items()]
    offered += [case(_patterns(entry), helps(entry.switches)) for entry in found]
    return "#compdef ff\n" + _fill(_ZSH, "zsh", found, offered)


def _fish(found: list[Entry]) -> str:
    def line(at: str, *words: str) -> str:
        return " ".join(("complete -c ff -n", _fish_quote(at), *words))

    lines = [
        line("test -z (__ff_name)", "-a", word, "-d", _fish_quote(text))
        for word, text in _first_words(found).items()
    ]
    for family, members in _second_words(found).items():
        lines += [
            line(f"__ff_at {family}", "-a", word, "-d", _fish_quote(text)) for word, text in members.items()
        ]
    for entry in found:
        at = "__ff_at " + " ".join(_fish_quote(label) for label in _labels(entry))
        lines += [
            line(at, _fish_option(argument), "-d", _fish_quote(argument.help)) for argument in entry.switches
        ]
        lines += [
            line(at, _fish_value(argument)) for argument in entry.positionals[:1] if argument.kind != "none"
        ]
    lines += [
        f"complete -c ff {_fish_option(argument)} -d {_fish_quote(argument.help)}"
        for argument in describe.common()
    ]
    families = " ".join(family for family in table.families() if _open(family)) or "''"
    body = _FISH.replace("@FAMILIES@", families)
    return _HEAD.format(name="fish") + body + "\n".join(lines) + "\n"


def _fish_option(argument: Argument) -> str:
    words = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in argument.names]
    if argument.kind:
        words.append("-r" if _offer(argument) == "file" else "-x")
        words.append(_fish_value(argument))
    return " ".join(word for word in words if word)


def _fish_value(argument: Argument) -> str:
    if argument.choices:
        return "-a " + _fish_quote(" ".join(argument.choices))
    return {"file": "-F", "dir": "-a '(__fish_complete_directories)'", "remote": "-a '(__ff_remotes)'"}.get(
        argument.kind, ""
    )


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
