"""A folder of wheels in the place of the public index."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, SCRIPTS, run
from support.sandbox import JSON, Http, ask, get_token

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
    ranged = Behaviour(ranges=True)
    with Sandbox([packages], public=folder, base=nowhere, behaviour=ranged) as sandbox:
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


def make_false_sdist(folder: Path) -> None:
    (folder / "acme-1.0.tar.gz").write_bytes(b"\x1f\x8b no tar")


def make_misnamed_wheel(folder: Path) -> None:
    make_wheel(folder, "acme", "1.0").rename(folder / "acme.whl")


def make_renamed_wheel(folder: Path) -> None:
    make_wheel(folder, "acme", "1.0").rename(folder / "acme-2.0-py3-none-any.whl")


def make_broken_project(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "nothing"\n'
    )


def make_folder_without_project(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "acme.py").touch()


BAD: dict[Callable[[Path], None], str] = {
    make_false_zip: "acme-1.0-py3-none-any.whl cannot be read as a package",
    make_empty_zip: "acme-1.0-py3-none-any.whl cannot be read as a package: .dist-info/METADATA is missing",
    make_false_sdist: "acme-1.0.tar.gz cannot be read as a package",
    make_misnamed_wheel: "acme.whl is not the name of a wheel",
    make_renamed_wheel: "acme-2.0-py3-none-any.whl contains acme 1.0",
    make_broken_project: "The build of ",
    make_folder_without_project: "packages contains no wheel, sdist or project",
}


@pytest.mark.parametrize(
    ("spoil", "public"),
    # A public index may be empty, a folder to publish may not.
    [(spoil, public) for public in (False, True) for spoil in list(BAD)[: 5 if public else 7]],
)
def test_an_unusable_folder_is_reported_by_name(
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
    assert done.stderr.startswith(f"error: {tmp_path / 'no'} is not a folder.\nhint: ")
