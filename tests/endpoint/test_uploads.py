"""Uploads to the package endpoint, by the legacy API."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.files import files_below
from support.programs import SCRIPTS, run
from support.sandbox import JSON, FakePublicIndex, Http, get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.wide
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": None}, "The form lacks name."),
        ({"version": None, "filetype": None}, "The form lacks version, filetype."),
        ({"protocol_version": "2"}, "protocol version 1"),
        ({":action": "doc_upload"}, "Only file_upload"),
        ({"filetype": "sdist"}, "acme_new-1.0-py3-none-any.whl does not have the file type sdist."),
        ({"filetype": "bdist_egg"}, "does not have the file type bdist_egg."),
        ({"name": "acme-other"}, "is not a file name for acme-other 1.0."),
        ({"version": "1.1"}, "is not a file name for acme-new 1.1."),
        ({"md5_digest": "0" * 32}, "does not match its md5_digest"),
        ({"sha256_digest": "0" * 64}, "does not match its sha256_digest"),
        ({"blake2_256_digest": "0" * 64}, "does not match its blake2_256_digest"),
    ],
)
def test_an_invalid_upload_form_is_rejected(
    sandbox: Sandbox, tmp_path: Path, changed: dict[str, str | None], says: str
) -> None:
    """What is missing or wrong in a form is named with 400, and nothing of it is kept."""
    before, wheel = stored(sandbox), new_wheel(tmp_path)
    body = encode(make_form(wheel, **changed), wheel.name, wheel.read_bytes())
    answer = send(sandbox, body)
    assert (answer.status, stored(sandbox)) == (400, before)
    assert says in answer.text


@pytest.mark.wide
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
        "cannot be parsed",
    ),
    "nothing": (MULTIPART, b"", "cannot be parsed"),
    "only an end": (MULTIPART, b"--b--\r\n", "no file"),
    "cut off": (
        MULTIPART,
        b'--b\r\nContent-Disposition: form-data; name="content"; filename="a.whl"\r\n\r\nPK',
        "cannot be parsed",
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
        "cannot be parsed",
    ),
}


@pytest.mark.wide
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
    """Where a name's origin controls block publishing, or it is denied, an upload is refused."""
    wheel = new_wheel(tmp_path)
    body = encode(make_form(wheel), wheel.name, wheel.read_bytes())
    sandbox.set_origin("acme-new", publish="BLOCK")
    answer = send(sandbox, body)
    assert answer.status == 409
    assert "Publishing acme-new is blocked" in answer.text
    sandbox.set_origin("acme-new", publish="ALLOW")
    sandbox.deny("codeartifact:PublishPackageVersion")
    assert send(sandbox, body).status == 403
    sandbox.allow("codeartifact:PublishPackageVersion")
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
