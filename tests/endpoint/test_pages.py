"""The package endpoint's pages, compared with what is known of CodeArtifact's own."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

import pytest
from support.sandbox import JSON, WHEEL, FakePublicIndex, RepositoryClient

from codeartifact_pipenv.sandbox.behaviour import Behaviour
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
