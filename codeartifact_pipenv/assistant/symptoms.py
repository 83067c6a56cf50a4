"""From what programs say when they fail to the causes that it may have.

Our own messages end with their code. AWS's are looked up in the table by which the wrapper
explains them. What pip and pipenv say is told below; they say little, so it is often ambiguous.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class Reading(NamedTuple):
    """What a text was recognised as.

    Attributes:
        summary: what it says, in one sentence.
        codes: the causes that it may have, the likeliest first.
        certain: whether the text itself says which.
    """

    summary: str
    codes: tuple[str, ...]
    certain: bool


# What says most stands first. The texts are those of pip, of requests and urllib3 within it, and
# of pipenv from 2023.12 to 2026.10.
_TEXTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        r"(?i)Pipfile\.lock\b.*\bout of date",
        "The lock was made of another Pipfile.",
        ("lock-outdated",),
    ),
    (
        r"(?i)No Pipfile present|Pipfile not found|Could not find a Pipfile",
        "pipenv finds no Pipfile.",
        ("pipfile-missing",),
    ),
    (
        r"%24(?:%7B)?\w*TOKEN|(?i:codeartifact\S* .*\$\{?\w*TOKEN)",
        "The URL was sent with its variable as it is written: nothing has set the variable.",
        ("variable-unset", "variable-form"),
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|\bSSLError\b",
        "The certificate of the index is not trusted.",
        ("tls-untrusted", "ca-bundle-missing"),
    ),
    (
        r"ProxyError|Cannot connect to proxy|Tunnel connection failed",
        "The proxy does not let through.",
        ("proxy-down",),
    ),
    (
        r"(?i)different python version|requires a different python|requires-python",
        "A version fits, and is for another Python.",
        ("python-excluded",),
    ),
    (
        r"\b429 Client Error|Too Many Requests|\bHTTP error 429",
        "There were too many requests.",
        ("throttled",),
    ),
    (
        r"\b40[13] (?:Client )?Error|\b(?:status|error|code):? 40[13]\b"
        r"|401 Unauthorized|403 Forbidden|Credentials not correct|User for \S*codeartifact"
        r"|EOF when reading a line",
        "The index refuses, or nobody gave it a token.",
        (
            "token-expired",
            "variable-unset",
            "read-denied",
            "token-wrong-domain",
            "token-revoked",
            "dotenv-token",
            "url-username",
        ),
    ),
    (
        r"\b404 Client Error.*codeartifact|404 Not Found.*codeartifact",
        "The repository has nothing at that address.",
        ("repository-missing", "url-without-simple", "package-missing", "origin-blocked"),
    ),
    (r"\b5\d\d Server Error", "The index answers with a fault of its own.", ("service-fault",)),
    (
        r"NameResolutionError|Failed to resolve|name resolution|getaddrinfo failed|Name or service"
        r"|NewConnectionError|Max retries exceeded|Connection refused|ConnectTimeout",
        "The host of the index is not reached.",
        ("unreachable", "proxy-down", "region-unsupported"),
    ),
    (
        r"from versions: (?!none)\w",
        "The index has the package, and no version of it fits.",
        ("version-missing", "python-excluded"),
    ),
    (
        r"No matching distribution found|Could not find a version that satisfies"
        r"|ResolutionFailure|Locking Failed|ResolutionImpossible|Failed to lock",
        "pipenv and pip say this for an expired token, a missing permission, a missing index and "
        "a typing error alike.",
        (
            "token-expired",
            "read-denied",
            "index-missing",
            "dependency-unlisted",
            "package-missing",
            "version-missing",
            "python-excluded",
            "no-public-upstream",
            "origin-blocked",
        ),
    ),
)
_CLIENT_ERROR = re.compile(
    r"An error occurred \((\w+)\) when calling the (\w+) operation[^:\n]*: ?([^\n]*)"
)


def read(text: str, known: Collection[str]) -> Reading | None:
    """Say what a text may mean; None where it is like nothing that is known.

    Args:
        text: what was printed.
        known: the codes that there are.
    """
    codes = tuple(
        dict.fromkeys(c for c in re.findall(r"\[([a-z]+(?:-[a-z]+)+)\]", text) if c in known)
    )
    if codes:
        return Reading("The message names its cause.", codes, certain=True)
    code = _of_aws(text)
    if code in known:
        return Reading("AWS, or what asks it, says so.", (code,), certain=True)
    for pattern, summary, causes in _TEXTS:
        if re.search(pattern, text):
            return Reading(summary, causes, certain=len(causes) == 1)
    return None


def _of_aws(text: str) -> str:
    """Return the cause of a refusal of AWS's or a complaint of botocore's; '' for none."""
    from botocore.exceptions import ClientError

    from codeartifact_pipenv.auth import aws_errors
    from codeartifact_pipenv.endpoint import Domain

    refused = _CLIENT_ERROR.search(text)
    if refused is not None:
        error = ClientError({"Error": {"Code": refused[1], "Message": refused[3]}}, refused[2])
        domain = Domain("domain", "", "")  # its name is in sentences alone
        if refused[2] == "GetAuthorizationToken":
            return aws_errors.explain(error, domain, None).code or ""
        return aws_errors.explain_operation(error, domain, None)[2] or ""
    return next((code for code, pattern in _complaints() if pattern.search(text)), "")


@cache
def _complaints() -> list[tuple[str, re.Pattern[str]]]:
    return list(_read_complaints())


def _read_complaints() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield how botocore words what the table of the wrapper names."""
    import botocore.exceptions

    from codeartifact_pipenv.auth.aws_errors import classes_of_causes

    base = botocore.exceptions.BotoCoreError.fmt
    for code, name in classes_of_causes():
        wording = getattr(getattr(botocore.exceptions, name, None), "fmt", base)
        parts = re.split(r"\{\w+\}", wording.strip())
        if wording != base and sum(map(len, parts)) >= _TELLING:
            yield code, re.compile(r"[^\n]+?".join(map(re.escape, filter(str.strip, parts))))


# The wording "{error}" tells nothing.
_TELLING = 12
