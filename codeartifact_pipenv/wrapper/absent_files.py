"""Files that a repository lists but answers with 404.

CodeArtifact does this for about 1.5 seconds while it imports a file from upstream
(ray-project/ray#65567); pip does not retry.
"""

from __future__ import annotations

import re
import threading
import time
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

from codeartifact_pipenv.lookups.index_client import IndexClient
from codeartifact_pipenv.project.pipfile import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

WAIT_SECONDS = 5.0
_PAUSE_SECONDS, _CHECK_SECONDS, _ANSWER_SECONDS = 0.25, 0.05, 2.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# pip's message (network/download.py, unchanged since pip 20); "from" names the page that lists the URL.
# Lines are joined first: pipenv wraps them at the width of the terminal, also within words.
_NOT_FOUND = re.compile(
    r"HTTP\s*error\s*404\s*while\s*getting\s*https://(?:[^\s/@]*@)?(?P<file>[^\s()#@]+)(?:#[^\s()]*)?"
    r"\s*\(from\s*https://(?:[^\s/@]*@)?(?P<page>[^\s()#@]+)\)"
)
_FILE = re.compile(r"simple/[^/]+/[^/]+/(?P<name>[^/]+)")


class AbsentFile(NamedTuple):
    """A file that a page lists but the repository does not have.

    Attributes:
        endpoint: the repository.
        project: the normalised name of the package.
        filename: the name of the file.
        url: the URL of the file; '' if unknown.
    """

    endpoint: RepositoryEndpoint
    project: str
    filename: str
    url: str = ""


def absent_file(text: str, endpoints: Iterable[RepositoryEndpoint]) -> AbsentFile | None:
    """Return the file for which pip got 404 from a repository, or None if pip failed otherwise.

    Args:
        text: the output of pip or pipenv.
        endpoints: the repositories of the project.
    """
    bases = {endpoint.url: endpoint for endpoint in endpoints}
    for found in _NOT_FOUND.finditer(re.sub(r"[\r\n]", "", _COLOUR.sub("", text))):
        url, page = f"https://{found['file']}", f"https://{found['page']}"
        for base, endpoint in bases.items():
            file = _FILE.fullmatch(url.removeprefix(base))
            if file is not None and page.startswith(endpoint.simple_url):
                project = page.removeprefix(endpoint.simple_url).strip("/")
                return AbsentFile(endpoint, normalise(project), unquote(file["name"]), url)
    return None


def wait_for(
    file: AbsentFile, token: str, environ: Mapping[str, str], check: Callable[[], None]
) -> None:
    """Wait up to five seconds until a repository has a file.

    Args:
        file: the file.
        token: the token of the repository's domain.
        environ: the environment, which names the certificates to trust.
        check: called repeatedly; an exception from it ends the wait.
    """
    is_over = threading.Event()

    def poll() -> None:
        client = IndexClient(environ, _ANSWER_SECONDS)
        while not is_over.is_set():
            status = client.ask_file(file.url, file.endpoint, token)
            if status not in {None, HTTPStatus.NOT_FOUND}:
                break
            is_over.wait(_PAUSE_SECONDS)
        is_over.set()

    end = time.monotonic() + WAIT_SECONDS
    threading.Thread(target=poll, daemon=True).start()
    while not is_over.wait(_CHECK_SECONDS) and time.monotonic() < end:
        check()
    is_over.set()
    check()
