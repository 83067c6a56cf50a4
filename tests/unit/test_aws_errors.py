"""The tables of AWS's errors: each text can be filled in."""

from __future__ import annotations

import string

import pytest

from codeartifact_pipenv.aws import errors
from codeartifact_pipenv.aws.error_responses import ERROR_RESPONSES
from codeartifact_pipenv.aws.failure import WORDS
from codeartifact_pipenv.aws.origin import AwsSettings, NamedFile

_ROWS = [*ERROR_RESPONSES, *errors._ANYWHERE, *errors._OTHERS]
_ROWS += [row for rows in errors._SOURCES.values() for row in rows]
_INNER = {"settings": AwsSettings(None), "bundle": NamedFile("", ""), "identity": NamedFile("", "")}


@pytest.mark.parametrize("text", sorted({text for row in _ROWS for text in row[2:]}))
def test_each_word_of_a_text_is_known(text: str) -> None:
    """A sentence or hint holds only words that there are, and attributes that these have."""
    for _, field, _, _ in string.Formatter().parse(text):
        word, _, attribute = (field or "who").partition(".")
        assert word in WORDS
        if attribute and word != "domain":
            assert hasattr(_INNER[word], attribute)
