"""Completes an unfinished command line."""

from __future__ import annotations

import contextlib
import os
import re
import sys

from codeartifact_pipenv.cli import OWN_VERBS
from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError
from codeartifact_pipenv.files.io import read_text, write_user_file
from codeartifact_pipenv.processes.capture import output_of
from codeartifact_pipenv.settings import SETTINGS, Settings, default_cache_dir, takes_next_word
from codeartifact_pipenv.shell_completion.helps import read_help
from codeartifact_pipenv.shell_completion.scripts import SCRIPTS, script
from codeartifact_pipenv.wrapper.pipenv_cli import RUN_COMMANDS, find_pipenv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codeartifact_pipenv.shell_completion.helps import Help

VARIABLE = "_PIPENV_CA_COMPLETE"
_SECONDS = 10.0
_VALUES = {"--ca-route": ("loopback", "as-written"), "--ca-duration": ("0", "900", "3600", "43200")}
_WORD = re.compile(r"[a-z][a-z-]*")


def main(asked: str, own_help: Callable[[Sequence[str]], str]) -> int:
    """Print the script of a shell, or the words that fit the line of one.

    Args:
        asked: such as ``bash_source`` or ``bash_complete``, from the environment.
        own_help: returns the help of an own verb, given its words.

    Raises:
        UsageError: it is neither.
    """
    shell, _, what = asked.partition("_")
    if shell not in SCRIPTS or what not in {"source", "complete"}:
        known = ", ".join(f"{name}_source" for name in SCRIPTS)
        raise UsageError(f"{VARIABLE} is {asked!r}, which is for no shell.", f"Known: {known}.")
    if what == "source":
        sys.stdout.write(script(shell, os.path.basename(sys.argv[0]).removesuffix(".exe")))
        return 0
    said = os.environ.get("COMP_WORDS", "")
    said = said.removesuffix("\n") if shell == "fish" else said
    words = _split(said) if shell == "bash" else said.split("\n")
    fitting = _Line(words[1:-1], words[-1], own_help).fitting()
    if shell == "bash":
        # bash replaces only the text after the last = or :.
        marked = re.match(r".*[=:]", words[-1])
        fitting = {word.removeprefix(marked[0] if marked else ""): t for word, t in fitting.items()}
    for word, text in fitting.items():
        sys.stdout.write(f"{word}\t{text}\n")
    return 0


def _split(line: str) -> list[str]:
    """Split the text before the cursor like a shell; a quote may be open."""
    import shlex

    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        words += lexer
    except ValueError:
        words.append(lexer.token)
    return words if words and not line[-1:].isspace() else [*words, ""]


class _Line:
    """An unfinished line: the words before the cursor, and the word at it."""

    def __init__(
        self, before: list[str], unfinished: str, own_help: Callable[[Sequence[str]], str]
    ) -> None:
        self._before = before
        self._unfinished = unfinished
        self._own_help = own_help

    def fitting(self) -> dict[str, str]:
        """Return the words that fit, each with what it is for."""
        return {
            word: text
            for word, text in self._possible().items()
            if word.startswith(self._unfinished)
        }

    def _possible(self) -> dict[str, str]:
        at = 0
        while at < len(self._before) and self._before[at].startswith("-"):
            taken = 2 if _takes_value(self._before[at]) else 1
            if at + taken > len(self._before):
                return dict.fromkeys(_VALUES.get(self._before[at], ()), "")
            at += taken
        if at == len(self._before):
            return self._first()
        return self._of_command(self._before[at], self._before[at + 1 :])

    def _first(self) -> dict[str, str]:
        option, equals, _ = self._unfinished.partition("=")
        if equals:
            return {f"{option}={value}": "" for value in _VALUES.get(option, ())}
        pipenvs = _help_of_pipenv()
        if not self._unfinished.startswith("-"):
            return {**pipenvs.commands, **OWN_VERBS}
        own = {s.option + ("" if s.is_flag else "="): s.help for s in SETTINGS.values()}
        own |= {
            "--ca-help": "print this program's own help",
            "--ca-version": "print its version",
        }
        return {**own, **pipenvs.options}

    def _of_command(self, command: str, rest: list[str]) -> dict[str, str]:
        if command not in OWN_VERBS:
            # Options of the program that `run` starts are not known.
            known = None if command in RUN_COMMANDS and rest else _help_of_pipenv(command)
            return {} if known is None else self._of_help(known, rest)
        if command == "explain" and not self._unfinished.startswith("-"):
            from codeartifact_pipenv.causes import CAUSES

            return {code: cause.sentence for code, cause in CAUSES.items() if code not in rest}
        known = read_help(self._own_help([command]))
        if rest and rest[0] in known.commands:
            known = read_help(self._own_help([command, rest[0]]))
            rest = rest[1:]
        return self._of_help(known, rest)

    def _of_help(self, known: Help, rest: list[str]) -> dict[str, str]:
        if "--" in rest:
            return {}
        if rest and rest[-1] in known.values:
            return dict.fromkeys(known.values[rest[-1]] or (), "")
        if self._unfinished.startswith("-"):
            return known.options
        if any(word in known.choices for word in rest):
            return {}
        return (known.commands if not rest else {}) | dict.fromkeys(known.choices, "")


def _takes_value(word: str) -> bool:
    if word.startswith("--ca-"):
        setting = SETTINGS.get(word.removeprefix("--ca-"))
        return setting is not None and not setting.is_flag
    return takes_next_word(word)


def _help_of_pipenv(command: str = "") -> Help:
    """Return the help of the installed pipenv, cached by version because it is slow."""
    nothing = read_help("")
    try:
        pipenv = find_pipenv(Settings({}, os.environ))
    except CodeArtifactPipenvError:
        return nothing
    if command and not _WORD.fullmatch(command):
        return nothing
    kept = _kept(f"{pipenv.version()}-{command or 'pipenv'}") if pipenv.version() else ""
    try:
        return read_help(read_text(kept))
    except (OSError, ValueError):
        pass
    environ = {name: value for name, value in os.environ.items() if name != VARIABLE}
    said = output_of(
        [*pipenv.command, *([command] if command else []), "--help"],
        seconds=_SECONDS,
        environ=environ | {"NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"},
    )
    if said is None:
        return nothing
    _keep(kept, said)
    return read_help(said)


def _kept(name: str) -> str:
    folder = default_cache_dir(os.environ)
    return os.path.join(folder, "completion", f"{name}.txt") if folder else ""


def _keep(path: str, text: str) -> None:
    if path:
        with contextlib.suppress(CodeArtifactPipenvError):  # it is asked again
            write_user_file(path, text.encode(), 0o600)
