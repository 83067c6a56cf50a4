"""Own verbs, and the help. No logic."""

from __future__ import annotations

from codeartifact_pipenv.settings import SETTINGS

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

_WIDTH = 79
_EXAMPLES = {
    "install acme-billing": "any pipenv command",
    "--ca-profile work lock": "with another AWS profile",
    "doctor": "find out what is wrong",
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


def _shortened(text: str, width: int) -> str:
    """Return a text without what it adds after a mark, where it is too long for its line."""
    for mark in ("; ", ": ", ", "):
        text = text if len(text) <= width else text.partition(mark)[0]
    return text
