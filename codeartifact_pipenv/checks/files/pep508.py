"""The syntax of names, versions and markers in a Pipfile, as pipenv passes them to pip. Pure.

The grammars are those of PEP 440 and PEP 508; a test compares them with ``packaging``, whose
import is too slow here.
"""

from __future__ import annotations

import re

_PRE = r"(?:[-_.]?(?:alpha|beta|preview|pre|a|b|c|rc)[-_.]?[0-9]*)?"
_POST = r"(?:-[0-9]+|[-_.]?(?:post|rev|r)[-_.]?[0-9]*)?"
_DEV = r"(?:[-_.]?dev[-_.]?[0-9]*)?"
_LOCAL = r"(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?"
_BEGIN = r"\s*v?(?:[0-9]+!)?[0-9]+"
_END = rf"{_PRE}{_POST}{_DEV}"
_CLAUSE = (
    rf"(?:===\s*[^\s;),]+|(?:==|!=){_BEGIN}(?:\.[0-9]+)*(?:\.\*|{_END}{_LOCAL})"
    rf"|~={_BEGIN}(?:\.[0-9]+)+{_END}|(?:<=|>=|<|>){_BEGIN}(?:\.[0-9]+)*{_END})"
)
_SET = rf"{_CLAUSE}(?:\s*,\s*{_CLAUSE})*\s*"
# The operators that pipenv recognises; it puts "==" before any other text.
_OPERATORS = ("==", ">=", "<=", "~=", "!=", ">", "<")
_NAME = r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?"
_EXTRAS = rf"\[\s*(?:{_NAME}(?:\s*,\s*{_NAME})*)?\s*\]"
_NAME_WITH_EXTRAS = rf"\s*{_NAME}\s*(?:{_EXTRAS})?\s*(?:{_SET})?"

# Markers that an entry may have as separate keys.
MARKERS = (
    "os_name",
    "sys_platform",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_version",
    "python_full_version",
    "implementation_name",
    "implementation_version",
)
_VARIABLES = "|".join(
    [
        *(rf"{marker}\b" for marker in MARKERS),
        r"extras?\b|dependency_groups\b|python_implementation\b",
        r"(?:os\.name|sys\.platform|platform\.(?:version|machine|python_implementation))\b",
    ]
)
_STRING = r"'[^']*'|\"[^\"]*\""
_OPERATOR = r"===|==|~=|!=|<=|>=|<|>|in\b|not\s+in\b"
_COMPARISON = rf"(?:{_VARIABLES}|{_STRING})\s*(?:{_OPERATOR})\s*(?:{_VARIABLES}|{_STRING})"
_LONGEST = 2000
# Spellings of other tools and people, and their meaning for pip.
_ANY = r"(?i)|(?:[=<>~^]+\s*)?(?:\*|latest|newest|any|all|x|\*(?:\.\*)+|x(?:\.x)+)"
_SIGNS = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2212", "------")
_PLATFORMS = {"linux": "linux", "windows": "win32", "win32": "win32", "win": "win32"} | {
    "darwin": "darwin",
    "macos": "darwin",
    "mac": "darwin",
    "osx": "darwin",
}


def is_name(text: str) -> bool:
    """Whether pip can read a package's name, with or without extras."""
    return re.fullmatch(_NAME_WITH_EXTRAS, text, re.IGNORECASE | re.ASCII) is not None


def is_version(text: str) -> bool:
    """Whether every pipenv can read the version of an entry."""
    if text == "*":
        return True
    clauses = text if text.startswith(_OPERATORS) else f"=={text}"
    if text.startswith(("=>", "=<")):  # read as "===" and a version such as ">1.0"
        return False
    return clauses == "==*" or re.fullmatch(_SET, clauses, re.IGNORECASE | re.ASCII) is not None


def corrected_version(text: str) -> str | None:
    """Return the correct form of a version, or None if its meaning is not clear."""
    from unicodedata import normalize  # only a wrong version needs it

    text = normalize("NFKC", text).translate(_SIGNS).replace("\u2265", ">=").replace("\u2264", "<=")
    text = text.partition("#")[0].strip().strip(",;()").strip()
    if re.fullmatch(_ANY, text):
        return "*"
    text = text.replace("=>", ">=").replace("=<", "<=").replace("&&", ",")
    text = re.sub(r"([<>!~=])\s+=", r"\1=", text)
    text = re.sub(r"[,\s]*\s(?:and\s)?\s*(?=[<>!~=^])|,[,\s]+", ",", text)
    text = re.sub(r"\.[xX](?![\w.])", ".*", text)
    text = re.sub(r"(>=|>|<=|<|~=)(\s*[\d.]+?)(?:\.\*)+(?![\w.])", r"\1\2", text)
    text = re.sub(r"\^\s*([0-9]{1,9}(?:\.[0-9]{1,9})*)", _caret, text)
    text = re.sub(r"~(?!=)>?\s*([0-9]{1,9}(?:\.[0-9]{1,9})*)", _tilde, text)
    text = re.sub(r"~=\s*(\d+)(?![\d.])", r"~=\1.0", text)
    return text if text and is_version(text) else None


def _caret(match: re.Match[str]) -> str:
    numbers = match[1].split(".")
    # The first number that is not 0 must stay the same.
    at = next((n for n, number in enumerate(numbers) if int(number)), len(numbers) - 1)
    return f">={match[1]},<{'.'.join([*numbers[:at], str(int(numbers[at]) + 1)])}"


def _tilde(match: re.Match[str]) -> str:
    numbers = match[1].split(".")[:2]
    numbers[-1] = str(int(numbers[-1]) + 1)
    return f">={match[1]},<{'.'.join(numbers)}"


def is_marker(text: str) -> bool:
    """Whether pip can read a marker (PEP 508)."""
    if len(text) > _LONGEST:
        return True
    # Replace each comparison by one character, then fold conjunctions and parentheses of these.
    left = "" if "\0" in text else re.sub(_COMPARISON, " \0 ", text)
    while True:
        folded = re.sub(r"\(\s*\0\s*\)|\0\s+(?:and|or)\s+\0", " \0 ", left)
        if folded == left:
            return folded.strip() == "\0"
        left = folded


def corrected_marker(key: str, text: str) -> str | None:
    """Return the correct form of a marker under a key, or None if its meaning is not clear."""
    if key != "markers":
        match = re.fullmatch(rf"\s*({_OPERATOR}|=)?\s*['\"]?([\w.*-]+)['\"]?\s*", text)
        operator = (match[1] or "==") if match else ""
        right = f"{'==' if operator == '=' else operator} '{match[2]}'" if match else ""
        return right if match and is_marker(f"{key} {right}") else None
    text = text.strip().removeprefix(";").strip()
    if text.lower() in _PLATFORMS:
        return f"sys_platform == '{_PLATFORMS[text.lower()]}'"
    text = re.sub(r"\s*&&\s*|\s*,\s*(?=[a-z])", " and ", re.sub(r"\s*\|\|\s*", " or ", text))
    text = re.sub(
        _VARIABLES,
        lambda match: match[0].lower(),
        re.sub(r"\bis\b", "==", text),
        flags=re.IGNORECASE,
    )
    text = re.sub(r"(?<![=<>!~])=(?!=)", "==", text)
    text = re.sub(r"\bplatform(?=\s*[=!]=)", "sys_platform", text)
    text = re.sub(
        rf"({_OPERATOR})\s*(?!and\b|or\b|not\b|in\b)([\w.]+)(?![\w.'\"(])", r"\1 '\2'", text
    )
    return text if is_marker(text) else None
