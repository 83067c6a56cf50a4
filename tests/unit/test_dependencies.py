"""The requirements of a wheel, even if it is invalid or hostile."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codeartifact_pipenv.checks.network.dependencies import wheel_dependencies

METADATA = "acme-1.0.dist-info/METADATA"


def wheel(*members: tuple[str, str], packing: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return buffer.getvalue()


def needing(*requirements: str) -> str:
    return "\n".join(["Name: acme", *(f"Requires-Dist: {r}" for r in requirements), "", "text"])


def names(data: bytes) -> list[str]:
    return [wanted.name for wanted in wheel_dependencies(data)]


def test_applicable_requirements_are_listed() -> None:
    text = needing(
        "Orb_Common (>=1.0)",
        "none; sys_platform == 'none'",
        "extra; extra == 'docs'",
        "url @ https://h/a.whl",
        "no requirement at all",
        "",
        "odd; python_version >= 'x' and implementation_version ~= 'y'",
        "six[x]~=1.16; python_version >= '3'",
    )
    found = list(wheel_dependencies(wheel((METADATA, text))))
    assert [(wanted.name, wanted.specifier) for wanted in found] == [
        ("orb-common", ">=1.0"),
        ("six", "~=1.16"),
    ]


def test_vendored_metadata_is_ignored() -> None:
    inner = ("acme/_vendor/other-1.0.dist-info/METADATA", needing("wrong"))
    assert names(wheel(inner, (METADATA, needing("right")))) == ["right"]
    assert names(wheel(inner)) == []


def encrypted() -> bytes:
    data = bytearray(wheel((METADATA, needing("six"))))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\5\6" + bytes(18), wheel(), encrypted()])
def test_an_invalid_or_encrypted_wheel_has_no_requirements(data: bytes) -> None:
    assert names(data) == []


def test_requirements_beyond_the_largest_metadata_are_not_unpacked() -> None:
    text = f"Requires-Dist: first\nSummary: {' ' * 2_000_000}\nRequires-Dist: last\n"
    assert names(wheel((METADATA, text), packing=zipfile.ZIP_DEFLATED)) == ["first"]


GOOD = wheel((METADATA, needing("six")), packing=zipfile.ZIP_DEFLATED)


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=4))
@example(GOOD.index(b"PK\1\2") + 10, b"\x0c")  # bzip2
@example(GOOD.index(b"PK\1\2") + 10, b"\x0e")  # LZMA
@example(GOOD.index(METADATA.encode()) + len(METADATA), b"\xff\xff\xff\xff")
def test_a_damaged_wheel_raises_nothing(at: int, bytes_there: bytes) -> None:
    names(GOOD[:at] + bytes_there + GOOD[at + len(bytes_there) :])


@given(st.text())
def test_any_metadata_raises_nothing(text: str) -> None:
    for metadata in (text, needing(text)):
        names(wheel((METADATA, metadata.encode("utf-8", "replace").decode())))
