"""Every finding of lint, by its code; examples/guides/lint.md says more of each.

A code that doctor or the wrapper has too means the same here.
"""

from __future__ import annotations

from codeartifact_pipenv.findings import FAILURE, WARNING

# An error keeps bare pipenv from working, or gives away what is secret or private. A warning
# works now, and may not for others or later.
LEVELS = {
    # The files themselves.
    "pipfile-invalid": FAILURE,
    "lock-invalid": FAILURE,
    "key-ignored": WARNING,
    "table-unknown": WARNING,
    "requires-invalid": FAILURE,
    "requires-unclear": WARNING,
    # Sources, and the URLs of packages.
    "source-incomplete": FAILURE,
    "source-duplicate": FAILURE,
    "source-missing": FAILURE,
    "near-miss": FAILURE,
    "url-invalid": FAILURE,
    "url-http": WARNING,
    "url-token": FAILURE,
    "url-secret": FAILURE,
    "url-username": FAILURE,
    "url-without-simple": FAILURE,
    "tls-unverified": FAILURE,
    "token-elsewhere": FAILURE,
    "variable-form": FAILURE,
    "variable-name": FAILURE,
    "variable-shared": FAILURE,
    # Packages.
    "file-missing": FAILURE,
    "marker-invalid": FAILURE,
    "name-invalid": FAILURE,
    "package-duplicate": WARNING,
    "package-url": FAILURE,
    "version-invalid": FAILURE,
    "index-missing": FAILURE,
    "index-public": FAILURE,
    "index-unknown": FAILURE,
    "name-public": WARNING,
    # The lock.
    "dependency-unlisted": WARNING,
    "hashes-invalid": FAILURE,
    "hashes-missing": WARNING,
    "lock-edited": WARNING,
    "lock-incomplete": FAILURE,
    "lock-index": FAILURE,
    "lock-loopback": FAILURE,
    "lock-markers": WARNING,
    "lock-outdated": FAILURE,
    "lock-sources": FAILURE,
    # Files beside the Pipfile.
    "dotenv-aws": WARNING,
    "dotenv-invalid": WARNING,
    "dotenv-token": WARNING,
    "extra-index": WARNING,
    # What is ignored.
    "ignore-unused": WARNING,
}
