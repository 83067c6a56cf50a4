"""Distributions in local folders."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.proxy_index.local_files import _names, local_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("filename", "names"),
    [
        ("My_App-1.0-py3-none-any.whl", {"my-app"}),
        ("my.app-1.0-1-cp312-cp312-linux_x86_64.whl", {"my-app"}),
        ("my-app-1.0.tar.gz", {"my-app"}),
        ("app-1-2.zip", {"app", "app-1"}),
        ("app.zip", set()),
        ("app-latest.tar.gz", set()),
        ("app-1.0-py3.whl", set()),
        ("app-1.0.exe", set()),
        ("README.md", set()),
    ],
)
def test_file_names_give_possible_package_names(filename: str, names: set[str]) -> None:
    assert _names(filename) == names


def test_files_of_folders_are_listed_with_hashes(tmp_path: Path) -> None:
    folder, single = tmp_path / "wheels", tmp_path / "app-3.0-py3-none-any.whl"
    (folder / "app-2.0.tar.gz").mkdir(parents=True)
    for path in (folder / "app-1.0.tar.gz", folder / "other-1.0.tar.gz", single):
        path.write_bytes(path.name.encode())
    places = [str(folder), str(single), str(tmp_path / "none")]
    assert dict(local_files(places, "app")) == {
        str(path): hashlib.sha256(path.name.encode()).hexdigest()
        for path in (folder / "app-1.0.tar.gz", single)
    }
    assert list(local_files(places, "nothing")) == []
