"""A folder of wheels in the place of the public index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from support.sandbox import ask

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.sandbox import Start


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
