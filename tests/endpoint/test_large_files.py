"""Large files at the package endpoint, both ways."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, SCRIPTS, run

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

# Runs inside the sandbox: uploads a large wheel and downloads it again, both in pieces, and
# writes the peak of the sandbox's memory, in MiB, before and after.
_LARGE = """
import hashlib, json, os, sys
import botocore.session, requests
from requests_toolbelt.multipart import MultipartEncoder

def peak():
    status = open(f"/proc/{os.getppid()}/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

path, result = sys.argv[1:]
api = botocore.session.Session().create_client("codeartifact", "us-east-1")
token = api.get_authorization_token(domain="demo")["authorizationToken"]
index = os.environ["PIPENV_CA_SANDBOX_URL"]
before = peak()
name = os.path.basename(path)
with open(path, "rb") as file:
    form = MultipartEncoder({
        ":action": "file_upload", "protocol_version": "1", "filetype": "bdist_wheel",
        "name": "large", "version": "1.0",
        "content": (name, file, "application/octet-stream"),
    })
    up = requests.post(
        index.removesuffix("simple/"), data=form, auth=("aws", token),
        headers={"Content-Type": form.content_type},
    )
digest = hashlib.sha256()
with requests.get(f"{index}large/1.0/{name}", auth=("aws", token), stream=True) as down:
    for block in down.iter_content(1 << 16):
        digest.update(block)
with open(result, "w") as out:
    json.dump([up.status_code, down.status_code, digest.hexdigest(), before, peak()], out)
"""


@pytest.mark.wide
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_large_file_takes_little_memory(clean_env: dict[str, str], tmp_path: Path) -> None:
    """A wheel of 100 MB is uploaded and downloaded while the sandbox stays below 100 MB."""
    wheel, result = make_wheel(tmp_path, "large", "1.0"), tmp_path / "result"
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("large/data", os.urandom(100 * 1024 * 1024))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    script = tmp_path / "large.py"
    script.write_text(_LARGE)
    command = [f"{SCRIPTS}/python", str(script), str(wheel), str(result)]
    done = run(
        PIPENV_CA, "sandbox", "run", "--no-upstream", "--", *command, env=clean_env, cwd=tmp_path
    )
    assert done.status == 0, done.output
    up, down, got, before, peak = json.loads(result.read_text())
    assert (up, down, got) == (200, 200, digest)
    assert before <= peak < 100
