"""Own verbs, and the help. No logic."""

from __future__ import annotations

from codeartifact_pipenv.settings import SETTINGS

OWN_VERBS = {
    "config": "print the settings in force, and where each comes from",
    "doctor": "look at programs, AWS, sources and packages, and say what is wrong",
    "env": "print the variables by which other tools use CodeArtifact",
    "explain": "explain a code: what it means and what to do",
    "fix": "repair what lint finds in Pipfiles, and keep everything else",
    "lint": "review Pipfiles and locks, without AWS and without pipenv",
    "login": "log pip, twine or netrc in for as long as a token lives",
    "logout": "take logins out, and forget their cached tokens",
    "mcp": "let an assistant diagnose projects and read the guides",
    "packages": "list what the repositories hold, and what was published there",
    "provision": "make domain, repositories, policies and reserved names, by a plan",
    "sandbox": "run a command, or a demonstration, on a local CodeArtifact",
    "token": "print an authorization token",
}

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
        "Runs pipenv with access to AWS CodeArtifact. All words are pipenv's except:",
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


def _shortened(text: str, width: int) -> str:
    """Return a text without what it adds after a mark, where it is too long for its line."""
    for mark in ("; ", ": ", ", "):
        text = text if len(text) <= width else text.partition(mark)[0]
    return text
