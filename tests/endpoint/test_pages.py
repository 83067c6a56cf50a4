"""The package endpoint: its pages and files, who may read them, and folders that it serves."""

from __future__ import annotations

import hashlib
import re
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import urllib3
from support.sandbox import (
    JSON,
    WHEEL,
    RepositoryClient,
    ask,
    client_of,
    enter,
    get_token,
)

from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import USERNAME, IndexSources, Upstream
from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.sandbox import Start

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


# --- a folder of wheels in the place of the public index -------------------------------------


def test_public_names_come_from_the_folder_alone(
    start: Start, clean_base: dict[str, str], tmp_path: Path
) -> None:
    """A file that was fetched is retained as external."""
    folder = tmp_path / "public"
    wheel = make_wheel(folder, "pub", "1.0", requires_python=">=3.8")
    gone, changed = (make_wheel(folder, "pub", version) for version in ("2.0", "3.0"))
    (folder / "README").write_text("no package")
    offline = clean_base | {"PIP_INDEX_URL": "http://127.0.0.1:9/simple/"}
    options = {"upstream": True, "public": folder, "behaviour": Behaviour(ranges=True)}
    sandbox, repository = start(**options, base=offline)
    page = repository.page("Pub")
    assert (page["versions"], page["meta"]) == (["1.0", "2.0", "3.0"], {"api-version": "1.1"})
    assert page["files"][0]["requires-python"] == ">=3.8"
    assert repository.status("six/") == 404
    data = wheel.read_bytes()
    assert repository.download("pub", "1.0") == data
    wheel.unlink()
    gone.unlink()
    changed.write_bytes(b"other bytes")
    part = repository.get(f"pub/1.0/{wheel.name}", Range="bytes=2-5")
    assert (part.status, part.data) == (206, data[2:6])
    assert repository.status(f"pub/2.0/{gone.name}") == 502
    assert repository.status(f"pub/3.0/{changed.name}") == 502
    query = "domain=demo&repository=pypi-store&format=pypi&package=pub"
    (row,) = ask(sandbox, "POST", f"/v1/package/versions?{query}").json()["versions"]
    assert (row["version"], row["origin"]["originType"]) == ("1.0", "EXTERNAL")


# The end record of an archive without files.
EMPTY_ZIP = "PK\x05\x06" + "\0" * 18
NO_BACKEND = '[build-system]\nrequires = []\nbuild-backend = "nothing"\n'
BAD: dict[str, tuple[str, str | None, str]] = {
    "false zip": ("a-1.0-py3-none-any.whl", "PK", "cannot be read as a package"),
    "empty zip": ("a-1.0-py3-none-any.whl", EMPTY_ZIP, "package: .dist-info/METADATA is"),
    "false sdist": ("acme-1.0.tar.gz", "no tar", "cannot be read as a package"),
    "misnamed wheel": ("acme.whl", None, "is not the name of a wheel"),
    "renamed wheel": ("acme-2.0-py3-none-any.whl", None, "contains acme 1.0"),
    "broken project": ("pyproject.toml", NO_BACKEND, "The build of "),
    "no project": ("acme.py", "", "packages contains no wheel, sdist or project"),
}


@pytest.mark.parametrize(
    ("case", "option"),
    # A public index may be empty, a folder to publish may not.
    [*((case, "packages") for case in BAD), ("false zip", "public"), ("renamed wheel", "public")],
)
def test_an_unusable_folder_is_reported_by_name(
    clean_base: dict[str, str], tmp_path: Path, case: str, option: str
) -> None:
    """The sandbox does not start."""
    name, text, says = BAD[case]
    folder = tmp_path / "packages"
    folder.mkdir()
    if text is None:
        make_wheel(folder, "acme", "1.0").rename(folder / name)
    else:
        (folder / name).write_text(text)
    given: dict[str, Any] = {option: folder if option == "public" else [folder]}
    with pytest.raises(SandboxError, match=re.escape(says)) as caught:
        Sandbox(**given, base=clean_base).__enter__()
    assert ("\n" in caught.value.sentence, bool(caught.value.hint)) == (False, True)
    assert "project" in case or caught.value.sentence.startswith(name)


def test_a_missing_file_or_folder_is_named(
    sandbox: Sandbox, clean_base: dict[str, str], tmp_path: Path
) -> None:
    for missing in (tmp_path / "missing-1.0-py3-none-any.whl", tmp_path):
        with pytest.raises(SandboxError, match=re.escape(f"{missing} cannot be read")):
            sandbox.publish(missing)
    for given in ({"packages": [tmp_path / "no"]}, {"public": tmp_path / "no"}):
        with pytest.raises(SandboxError, match=re.escape(str(tmp_path / "no"))):
            Sandbox(**given, base=clean_base).__enter__()
