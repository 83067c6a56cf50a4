"""The command line: own options and own verbs, and what is pipenv's. No logic.

Everything is pipenv's, byte for byte, except the verbs below and options that begin with
``--ca-``, before the command or after it.
"""

from __future__ import annotations

from codeartifact_pipenv.settings import SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OWN_VERBS = {
    "config": "print the settings in use, and where each comes from",
    "doctor": "check programs, AWS, sources and packages",
    "env": "print the variables that give other tools access",
    "explain": "explain a code: what it means and what to do",
    "fix": "repair what lint finds in Pipfiles",
    "lint": "check Pipfiles and locks, without AWS or pipenv",
    "login": "log in pip, twine or netrc until the token expires",
    "logout": "remove logins and their cached tokens",
    "mcp": "let an assistant diagnose projects and read the guides",
    "packages": "list the packages that the repositories have",
    "provision": "create domains, repositories and policies; reserve names",
    "sandbox": "run a command, or a demonstration, on a local CodeArtifact",
    "token": "print an authorization token",
}

# Arguments after these commands may belong to another program.
_STARTING_PROGRAMS = ("run", "shell", "sandbox")

# pipenv's options before the command that take the next word as their value, in every
# version from 2023 on. (Others, such as --verbose, stand alone.)
_PIPENV_VALUE_OPTIONS = ("--python", "--pypi-mirror")


class CommandLine:
    """An argv taken apart.

    Attributes:
        options: own options, by the setting's name.
        rest: what pipenv gets, own options taken out; everything else untouched.
        command_at: where in ``rest`` the command is; None without a command.
    """

    def __init__(
        self, options: dict[str, str | bool], rest: list[str], command_at: int | None
    ) -> None:
        self.options = options
        self.rest = rest
        self.command_at = command_at

    @property
    def command(self) -> str | None:
        """The command: pipenv's, or an own verb; or None if only options are given."""
        return None if self.command_at is None else self.rest[self.command_at]

    @property
    def arguments(self) -> list[str]:
        """The words after the command."""
        return [] if self.command_at is None else self.rest[self.command_at + 1 :]


def split(argv: Sequence[str]) -> CommandLine:
    """Take own options out of the words, and find the command.

    Raises:
        UsageError: an own option lacks its value, or has one where it takes none; or an option
            before the command begins with ``--ca-`` and is unknown.
    """
    options: dict[str, str | bool] = {}
    rest: list[str] = []
    words = list(argv)
    at = 0
    while at < len(words):
        word = words[at]
        if word.startswith("--ca-"):
            at += _read_option(words, at, options)
        elif word.startswith("-") and word not in {"-", "--"}:
            taken = 2 if takes_next_word(word) else 1
            rest += words[at : at + taken]
            at += taken
        else:
            break
    remaining = words[at:]
    rest_before = len(rest) + (1 if remaining[:1] == ["--"] else 0)
    rest += _without_options_after(remaining, options)
    return CommandLine(options, rest, rest_before if rest_before < len(rest) else None)


def _without_options_after(words: list[str], options: dict[str, str | bool]) -> list[str]:
    """Take known own options out of a command's arguments, up to ``--`` or another program."""
    rest, at = words[:1], 1
    while at < len(words) and words[at] != "--" and words[0] not in {"-", "--"}:
        name = words[at].removeprefix("--ca-").partition("=")[0]
        if words[at].startswith("--ca-") and name in SETTINGS:
            at += _read_option(words, at, options)
            continue
        if words[0] in _STARTING_PROGRAMS:
            break
        rest.append(words[at])
        at += 1
    return rest + words[at:]


def _read_option(words: list[str], at: int, options: dict[str, str | bool]) -> int:
    name, equals, value = words[at].removeprefix("--ca-").partition("=")
    if words[at] in {"--ca-help", "--ca-version"}:
        options[name] = True
        return 1
    setting = SETTINGS.get(name)
    if setting is None:
        known = ", ".join(setting.option for setting in SETTINGS.values())
        raise _usage(f"Unknown option --ca-{name}.", f"The own options are: {known}.")
    if setting.is_flag:
        if equals:
            raise _usage(f"{setting.option} takes no value.", "Give the option alone.")
        options[name] = True
        return 1
    if equals:
        options[name] = value
        return 1
    if at + 1 == len(words):
        raise _usage(
            f"{setting.option} needs a value.", f"Write {setting.option} {setting.metavar}."
        )
    options[name] = words[at + 1]
    return 2


def takes_next_word(word: str) -> bool:
    """Whether an option of pipenv's before the command has its value in the next word."""
    # pipenv since 2026.5 reads its arguments with argparse, which takes abbreviations.
    # --py is a separate option.
    return len(word) > len("--py") and any(name.startswith(word) for name in _PIPENV_VALUE_OPTIONS)


def _usage(sentence: str, hint: str) -> Exception:
    from codeartifact_pipenv.errors import UsageError

    return UsageError(sentence, hint)


# The commands of pipenv 2023.12 to 2026.10.
_PIPENV_COMMANDS = frozenset(
    {
        *("activate", "audit", "check", "clean", "graph", "install", "lock", "open", "pylock"),
        *("remove", "requirements", "run", "scan", "scripts", "shell", "sync", "uninstall"),
        *("update", "upgrade", "verify"),
    }
)
_NEAR = 0.75  # as difflib measures it: "doctr" is 0.91 of "doctor"
_WIDTH = 79
_EXAMPLES = {
    "install acme-billing": "any command of pipenv's",
    "--ca-profile work lock": "with another AWS profile",
    "doctor": "why does it not work?",
}


def help_text(program: str) -> str:
    """Return what ``codeartifact-pipenv --ca-help`` prints: it fits a screen."""
    lines = [
        f"usage: {program} [--ca-OPTION...] PIPENV-ARGUMENT... | VERB ...",
        "",
        "Runs pipenv with access to AWS CodeArtifact. Everything goes to pipenv, except:",
        "",
        *_verbs_and_options(),
        "",
        "examples:",
    ]
    lines += [f"  {f'{program} {words}':<34}{text}" for words, text in _EXAMPLES.items()]
    return "\n".join(lines)


def help_below_pipenvs() -> str:
    """Return what ``pipenv-ca --help`` prints below the help of pipenv."""
    return "\n".join(["", "verbs of codeartifact-pipenv:", *_verbs_and_options()])


def _verbs_and_options() -> list[str]:
    lines = [f"  {name:<11}{text}" for name, text in OWN_VERBS.items()]
    lines += ["", "options, each also a variable PIPENV_CA_NAME and a key of the configuration:"]
    for setting in SETTINGS.values():
        head = f"  {f'{setting.option} {setting.metavar}'.rstrip():<30}"
        lines.append(f"{head}{_shortened(setting.help, _WIDTH - len(head))}")
    lines.append(f"  {'--ca-help, --ca-version':<30}print this, or the version")
    return lines


def suggest_verb(word: str) -> str | None:
    """Return the own verb closest to a misspelt word, or None if a pipenv command is closer."""
    if word in _PIPENV_COMMANDS:
        return None
    from difflib import get_close_matches

    nearest = get_close_matches(word, [*OWN_VERBS, *_PIPENV_COMMANDS], n=1, cutoff=_NEAR)
    return nearest[0] if nearest and nearest[0] in OWN_VERBS else None


def _shortened(text: str, width: int) -> str:
    """Return a text without what it adds after a mark, where it is too long for its line."""
    for mark in ("; ", ": ", ", "):
        text = text if len(text) <= width else text.partition(mark)[0]
    return text
