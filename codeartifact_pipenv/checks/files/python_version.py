"""What a Pipfile requires of Python, where pipenv cannot read it, or reads it otherwise."""

from __future__ import annotations

import re

from codeartifact_pipenv.checks.files.pep508 import is_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.checks.files.project_file import File
    from codeartifact_pipenv.findings import Finding

_MINOR, _FULL = "python_version", "python_full_version"


def review_python(file: File) -> Iterator[Finding]:
    """Yield what is wrong with ``[requires]``; its types and unknown keys are told elsewhere."""
    requires = (file.document or {}).get("requires")
    texts = {
        key: requires[key]
        for key in (_MINOR, _FULL)
        if isinstance(requires, dict) and isinstance(requires.get(key), str)
    }
    read = _FULL if texts.get(_FULL) else _MINOR  # of both, pipenv takes the full one
    if read in texts:
        yield from _text(file, read, texts[read])
    minor, full = (texts.get(key, "").strip() for key in (_MINOR, _FULL))
    if minor and full and "*" not in (minor, full) and not f"{full}.".startswith(f"{minor}."):
        said = f"pipenv takes {_FULL} = {full!r}, and passes over {_MINOR} = {minor!r}."
        yield file.finding("requires-unclear", said, "Remove one of them.", "requires", _MINOR)


def _text(file: File, key: str, text: str) -> Iterator[Finding]:
    version = text.strip()
    if version in {"", "*"} or re.fullmatch(r"[0-9]\.[0-9]+", version):
        return
    place = ("requires", key)
    if re.fullmatch(r"[0-9]\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?", version):
        if key == _MINOR:
            minor = ".".join(version.split(".")[:2])
            said = f"{_MINOR} = {text!r} is met by that one patch release of Python alone."
            hint = f'Write {_MINOR} = "{minor}", or {_FULL} = "{version}" if no other will do.'
            yield file.finding("requires-unclear", said, hint, *place)
        return
    match = re.search(r"([23])\.?([0-9]{1,2})(?![0-9])", version)
    right = f'"{match[1]}.{match[2]}"' if match else '"X.Y", such as "3.12"'
    hint = f"Write {_MINOR} = {right}."
    if re.fullmatch("[0-9]", version):
        said = f"{key} = {text!r} is met by any Python {version}, and each locks for itself."
        yield file.finding("requires-unclear", said, hint, *place)
    elif version.startswith((">", "<", "!", "~")) and is_version(version):
        said = f"{key} = {text!r} is a range, for which older pipenvs (2023.12.1) find no Python."
        yield file.finding("requires-unclear", said, hint, *place)
    else:
        said = f"{key} = {text!r} is not a version of Python that pipenv can read."
        yield file.finding("requires-invalid", said, hint, *place)
