"""The package endpoint: its pages and files, and the tokens and permissions to read them."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import urllib3
from support.sandbox import (
    JSON,
    WHEEL,
    FakePublicIndex,
    RepositoryClient,
    ask,
    client_of,
    enter,
    get_token,
)

from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import USERNAME, IndexSources, Upstream
from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.sandbox import Start

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

HTML = "application/vnd.pypi.simple.v1+html"
PAGE, FILE = "acme-alone/", f"acme-alone/2.0/{WHEEL}"


def test_a_page_has_the_form_that_the_client_accepts(repository: RepositoryClient) -> None:
    """The answer is 406 if no form is acceptable."""
    assert repository.get(PAGE).headers["Content-Type"] == "text/html"
    pip = repository.get(PAGE, Accept=f"{JSON}, {HTML}; q=0.1, text/html; q=0.01")
    assert (pip.status, pip.headers["Content-Type"]) == (200, JSON)
    assert repository.get(PAGE, Accept="application/json").status == 406


@pytest.mark.parametrize("accept", [JSON, "image/png"])
def test_before_2026_every_client_gets_html(start: Start, accept: str) -> None:
    _, repository = start(behaviour=Behaviour(pages="html"))
    page = repository.get(PAGE, Accept=accept)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html")
    assert b"<a href=" in page.data


@pytest.mark.parametrize("offered", [False, True])
def test_metadata_files_are_listed_and_served_only_if_chosen(
    start: Start, packages: Path, offered: bool
) -> None:
    _, repository = start(behaviour=Behaviour(metadata=offered))
    apart = repository.get(f"{FILE}.metadata")
    with zipfile.ZipFile(packages / WHEEL) as archive:
        metadata = archive.read("acme_alone-2.0.dist-info/METADATA")
    digest = hashlib.sha256(metadata).hexdigest().encode()
    for form in (HTML, JSON):
        assert (digest in repository.get(PAGE, Accept=form).data) == offered
    assert (apart.status, apart.data == metadata) == ((200, True) if offered else (404, False))


def test_head_answers_as_get_without_a_body(repository: RepositoryClient) -> None:
    http, token = repository.http, repository.token
    for place, given in ((PAGE, token), (FILE, token), (FILE, None), (PAGE, None)):
        url = repository.url + place
        head, whole = http(url, given, "HEAD"), http(url, given)
        assert (head.status, head.data) == (whole.status, b"")
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == whole.headers[name]
    assert repository.get("acme-alone/2.0/other.whl", "HEAD").status == 404
    # A client must not keep the files of one run for the next.
    assert repository.get(FILE).headers["Cache-Control"] == "no-store"


@pytest.mark.wide
@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_is_served_in_parts_unless_ranges_are_ignored(
    start: Start, data: bytes, ranges: bool
) -> None:
    _, repository = start(behaviour=Behaviour(ranges=ranges))
    size = len(data)
    for asked, first, last in (("0-0", 0, 0), ("-22", size - 22, size - 1), ("10-", 10, size - 1)):
        part = repository.get(FILE, Range=f"bytes={asked}")
        if ranges:
            assert (part.status, part.data) == (206, data[first : last + 1])
            assert part.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        else:
            assert (part.status, part.data) == (200, data)
    assert repository.get(FILE, Range="bytes=99999999-").status == (416 if ranges else 200)
    assert ("Accept-Ranges" in repository.get(FILE).headers) == ranges


def test_a_retained_version_stays_yanked(
    start: Start, clean_base: dict[str, str], public: FakePublicIndex, tmp_path: Path
) -> None:
    """A version that was published in the repository is not yanked."""
    wheel = make_wheel(tmp_path, "pub", "1.0")
    facts = {"yanked": "broken", "upload-time": "2020-01-02T03:04:05.000000Z"}
    public.add("pub", wheel, **facts)
    base, timed = (
        clean_base | {"PIP_INDEX_URL": public.url},
        Behaviour(upload_time=True, yanked=True),
    )
    _, repository = start(upstream=True, base=base, behaviour=timed)
    assert repository.download("pub", "1.0") == wheel.read_bytes()
    public.pages.clear()
    (file,) = repository.page("pub")["files"]
    assert file.items() >= facts.items()
    assert file["hashes"]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert repository.page("acme-alone")["files"][0]["yanked"] is False


ASSETS = "assets-193858265520-us-east-1.s3.amazonaws.com"


@pytest.mark.parametrize("status", [302, 307])
def test_a_file_is_served_by_a_signed_url_of_another_host(
    start: Start, data: bytes, status: int
) -> None:
    """The URL is given only for a token, and does not hold it; pages are not redirected."""
    _, repository = start(behaviour=Behaviour(redirect=status))
    http, moved = repository.http, repository.get(FILE)
    place = moved.headers["Location"]
    assert (moved.status, urlsplit(place).hostname) == (status, ASSETS)
    assert repository.token not in place
    assert http(place).data == data
    assert http(place, headers={"Range": "bytes=2-5"}).data == data[2:6]
    assert http(repository.url + FILE).status == 401
    assert repository.status("acme-alone/") == 200


def test_the_asset_host_accepts_only_its_own_signature(start: Start) -> None:
    """It refuses an Authorization header with 400, and a false or expired URL with 403."""
    sandbox, repository = start(behaviour=Behaviour(redirect=302))
    http, place = repository.http, repository.get(FILE).headers["Location"]
    assert http(place, repository.token).status == 400
    assert sandbox.requests[-1].sent == sandbox.token_id(repository.token)
    for wrong in (
        place.replace("Signature=", "Signature=0"),
        place.replace("Expires=", "Expires=9"),
        place.replace(f"{ASSETS}/", f"{ASSETS}/0"),
        place.partition("?")[0],
        f"https://{ASSETS}/",
    ):
        assert http(wrong).status == 403
    assert http(place, method="HEAD").status == 403
    assert http(place).status == 200
    sandbox.clock_offset = 301
    answer = http(place)
    assert (answer.status, b"expired" in answer.data) == (403, True)


def test_the_proxy_index_follows_a_redirect_without_a_login(
    start: Start, monkeypatch: pytest.MonkeyPatch, data: bytes, tmp_path: Path
) -> None:
    """An entry of netrc for the asset host is not used."""
    sandbox, repository = start(behaviour=Behaviour(redirect=302))
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {ASSETS} login me password hunter2\n")
    netrc.chmod(0o600)
    enter(sandbox, monkeypatch)
    monkeypatch.setenv("NETRC", str(netrc))
    upstream = Upstream(sandbox.endpoint, repository.token)
    with ProxyIndex(IndexSources([upstream])) as index, urllib3.PoolManager(retries=False) as pool:
        url = f"{index.url.removesuffix('/simple')}/repository/0/simple/{FILE}"
        headers = urllib3.make_headers(basic_auth=f"{USERNAME}:{index.password}")
        answer = pool.request("GET", url, headers=headers)
        part = pool.request("GET", url, headers=headers | {"Range": "bytes=2-5"})
    assert (answer.status, answer.data) == (200, data)
    assert (part.status, part.data) == (206, data[2:6])
    sent = [(r.status, r.sent) for r in sandbox.requests if (r.host, r.method) == (ASSETS, "GET")]
    assert sent == [(200, None), (206, None)]


def make_wrong_token(sandbox: Sandbox, case: str) -> str | None:
    """Return a token that does not open the default repository."""
    if case == "another domain's":
        return get_token(sandbox, sandbox.add_repository("theirs", domain="other"))
    if case == "another region's":
        sandbox.add_repository("theirs", region="eu-west-1")
        service = client_of(sandbox, "codeartifact", sandbox.user, "eu-west-1")
        return str(service.get_authorization_token(domain="demo")["authorizationToken"])
    if case == "expired":
        sandbox.token_life = -1
    token = get_token(sandbox)
    if case == "revoked":
        sandbox.revoke_tokens()
    return {"missing": None, "empty": "", "made up": "x.y.z.a.b"}.get(case, token)


@pytest.mark.parametrize(
    "case",
    ["missing", "empty", "made up", "expired", "revoked", "another domain's", "another region's"],
)
def test_a_wrong_token_is_401_everywhere(
    sandbox: Sandbox, repository: RepositoryClient, case: str
) -> None:
    """Pages, files, uploads and missing packages have both challenges, and a record."""
    token, url = make_wrong_token(sandbox, case), repository.url
    for method, place in (
        ("GET", url + PAGE),
        ("HEAD", url + FILE),
        ("GET", f"{url}nothing/"),
        ("POST", sandbox.endpoint.url),
    ):
        answer = repository.http(place, token, method)
        challenges = [each.split()[0] for each in answer.headers.getlist("WWW-Authenticate")]
        assert (answer.status, challenges) == (401, ["Bearer", "Basic"])
        record = sandbox.requests[-1]
        assert record.credential is None
        assert record.sent == (sandbox.token_id(token) if token else None)


def test_a_token_is_the_password_of_aws_or_a_bearer(repository: RepositoryClient) -> None:
    http, url = repository.http, repository.url + PAGE
    assert http(url, headers={"Authorization": f"Bearer {repository.token}"}).status == 200
    other = urllib3.make_headers(basic_auth=f"me:{repository.token}")
    assert http(url, headers=other).status == 401


def test_missing_resources_are_answered_with_404(
    sandbox: Sandbox, repository: RepositoryClient
) -> None:
    for place in (
        "nothing/",
        FILE.replace("/2.0/", "/3.0/"),
        FILE.replace(".whl", ".tar.gz"),
        f"{repository.url}{PAGE}".replace("pypi-store", "another"),
        "",  # CodeArtifact has no list of all names and no JSON API
        f"{sandbox.endpoint.url}acme-alone/json",
    ):
        assert repository.status(place) == 404
    assert sandbox.requests[-1].credential == sandbox.token_id(repository.token)
    sandbox.remove_repository(sandbox.endpoint)
    assert ask(sandbox, "DELETE", "/v1/domain?domain=demo").status == 200
    assert repository.status(PAGE) == 404


def test_reading_without_permission_is_answered_with_403(
    sandbox: Sandbox, repository: RepositoryClient
) -> None:
    sandbox.deny("codeartifact:ReadFromRepository")
    for place in (PAGE, FILE, "nothing/"):
        answer = repository.get(place)
        assert (answer.status, b"codeartifact:ReadFromRepository" in answer.data) == (403, True)
