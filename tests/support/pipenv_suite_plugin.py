"""The pytest plugin of ``pipenv_suite.py``: pipenv's own tests, with another index where that is set.

The tests name the public index in their text. The text is replaced as it is imported, so that no file
of the checkout changes.
"""

from __future__ import annotations

import os
import re
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

TESTS, INDEX = "PIPENV_SUITE_TESTS", "PIPENV_SUITE_INDEX"

_PUBLIC = re.compile(rb"https://pypi(?:\.python)?\.org/simple")
# The tests ask hosts that have nothing to do with packages.
_ONLINE = re.compile(rb"^WE_HAVE_INTERNET = .*", re.MULTILINE)
_compile = SourceFileLoader.source_to_code


def _source_to_code(loader: SourceFileLoader, data: Any, path: Any, **options: Any) -> CodeType:
    if str(path).startswith(os.environ[TESTS]):
        data = _ONLINE.sub(b"WE_HAVE_INTERNET = True", bytes(data))
        if INDEX in os.environ:
            data = _PUBLIC.sub(os.environ[INDEX].encode(), data)
    return _compile(loader, data, path, **options)


# (At import: pytest imports conftest.py before any hook of a plugin's.)
SourceFileLoader.source_to_code = _source_to_code  # type: ignore[method-assign, assignment]
