"""The sandbox's package endpoint, held to what is known of CodeArtifact's own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import botocore.session
import pytest
import urllib3
from botocore.config import Config
from support import PIPENV_CA, PYPI_SOURCE, SCRIPTS, files_below, run, source, write_pipfile
from support_sandbox import JSON, FakePublicIndex, Http, ask, enter, get_token

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel
from codeartifact_pipenv.wrapper.loopback import USERNAME, Loopback
from codeartifact_pipenv.wrapper.repositories import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HTML = "application/vnd.pypi.simple.v1+html"
WHEEL = "acme_alone-2.0-py3-none-any.whl"


# --- what the tests stand on -------------------------------------------------------------


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder with one private wheel."""
    folder = tmp_path / "packages"
    make_wheel(folder, "acme-alone", "2.0", requires_python=">=3.8")
    return folder


@pytest.fixture
def sandbox(packages: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    with Sandbox([packages], upstream=False, base=clean_base) as running:
        yield running


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[Http]:
    speaking = Http(sandbox)
    yield speaking
    speaking.close()


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    return get_token(sandbox)


@pytest.fixture
def page_url(sandbox: Sandbox) -> str:
    return f"{sandbox.endpoint.simple_url}acme-alone/"


@pytest.fixture
def file_url(page_url: str) -> str:
    return f"{page_url}2.0/{WHEEL}"


@pytest.fixture
def public() -> Iterator[FakePublicIndex]:
    with FakePublicIndex() as index:
        thread = threading.Thread(target=index.serve_forever, args=(0.01,))
        thread.start()
        yield index
        index.shutdown()
        thread.join()


# --- pages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/html"),
        ("", "text/html"),
        ("*/*", "text/html"),
        ("text/*", "text/html"),
        ("application/*", HTML),
        ("application/vnd.pypi.simple.latest+html", HTML),
        ("application/vnd.pypi.simple.latest+json;q=0.5, text/html;q=0.4", JSON),
        # As pip and uv ask.
        (f"{JSON}, {HTML}; q=0.1, text/html; q=0.01", JSON),
        (f"{JSON};q=0.2, {HTML};q=0.9, text/html;q=0.01", HTML),
        (f"{JSON};q=0.2, */*;q=0.8", "text/html"),
        ("text/html;q=0, */*", HTML),
        (f"{JSON};q=0", None),
        ("application/json", None),
        ("application/vnd.pypi.simple.v2+json", None),
    ],
)
def test_quality_values_choose_the_form(
    http: Http, token: str, page_url: str, accept: str | None, kind: str | None
) -> None:
    """The form with the highest quality is served, HTML where nothing is asked, else 406."""
    headers = {} if accept is None else {"Accept": accept}
    answer = http(page_url, token, headers=headers)
    if kind is None:
        assert answer.status == 406
    else:
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)


def test_a_published_file_says_when_it_came(sandbox: Sandbox, http: Http, token: str) -> None:
    """The JSON page has version 1.1's own facts: versions, size, and the time of the upload."""
    page = http(f"{sandbox.endpoint.simple_url}acme-alone/", token, headers={"Accept": JSON})
    document = page.json()
    (file,) = document["files"]
    assert document["meta"] == {"api-version": "1.1"}
    assert document["versions"] == ["2.0"]
    assert file["size"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", file["upload-time"])


def test_before_2026_there_is_html_only(packages: Path, clean_base: dict[str, str]) -> None:
    """Where only HTML is spoken a client that would take JSON gets HTML, and says so itself."""
    with Sandbox(
        [packages], upstream=False, behaviour=Behaviour(pages="html"), base=clean_base
    ) as sandbox:
        http, token = Http(sandbox), get_token(sandbox)
        for accept in (JSON, f"{JSON}, text/html;q=0.1", "image/png"):
            url = f"{sandbox.endpoint.simple_url}acme-alone/"
            page = http(url, token, headers={"Accept": accept})
            assert (page.status, page.headers["Content-Type"]) == (200, "text/html")
            assert b"<a href=" in page.data
        http.close()


def test_metadata_is_not_offered_apart(http: Http, token: str, page_url: str) -> None:
    """Neither form of a page speaks of metadata files, and there are none."""
    form = http(page_url, token).data + http(page_url, token, headers={"Accept": JSON}).data
    assert b"metadata" not in form
    assert http(f"{page_url}2.0/{WHEEL}.metadata", token).status == 404


def test_head_says_what_get_would(http: Http, token: str, page_url: str, file_url: str) -> None:
    """HEAD has the status, type and length of GET, for pages, files and refusals, and no body."""
    for url, given in ((page_url, token), (file_url, token), (file_url, None), (page_url, None)):
        head, whole = http(url, given, "HEAD"), http(url, given)
        assert head.status == whole.status
        assert head.data == b""
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == whole.headers[name]
    assert http(f"{page_url}2.0/other.whl", token, "HEAD").status == 404


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=0-0", 206),
        ("bytes=-22", 206),
        ("bytes=10-", 206),
        ("bytes=99999999-", 416),
    ],
)
def test_a_file_comes_in_parts(
    packages: Path, http: Http, token: str, file_url: str, asked: str, status: int
) -> None:
    """A part is served with its place in the whole; a part that cannot be is 416."""
    data = (packages / WHEEL).read_bytes()
    answer = http(file_url, token, headers={"Range": asked})
    assert answer.status == status
    if status == 206:
        place = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers["Content-Range"])
        assert place is not None
        first, last, size = map(int, place.groups())
        assert size == len(data)
        assert answer.data == data[first : last + 1]
        assert http(file_url, token).headers["Accept-Ranges"] == "bytes"


def test_yanked_stays_with_a_version_that_was_fetched(
    packages: Path, clean_base: dict[str, str], public: FakePublicIndex, tmp_path: Path
) -> None:
    """A yanked version keeps its flag when it is retained; what was published here has none."""
    wheel = make_wheel(tmp_path, "pub", "1.0")
    public.add("pub", wheel, yanked="broken", **{"upload-time": "2020-01-02T03:04:05.000000Z"})
    with Sandbox([packages], base=clean_base | {"PIP_INDEX_URL": public.url}) as sandbox:
        http, token, url = Http(sandbox), get_token(sandbox), sandbox.endpoint.simple_url
        assert http(f"{url}pub/1.0/{wheel.name}", token).data == wheel.read_bytes()
        public.pages.clear()
        (file,) = http(f"{url}pub/", token, headers={"Accept": JSON}).json()["files"]
        (own,) = http(f"{url}acme-alone/", token, headers={"Accept": JSON}).json()["files"]
        http.close()
    assert (file["yanked"], file["upload-time"]) == ("broken", "2020-01-02T03:04:05.000000Z")
    assert file["hashes"]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert own["yanked"] is False


# --- uploads -----------------------------------------------------------------------------


def make_form(wheel: Path, **changed: str | None) -> list[tuple[str, str]]:
    """Return the fields that twine sends beside the file; None leaves one out."""
    data = wheel.read_bytes()
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": "acme-new",
        "version": "1.0",
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "md5_digest": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "sha256_digest": hashlib.sha256(data).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(data, digest_size=32).hexdigest(),
    } | changed
    return [(name, value) for name, value in fields.items() if value is not None]


def encode(fields: list[tuple[str, str]], filename: str, data: bytes) -> bytes:
    """Return a form's body with the boundary ``b``, its file named byte by byte as given."""
    head = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    )
    head += f'--b\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n'
    return (
        head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n--b--\r\n"
    )


def send(sandbox: Sandbox, body: bytes, kind: str = "multipart/form-data; boundary=b") -> Answer:
    http = Http(sandbox)
    answer = http(
        sandbox.endpoint.url,
        get_token(sandbox),
        "POST",
        body=body,
        headers={"Content-Type": kind},
    )
    http.close()
    return Answer(answer.status, answer.data.decode())


class Answer(NamedTuple):
    status: int
    text: str


def stored(sandbox: Sandbox) -> list[Path]:
    """Return the files that a run's folder holds of uploads."""
    return sorted(files_below(sandbox.aws_config.parent / "published"))


def new_wheel(folder: Path, requires_python: str | None = None) -> Path:
    return make_wheel(folder, "acme-new", "1.0", requires_python=requires_python)


def test_an_upload_is_kept_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """The same file again is fine and leaves one copy; other bytes are refused and leave none."""
    first, other = new_wheel(tmp_path / "a"), new_wheel(tmp_path / "b", ">=3.9")
    before = stored(sandbox)
    for wheel, status in ((first, 200), (first, 200), (other, 409)):
        body = encode(make_form(wheel), wheel.name, wheel.read_bytes())
        assert send(sandbox, body).status == status
    (kept,) = {path.read_bytes() for path in stored(sandbox) if path not in before}
    assert kept == first.read_bytes()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": None}, "The form lacks name."),
        ({"version": None, "filetype": None}, "The form lacks version, filetype."),
        ({"protocol_version": "2"}, "version 1 of the protocol"),
        ({":action": "doc_upload"}, "no upload of a file"),
        ({"filetype": "sdist"}, "acme_new-1.0-py3-none-any.whl is no sdist."),
        ({"filetype": "bdist_egg"}, "is no bdist_egg."),
        ({"name": "acme-other"}, "is no file name for acme-other 1.0."),
        ({"version": "1.1"}, "is no file name for acme-new 1.1."),
        ({"md5_digest": "0" * 32}, "does not have the md5_digest"),
        ({"sha256_digest": "0" * 64}, "does not have the sha256_digest"),
        ({"blake2_256_digest": "0" * 64}, "does not have the blake2_256_digest"),
    ],
)
def test_a_form_that_does_not_fit_is_refused(
    sandbox: Sandbox, tmp_path: Path, changed: dict[str, str | None], says: str
) -> None:
    """What is missing or wrong in a form is named with 400, and nothing of it is kept."""
    before, wheel = stored(sandbox), new_wheel(tmp_path)
    body = encode(make_form(wheel, **changed), wheel.name, wheel.read_bytes())
    answer = send(sandbox, body)
    assert (answer.status, stored(sandbox)) == (400, before)
    assert says in answer.text


@pytest.mark.parametrize(
    "filename",
    [
        "../acme_new-1.0-py3-none-any.whl",
        "../../../acme_new-1.0-py3-none-any.whl",
        "/etc/acme_new-1.0-py3-none-any.whl",
        "..\\\\acme_new-1.0-py3-none-any.whl",
        "C:\\\\acme_new-1.0-py3-none-any.whl",
        "acme_new-1.0-py3-none-any.whl\0.whl",
        "acme_new-1.0-py3-none-\0any.whl",
        "..",
        "acme_new-1.0-../../x-any.whl",
        "~root/acme_new-1.0-py3-none-any.whl",
    ],
)
def test_a_file_name_leads_nowhere(sandbox: Sandbox, tmp_path: Path, filename: str) -> None:
    """A name with a folder or a NUL in it is refused, and nothing is written anywhere."""
    wheel = new_wheel(tmp_path / "made")
    before = sorted(files_below(sandbox.aws_config.parent))
    answer = send(sandbox, encode(make_form(wheel), filename, wheel.read_bytes()))
    assert answer.status == 400
    assert "file" in answer.text
    assert sorted(files_below(sandbox.aws_config.parent)) == before
    assert not sandbox.is_published("acme-new")


MULTIPART = "multipart/form-data; boundary=b"
BROKEN = {
    "no form": ("application/json", b"{}", "multipart/form-data"),
    "no boundary": ("multipart/form-data", b"--b--\r\n", "boundary"),
    "another boundary": (
        "multipart/form-data; boundary=c",
        b"--b\r\n\r\n--b--\r\n",
        "cannot be read",
    ),
    "nothing": (MULTIPART, b"", "cannot be read"),
    "only an end": (MULTIPART, b"--b--\r\n", "no file"),
    "cut off": (
        MULTIPART,
        b'--b\r\nContent-Disposition: form-data; name="content"; filename="a.whl"\r\n\r\nPK',
        "cannot be read",
    ),
    "no name": (MULTIPART, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", ""),
    "no head": (MULTIPART, b"--b\r\nx\r\n--b--\r\n", ""),
    "content as text": (
        MULTIPART,
        b'--b\r\nContent-Disposition: form-data; name="content"\r\n\r\nPK\r\n--b--\r\n',
        "no file",
    ),
    "too many fields": (
        MULTIPART,
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nx\r\n' * 2000 + b"--b--\r\n",
        "cannot be taken",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_form_is_refused(sandbox: Sandbox, case: str) -> None:
    """A body that is no form, or not whole, is refused in a sentence, and nothing is kept."""
    kind, body, says = BROKEN[case]
    before = stored(sandbox)
    answer = send(sandbox, body, kind)
    assert answer.status in {400, 413}
    assert says in answer.text
    assert answer.text.endswith(".\n")
    assert stored(sandbox) == before
    # The connection's next request is answered as ever.
    assert sandbox.requests[-1].status == answer.status


def test_a_file_that_is_no_package_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """Bytes that are no wheel are refused whatever they are called."""
    wheel, before = tmp_path / "acme_new-1.0-py3-none-any.whl", stored(sandbox)
    wheel.write_bytes(b"PK no wheel")
    answer = send(sandbox, encode(make_form(wheel), wheel.name, wheel.read_bytes()))
    assert answer.status == 400
    assert "cannot be read as a package" in answer.text
    assert stored(sandbox) == before


def test_blocked_publishing_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where a name's origin controls block publishing, an upload is refused by a sentence."""
    wheel = new_wheel(tmp_path)
    body = encode(make_form(wheel), wheel.name, wheel.read_bytes())
    sandbox.set_origin("acme-new", publish="BLOCK")
    answer = send(sandbox, body)
    assert answer.status == 409
    assert "Publishing acme-new is blocked" in answer.text
    sandbox.set_origin("acme-new", publish="ALLOW")
    assert send(sandbox, body).status == 200


@pytest.mark.parametrize("behind", ["public:pypi", "another repository"])
def test_a_version_that_is_upstream_cannot_be_uploaded(
    packages: Path,
    clean_base: dict[str, str],
    public: FakePublicIndex,
    tmp_path: Path,
    behind: str,
) -> None:
    """A version that an upstream has is refused with 409; another version is taken."""
    taken = make_wheel(tmp_path / "a", "pub", "1.0")
    free = make_wheel(tmp_path / "a", "pub", "2.0")
    public.add("pub", taken)
    environ = clean_base | {"PIP_INDEX_URL": public.url}
    with Sandbox([packages], upstream=behind == "public:pypi", base=environ) as sandbox:
        if behind != "public:pypi":
            sandbox.publish(taken)
            sandbox.endpoint = sandbox.add_repository("team", upstreams=["pypi-store"])
        for wheel, status in ((taken, 409), (free, 200)):
            form = make_form(wheel, name="pub", version=wheel.name.split("-")[1])
            body = encode(form, wheel.name, wheel.read_bytes())
            assert send(sandbox, body).status == status


@pytest.mark.wide
@pytest.mark.parametrize("program", ["twine", "uv"])
def test_real_publishers_are_understood(
    sandbox: Sandbox, clean_env: dict[str, str], tmp_path: Path, program: str
) -> None:
    """Twine and uv publish a wheel and an sdist, again without harm, and are told of a conflict."""
    dist, environ, token = tmp_path / "dist", sandbox.environ(clean_env), get_token(sandbox)
    made = [new_wheel(dist), make_sdist(dist, "acme-new", "1.0", build_requires=())]
    where = sandbox.endpoint.url
    if program == "twine":
        words = ["upload", "--non-interactive", "--repository-url", where, *map(str, made)]
        environ |= {"TWINE_USERNAME": "aws", "TWINE_PASSWORD": token}
    else:
        words = ["publish", "--trusted-publishing", "never", "--publish-url", where]
        words += map(str, made)
        environ |= {"UV_PUBLISH_USERNAME": "aws", "UV_PUBLISH_PASSWORD": token}
    for _ in range(2):
        done = run(SCRIPTS / program, *words, env=environ, cwd=tmp_path)
        assert done.status == 0, done.output
    http = Http(sandbox)
    page = http(f"{sandbox.endpoint.simple_url}acme-new/", token, headers={"Accept": JSON}).json()
    http.close()
    assert {file["hashes"]["sha256"] for file in page["files"]} == {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in made
    }
    new_wheel(dist, ">=3.9")
    done = run(SCRIPTS / program, *words, env=environ, cwd=tmp_path)
    assert done.status != 0
    assert "409" in done.output
    posts = [
        record
        for record in sandbox.requests
        if record.method == "POST" and record.path != "/v1/authorization-token"
    ]
    assert {record.name for record in posts} == {"acme-new"}
    assert posts[-1].status == 409
    assert len({record.credential for record in posts}) == 1


# --- files by redirect -------------------------------------------------------------------

ASSETS = "assets-193858265520-us-east-1.s3.amazonaws.com"


@pytest.fixture
def redirecting(packages: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    with Sandbox(
        [packages], upstream=False, behaviour=Behaviour(redirect=302), base=clean_base
    ) as running:
        yield running


@pytest.mark.parametrize("wanted", [302, 307])
def test_a_file_comes_from_another_host(
    packages: Path, clean_base: dict[str, str], wanted: int
) -> None:
    """A file's address leads to a signed one at S3, which serves it whole, in parts and by HEAD."""
    data = (packages / WHEEL).read_bytes()
    with Sandbox(
        [packages], upstream=False, behaviour=Behaviour(redirect=wanted), base=clean_base
    ) as sandbox:
        http, token = Http(sandbox), get_token(sandbox)
        url = f"{sandbox.endpoint.simple_url}acme-alone/2.0/{WHEEL}"
        moved = http(url, token)
        place = moved.headers["Location"]
        assert (moved.status, urlsplit(place).hostname) == (wanted, ASSETS)
        assert token not in place
        assert http(place).data == data
        assert http(place, headers={"Range": "bytes=2-5"}).data == data[2:6]
        assert http(place, headers={"Range": "bytes=99999999-"}).status == 416
        head = http(http(url, token, "HEAD").headers["Location"], method="HEAD")
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(data)))
        # Without a token nobody is told where the file is.
        assert http(url).status == 401
        # Pages are not redirected.
        assert http(f"{sandbox.endpoint.simple_url}acme-alone/", token).status == 200
        http.close()


def test_the_asset_host_takes_its_own_signature_only(redirecting: Sandbox) -> None:
    """S3 refuses an Authorization header with 400, and a false, foreign or old URL with 403."""
    http, token = Http(redirecting), get_token(redirecting)
    url = f"{redirecting.endpoint.simple_url}acme-alone/2.0/{WHEEL}"
    place = http(url, token).headers["Location"]
    assert http(place, token).status == 400
    assert redirecting.requests[-1].sent == redirecting.token_id(token)
    for wrong in (
        place.replace("Signature=", "Signature=0"),
        place.replace("Ends=", "Ends=9"),
        place.replace(f"{ASSETS}/", f"{ASSETS}/0"),
        place.partition("?")[0],
        f"https://{ASSETS}/",
    ):
        assert http(wrong).status == 403
    assert http(place, method="HEAD").status == 403
    assert http(place).status == 200
    redirecting.clock_offset = 301
    answer = http(place)
    assert answer.status == 403
    assert b"expired" in answer.data
    http.close()


def test_an_impossible_redirect_is_said(clean_base: dict[str, str]) -> None:
    """A status that is no redirect's is refused in a sentence."""
    with pytest.raises(SandboxError, match="redirect cannot be 200"):
        Sandbox(behaviour=Behaviour(redirect=200), base=clean_base)


def asset_requests(sandbox: Sandbox) -> list[tuple[int, str | None]]:
    """Return status and sent credential of what came to the asset host; all that came by GET."""
    return [(r.status, r.sent) for r in sandbox.requests if r.host == ASSETS and r.method == "GET"]


@pytest.mark.wide
@pytest.mark.parametrize("program", ["pip", "uv"])
def test_installers_follow_without_the_token(
    redirecting: Sandbox, clean_env: dict[str, str], tmp_path: Path, program: str
) -> None:
    """Pip and uv get a file by redirect, and keep the token to themselves."""
    token, to = get_token(redirecting), tmp_path / "to"
    url = redirecting.endpoint.simple_url.replace("https://", f"https://aws:{token}@")
    words = [f"{SCRIPTS}/python", "-m", "pip"] if program == "pip" else [f"{SCRIPTS}/uv", "pip"]
    words += ["install", "--target", str(to), "--index-url", url, "acme-alone"]
    environ = redirecting.environ(clean_env) | {"UV_CACHE_DIR": str(tmp_path / "uv")}
    done = run(*words, env=environ, cwd=tmp_path)
    assert done.status == 0, done.output
    assert (to / "acme_alone" / "__init__.py").is_file()
    assert {status for status, _ in asset_requests(redirecting)} <= {200, 206}
    assert {sent for _, sent in asset_requests(redirecting)} == {None}


@pytest.mark.parametrize(
    "login",
    ["", f"machine {ASSETS} login me password hunter2\n", "default login me password hunter2\n"],
)
def test_loopback_follows_without_a_login(
    redirecting: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    packages: Path,
    tmp_path: Path,
    login: str,
) -> None:
    """The index on loopback brings a file from the asset host, with no login of anybody's."""
    (tmp_path / "netrc").write_text(login)
    (tmp_path / "netrc").chmod(0o600)
    enter(redirecting, monkeypatch)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    upstream = Upstream(redirecting.endpoint, get_token(redirecting))
    with Loopback([upstream], None, {}, {}) as index:
        root = index.url.removesuffix("/simple")
        url = f"{root}/repository/0/simple/acme-alone/2.0/{WHEEL}"
        headers = urllib3.make_headers(basic_auth=f"{USERNAME}:{index.password}")
        with urllib3.PoolManager(retries=False) as pool:
            answer = pool.request("GET", url, headers=headers)
            part = pool.request("GET", url, headers=headers | {"Range": "bytes=2-5"})
    assert (answer.status, answer.data) == (200, (packages / WHEEL).read_bytes())
    assert (part.status, part.data) == (206, answer.data[2:6])
    assert asset_requests(redirecting) == [(200, None), (206, None)]


@pytest.mark.wide
@pytest.mark.parametrize("route", ["as-written", "loopback"])
def test_pipenv_locks_and_syncs_by_redirect(
    redirecting: Sandbox, clean_env: dict[str, str], project: Path, route: str
) -> None:
    """A project is locked and installed by either route while files come from the asset host."""
    write_pipfile(
        project,
        PYPI_SOURCE,
        source(redirecting.endpoint),
        '[packages]\nacme-alone = {version = "*", index = "codeartifact"}\n',
    )
    environ = redirecting.environ(clean_env)
    for words in (["--ca-route", route, "lock"], ["--ca-route", route, "sync"]):
        done = run(PIPENV_CA, *words, env=environ, cwd=project)
        assert done.status == 0, done.output
    done = run(PIPENV_CA, "run", "python", "-c", "import acme_alone", env=environ, cwd=project)
    assert done.status == 0, done.output
    assert 200 in {status for status, _ in asset_requests(redirecting)}
    assert {status for status, _ in asset_requests(redirecting)} <= {200, 206}
    assert {sent for _, sent in asset_requests(redirecting)} == {None}


# --- faults ------------------------------------------------------------------------------


def test_an_answer_can_be_late(sandbox: Sandbox, http: Http, token: str, page_url: str) -> None:
    """A delay holds for as many requests as asked, on the named package only."""

    def seconds(url: str) -> float:
        started = time.monotonic()
        http(url, token)
        return time.monotonic() - started

    sandbox.delay(0.4, times=1, name="acme-alone")
    assert seconds(f"{sandbox.endpoint.simple_url}other/") < 0.3
    assert seconds(page_url) >= 0.4
    assert seconds(page_url) < 0.3


def test_a_delay_does_not_outlive_the_sandbox(packages: Path, clean_base: dict[str, str]) -> None:
    """Closing does not wait for an answer that is held back."""
    with Sandbox([packages], upstream=False, base=clean_base) as sandbox:
        http, url = Http(sandbox), sandbox.endpoint.simple_url
        sandbox.delay(60)
        with pytest.raises(urllib3.exceptions.HTTPError):
            http(f"{url}acme-alone/", timeout=0.2)
        http.close()
        started = time.monotonic()
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("where", ["files", "assets"])
@pytest.mark.parametrize("kind", ["reset", "truncate", "corrupt"])
def test_a_download_can_break(
    packages: Path,
    clean_base: dict[str, str],
    where: str,
    kind: str,
) -> None:
    """A file breaks off, by a reset or by a proper end, or has a wrong byte: once, then it is whole."""
    data = (packages / WHEEL).read_bytes()
    redirected = where == "assets"
    with Sandbox(
        [packages],
        upstream=False,
        behaviour=Behaviour(redirect=302 if redirected else None),
        base=clean_base,
    ) as sandbox:
        http, token = Http(sandbox), get_token(sandbox)
        url = f"{sandbox.endpoint.simple_url}acme-alone/2.0/{WHEEL}"

        def download() -> urllib3.BaseHTTPResponse:
            place = http(url, token).headers["Location"] if redirected else url
            return http(place, None if redirected else token, preload_content=False)

        getattr(sandbox, kind)(100, times=1, on=where, name="acme-alone")
        # A page is no file, and takes nothing of it.
        assert http(f"{sandbox.endpoint.simple_url}acme-alone/", token).status == 200
        broken = download()
        assert (broken.status, int(broken.headers["Content-Length"])) == (200, len(data))
        if kind == "corrupt":
            spoilt = bytearray(data)
            spoilt[100] ^= 0xFF
            assert broken.data == spoilt
        else:
            # (A reset may overtake the bytes before it.)
            said = "100 bytes read" + ("|reset by peer" if kind == "reset" else "")
            with pytest.raises(urllib3.exceptions.ProtocolError, match=said):
                broken.read()
        assert download().data == data
        http.close()


def read_to_the_end(sandbox: Sandbox, token: str, path: str) -> bytes:
    """Return the bytes of an answer as they come; an end that is not TLS's own is an error."""
    host, port = sandbox.endpoint.host, int(sandbox.environ()["HTTPS_PROXY"].rpartition(":")[2])
    login = urllib3.make_headers(basic_auth=f"aws:{token}")["authorization"]
    trusted = ssl.create_default_context(cafile=sandbox.environ()["SSL_CERT_FILE"])
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
        assert b" 200 " in plain.recv(1000)
        with trusted.wrap_socket(
            plain, server_hostname=host, suppress_ragged_eofs=False
        ) as secured:
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {login}\r\n\r\n"
            secured.sendall(head.encode())
            return b"".join(iter(lambda: secured.recv(4096), b""))


def test_a_reset_is_no_proper_end(
    sandbox: Sandbox, packages: Path, token: str, file_url: str
) -> None:
    """A body that is cut off short ends its connection in order; a reset does not."""
    path, data = urlsplit(file_url).path, (packages / WHEEL).read_bytes()
    sandbox.truncate(100, times=1)
    assert read_to_the_end(sandbox, token, path).endswith(b"\r\n\r\n" + data[:100])
    sandbox.reset(100, times=1)
    # OpenSSL takes a reset for an end without notice in some of its versions.
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        read_to_the_end(sandbox, token, path)


def test_a_head_can_break(
    sandbox: Sandbox, packages: Path, token: str, file_url: str, page_url: str, http: Http
) -> None:
    """An answer breaks off in its head, by a reset: once, and only where it was asked for."""
    path, data = urlsplit(file_url).path, (packages / WHEEL).read_bytes()
    sandbox.reset_head(40, times=1, on="files")
    assert http(page_url, token).status == 200
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        read_to_the_end(sandbox, token, path)
    assert http(file_url, token).data == data
    sandbox.reset_head(on="api", name="GetAuthorizationToken")
    with pytest.raises(urllib3.exceptions.HTTPError):
        get_token(sandbox)
    sandbox.heal()
    assert get_token(sandbox)


def test_a_fault_has_its_target(
    sandbox: Sandbox, http: Http, token: str, page_url: str, file_url: str
) -> None:
    """A fault of pages leaves files alone, one of a name leaves others alone, and all are healed."""
    sandbox.fault(503, on="pages")
    assert [http(url, token).status for url in (page_url, file_url)] == [503, 200]
    sandbox.fault(500, on="files", name="other")
    assert http(file_url, token).status == 200
    sandbox.fault(500, on="api", name="ListPackages")
    path = "domain=demo&repository=pypi-store"
    assert ask(sandbox, "POST", f"/v1/packages?{path}").status == 500
    assert ask(sandbox, "GET", f"/v1/repository?{path}").status == 200
    sandbox.corrupt(0)
    sandbox.heal()
    assert http(page_url, token).status == 200
    assert http(file_url, token).data[:2] == b"PK"


@pytest.mark.parametrize(("kind", "value"), [("delay", -1), ("reset", -1), ("corrupt", -5)])
def test_an_impossible_fault_is_said(sandbox: Sandbox, kind: str, value: float) -> None:
    """A fault that cannot be is refused when it is asked for, and so is a place that is none."""
    with pytest.raises(SandboxError, match="There can be no"):
        getattr(sandbox, kind)(value)
    with pytest.raises(SandboxError, match="on nowhere"):
        getattr(sandbox, kind)(1, on="nowhere")


@pytest.mark.wide
def test_calls_are_limited_by_the_second(sandbox: Sandbox) -> None:
    """Beyond so many calls in any second the API throttles, and a second later it does not."""

    def statuses(count: int) -> list[int]:
        path = "/v1/repository?domain=demo&repository=pypi-store"
        return [ask(sandbox, "GET", path).status for _ in range(count)]

    sandbox.limit_rate(3)
    started = time.monotonic()
    got = statuses(5)
    assert time.monotonic() - started < 1, "this machine is too slow for the test"
    assert got == [200, 200, 200, 429, 429]
    time.sleep(1)
    assert statuses(1) == [200]
    sandbox.heal()
    assert statuses(5) == [200] * 5
    sandbox.limit_rate(1, times=2)
    assert statuses(5) == [200, 429, 429, 200, 200]
    sandbox.limit_rate(0, name="ListPackages")
    path = "/v1/packages?domain=demo&repository=pypi-store"
    assert ask(sandbox, "POST", path).status == 429
    assert statuses(1) == [200]


# --- who may -----------------------------------------------------------------------------


def make_wrong_token(sandbox: Sandbox, case: str) -> str | None:
    """Return a token that does not open the default repository."""
    if case == "another domain's":
        return get_token(sandbox, sandbox.add_repository("theirs", domain="other"))
    if case == "another region's":
        sandbox.add_repository("theirs", region="eu-west-1")
        host = "https://codeartifact.eu-west-1.amazonaws.com"
        return token_in(sandbox, host)
    if case == "expired":
        sandbox.token_life = -1
    token = get_token(sandbox)
    if case == "revoked":
        sandbox.revoke_tokens()
    return {"missing": None, "empty": "", "made up": "x.y.z.a.b"}.get(case, token)


def token_in(sandbox: Sandbox, host: str) -> str:
    region = host.split(".")[1]
    keys = sandbox.user
    session = botocore.session.Session()
    session.set_credentials(keys.access_key_id, keys.secret_access_key)
    environ = sandbox.environ()
    config = Config(proxies={"https": environ["HTTPS_PROXY"]})
    service = session.create_client(
        "codeartifact", region, config=config, verify=environ["SSL_CERT_FILE"]
    )
    return str(service.get_authorization_token(domain="demo")["authorizationToken"])


@pytest.mark.parametrize(
    "case",
    ["missing", "empty", "made up", "expired", "revoked", "another domain's", "another region's"],
)
def test_a_wrong_token_is_401_everywhere(
    sandbox: Sandbox, http: Http, page_url: str, file_url: str, case: str
) -> None:
    """Pages, files, uploads and what does not exist: 401 with both challenges, and a record."""
    token = make_wrong_token(sandbox, case)
    missing = f"{sandbox.endpoint.simple_url}nothing/"
    for method, url in (
        ("GET", page_url),
        ("HEAD", file_url),
        ("GET", missing),
        ("POST", sandbox.endpoint.url),
    ):
        answer = http(url, token, method)
        challenges = [each.split()[0] for each in answer.headers.getlist("WWW-Authenticate")]
        assert (answer.status, challenges) == (401, ["Bearer", "Basic"])
        record = sandbox.requests[-1]
        assert record.credential is None
        assert record.sent == (sandbox.token_id(token) if token else None)


def test_what_is_missing_is_404(
    sandbox: Sandbox, http: Http, token: str, page_url: str, file_url: str
) -> None:
    """A package, version, file or repository that is not there, or a domain that went, is 404."""
    for url in (
        page_url.replace("acme-alone", "nothing"),
        file_url.replace("/2.0/", "/3.0/"),
        file_url.replace(".whl", ".tar.gz"),
        page_url.replace("pypi-store", "another"),
    ):
        assert http(url, token).status == 404
    assert sandbox.requests[-1].credential == sandbox.token_id(token)
    sandbox.remove_repository(sandbox.endpoint)
    assert ask(sandbox, "DELETE", "/v1/domain?domain=demo").status == 200
    assert http(page_url, token).status == 404


def test_without_permission_it_is_403(
    sandbox: Sandbox, http: Http, token: str, page_url: str, file_url: str
) -> None:
    """Without ReadFromRepository pages, files and missing packages are 403 alike."""
    sandbox.deny("codeartifact:ReadFromRepository")
    for url in (page_url, file_url, page_url.replace("acme-alone", "nothing")):
        answer = http(url, token)
        assert answer.status == 403
        assert b"codeartifact:ReadFromRepository" in answer.data
    assert sandbox.requests[-1].credential == sandbox.token_id(token)


# --- a folder for the public index -------------------------------------------------------


def test_a_folder_stands_for_the_public_index(
    packages: Path, clean_base: dict[str, str], tmp_path: Path
) -> None:
    """Without network public names come from a folder alone; what was fetched stays, as EXTERNAL."""
    folder = tmp_path / "public"
    wheel = make_wheel(folder, "pub", "1.0", requires_python=">=3.8")
    gone = make_wheel(folder, "pub", "2.0")
    changed = make_wheel(folder, "pub", "3.0")
    (folder / "README").write_text("no package")
    nowhere = clean_base | {"PIP_INDEX_URL": "http://127.0.0.1:9/simple/"}
    with Sandbox([packages], public=folder, base=nowhere) as sandbox:
        http, token, url = Http(sandbox), get_token(sandbox), sandbox.endpoint.simple_url
        page = http(f"{url}Pub/", token, headers={"Accept": JSON}).json()
        assert page["versions"] == ["1.0", "2.0", "3.0"]
        assert page["meta"] == {"api-version": "1.1"}
        assert page["files"][0]["requires-python"] == ">=3.8"
        assert http(f"{url}six/", token).status == 404
        data = wheel.read_bytes()
        assert http(f"{url}pub/1.0/{wheel.name}", token).data == data
        wheel.unlink()
        gone.unlink()
        changed.write_bytes(b"other bytes")
        part = http(f"{url}pub/1.0/{wheel.name}", token, headers={"Range": "bytes=2-5"})
        assert (part.status, part.data) == (206, data[2:6])
        assert http(f"{url}pub/2.0/{gone.name}", token).status == 502
        assert http(f"{url}pub/3.0/{changed.name}", token).status == 502
        http.close()
        query = "domain=demo&repository=pypi-store&format=pypi&package=pub"
        listed = ask(sandbox, "POST", f"/v1/package/versions?{query}").json()["versions"]
        assert [(row["version"], row["origin"]) for row in listed] == [
            (
                "1.0",
                {
                    "domainEntryPoint": {"externalConnectionName": "public:pypi"},
                    "originType": "EXTERNAL",
                },
            )
        ]


def make_false_zip(folder: Path) -> None:
    (folder / "acme-1.0-py3-none-any.whl").write_bytes(b"PK no zip")


def make_empty_zip(folder: Path) -> None:
    with zipfile.ZipFile(folder / "acme-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("acme.py", "")


def make_cut_wheel(folder: Path) -> None:
    wheel = make_wheel(folder, "acme", "1.0")
    wheel.write_bytes(wheel.read_bytes()[:-30])


def make_spoilt_wheel(folder: Path) -> None:
    with zipfile.ZipFile(
        folder / "acme-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED
    ) as archive:
        archive.writestr("acme-1.0.dist-info/METADATA", "Name: acme\nVersion: 1.0\n" * 9)
    path = folder / "acme-1.0-py3-none-any.whl"
    data = bytearray(path.read_bytes())
    # Where the compressed bytes begin, after a head of 30 and the name.
    begin = 30 + len("acme-1.0.dist-info/METADATA")
    data[begin : begin + 6] = b"\xff" * 6
    path.write_bytes(data)


def make_false_sdist(folder: Path) -> None:
    (folder / "acme-1.0.tar.gz").write_bytes(b"\x1f\x8b no tar")


def make_misnamed_wheel(folder: Path) -> None:
    make_wheel(folder, "acme", "1.0").rename(folder / "acme.whl")


def make_folder_without_project(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "acme.py").touch()


BAD: dict[Callable[[Path], None], str] = {
    make_false_zip: "acme-1.0-py3-none-any.whl cannot be read as a package",
    make_empty_zip: "acme-1.0-py3-none-any.whl cannot be read as a package: it holds no",
    make_cut_wheel: "acme-1.0-py3-none-any.whl cannot be read as a package",
    make_spoilt_wheel: "acme-1.0-py3-none-any.whl cannot be read as a package",
    make_false_sdist: "acme-1.0.tar.gz cannot be read as a package",
    make_misnamed_wheel: "acme.whl is not the name of a wheel",
    make_folder_without_project: "packages holds no wheel, no sdist and no project",
}


@pytest.mark.parametrize(
    ("spoil", "public"),
    # A public index may be empty, a folder to publish may not.
    [(spoil, public) for public in (False, True) for spoil in list(BAD)[: 6 if public else 7]],
)
def test_a_bad_folder_is_said_by_name(
    clean_base: dict[str, str], tmp_path: Path, spoil: Callable[[Path], None], public: bool
) -> None:
    """What is wrong with a folder stops the start, in one sentence that names the file."""
    folder = tmp_path / "packages"
    folder.mkdir()
    spoil(folder)
    given: dict[str, Any] = {"public": folder} if public else {"packages": [folder]}
    with (
        pytest.raises(SandboxError, match=re.escape(BAD[spoil])) as caught,
        Sandbox(**given, base=clean_base),
    ):
        pass
    assert "\n" not in caught.value.sentence
    assert caught.value.hint


def test_what_is_not_there_is_said(
    sandbox: Sandbox, clean_base: dict[str, str], tmp_path: Path
) -> None:
    """A file or a folder that does not exist is named in one sentence, wherever it is given."""
    for missing in (tmp_path / "missing-1.0-py3-none-any.whl", tmp_path):
        with pytest.raises(SandboxError, match=re.escape(f"{missing} cannot be read")):
            sandbox.publish(missing)
    for given in ({"packages": [tmp_path / "no"]}, {"public": tmp_path / "no"}):
        with pytest.raises(SandboxError, match=re.escape(str(tmp_path / "no"))):
            Sandbox(**given, base=clean_base).__enter__()


@pytest.mark.wide
def test_the_command_line_takes_a_public_folder(clean_env: dict[str, str], tmp_path: Path) -> None:
    """With --public a command inside installs from that folder, and a missing one is said."""
    folder, to = tmp_path / "public", tmp_path / "to"
    make_wheel(folder, "pub", "1.0")
    code = (
        "import os, subprocess, sys, botocore.session\n"
        "api = botocore.session.Session().create_client('codeartifact', 'us-east-1')\n"
        "token = api.get_authorization_token(domain='demo')['authorizationToken']\n"
        "url = os.environ['PIPENV_CA_SANDBOX_URL'].replace('://', f'://aws:{token}@')\n"
        "words = ['-m', 'pip', 'install', '--target', sys.argv[1], '--index-url', url, 'pub']\n"
        "sys.exit(subprocess.call([sys.executable, *words]))\n"
    )
    command = [f"{SCRIPTS}/python", "-c", code, str(to)]
    done = run(
        PIPENV_CA, "sandbox", "run", "--public", folder, "--", *command, env=clean_env, cwd=tmp_path
    )
    assert done.status == 0, done.output
    assert (to / "pub" / "__init__.py").is_file()
    words = ["sandbox", "run", "--public", str(tmp_path / "no"), "--", "true"]
    done = run(PIPENV_CA, *words, env=clean_env, cwd=tmp_path)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path / 'no'} is no folder.\nhint: ")


# --- figures -----------------------------------------------------------------------------

# What runs inside the sandbox: it sends a large wheel up and takes it down again, both in
# pieces, and writes the peak of its parent's memory, in MiB, before and after.
_LARGE = """
import hashlib, json, os, sys
import botocore.session, requests
from requests_toolbelt.multipart import MultipartEncoder

def peak():
    status = open(f"/proc/{os.getppid()}/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

path, result = sys.argv[1:]
api = botocore.session.Session().create_client("codeartifact", "us-east-1")
token = api.get_authorization_token(domain="demo")["authorizationToken"]
index = os.environ["PIPENV_CA_SANDBOX_URL"]
before = peak()
name = os.path.basename(path)
with open(path, "rb") as file:
    form = MultipartEncoder({
        ":action": "file_upload", "protocol_version": "1", "filetype": "bdist_wheel",
        "name": "large", "version": "1.0",
        "content": (name, file, "application/octet-stream"),
    })
    up = requests.post(
        index.removesuffix("simple/"), data=form, auth=("aws", token),
        headers={"Content-Type": form.content_type},
    )
digest = hashlib.sha256()
with requests.get(f"{index}large/1.0/{name}", auth=("aws", token), stream=True) as down:
    for block in down.iter_content(1 << 16):
        digest.update(block)
with open(result, "w") as out:
    json.dump([up.status_code, down.status_code, digest.hexdigest(), before, peak()], out)
"""


@pytest.mark.wide
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_large_file_takes_little_memory(clean_env: dict[str, str], tmp_path: Path) -> None:
    """A wheel of 100 MB goes up and down while the sandbox stays under 100 MB."""
    wheel, result = make_wheel(tmp_path, "large", "1.0"), tmp_path / "result"
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("large/data", os.urandom(100 * 1024 * 1024))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    script = tmp_path / "large.py"
    script.write_text(_LARGE)
    command = [f"{SCRIPTS}/python", str(script), str(wheel), str(result)]
    done = run(
        PIPENV_CA, "sandbox", "run", "--no-upstream", "--", *command, env=clean_env, cwd=tmp_path
    )
    assert done.status == 0, done.output
    up, down, got, before, peak = json.loads(result.read_text())
    assert (up, down, got) == (200, 200, digest)
    # 50 MiB when this was written, and as much before.
    assert before <= peak < 100


@pytest.mark.wide
def test_the_sandbox_answers_within_a_second(packages: Path, clean_base: dict[str, str]) -> None:
    """From nothing to the first answered request takes less than a second, in process."""
    taken = []
    for _ in range(3):
        started = time.monotonic()
        with Sandbox([packages], upstream=False, base=clean_base) as sandbox:
            http = Http(sandbox)
            assert http(f"{sandbox.endpoint.simple_url}acme-alone/").status == 401
            taken.append(time.monotonic() - started)
            http.close()
    assert min(taken) < 1
