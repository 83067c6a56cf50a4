"""pypi.org as the sandbox plays it, from a folder and from another index; latency, bandwidth, bytes."""

from __future__ import annotations

import hashlib
import json
import sys
import time
import zipfile
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from support.programs import PIPENV, PIPENV_CA, run
from support.projects import PYPI_SOURCE, write_pipfile
from support.sandbox import JSON, FakePublicIndex, Http, get_token

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.wide

PUBLIC = "https://pypi.org"
HTML = "application/vnd.pypi.simple.v1+html"
OLD = datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three releases of one package and an sdist of another, which needs it."""
    folder = tmp_path / "public"
    for version in ("1.0", "1.1", "2.0rc1"):
        make_wheel(folder, "pub-lic", version, requires_python=">=3.8")
    make_sdist(folder, "user", "1.0", ["pub-lic"])
    return folder


@pytest.fixture
def sandbox(folder: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    with Sandbox(public=folder, base=clean_base) as running:
        yield running


@pytest.fixture
def alone(clean_env: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """Return an environment inside the sandbox with caches of its own, and without other packages."""
    caches = {"PIP_CACHE_DIR": str(tmp_path / "pip"), "PIPENV_CACHE_DIR": str(tmp_path / "pipenv")}
    environ = sandbox.environ(clean_env) | caches
    return {name: value for name, value in environ.items() if name != "PIP_FIND_LINKS"}


def files_of(http: Http, url: str, token: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the entries of a JSON page by file name."""
    page = http(url, token, headers={"Accept": JSON}).json()
    return {file["filename"]: file for file in page["files"]}


def test_pages_files_and_metadata(sandbox: Sandbox, http: Http, folder: Path) -> None:
    """A page gives each file's size, time, hash and METADATA; all are there, files in parts too."""
    sandbox.set_public("Pub_Lic", "1.0", yanked="it <broke>", uploaded=OLD)
    wheel = folder / "pub_lic-1.0-py3-none-any.whl"
    data = wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("pub_lic-1.0.dist-info/METADATA")
    digests = [hashlib.sha256(each).hexdigest() for each in (data, metadata)]
    page = http(f"{PUBLIC}/simple/pub-lic/", headers={"Accept": JSON}).json()
    assert page["meta"] == {"api-version": "1.1"}
    assert page["versions"] == ["1.0", "1.1", "2.0rc1"]
    first, second, _ = page["files"]
    assert first == {
        "filename": wheel.name,
        "url": f"{PUBLIC}/packages/{digests[0]}/{wheel.name}",
        "hashes": {"sha256": digests[0]},
        "yanked": "it <broke>",
        "requires-python": ">=3.8",
        "size": len(data),
        "upload-time": "2020-01-02T03:04:05.000000Z",
        "core-metadata": {"sha256": digests[1]},
    }
    modified = (folder / second["filename"]).stat().st_mtime
    uploaded = datetime.fromisoformat(second["upload-time"].replace("Z", "+00:00"))
    assert abs(uploaded.timestamp() - modified) < 1
    assert second["yanked"] is False
    anchors = http(f"{PUBLIC}/simple/pub-lic/", headers={"Accept": HTML}).data.decode()
    assert f'href="{first["url"]}#sha256={digests[0]}"' in anchors
    assert 'data-yanked="it &lt;broke&gt;"' in anchors
    assert f'data-core-metadata="sha256={digests[1]}"' in anchors
    whole = http(first["url"])
    assert (whole.data, whole.headers["Accept-Ranges"]) == (data, "bytes")
    part = http(first["url"], headers={"Range": "bytes=2-5"})
    assert (part.status, part.data) == (206, data[2:6])
    assert http(f"{first['url']}.metadata").data == metadata
    assert "immutable" in whole.headers["Cache-Control"]
    sdist = files_of(http, f"{PUBLIC}/simple/user/")["user-1.0.tar.gz"]
    assert "core-metadata" not in sdist
    assert http(f"{sdist['url']}.metadata").status == 404
    # Another file's hash does not lead there.
    assert http(first["url"].replace(digests[0], digests[1])).status == 404


def test_the_json_api(sandbox: Sandbox, http: Http) -> None:
    """Releases, their hashes and the latest one that is not yanked; a single release without others."""
    sandbox.set_public("pub-lic", "1.1", yanked="")
    said = http(f"{PUBLIC}/pypi/pub-lic/json").json()
    assert (said["info"]["version"], list(said["releases"])) == ("1.0", ["1.0", "1.1", "2.0rc1"])
    listed = files_of(http, f"{PUBLIC}/simple/pub-lic/").values()
    assert {each["filename"]: each["hashes"] for each in listed} == {
        row["filename"]: row["digests"] for rows in said["releases"].values() for row in rows
    }
    one = http(f"{PUBLIC}/pypi/pub-lic/1.1/json").json()
    assert http(f"{PUBLIC}/pypi/pub-lic/3.0/json").status == 404
    assert ("releases" in one, one["urls"][0]["yanked"], one["urls"][0]["yanked_reason"]) == (
        False,
        True,
        None,
    )


@pytest.mark.parametrize(
    ("path", "status", "place"),
    [
        ("/simple/Pub.Lic/", 301, "/simple/pub-lic/"),
        ("/simple/pub-lic", 301, "/simple/pub-lic/"),
        ("/pypi/Pub_Lic/json", 301, "/pypi/pub-lic/json"),
        ("/pypi/Pub_Lic/1.0/json", 301, "/pypi/pub-lic/1.0/json"),
        ("/simple/nobody/", 404, None),
        ("/pypi/nobody/json", 404, None),
        ("/simple/", 404, None),
        ("/packages/0/pub_lic-1.0-py3-none-any.whl", 404, None),
        ("/packages/0/nothing.txt", 404, None),
        ("/", 404, None),
    ],
)
def test_addresses(http: Http, path: str, status: int, place: str | None) -> None:
    """Names that are not normalised and missing slashes are redirected; what is unknown is 404."""
    answer = http(f"{PUBLIC}{path}")
    assert (answer.status, answer.headers.get("Location")) == (status, place)


def test_a_login_is_recorded_and_ignored(sandbox: Sandbox, http: Http) -> None:
    """A token that is sent to pypi.org changes nothing there, and the records name it."""
    token = get_token(sandbox)
    assert http(f"{PUBLIC}/simple/pub-lic/", token).status == 200
    assert sandbox.requests[-1].sent == sandbox.token_id(token)
    assert sandbox.requests[-1].credential is None
    assert http(f"{PUBLIC}/simple/pub-lic/", method="POST").status == 405


def test_codeartifact_says_less_of_the_same_files(folder: Path, clean_base: dict[str, str]) -> None:
    """Through the external connection come no time, yanking or METADATA, unless switches say so."""
    facts = {"yanked": "broken", "upload-time": "2020-01-02T03:04:05.000000Z"}
    for chosen in (False, True):
        behaviour = Behaviour(upload_time=chosen, yanked=chosen, metadata=chosen)
        with Sandbox(public=folder, behaviour=behaviour, base=clean_base) as sandbox:
            sandbox.set_public("pub-lic", "1.0", yanked="broken", uploaded=OLD)
            http = Http(sandbox)
            url = f"{sandbox.endpoint.simple_url}pub-lic/"
            file = files_of(http, url, get_token(sandbox))["pub_lic-1.0-py3-none-any.whl"]
            listed = files_of(http, f"{PUBLIC}/simple/pub-lic/")[file["filename"]]
            http.close()
        assert listed["hashes"] == file["hashes"]
        assert file["yanked"] == (facts["yanked"] if chosen else False)
        assert file.get("upload-time") == (facts["upload-time"] if chosen else None)
        assert ("core-metadata" in file) == chosen


def test_a_release_must_be_there(sandbox: Sandbox) -> None:
    """Facts of a release that the public index does not have are refused."""
    with pytest.raises(SandboxError, match=r"no pub-lic 9\.0"):
        sandbox.set_public("pub-lic", "9.0", yanked="")


def test_another_index_is_played(
    clean_base: dict[str, str], public: FakePublicIndex, tmp_path: Path
) -> None:
    """pypi.org can have what the machine's index has: its METADATA files, else those of its wheels."""
    wheels = [make_wheel(tmp_path, name, "1.0") for name in ("apart", "inside")]
    offered: list[dict[str, Any]] = [{"core-metadata": {"sha256": "0" * 64}}, {}]
    for wheel, facts in zip(wheels, offered, strict=True):
        public.add(wheel.name.split("-")[0], wheel, **facts)
    said = b"Metadata-Version: 2.1\nName: apart\nVersion: 1.0\n\nas the index has it\n"
    public.pages[f"/files/{wheels[0].name}.metadata"] = (200, "text/plain", said)
    base = clean_base | {"PIP_INDEX_URL": public.url}
    with Sandbox(serve_public=True, base=base) as sandbox:
        http = Http(sandbox)
        files = [
            file
            for wheel in wheels
            for file in files_of(http, f"{PUBLIC}/simple/{wheel.name.split('-')[0]}/").values()
        ]
        urls = [file["url"] for file in files]
        apart, inside = ([http(f"{url}.metadata").data for _ in range(2)] for url in urls)
        assert http(urls[0]).data == wheels[0].read_bytes()
        http.close()
    with zipfile.ZipFile(wheels[1]) as archive:
        held = archive.read("inside-1.0.dist-info/METADATA")
    assert [file["core-metadata"] for file in files] == [{"sha256": "0" * 64}, True]
    assert (apart, inside) == ([said] * 2, [held] * 2)
    # Each once: the wheel of the first only since it was asked for.
    assert [path for path, _ in public.asked if path.startswith("/files/")] == [
        f"/files/{wheels[0].name}.metadata",
        f"/files/{wheels[1].name}.metadata",
        f"/files/{wheels[1].name}",
        f"/files/{wheels[0].name}",
    ]


def test_without_a_folder_it_is_the_real_one(
    clean_base: dict[str, str], public: FakePublicIndex
) -> None:
    """Unless it is played, pypi.org is tunnelled as any other host."""
    port = public.server_port
    base = clean_base | {"https_proxy": f"http://127.0.0.1:{port}", "no_proxy": ""}
    with Sandbox(base=base) as sandbox:
        http = Http(sandbox)
        with pytest.raises(urllib3.exceptions.HTTPError):
            http(f"{PUBLIC}/simple/six/")
        http.close()
        assert [(r.method, r.host) for r in sandbox.requests] == [("CONNECT", "pypi.org")]


@pytest.mark.parametrize("kind", ["fault", "reset_head", "reset", "truncate", "corrupt", "delay"])
def test_faults_of_the_public_side(sandbox: Sandbox, http: Http, kind: str) -> None:
    """Each fault meets pypi.org alone if it is for public, and as often as it says."""
    (file,) = files_of(http, f"{PUBLIC}/simple/user/").values()
    getattr(sandbox, kind)({"fault": 503, "delay": 600}.get(kind, 10), times=1, on="public")
    assert http(f"{sandbox.endpoint.simple_url}user/", get_token(sandbox)).status == 200
    try:
        answer = http(file["url"], timeout=urllib3.Timeout(read=0.5))
        met = "fault" if answer.status == 503 else "corrupt"
        assert hashlib.sha256(answer.data).hexdigest() != file["hashes"]["sha256"]
    except urllib3.exceptions.HTTPError as error:
        late = isinstance(error, urllib3.exceptions.ReadTimeoutError)
        met = "delay" if late else kind
    assert met == kind
    assert hashlib.sha256(http(file["url"]).data).hexdigest() == file["hashes"]["sha256"]


def test_latency_is_for_each_round_trip(sandbox: Sandbox, http: Http) -> None:
    """A new connection costs two round trips and a request one, on every host, until it is healed."""
    token = get_token(sandbox)
    sandbox.latency(0.1)
    for url in (f"{PUBLIC}/simple/user/", f"{sandbox.endpoint.simple_url}user/"):
        took = []
        for _ in range(2):
            started = time.monotonic()
            assert http(url, token).status == 200
            took.append(time.monotonic() - started)
        assert took[0] >= 0.3
        assert 0.1 <= took[1] < 0.3
    sandbox.heal()
    started = time.monotonic()
    assert http(f"{PUBLIC}/simple/user/").status == 200
    assert time.monotonic() - started < 0.1
    with pytest.raises(SandboxError, match="cannot be -1"):
        sandbox.latency(-1)


def test_bandwidth_is_shared(clean_base: dict[str, str], tmp_path: Path) -> None:
    """Four bodies at once take four times as long as one; none is slowed once it is healed."""
    folder = tmp_path / "public"
    wheel = make_wheel(folder, "wide", "1.0")
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("wide/data", bytes(100_000))
    size = wheel.stat().st_size
    with Sandbox(public=folder, base=clean_base) as sandbox:
        clients = [Http(sandbox) for _ in range(4)]
        (file,) = files_of(clients[0], f"{PUBLIC}/simple/wide/").values()
        sandbox.bandwidth(size * 4)
        started = time.monotonic()
        answers = [each(file["url"], preload_content=False) for each in clients]
        assert [len(answer.read()) for answer in answers] == [size] * 4
        assert time.monotonic() - started >= 0.95
        assert [r.body_bytes for r in sandbox.requests[-4:]] == [size] * 4
        sandbox.heal()
        started = time.monotonic()
        assert len(clients[0](file["url"]).data) == size
        assert time.monotonic() - started < 0.25
        for each in clients:
            each.close()
        with pytest.raises(SandboxError, match="cannot be 0"):
            sandbox.bandwidth(0)


def test_bytes_are_counted(sandbox: Sandbox, http: Http) -> None:
    """A record has the bytes of the body: all, a part of it, none for HEAD, and those before a cut."""
    (file,) = files_of(http, f"{PUBLIC}/simple/user/").values()
    http(file["url"])
    http(file["url"], headers={"Range": "bytes=2-5"})
    http(file["url"], method="HEAD")
    sandbox.truncate(100, on="public")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        http(file["url"])
    assert [r.body_bytes for r in sandbox.requests[-4:]] == [file["size"], 4, 0, 100]


def test_a_file_can_be_missing_for_a_moment(sandbox: Sandbox, http: Http) -> None:
    """A file that CodeArtifact's page lists answers 404 once, and then is there."""
    token, url = get_token(sandbox), f"{sandbox.endpoint.simple_url}user/"
    sandbox.fault(404, times=1, on="files")
    (file,) = files_of(http, url, token).values()
    assert [http(url + file["url"], token).status for _ in range(2)] == [404, 200]


# --- clients -----------------------------------------------------------------------------


def test_pip(alone: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    """Pip asks for METADATA first, and takes a yanked release only if nothing else will do."""
    sandbox.set_public("pub-lic", "1.1", yanked="broken")
    pip = [sys.executable, "-m", "pip"]
    report = ["install", "--ignore-installed", "--dry-run", "--quiet", "--report", "-"]
    for wanted, version in (("pub-lic", "1.0"), ("pub-lic==1.1", "1.1")):
        done = run(*pip, *report, wanted, env=alone, cwd=tmp_path)
        assert done.status == 0, done.output
        (chosen,) = json.loads(done.stdout)["install"]
        assert chosen["metadata"]["version"] == version
    first, second, *_ = [r.path for r in sandbox.requests if r.host == "pypi.org"]
    assert (first, second.endswith("/pub_lic-1.0-py3-none-any.whl.metadata")) == (
        "/simple/pub-lic/",
        True,
    )
    done = run(*pip, "download", "--no-deps", "pub-lic", env=alone, cwd=tmp_path)
    assert done.status == 0, done.output
    assert (tmp_path / "pub_lic-1.0-py3-none-any.whl").is_file()


@pytest.mark.parametrize("option", ["--public", "--serve-public"])
def test_run_plays_it(
    clean_env: dict[str, str], folder: Path, public: FakePublicIndex, tmp_path: Path, option: str
) -> None:
    """A command of sandbox run gets from pypi.org what the folder has, or the machine's index."""
    wheel = folder / "pub_lic-1.0-py3-none-any.whl"
    if option == "--public":
        words = [option, str(folder)]
    else:
        public.add("pub-lic", wheel)
        words, clean_env["PIP_INDEX_URL"] = [option], public.url
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "-d", "to"]
    pip += ["--index-url", f"{PUBLIC}/simple", "pub-lic==1.0"]
    command = [PIPENV_CA, "sandbox", "run", *words, "--", *pip]
    done = run(*command, env=clean_env, cwd=tmp_path)
    assert done.status == 0, done.output
    assert (tmp_path / "to" / wheel.name).read_bytes() == wheel.read_bytes()


def test_pipenv(alone: dict[str, str], sandbox: Sandbox, project: Path, folder: Path) -> None:
    """Pipenv locks what is not yanked with the JSON API's hashes, and no wheel's bytes are sent."""
    sandbox.set_public("pub-lic", "1.1", yanked="broken")
    write_pipfile(project, PYPI_SOURCE, '[packages]\npub-lic = "*"\n')
    done = run(PIPENV, "lock", env=alone, cwd=project)
    assert done.status == 0, done.output
    locked = json.loads((project / "Pipfile.lock").read_text())["default"]["pub-lic"]
    data = (folder / "pub_lic-1.0-py3-none-any.whl").read_bytes()
    assert locked["version"] == "==1.0"
    assert locked["hashes"] == [f"sha256:{hashlib.sha256(data).hexdigest()}"]
    asked = {(r.method, r.path) for r in sandbox.requests}
    assert ("GET", "/pypi/pub-lic/json") in asked
    assert not any(path.endswith(".whl") for _, path in asked)
    assert "CONNECT" not in {method for method, _ in asked}
