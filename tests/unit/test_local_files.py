"""Distributions in local folders."""

from __future__ import annotations

import hashlib
from pathlib import Path

from codeartifact_pipenv.proxy_index.local_files import local_files

# The packages that a file may belong to.
FILES = {
    "My_App-1.0-py3-none-any.whl": {"my-app"},
    "my.app-1.0-1-cp312-cp312-linux_x86_64.whl": {"my-app"},
    "my-app-1.0.tar.gz": {"my-app"},
    "app-1-2.zip": {"app", "app-1"},
    **{key: set() for key in ["app.zip", "app-latest.tar.gz", "app-1.0-py3.whl", "app-1.0.exe"]},
    "app-\N{SNOWMAN}.whl": set(),
}


def test_files_of_folders_are_listed_with_hashes_under_their_names(tmp_path: Path) -> None:
    folder, single = tmp_path / "wheels", tmp_path / "app-3.0-py3-none-any.whl"
    (folder / "app-2.0.tar.gz").mkdir(parents=True)
    for path in (*(folder / name for name in FILES), single):
        path.write_bytes(path.name.encode())
    places = [str(folder), str(single), str(tmp_path / "none")]
    for name in ("my-app", "app", "app-1", "my", "nothing"):
        wanted = {file for file, names in FILES.items() if name in names}
        wanted |= {single.name} if name == "app" else set()
        found = {Path(path).name: digest for path, digest in local_files(places, name)}
        assert found == {file: hashlib.sha256(file.encode()).hexdigest() for file in wanted}
