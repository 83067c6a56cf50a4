"""pypi.org, served by the sandbox from a folder or another index; latency, bandwidth, bytes."""

from __future__ import annotations

import hashlib
import sys
import time
import zipfile
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from support.programs import PIPENV_CA, run
from support.sandbox import JSON, FakePublicIndex, Http, get_token

from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.wide

PUBLIC = "https://pypi.org"
PAGE, USER_PAGE = f"{PUBLIC}/simple/pub-lic/", f"{PUBLIC}/simple/user/"
HTML = "application/vnd.pypi.simple.v1+html"
WHEEL = "pub_lic-1.0-py3-none-any.whl"
OLD = datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three releases of one package, and an sdist that needs it."""
    folder = tmp_path / "public"
    for version in ("1.0", "1.1", "2.0rc1"):
        make_wheel(folder, "pub-lic", version, requires_python=">=3.8")
    make_sdist(folder, "user", "1.0", ["pub-lic"])
    return folder


@pytest.fixture
def sandbox(folder: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    with Sandbox(public=folder, base=clean_base) as running:
        yield running


def files_of(http: Http, url: str, token: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the entries of a JSON page by file name."""
    page = http(url, token, headers={"Accept": JSON}).json()
    return {file["filename"]: file for file in page["files"]}


def metadata_of(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/METADATA")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_page_gives_size_time_hash_and_metadata_of_each_file(
    sandbox: Sandbox, http: Http, folder: Path
) -> None:
    sandbox.set_public("Pub_Lic", "1.0", yanked="it <broke>", uploaded=OLD)
    data, metadata = (folder / WHEEL).read_bytes(), metadata_of(folder / WHEEL)
    page = http(PAGE, headers={"Accept": JSON}).json()
    assert page["meta"] == {"api-version": "1.1"}
    assert page["versions"] == ["1.0", "1.1", "2.0rc1"]
    first, second, _ = page["files"]
    url = f"{PUBLIC}/packages/{sha256(data)}/{WHEEL}"
    assert first == {
        "filename": WHEEL,
        "url": url,
        "hashes": {"sha256": sha256(data)},
        "yanked": "it <broke>",
        "requires-python": ">=3.8",
        "size": len(data),
        "upload-time": "2020-01-02T03:04:05.000000Z",
        "core-metadata": {"sha256": sha256(metadata)},
    }
    assert second["yanked"] is False
    anchors = http(PAGE, headers={"Accept": HTML}).data.decode()
    assert f'href="{url}#sha256={sha256(data)}"' in anchors
    assert 'data-yanked="it &lt;broke&gt;"' in anchors
    assert f'data-core-metadata="sha256={sha256(metadata)}"' in anchors
    with pytest.raises(SandboxError, match=r"no pub-lic 9\.0"):
        sandbox.set_public("pub-lic", "9.0", yanked="")


def test_files_are_served_whole_in_parts_and_with_metadata(http: Http, folder: Path) -> None:
    """An sdist has no METADATA file; the hash of another file does not lead to this one."""
    data, metadata = (folder / WHEEL).read_bytes(), metadata_of(folder / WHEEL)
    url = files_of(http, PAGE)[WHEEL]["url"]
    assert http(url).data == data
    assert http(url, headers={"Range": "bytes=2-5"}).data == data[2:6]
    assert http(f"{url}.metadata").data == metadata
    assert http(url.replace(sha256(data), sha256(metadata))).status == 404
    sdist = files_of(http, USER_PAGE)["user-1.0.tar.gz"]
    assert "core-metadata" not in sdist
    assert http(f"{sdist['url']}.metadata").status == 404


def test_the_json_api_gives_the_latest_release_that_is_not_yanked(
    sandbox: Sandbox, http: Http
) -> None:
    sandbox.set_public("pub-lic", "1.1", yanked="")
    said = http(f"{PUBLIC}/pypi/pub-lic/json").json()
    assert (said["info"]["version"], list(said["releases"])) == ("1.0", ["1.0", "1.1", "2.0rc1"])
    (row,) = said["releases"]["1.0"]
    assert row["digests"] == files_of(http, PAGE)[row["filename"]]["hashes"]
    (file,) = http(f"{PUBLIC}/pypi/pub-lic/1.1/json").json()["urls"]
    assert file["yanked"] is True


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/simple/Pub.Lic/", "/simple/pub-lic/"),
        ("/pypi/Pub_Lic/1.0/json", "/pypi/pub-lic/1.0/json"),
        *((f"/{path}", None) for path in ("simple/nobody/", "pypi/nobody/json", "simple/")),
        *((f"/{path}", None) for path in ("pypi/pub-lic/3.0/json", f"packages/0/{WHEEL}")),
    ],
)
def test_other_spellings_are_redirected_and_unknown_paths_are_404(
    http: Http, path: str, place: str | None
) -> None:
    answer = http(f"{PUBLIC}{path}")
    assert (answer.status, answer.headers.get("Location")) == (301 if place else 404, place)


def test_codeartifact_gives_no_time_yanking_or_metadata_by_default(
    sandbox: Sandbox, http: Http
) -> None:
    """A login on pypi.org is recorded and ignored."""
    sandbox.set_public("pub-lic", "1.0", yanked="broken", uploaded=OLD)
    token = get_token(sandbox)
    file = files_of(http, f"{sandbox.endpoint.simple_url}pub-lic/", token)[WHEEL]
    assert files_of(http, PAGE, token)[WHEEL]["hashes"] == file["hashes"]
    record = sandbox.requests[-1]
    assert (record.sent, record.credential) == (sandbox.token_id(token), None)
    assert file["yanked"] is False
    assert file.keys().isdisjoint({"upload-time", "core-metadata"})


def test_a_fault_of_the_public_side_meets_pypi_alone(sandbox: Sandbox, http: Http) -> None:
    sandbox.truncate(10, times=1, on="public")
    assert http(f"{sandbox.endpoint.simple_url}user/", get_token(sandbox)).status == 200
    with pytest.raises(urllib3.exceptions.HTTPError):
        http(USER_PAGE)
    assert http(USER_PAGE).status == 200


def seconds_for(http: Http, url: str, token: str | None = None) -> float:
    begin = time.monotonic()
    assert http(url, token).status == 200
    return time.monotonic() - begin


def test_latency_is_added_to_each_round_trip_until_it_is_healed(
    sandbox: Sandbox, http: Http
) -> None:
    """A new connection costs two round trips, and a request one."""
    token = get_token(sandbox)
    sandbox.latency(0.1)
    for url in (USER_PAGE, f"{sandbox.endpoint.simple_url}user/"):
        first, second = (seconds_for(http, url, token) for _ in range(2))
        assert first >= 0.3
        assert 0.1 <= second < first
    sandbox.latency(30)
    sandbox.heal()
    assert seconds_for(http, USER_PAGE) < 30
    with pytest.raises(SandboxError, match="cannot be -1"):
        sandbox.latency(-1)


def test_bandwidth_is_shared_until_it_is_healed(sandbox: Sandbox, http: Http) -> None:
    """Two bodies at once take twice as long as one."""
    (file,) = files_of(http, USER_PAGE).values()
    sandbox.bandwidth(file["size"] * 2)
    begin = time.monotonic()
    answers = [http(file["url"], preload_content=False) for _ in range(2)]
    assert [len(answer.read()) for answer in answers] == [file["size"]] * 2
    assert time.monotonic() - begin >= 0.95
    sandbox.bandwidth(file["size"] // 30)
    sandbox.heal()
    assert seconds_for(http, file["url"]) < 30
    with pytest.raises(SandboxError, match="cannot be 0"):
        sandbox.bandwidth(0)


@pytest.mark.parametrize("option", ["--public", "--serve-public"])
def test_a_command_of_run_gets_public_files_from_pypi(
    clean_env: dict[str, str], folder: Path, public: FakePublicIndex, tmp_path: Path, option: str
) -> None:
    words = [option]
    if option == "--public":
        words += [str(folder)]
    else:
        public.add("pub-lic", folder / WHEEL)
        clean_env["PIP_INDEX_URL"] = public.url
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "-d", "to"]
    pip += ["--index-url", f"{PUBLIC}/simple", "pub-lic==1.0"]
    done = run(PIPENV_CA, "sandbox", "run", *words, "--", *pip, env=clean_env, cwd=tmp_path)
    assert done.status == 0, done.output
    assert (tmp_path / "to" / WHEEL).read_bytes() == (folder / WHEEL).read_bytes()
