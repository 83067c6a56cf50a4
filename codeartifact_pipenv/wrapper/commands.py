"""Tell commands of pipenv apart: those without network, those that run a program, and installers.

Every command loads this module; it imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The commands that resolve or install, in every pipenv from 2023.12 to 2026.10. Any other command
# (also one that a later pipenv may add) gets no token and needs no credentials.
INDEX_COMMANDS = frozenset({"install", "lock", "sync", "uninstall", "update", "upgrade"})
RUN_COMMANDS = frozenset({"run", "shell"})
# New in pipenv 2026: runs pip-audit, whose pip takes an index from settings alone.
_AUDIT = "audit"

# Commands of pip that ask no index.
_OFFLINE_PIP = frozenset(
    {
        *("cache", "check", "completion", "config", "debug", "freeze", "hash", "help"),
        *("inspect", "show", "uninstall"),
    }
)
# Options of the index commands that take the next word as their value.
VALUE_OPTIONS = frozenset(
    {
        *("--backend", "--categories", "--config-settings", "--editable", "--extra-pip-args"),
        *("--extras", "--index", "--pypi-mirror", "--python", "--requirements", "--resolver"),
        *("-e", "-i", "-r"),
    }
)
# Options of `pipenv run` that take a value (up to 2025) and those of the interpreter.
_RUN_VALUE_OPTIONS = ("--python", "--pypi-mirror")
_PYTHON_VALUE_OPTION, _PYTHON_VALUE_LETTERS = "--check-hash-based-pycs", "WXc"
# pip's options that may stand before its command with a value as the next word.
_PIP_VALUE_OPTIONS = (
    *("--cache-dir", "--cert", "--client-cert", "--default-timeout", "--exists-action"),
    *("--keyring-provider", "--local-log", "--log", "--log-file", "--progress-bar", "--proxy"),
    *("--python", "--resume-retries", "--retries", "--timeout", "--trusted-host"),
    *("--use-deprecated", "--use-feature"),
)
# Programs that start what follows them, as it is.
_PREFIXES = frozenset({"env", "nice", "nohup", "time"})
# A pip in the text of a shell, or in the words of another program; quotes may stand between.
_PIP_WITHIN = (
    r"(?<![\w.-])(?:python[\d.]*\s+-m\s+)?pip[\d.]*(?:\.exe)?(?:[\s'\",\[(]+-[-\w=.]+)*[\s'\",\[(]+"
    r"(?:install|download|wheel|index)(?![\w.-])[^;&|<>`$\n]*"
)
_NAMES_INDEX = r"://|--(?:index-url|no-index)|(?<!\S)-i(?!\w)"


# By what a command gets its packages: a resolution, the lock, or a pip that it starts.
RESOLVES, LOCKED, PIP = "resolves", "locked", "pip"
_RESOLVING = INDEX_COMMANDS - {"sync"}
_FROM_LOCK = ("--deploy", "--ignore-pipfile")


def resolves(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether a command resolves packages again, instead of taking what the lock says."""
    return command in _RESOLVING and not any(word in _FROM_LOCK for word in arguments)


def is_run(command: str | None) -> bool:
    """Whether a command runs another program, and leaves Pipfile and lock alone."""
    return command in RUN_COMMANDS or command == _AUDIT


def needs_index(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether a command resolves or installs packages itself, and so needs a token."""
    if command == "pylock":  # it looks the locked files up to write where they are
        wanted = any(abbreviates(word, "--generate", "--g") for word in arguments)
    else:
        wanted = command in INDEX_COMMANDS
    return wanted and not _asks_help(arguments)


def asks_own_help(words: Sequence[str]) -> bool:
    """Whether words without a command ask pipenv for its help; without words it prints that, too."""
    return not words or _asks_help(words)


def named_packages(command: str | None, arguments: Sequence[str]) -> set[str]:
    """Return the packages that the words of an index command name, without versions.

    Names are as they are written; paths and URLs are left out.
    """
    return {_name_of(word) for word in requirements(command, arguments)}


def requirements(command: str | None, arguments: Sequence[str]) -> list[str]:
    """Return the requirements that the words of an index command name, as they are written.

    Paths and URLs are left out.
    """
    return [
        word for word in _positional(command, arguments) if not any(mark in word for mark in "/\\")
    ]


def without_mirror(command: str | None, arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the words of an index command without ``--pypi-mirror``, and the URL of that.

    The URL is None if it is not given, or is not a URL, which pipenv reports itself.
    """
    words = list(arguments)
    for at, word in enumerate(words if needs_index(command, arguments) else ()):
        name, equals, value = word.partition("=")
        if abbreviates(name, "--pypi-mirror", "--pyp"):
            end = at + (1 if equals else 2)
            url = value if equals else "".join(words[at + 1 : end])
            return ([*words[:at], *words[end:]], url) if "://" in url else (words, None)
    return words, None


def pylock_output(command: str | None, arguments: Sequence[str]) -> str | None:
    """Return the file that ``pipenv pylock`` is told to write; None for its default, or none."""
    if command == "pylock":
        for at, word in enumerate(arguments):
            name, equals, value = word.partition("=")
            is_long = abbreviates(name, "--output", "--o")
            if is_long and equals:
                return value
            if (is_long or word == "-o") and at + 1 < len(arguments):
                return arguments[at + 1]
            if word.startswith("-o"):
                return word[len("-o") :]
    return None


# Commands that never create a Pipfile. Any other command may.
_MAKE_NO_PIPFILE = frozenset({"graph", "pylock", "requirements", "scripts", "sync", "verify"})
_PROJECTS = ("--python", "--site-packages", "--two", "--three")


def makes_no_pipfile(command: str | None, words: Sequence[str]) -> bool:
    """Whether a command never creates a missing Pipfile.

    Args:
        command: pipenv's command.
        words: all of its words.
    """
    if command is None:
        return not any(
            abbreviates(word.partition("=")[0], o, o[:4]) for word in words for o in _PROJECTS
        )
    return command in _MAKE_NO_PIPFILE or _asks_help(words)


def writes_nothing(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether an index command leaves Pipfile and lock alone: it installs what is locked."""
    if command == "install" and "--deploy" in arguments:
        return not changes_pipfile(command, arguments)
    return command == "sync"


def changes_pipfile(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether a command may properly change the Pipfile's packages."""
    if command == "uninstall":
        return True
    imports = ("-r", "--requirements", "-e", "--editable")
    return bool(_positional(command, arguments)) or any(
        word in imports or word.startswith(("--requirements=", "--editable=", "-r", "-e"))
        for word in arguments
        if command in {"install", "update", "upgrade"}
    )


def _positional(command: str | None, arguments: Sequence[str]) -> list[str]:
    if command not in {"install", "uninstall", "update", "upgrade"}:
        return []
    found, words = [], iter(arguments)
    for word in words:
        if word in VALUE_OPTIONS:
            next(words, None)
        elif not word.startswith("-"):
            found.append(word)
    return found


def _name_of(requirement: str) -> str:
    end = next((at for at, sign in enumerate(requirement) if sign in "[<>=!~;@ ("), None)
    return requirement[:end]


class PipCall:
    """A command line by which ``pipenv run`` comes to a pip that asks an index.

    Args:
        before: its words up to pip's own, assignments and all.
        words: pip's own.
        script: the script of the Pipfile that it is a line of; None if it is typed.
        is_only: whether it is all that is run.
    """

    def __init__(
        self, before: list[str], words: list[str], script: str | None, *, is_only: bool
    ) -> None:
        self.before = before
        self.words = words
        self.script = script
        self.is_only = is_only

    @property
    def assigned(self) -> dict[str, str]:
        """The variables that it sets for pip."""
        from codeartifact_pipenv.settings import variable_name

        pairs = map(_assignment, self.before)
        return {variable_name(name): value for name, value in pairs if name}


def pip_calls(
    command: str | None, arguments: Sequence[str], scripts: Mapping[str, object]
) -> list[PipCall]:
    """Return the command lines of a command of pipenv's that are a pip which asks an index.

    Args:
        command: pipenv's command.
        arguments: the words after it.
        scripts: the Pipfile's ``[scripts]``, by name.
    """
    if command == _AUDIT:
        return [PipCall([], ["install"], None, is_only=True)] if _resolves(arguments) else []
    if command != "run":
        return []
    script, lines = _resolve_script(_after_options(arguments), scripts)
    found = []
    for line in lines:
        at = _pip_at(line)
        if at is not None and _pip_asks_index(line[at:]):
            found.append(PipCall(line[:at], line[at:], script, is_only=len(lines) == 1))
    return found


def pip_within(
    command: str | None, arguments: Sequence[str], scripts: Mapping[str, object]
) -> str | None:
    """Return the words of a pip that another program is told to start, such as a shell.

    None if there are no such words, or they name their own index. Arguments
    are as for ``pip_calls``.
    """
    _, lines = _resolve_script(_after_options(arguments), scripts)
    text = "\n".join(" ".join(line) for line in lines)
    if command != "run" or "pip" not in text:
        return None
    import re

    for found in re.finditer(_PIP_WITHIN, text):
        words = found[0].strip()
        is_uvs = text[: found.start()].split()[-1:] == ["uv"]
        if not (is_uvs or "INDEX_URL" in text or re.search(_NAMES_INDEX, words)):
            return words
    return None


def _resolves(arguments: Sequence[str]) -> bool:
    """Whether pip-audit asks an index: for what the lock says, or for what repairs."""
    wanted = any(
        abbreviates(word, "--locked", "--lock") or abbreviates(word, "--fix", "--f")
        for word in arguments
    )
    return wanted and not _asks_help(arguments)


def words_before_program(arguments: Sequence[str]) -> list[str]:
    """Return pipenv's own options after ``run``."""
    return list(arguments[: len(arguments) - len(_after_options(arguments))])


# Options of `pip install` that stand alone.
_PIP_FLAGS = frozenset(
    {
        *("--force-reinstall", "--ignore-installed", "--no-build-isolation", "--no-cache-dir"),
        *("--no-deps", "--pre", "--quiet", "--require-hashes", "--upgrade", "--user"),
        *("--verbose", "-I", "-U", "-q", "-v"),
    }
)


def pip_requirements(arguments: Sequence[str]) -> list[str]:
    """Return the requirements that a ``pip install`` after ``pipenv run`` names, as written.

    Words after an option that may take a value are left out, as are paths and URLs.
    """
    words = list(arguments)
    if "install" not in words:
        return []
    found = []
    before = ""
    for word in words[words.index("install") + 1 :]:
        takes = before.startswith("-") and "=" not in before and before not in _PIP_FLAGS
        if not (takes or word.startswith("-") or any(mark in word for mark in "/\\")):
            found.append(word)
        before = word
    return found


def abbreviates(word: str, option: str, shortest: str) -> bool:
    """Whether a word is an option, or the beginning of it that is not shorter than another."""
    return word.startswith(shortest) and option.startswith(word)


def _asks_help(arguments: Sequence[str]) -> bool:
    return any(word in {"-h", "--help"} for word in arguments)


def _after_options(arguments: Sequence[str]) -> list[str]:
    words = list(arguments)
    while words and words[0].startswith("-"):
        del words[: 2 if words[0] in _RUN_VALUE_OPTIONS else 1]
    return words


def _resolve_script(
    words: list[str], scripts: Mapping[str, object]
) -> tuple[str | None, list[list[str]]]:
    # A script is a command line, a list of them, or {call = "module:function()"}.
    script = scripts.get(words[0]) if words else None
    lines = [script] if isinstance(script, str) else script
    if not isinstance(lines, list):
        return None, [words]
    import shlex

    resolved = []
    for line in lines:
        try:
            resolved.append(shlex.split(str(line)) + words[1:])
        except ValueError:
            resolved.append([])  # pipenv says what is wrong with it
    return words[0], resolved


def _assignments(words: Sequence[str]) -> int:
    # pipenv since 2026 takes `run NAME=value command`.
    return next((at for at, word in enumerate(words) if not _assignment(word)[0]), len(words))


def _assignment(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    return (name, value) if equals and name.isidentifier() else ("", "")


def _pip_at(words: Sequence[str]) -> int | None:
    """Return where pip's own words begin; None for another program."""
    at = _assignments(words)
    while at < len(words) and _program(words[at]) in _PREFIXES:
        at += _taken_by_prefix(words[at:])
    if at >= len(words):
        return None
    program = _program(words[at])
    at += 1
    if _is_versioned(program, "pip"):
        return at
    if _is_versioned(program, "python") or program == "py":
        while at < len(words) and words[at].startswith("-"):
            letter, value = _python_option(words[at])
            if letter == "c":
                return None
            if letter == "m":
                taken = 1 if value else 2
                return at + taken if (value or "".join(words[at + 1 : at + 2])) == "pip" else None
            at += 2 if letter and not value else 1
    return None


def _program(word: str) -> str:
    return word.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")


def _taken_by_prefix(words: Sequence[str]) -> int:
    """Return how many words are those of a program that only starts what follows."""
    program = _program(words[0])
    if program == "env":
        return 1 + _assignments(words[1:])
    option = "".join(words[1:2]) if program == "nice" else ""
    if option in {"-n", "--adjustment"}:
        return 3
    is_number = option.removeprefix("--adjustment=").lstrip("-n").isdecimal()
    return 2 if option.startswith("-") and is_number else 1


def _python_option(word: str) -> tuple[str, str]:
    """Return the option with a value at the end of a word of Python's, and what follows it there."""
    if word.startswith("--"):
        return (word, "") if word == _PYTHON_VALUE_OPTION else ("", "")
    for at, letter in enumerate(word):
        if letter == "m" or letter in _PYTHON_VALUE_LETTERS:
            return letter, word[at + 1 :]
    return "", ""


def _pip_asks_index(words: Sequence[str]) -> bool:
    if _asks_help(words) or "--version" in words or "-V" in words:
        return False
    command = pip_command(words)
    if command == "list":
        return any(word in {"-o", "--outdated", "-u", "--uptodate"} for word in words)
    return bool(command) and command not in _OFFLINE_PIP


def pip_command(words: Sequence[str]) -> str:
    """Return the command among a pip's words; empty without one."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return word
        if "=" not in word and any(o.startswith(word) for o in _PIP_VALUE_OPTIONS):
            next(rest, None)
    return ""


def _is_versioned(program: str, name: str) -> bool:
    return program.startswith(name) and not program[len(name) :].strip("0123456789.")
