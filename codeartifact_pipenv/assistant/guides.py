"""The guides, as the wheel and a checkout have them, and what they say of each code."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import NamedTuple

import codeartifact_pipenv
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.lint.fixes import FIXABLE

_ROW = re.compile(r"^\| ((?:`[a-z-]+`(?:, )?)+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_SECTION = re.compile(r"^### `([a-z-]+)` \(\w+\)\n\n(.+?)(?=\n#|\Z)", re.MULTILINE | re.DOTALL)


class Advice(NamedTuple):
    """What the guides say of one code.

    Attributes:
        explanation: what it means.
        next_step: what to do.
        guide: the guide that says so.
    """

    explanation: str
    next_step: str
    guide: str


def _folder() -> str:
    package = os.path.dirname(os.path.abspath(codeartifact_pipenv.__file__))
    inside = os.path.join(package, "guides")  # so a wheel has them
    return inside if os.path.isdir(inside) else os.path.join(package, "..", "examples", "guides")


@cache
def read_guides() -> dict[str, str]:
    """Return the text of each guide, by its topic."""
    folder = _folder()
    found = {}
    for name in sorted(os.listdir(folder)):
        topic, extension = os.path.splitext(name)
        if extension == ".md":
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found[topic] = file.read()
    return found


@cache
def _of_lint() -> dict[str, str]:
    return {code: " ".join(text.split()) for code, text in _SECTION.findall(read_guides()["lint"])}


@cache
def advice() -> dict[str, Advice]:
    """Return what the guides say of every code, of doctor's and of lint's."""
    found = {code: Advice(text, _next_step(code), "lint") for code, text in _of_lint().items()}
    for codes, meaning, remedy in _ROW.findall(read_guides()["causes"]):
        for code in re.findall(r"[a-z-]+", codes):
            guide_of_code = "lint" if code in found else "causes"
            found[code] = Advice(_sentence(meaning), _sentence(remedy), guide_of_code)
    return found


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _next_step(code: str) -> str:
    if code in FIXABLE:
        return "`pipenv-ca fix --diff` shows the repair, where it is clear what is meant."
    return "`pipenv-ca lint` shows the line."


def guide(topic: str) -> tuple[str, str]:
    """Return the title and the text of a guide, or of what the guides say of a code.

    Raises:
        UsageError: there is neither.
    """
    guides = read_guides()
    wanted = topic.strip().strip("`[]").lower().removesuffix(".md")
    if wanted in guides:
        first, _, rest = guides[wanted].partition("\n")
        return first.removeprefix("# "), rest.strip()
    if wanted in advice():
        said = advice()[wanted]
        both = dict.fromkeys([said.explanation, said.next_step, _of_lint().get(wanted, "")])
        return wanted, "\n\n".join(filter(None, both))
    raise UsageError(
        f"There is no guide {topic.strip()[:60]!r}.",
        f"Topics are {', '.join(guides)}, and every code that doctor and lint print.",
    )
