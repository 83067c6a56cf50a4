"""Placeholders for a secret in a URL that are neither a variable nor a secret. Pure."""

from __future__ import annotations

import re

# The password is everything between the first colon and the last @.
_LOGIN = re.compile(r"://(?P<user>[^:/?#@]*):(?P<password>.*)@(?P<rest>[^@]*)$", re.DOTALL)
_COMMAND = r"\$\(.*\)|`.*`|\$\(.*"  # of a shell
_REFERENCE = r"(?:op|vault|secrets?|ssm)://.*|ENC\[.*\]|arn:aws[\w-]*:(?:secretsmanager|ssm):.*"
_MARKED = r"<.*>|\[.*\]|\$?\{\{.*\}\}|<%.*%>|__\w+__|!\w+ .*"
_BLANK = r"[*.\-_?#x•…]+|X+|\s+"
_KINDS = (
    r"(?:auth(?:orization)?[-_ ]?)?(?:token|tkn|password|passwd|pass|pw|secret|credentials?|key)"
)
_BEFORE = (
    r"the|your|my|our|insert|put|paste|type|set|use|add|enter|replace|generated?|some|an?|new|real"
    r"|aws|ca|codeartifact|codeartifact_auth"
)
_WORDS = (
    rf"(?:(?:{_BEFORE})[-_ ]?)*{_KINDS}(?:[-_ ]?(?:here|goes[-_ ]?here|value|placeholder|xxx+))?"
    r"|change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|this)|todo|fixme|tbd|placeholder|redacted|removed"
    r"|hidden|dummy|fake|example|none|null|undefined|empty|foo|bar|foobar|secret"
)
# The name of a variable without the complete syntax of one.
_NAME = r"[^\w]*(?:env|secrets|vars|os\.environ|process\.env)?[^\w]*(?P<name>[A-Z][A-Z0-9_]*)[^\w]*"
_TELLING = re.compile(r"TOKEN|PASSWORD|PASSWD|SECRET|CODEARTIFACT")
_FILLED = re.compile(r"YOUR|_HERE|INSERT|REPLACE|^(?:THE_|MY_)?(?:TOKEN|PASSWORD|SECRET)$")


_MOST_SHOWN = 40


class Placeholder:
    """A placeholder in a URL.

    Attributes:
        start: its offset in the URL.
        end: the offset of its end.
        shown: its text, shortened for messages.
        name: the variable that it seems to mean, if any.
    """

    def __init__(self, start: int, end: int, text: str) -> None:
        self.start = start
        self.end = end
        short = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
        self.shown = short.strip() or "an empty password"
        match = re.fullmatch(_NAME, text)
        named = match["name"] if match else ""
        is_name = bool(_TELLING.search(named)) and not _FILLED.search(named)
        self.name = named if is_name else None


def placeholder_in(url: str) -> Placeholder | None:
    """Return the placeholder in a URL, or None if its password may be real."""
    match = _LOGIN.search(url)
    if match is None:
        return None
    text = match["password"]
    if is_placeholder(text):
        return Placeholder(match.start("password"), match.end("password"), text)
    return None


def is_placeholder(password: str) -> bool:
    """Whether a text is a placeholder for a password."""
    if re.fullmatch(rf"{_COMMAND}|{_REFERENCE}|{_MARKED}|{_BLANK}", password, re.DOTALL):
        return True
    if re.fullmatch(rf"\W*(?:{_WORDS})\W*|", password, re.IGNORECASE):
        return not re.fullmatch(r"(?:\$\w+|\$\{\w+\})", password)
    match = re.fullmatch(_NAME, password)
    named = match["name"] if match else ""
    whole = password in {f"${named}", f"${{{named}}}"}
    return bool(_TELLING.search(named)) and not whole
