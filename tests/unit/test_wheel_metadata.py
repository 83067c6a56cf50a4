"""Reading METADATA from whole and partial wheels, and storing it."""

from __future__ import annotations

import io
import os
import random
import tempfile
import zipfile
from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from support.proxy_index import peak_of

from codeartifact_pipenv.proxy_index.metadata import (
    MOST_BYTES,
    MetadataStore,
    RemoteWheel,
    metadata_of,
    requirements_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

A, B = "a" * 64, "b" * 64
ORIGIN = "https://one.example/simple/"
TEXT = b"Metadata-Version: 2.1\nName: acme-tools\nVersion: 1.0\n"
PLACE = "acme_tools-1.0.dist-info/METADATA"
WHEEL = "acme_tools-1.0-py3-none-any.whl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "metadata"


def keep(folder: Path, data: bytes = TEXT, origin: str = "") -> Path:
    """Store METADATA for A in an empty folder; return its file."""
    MetadataStore(str(folder)).put(A, data, origin)
    (file,) = folder.iterdir()
    return file


def found(folder: Path, sha256: str = A, origin: str = "") -> bytes | None:
    return MetadataStore(str(folder)).get(sha256, origin)


@pytest.mark.parametrize("data", [TEXT, b""])
def test_metadata_from_an_index_is_found_for_that_index_only(folder: Path, data: bytes) -> None:
    keep(folder, data, ORIGIN)
    for sha256, origin in ((A, ""), (A, "https://two.example/simple/"), (B, ORIGIN), (B, "")):
        assert found(folder, sha256, origin) is None
    MetadataStore(str(folder)).put(A, b"checked")
    assert (found(folder), found(folder, A, ORIGIN)) == (b"checked", data)


def test_a_damaged_truncated_or_moved_file_is_ignored(folder: Path) -> None:
    file = keep(folder)
    right = file.read_bytes()
    for at in range(len(right)):
        for wrong in (right[:at] + bytes([right[at] ^ 0x40]) + right[at + 1 :], right[:at]):
            file.write_bytes(wrong)
            assert found(folder) is None, at
    keep(folder)
    assert found(folder) == TEXT
    file.rename(file.with_name(B))
    assert found(folder, B) is None


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_files_and_folders_that_others_can_access_are_not_used(folder: Path) -> None:
    keep(folder).chmod(0o640)
    assert found(folder) is None
    assert (keep(folder).stat().st_mode & 0o777, found(folder)) == (0o600, TEXT)
    folder.chmod(0o777)
    MetadataStore(str(folder)).put(B, TEXT)
    assert (found(folder), len(list(folder.iterdir()))) == (None, 1)


@pytest.mark.parametrize("name", ["file/below", None, "full"])
def test_without_a_usable_folder_nothing_is_stored(tmp_path: Path, name: str | None) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "full" / A / "below").mkdir(parents=True)  # a folder has the file's name
    store = MetadataStore(name and str(tmp_path / name))
    store.put(A, TEXT)
    assert store.get(A) is None
    assert {path.name for path in tmp_path.iterdir()} == {"file", "full"}
    assert [path.name for path in (tmp_path / "full").iterdir()] == [A]


@pytest.mark.parametrize("shared", [True, False])
def test_the_oldest_files_are_removed_above_the_limit(folder: Path, shared: bool) -> None:
    store = MetadataStore(str(folder), 1000)
    names = [f"{number:064x}" for number in range(12)]
    for number, name in enumerate(names):
        store = store if shared else MetadataStore(str(folder), 1000)
        store.put(name, b"x" * 136)  # a file of 200 bytes
        os.utime(folder / name, (1_000_000 + number, 1_000_000 + number))
    assert sorted(path.name for path in folder.iterdir()) == names[7:]
    MetadataStore(str(folder), 100).put(A, b"x" * 500)
    assert [path.name for path in folder.iterdir()] == [A]


def packed(
    files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED, comment: bytes = b""
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
        archive.comment = comment
    return out.getvalue()


def of_file(data: bytes, name: str = WHEEL) -> bytes | None:
    """Return the METADATA of a whole wheel."""
    return metadata_of(io.BytesIO(data), name)


class Parts:
    """Serves and counts the bytes of a wheel."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.fetched = 0

    def __call__(self, first: int, last: int) -> bytes:
        assert 0 <= first <= last < len(self._data)
        self.fetched += last + 1 - first
        return self._data[first : last + 1]

    def metadata(self, tail: int, name: str = WHEEL) -> bytes | None:
        """Return the METADATA when only the last bytes of the wheel are known."""
        size = len(self._data)
        return metadata_of(RemoteWheel(size, self._data[size - tail :], self), name)


OTHER_PLACES = """
METADATA acme_tools-1.0.dist-info/METADATA.txt acme_tools-1.0.data/METADATA
acme_tools/_vendor/acme_tools-9.dist-info/METADATA acme_tools/_vendor/tomli-2.0.dist-info/METADATA
tomli-2.0.dist-info/METADATA acme-1.0.dist-info/METADATA acme_tools_more-1.0.dist-info/METADATA
"""


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_metadata_of_the_project_alone_is_read_from_a_wheel(compression: int) -> None:
    others = dict.fromkeys(OTHER_PLACES.split(), b"no")
    assert of_file(packed(others, compression)) is None
    assert of_file(packed({**others, PLACE: TEXT}, compression)) == TEXT


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("ACME__tools-1.0-1-py3-none-any.whl", "acme.tools-1.0+x.1.dist-info/METADATA"),
        (WHEEL, "acme_tools.dist-info/METADATA"),
    ],
)
def test_spellings_of_wheel_and_folder_may_differ(name: str, place: str) -> None:
    assert of_file(packed({place: TEXT}), name) == TEXT


def changed(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """Replace bytes at an offset from the last occurrence of a mark."""
    at = data.rindex(mark) + offset
    return data[:at] + value + data[at + len(value) :]


def flagged(data: bytes) -> bytes:
    """Mark the file of an archive as encrypted."""
    return changed(changed(data, b"PK\x01\x02", 8, b"\x01"), b"PK\x03\x04", 6, b"\x01")


GOOD = packed({PLACE: TEXT})
INVALID = {
    "nothing": b"",
    "no zip": b"<html>no wheel</html>" * 100,
    "no METADATA": packed({"x": b"x"}),
    "two": packed({PLACE: TEXT, "Acme.Tools-1.dist-info/METADATA": TEXT}),
    "encrypted": flagged(GOOD),
    "cut short": GOOD[:-5],
    "two names": GOOD.replace(b"acme", b"Acme", 1),
}


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID.keys())
def test_an_invalid_wheel_has_no_metadata(data: bytes) -> None:
    assert of_file(data) is None
    assert [Parts(data).metadata(tail) for tail in (0, min(30, len(data)), len(data))] == [None] * 3


@pytest.mark.wide
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_huge_metadata_is_ignored_and_takes_little_memory(compression: int) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(packed({PLACE: bytes(40 << 20)}, compression))
        made, peak = peak_of(lambda: metadata_of(file, WHEEL))
    assert made is None
    assert peak < 36 << 20


def test_metadata_above_the_maximum_is_ignored(folder: Path) -> None:
    largest = bytes(MOST_BYTES)
    for sha256, data, kept in ((A, largest, largest), (B, largest + b"x", None)):
        assert of_file(packed({PLACE: data})) == kept
        MetadataStore(str(folder)).put(sha256, data)
        assert found(folder, sha256) == kept


@st.composite
def wheels(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw a valid or broken wheel, and its METADATA."""
    sizes = st.sampled_from([0, 1, 100, 5_000, 70_000, 150_000])
    noise = random.Random(draw(st.integers(0, 99)))  # noqa: S311 - it only takes room
    version = draw(st.sampled_from(["1.0", "1" * 65_000, "1" * 65_500]))
    metadata = TEXT + noise.randbytes(draw(sizes))
    files = {f"acme_tools-{version}.dist-info/METADATA": metadata}
    for number in range(draw(st.integers(0, 3))):
        files[f"{number}.py"] = noise.randbytes(draw(sizes))
    order = draw(st.permutations(list(files)))
    compression = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    comment = b"x" * draw(st.sampled_from([0, 0, 10, 65_535]))
    data = packed({name: files[name] for name in order}, compression, comment)
    data = noise.randbytes(draw(st.sampled_from([0, 0, 9, 70_000]))) + data
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(1, min(len(data), 400)))  # the list of files is at the end
        data = data[:-at] + bytes([draw(st.integers(0, 255))]) + data[len(data) - at + 1 :]
    return data, metadata


@given(wheels(), st.one_of(st.integers(0, 300), st.integers(0, 300_000)))
@example((packed({f"acme_tools-{'1' * 65_500}.dist-info/METADATA": TEXT}), TEXT), 22)
@example((changed(GOOD, b"PK\x01\x02", 24, b"\0"), TEXT), 0)  # a wrong size
@example((b"", b""), 0)
def test_a_wheel_has_whole_metadata_or_none_also_when_it_is_read_in_parts(
    wheel: tuple[bytes, bytes], tail: int
) -> None:
    data, metadata = wheel
    assert Parts(data).metadata(min(tail, len(data))) == of_file(data)
    assert of_file(data) in {metadata, None}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("tail", [0, 22, 1 << 16])
def test_little_of_a_large_wheel_is_fetched(tail: int, first: bool) -> None:
    rest = {f"{n}.bin": random.Random(n).randbytes(1 << 20) for n in (1, 2)}  # noqa: S311
    files = {PLACE: TEXT, **rest} if first else {**rest, PLACE: TEXT}
    parts = Parts(packed(files, zipfile.ZIP_STORED))
    assert parts.metadata(tail) == TEXT
    assert parts.fetched < 140_000
    assert parts.fetched == 0 or first or tail < 1 << 16, "known bytes were fetched"


@pytest.mark.parametrize("tail", [0, 22, 5000])
def test_a_failed_fetch_is_raised(tail: int) -> None:
    data = packed({PLACE: TEXT, "x.bin": bytes(9000)}, zipfile.ZIP_STORED)

    def fail(_first: int, _last: int) -> bytes:
        raise requests.exceptions.ConnectionError

    with pytest.raises(requests.exceptions.ConnectionError):
        metadata_of(RemoteWheel(len(data), data[len(data) - tail :], fail), WHEEL)


def test_a_short_part_gives_correct_metadata_or_none() -> None:
    data = packed({PLACE: TEXT})
    remote = RemoteWheel(len(data), data[-22:], lambda first, _: data[first : first + 29])
    assert metadata_of(remote, WHEEL) in {TEXT, None}


def test_requirements_for_this_machine_are_listed_and_invalid_ones_skipped() -> None:
    lines = (
        *('a; python_version >= "3"', 'b; python_version < "3"', 'd; extra == "test"', "a b c"),
        'e; extra == "test" or python_version >= "3"',
        *("a >= ", "", "!", 'f; extra != "test"', 'a; nothing == "1"', 'a; (os_name == "x"'),
        *(f'g; os_name == "{os.name}"', "a\u20ac", "Acme.Core[fast] (>=1.0)", "a" * 10_000 + "!"),
        *("a; " + "(" * 100, "h @ https://one.example/a.whl", "c@file:///c.whl ; os_name!='x'"),
    )
    metadata = TEXT + "".join(f"Requires-Dist: {line}\n" for line in lines).encode()
    found = requirements_of(metadata + b"\nRequires-Dist: described\n")
    assert [requirement.name for requirement in found] == ["a", "e", "f", "g", "Acme.Core"]
    assert list(requirements_of(TEXT)) == []


@given(st.binary(max_size=300))
def test_any_metadata_can_be_parsed(metadata: bytes) -> None:
    assert all(list(requirements_of(metadata + b"\nRequires-Dist: " + metadata)))
