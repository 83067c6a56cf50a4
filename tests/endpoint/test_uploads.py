"""Uploads to the package endpoint, by the legacy API, also of large files."""

from __future__ import annotations

import os
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, SCRIPTS, run
from support.sandbox import FakePublicIndex, RepositoryClient
from support.traces import files_below

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.sandbox import Start

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

WHEEL = "acme_new-1.0-py3-none-any.whl"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "made", "acme-new", "1.0")


def stored(sandbox: Sandbox) -> list[Path]:
    """Return the files in the folder of the sandbox's run."""
    return sorted(files_below(sandbox.aws_config.parent))


def test_an_upload_is_stored_once_and_not_replaced(
    sandbox: Sandbox, repository: RepositoryClient, wheel: Path, tmp_path: Path
) -> None:
    """The same file again is accepted, another one of the same name is refused."""
    other = make_wheel(tmp_path / "other", "acme-new", "1.0", requires_python=">=3.9")
    before = stored(sandbox)
    assert [repository.upload(each).status for each in (wheel, wheel, other)] == [200, 200, 409]
    (kept,) = {path.read_bytes() for path in stored(sandbox) if path not in before}
    assert kept == wheel.read_bytes()


@pytest.mark.wide
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": None}, "The form lacks name."),
        ({"protocol_version": "2"}, "protocol version 1"),
        ({":action": "doc_upload"}, "Only file_upload"),
        ({"filetype": "sdist"}, f"{WHEEL} does not have the file type sdist."),
        ({"name": "acme-other"}, "is not a file name for acme-other 1.0."),
        ({"version": "1.1"}, "is not a file name for acme-new 1.1."),
        ({"sha256_digest": "0" * 64}, "does not match its sha256_digest"),
        *(
            ({"filename": name}, "file")
            for name in (
                *("..", f"../../../{WHEEL}", f"/etc/{WHEEL}", f"..\\\\{WHEEL}", f"C:\\\\{WHEEL}"),
                *(f"{WHEEL}\0.whl", "acme_new-1.0-../../x-any.whl"),
            )
        ),
    ],
)
def test_an_invalid_form_or_file_name_is_rejected_and_nothing_is_stored(
    sandbox: Sandbox, repository: RepositoryClient, wheel: Path, changed: dict[str, Any], says: str
) -> None:
    before = stored(sandbox)
    answer = repository.upload(wheel, **changed)
    assert (answer.status, stored(sandbox)) == (400, before)
    assert says in answer.data.decode()
    assert not sandbox.is_published("acme-new")


FORM = "multipart/form-data; boundary=b"
CONTENT = b'--b\r\nContent-Disposition: form-data; name="content"'
FIELD = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nx\r\n'
BROKEN = {
    "not a form": ("application/json", b"{}", "multipart/form-data"),
    "no boundary": ("multipart/form-data", b"--b--\r\n", "boundary"),
    "only an end": (FORM, b"--b--\r\n", "no file"),
    "cut off": (FORM, CONTENT + b'; filename="a.whl"\r\n\r\nPK', "cannot be parsed"),
    "no name": (FORM, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", ""),
    "content as text": (FORM, CONTENT + b"\r\n\r\nPK\r\n--b--\r\n", "no file"),
    "too many fields": (FORM, FIELD * 2000 + b"--b--\r\n", "cannot be parsed"),
}


@pytest.mark.wide
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_form_is_refused_in_one_sentence(
    sandbox: Sandbox, repository: RepositoryClient, case: str
) -> None:
    kind, body, says = BROKEN[case]
    before, headers = stored(sandbox), {"Content-Type": kind}
    url, token = sandbox.endpoint.url, repository.token
    answer = repository.http(url, token, "POST", body=body, headers=headers)
    text = answer.data.decode()
    assert answer.status in {400, 413}
    assert (says in text, text.endswith(".\n")) == (True, True)
    assert stored(sandbox) == before


def test_a_file_that_is_not_a_package_is_refused(
    sandbox: Sandbox, repository: RepositoryClient, wheel: Path
) -> None:
    wheel.write_bytes(b"PK not a wheel")
    before, answer = stored(sandbox), repository.upload(wheel)
    assert (answer.status, stored(sandbox)) == (400, before)
    assert b"cannot be read as a package" in answer.data


def test_blocked_or_denied_publishing_is_refused(
    sandbox: Sandbox, repository: RepositoryClient, wheel: Path
) -> None:
    sandbox.set_origin("acme-new", publish="BLOCK")
    answer = repository.upload(wheel)
    assert (answer.status, b"Publishing acme-new is blocked" in answer.data) == (409, True)
    sandbox.set_origin("acme-new", publish="ALLOW")
    sandbox.deny("codeartifact:PublishPackageVersion")
    assert repository.upload(wheel).status == 403


@pytest.mark.parametrize("is_public", [True, False])
def test_a_version_that_an_upstream_has_cannot_be_uploaded(
    start: Start,
    clean_base: dict[str, str],
    public: FakePublicIndex,
    tmp_path: Path,
    is_public: bool,
) -> None:
    taken, free = (make_wheel(tmp_path / "made", "pub", version) for version in ("1.0", "2.0"))
    public.add("pub", taken)
    sandbox, repository = start(upstream=is_public, base=clean_base | {"PIP_INDEX_URL": public.url})
    if not is_public:
        sandbox.publish(taken)
        team = sandbox.add_repository("team", upstreams=["pypi-store"])
        repository = RepositoryClient(repository.http, team, repository.token)
    assert [repository.upload(wheel).status for wheel in (taken, free)] == [409, 200]


# Prints the peak of the sandbox's memory after both transfers. A file is not kept in pip's cache.
SCRIPT = """
export TWINE_USERNAME=aws TWINE_PASSWORD="$(pipenv-ca token "$PIPENV_CA_SANDBOX_URL")"
url="${PIPENV_CA_SANDBOX_URL#https://}"
twine upload --repository-url "https://${url%simple/}" "$1" >&2
pip download --no-cache-dir --index-url "https://aws:$TWINE_PASSWORD@$url" large >&2
grep VmHWM /proc/$PPID/status
"""


@pytest.mark.wide
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_large_file_takes_little_memory(clean_env: dict[str, str], tmp_path: Path) -> None:
    """A wheel of 60 MB is uploaded and downloaded while the sandbox stays below 100 MB."""
    wheel = make_wheel(tmp_path / "made", "large", "1.0")
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("large/data", os.urandom(60 * 1024 * 1024))
    clean_env["PATH"] = f"{SCRIPTS}:{clean_env['PATH']}"
    words = ("sandbox", "run", "--no-upstream", "--", "sh", "-ec", SCRIPT, "sh", wheel)
    done = run(PIPENV_CA, *words, env=clean_env, cwd=tmp_path)
    assert done.status == 0, done.output
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()
    assert int(done.stdout.split()[1]) < 100 * 1024
