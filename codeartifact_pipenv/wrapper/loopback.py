"""An index on loopback that is complete: CodeArtifact first, then the project's default source.

pipenv looks for a package that names no index in the first source only. For the time of one
command this index stands in that source's place: it asks the project's repositories with
their tokens, and where all of them answer 404 it sends the client on to the default source.
Tokens stay in this process; clients come with a password that was made for the run. It knows
which name came from where, which is what is published in Pipfile and lock.

A name goes on to the default source only on a definite 404, and never when it is known to be
private: a refusal or a fault of CodeArtifact must not let a stranger's package in.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import html
import json
import os
import queue
import re
import secrets
import threading
from concurrent import futures
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit

import requests

from codeartifact_pipenv.diagnosis.pages import trusted_bundle
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.simple_page import read_page
from codeartifact_pipenv.wrapper.repositories import (
    CONNECT_SECONDS,
    READ_SECONDS,
    Repositories,
    adapter,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from codeartifact_pipenv.wrapper.repositories import Page, Renewal, Upstream

    _Lookup = futures.Future[frozenset[str]]

USERNAME = "pipenv-ca"
# Where a name was found, beside the repositories' own numbers.
DEFAULT_SOURCE, NOWHERE = -1, -2

_HREF = re.compile(
    rb"""(?P<head>\bhref\s*=\s*)(?P<quote>["'])(?P<url>.*?)(?P=quote)""", re.IGNORECASE | re.DOTALL
)
# Seconds that a finished command waits for the default source, which was asked during it.
_PATIENCE = 15.0
_LOOKUPS = 4  # at a time
# What of an answer's head is for the client.
_PASSED_ON = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
)
# Names of packages (PEP 508).
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_ASKED_ON = ("Accept", "Range", "If-None-Match", "If-Modified-Since")


class Refusal(NamedTuple):
    """How a repository refused something.

    Attributes:
        number: the repository's.
        status: the HTTP status; None where no whole answer came.
    """

    number: int
    status: int | None


class Loopback:
    """The index, from ``with`` to the end of its block.

    Args:
        upstreams: the project's repositories, in the order of its sources.
        default_source: URL of the index that everything else comes from, without
            credentials; None where CodeArtifact's answer is the last word.
        private: by normalised name, the number of the repository that alone may serve it;
            None for any of them. None of these goes on to the default source.
        elsewhere: by normalised name, the URL of the index that alone may serve it and is no
            repository of the above.
        default_login: username and password for the default source; None for none.
        renew: given an endpoint and a token that it refuses, returns another one, or None;
            None where there is no way to another one.

    Attributes:
        password: what clients come with.
        found: by normalised name, the number of the repository that it came from, or
            DEFAULT_SOURCE or NOWHERE.
        refused: by normalised name, how CodeArtifact refused its page or a file of it at last.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        default_source: str | None,
        private: Mapping[str, int | None],
        elsewhere: Mapping[str, str],
        *,
        default_login: tuple[str, str] | None = None,
        renew: Renewal | None = None,
    ) -> None:
        self.upstreams = upstreams
        self.default_source = default_source
        self.private = private
        self.elsewhere = elsewhere
        self.default_login = default_login
        self.password = secrets.token_urlsafe(24)
        self.found: dict[str, int] = {}
        self.refused: dict[str, Refusal] = {}
        self._public: dict[str, _Lookup] = {}
        self._public_is_silent = False
        self._waiting: queue.SimpleQueue[tuple[str, _Lookup] | None] = queue.SimpleQueue()
        self._server: _Server | None = None
        self._verify = trusted_bundle(os.environ)
        self.repositories = Repositories(upstreams, self._verify, renew)
        self._public_session = requests.Session()
        self._public_session.mount("https://", adapter())

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._server = _serve(self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        # (Daemons: an executor's threads would keep the process from its end.)
        for _ in range(_LOOKUPS):
            threading.Thread(target=self._look_up, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._public_is_silent = True  # what is still waiting is not asked any more
        for _ in range(_LOOKUPS):
            self._waiting.put(None)
        self.repositories.close()
        self._public_session.close()

    @property
    def url(self) -> str:
        """The index URL, without credentials."""
        assert self._server is not None, "the index serves inside its block only"  # noqa: S101
        return f"http://{self.host}:{self._server.server_port}/simple"

    @property
    def host(self) -> str:
        """The address that it has to itself: the password is for it alone."""
        assert self._server is not None, "the index serves inside its block only"  # noqa: S101
        return str(self._server.server_address[0])

    def places(self) -> dict[str, str]:
        """Return, by the beginning of a URL here, where it is at the repository."""
        root = self.url.removesuffix("/simple")
        return {
            f"{root}/repository/{number}/": upstream.endpoint.url
            for number, upstream in enumerate(self.upstreams)
        }

    def is_public(self, name: str, hashes: Collection[str]) -> bool:
        """Whether a package that a repository served is the public one of that name.

        A repository may hold what it fetched from the public index, and then it is the same
        file. Where the default source cannot be asked, the answer is no: the repository has
        the package in any case. One that is silent is waited for once, not for every name.

        Args:
            name: the normalised name.
            hashes: what the lock holds of it, as ``sha256:...``.
        """
        lookup = self._public.get(name)
        if lookup is None:
            return False
        try:
            found = lookup.result(0 if self._public_is_silent else _PATIENCE)
        except requests.RequestException:
            return False
        except futures.TimeoutError:
            self._public_is_silent = True
            return False
        return not found.isdisjoint(hashes)

    def look_up_public(self, name: str) -> None:
        """Begin to ask the default source about a name that a repository has served."""
        if (
            self.default_source is not None
            and name not in self.private
            and name not in self._public
        ):
            lookup: _Lookup = futures.Future()
            self._public[name] = lookup
            self._waiting.put((name, lookup))

    def _look_up(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            name, lookup = waiting
            try:
                lookup.set_result(self._public_hashes(name))
            except Exception as error:  # noqa: BLE001 - for who asks for the result
                lookup.set_exception(error)

    def _public_hashes(self, name: str) -> frozenset[str]:
        accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
        if self._public_is_silent:
            raise requests.exceptions.ConnectionError("the default source does not answer")
        page = self._public_session.get(
            f"{(self.default_source or '').rstrip('/')}/{quote(name)}/",
            headers={"Accept": accept},
            auth=self.default_login,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            verify=self._verify,
        )
        if page.status_code != HTTPStatus.OK:
            return frozenset()
        kind = page.headers.get("Content-Type", "")
        files = read_page(page.content, kind, page.url)
        return frozenset(f"sha256:{file.sha256}" for file in files if file.sha256)

    def candidates(self, name: str) -> Collection[int]:
        """Return the numbers of the repositories that may serve a name, in order."""
        only = self.private.get(name)
        return range(len(self.upstreams)) if only is None else (only,)


class _UnreadablePageError(Exception):
    """A repository answered with a page that is none, or an index has a URL that is none."""


def _is_plain(word: str) -> bool:
    # Decoded, it must still be one part of a path: with a slash in it, it could name another
    # repository, or another host, which would be sent the token.
    return word not in {".", ".."} and not any(mark in word for mark in "/\\")


def _serve(index: Loopback) -> _Server:
    # A netrc file knows machines, not ports: on 127.0.0.1 any other server of this machine that
    # the project names would be sent the password too. macOS has that one address only.
    numbers = (secrets.randbelow(254) + 1 for _ in range(3))
    try:
        return _Server(index, ".".join(["127", *map(str, numbers)]))
    except OSError:
        return _Server(index, "127.0.0.1")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # Its port is new; where these are set, a stranger may share it on some systems.
    allow_reuse_address = False
    allow_reuse_port = False

    def __init__(self, index: Loopback, address: str) -> None:
        self.index = index
        super().__init__((address, 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up is no news, and stderr is pipenv's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Seconds for a stranger, who may keep no thread busy; clients with the password have their time.
    timeout = 10.0
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def _answer(self) -> None:
        if not self._is_ours():
            challenge = {"WWW-Authenticate": 'Basic realm="pipenv-ca"'}
            self._reply(HTTPStatus.UNAUTHORIZED, b"", challenge)
            return
        self.connection.settimeout(None)
        path = urlsplit(self.path).path
        words = [unquote(word) for word in path.split("/") if word]
        try:
            if words[:1] == ["simple"] and len(words) == 2 and _NAME.fullmatch(words[1]):  # noqa: PLR2004 - simple, NAME
                self._answer_page(normalise(words[1]))
            elif words[:1] == ["repository"] and len(words) > 2 and words[1].isdecimal():  # noqa: PLR2004 - repository, NUMBER, and more
                self._answer_file(int(words[1]), words[2:])
            else:
                self._reply(HTTPStatus.NOT_FOUND)
        except (requests.RequestException, _UnreadablePageError):
            self._reply(HTTPStatus.BAD_GATEWAY)

    def _note(self, number: int, name: str, status: int | None) -> None:
        """Note how a repository answered a question for a package; '' for none."""
        if not name:
            return
        if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            self.server.index.refused.pop(name, None)
        else:
            self.server.index.refused[name] = Refusal(number, status)

    @contextlib.contextmanager
    def _noting_silence(self, number: int, name: str) -> Iterator[None]:
        """Note where a repository gives no whole answer within the block."""
        try:
            yield
        except (requests.RequestException, _UnreadablePageError):
            self._note(number, name, None)
            raise

    def _is_ours(self) -> bool:
        wanted = base64.b64encode(f"{USERNAME}:{self.server.index.password}".encode()).decode()
        given = self.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Basic {wanted}".encode())

    def _answer_page(self, name: str) -> None:
        index = self.server.index
        if name in index.elsewhere:
            index.found[name] = DEFAULT_SOURCE
            self._send_on(index.elsewhere[name], name)
            return
        if index.found.get(name) == DEFAULT_SOURCE and index.default_source is not None:
            self._send_on(index.default_source, name)  # all repositories have said no before
            return
        headers = {"Accept": self.headers.get("Accept", "text/html")}
        for number in index.candidates(name):
            with self._noting_silence(number, name):
                page = index.repositories.page(number, f"simple/{name}/", headers)
                if page.status == HTTPStatus.OK:
                    index.found[name] = number
                    index.look_up_public(name)
                    body = self._rewritten(number, page)
                    self._note(number, name, page.status)
                    self._reply(HTTPStatus.OK, body, {"Content-Type": page.kind})
                    return
            if page.status != HTTPStatus.NOT_FOUND:
                self._note(number, name, page.status)
                self._refuse(page.status)
                return
        if index.default_source is None or name in index.private:
            index.found[name] = NOWHERE
            self._reply(HTTPStatus.NOT_FOUND)
            return
        index.found[name] = DEFAULT_SOURCE
        self._send_on(index.default_source, name)

    def _send_on(self, source: str, name: str) -> None:
        place = f"{source.rstrip('/')}/{quote(name)}/"
        if not (place.isascii() and place.isprintable()):
            # With a line break in it, it could go on as the answer to the client's next question.
            raise _UnreadablePageError
        self._reply(HTTPStatus.FOUND, b"", {"Location": place})

    def _refuse(self, status: int) -> None:
        # Not as 401: the client's own password is right.
        forbidden = status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        self._reply(HTTPStatus.FORBIDDEN if forbidden else HTTPStatus.BAD_GATEWAY)

    def _rewritten(self, number: int, page: Page) -> bytes:
        """Return a page whose links to the repository's files lead here."""
        if "json" not in page.kind:
            return _HREF.sub(lambda match: self._link(match, number, page.url), page.body)
        try:
            document = json.loads(page.body)
            for file in document["files"]:
                file["url"] = self._through(number, urljoin(page.url, file["url"]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _UnreadablePageError from error
        return json.dumps(document).encode()

    def _link(self, match: re.Match[bytes], number: int, place: str) -> bytes:
        url = urljoin(place, html.unescape(match["url"].decode("utf-8", "replace")))
        through = html.escape(self._through(number, url)).encode()
        return match["head"] + match["quote"] + through + match["quote"]

    def _through(self, number: int, url: str) -> str:
        # A file of the repository comes through here, any other from where it is.
        base = self.server.index.upstreams[number].endpoint.url
        if not url.startswith(base):
            return url
        return f"/repository/{number}/{url.removeprefix(base)}"

    def _answer_file(self, number: int, words: list[str]) -> None:
        index = self.server.index
        if number >= len(index.upstreams) or not all(map(_is_plain, words)):
            self._reply(HTTPStatus.NOT_FOUND)
            return
        headers = {name: self.headers[name] for name in _ASKED_ON if name in self.headers}
        headers["Accept-Encoding"] = "identity"
        path = "/".join(quote(word, safe="") for word in words)
        name = normalise(words[1]) if words[:1] == ["simple"] and len(words) > 1 else ""
        with (
            self._noting_silence(number, name),
            index.repositories.ask(number, path, headers, self.command) as answer,
        ):
            if answer.status_code >= HTTPStatus.BAD_REQUEST and answer.status_code not in {
                HTTPStatus.NOT_FOUND,
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            }:
                self._note(number, name, answer.status_code)
                self._refuse(answer.status_code)
                return
            self._pass_head(answer)
            if self.command == "HEAD":
                return
            try:
                for block in index.repositories.blocks(number, path, headers, answer):
                    self.wfile.write(block)
                self._note(number, name, answer.status_code)
            except requests.RequestException:
                # Cut off short: the client sees that it is, and may try again.
                self._note(number, name, None)
                self.close_connection = True
            except OSError:  # the client has gone
                self.close_connection = True

    def _pass_head(self, answer: requests.Response) -> None:
        self.send_response(answer.status_code)
        for name in _PASSED_ON:
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        if "Content-Length" not in answer.headers:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()

    def _reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
