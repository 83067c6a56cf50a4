"""A sandbox whose state is kept in a folder, from run to run."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from support import PIPENV_CA, run, source, write_pipfile
from support_runs import wait_for
from support_sandbox import client, enter

from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_everything_is_there_again(
    tmp_path: Path, clean_base: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Domains, repositories, tags, policies, origins, packages and their bytes outlive a run."""
    state = tmp_path / "state"
    wheel = make_wheel(tmp_path, "acme", "1.0")
    with Sandbox(base=clean_base, state=state, upstream=False) as first:
        enter(first, monkeypatch)
        keys = first.user
        first.publish(wheel)
        team = first.add_repository("team", upstreams=["pypi-store"])
        first.set_origin("acme-later", publish="BLOCK", endpoint=team)
        api = client()
        api.create_domain(domain="other")
        api.put_domain_permissions_policy(
            domain="other",
            policyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",'
            ' "Principal": "*", "Action": "codeartifact:DescribeDomain", "Resource": "*"}]}',
        )
        arn = api.describe_domain(domain="other")["domain"]["arn"]
        tags = [{"key": "team", "value": "acme"}]
        api.tag_resource(resourceArn=arn, tags=tags)
        before = [
            api.describe_repository(domain="demo", repository=n)["repository"]
            for n in ("team", "pypi-store")
        ]
        token = api.get_authorization_token(domain="demo")["authorizationToken"]
    with Sandbox(base=clean_base, state=state, upstream=False) as second:
        assert second.user == keys
        enter(second, monkeypatch)
        api = client()
        after = [
            api.describe_repository(domain="demo", repository=n)["repository"]
            for n in ("team", "pypi-store")
        ]
        assert after == before
        assert {d["name"] for d in api.list_domains()["domains"]} == {"demo", "other"}
        assert (
            "Statement" in api.get_domain_permissions_policy(domain="other")["policy"]["document"]
        )
        assert api.list_tags_for_resource(resourceArn=arn)["tags"] == tags
        package = api.describe_package(
            domain="demo", repository="team", format="pypi", package="acme-later"
        )
        assert package["package"]["originConfiguration"]["restrictions"]["publish"] == "BLOCK"
        assert second.is_published("acme")
        url = team.simple_url.replace("https://", f"https://aws:{token}@")
        words = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--dest",
            str(tmp_path / "got"),
            "--index-url",
            url,
            "acme",
        ]
        got = run(*words, env=second.environ(clean_base), cwd=tmp_path)
        assert got.status == 0, got.output
        assert (tmp_path / "got" / wheel.name).read_bytes() == wheel.read_bytes()
    assert stat.S_IMODE((state / "state.json").stat().st_mode) == 0o600


_UPLOAD = """
import hashlib, sys, requests
url, token, path = sys.argv[1:]
data = open(path, "rb").read()
form = {":action": "file_upload", "protocol_version": "1", "filetype": "bdist_wheel"}
form |= {"name": "acme", "version": "1.0", "pyversion": "py3"}
form["sha256_digest"] = hashlib.sha256(data).hexdigest()
files = {"content": (path.split("/")[-1], data)}
requests.post(url, data=form, auth=("aws", token), files=files).raise_for_status()
"""
_PAGE = """
import sys, requests
print(requests.get(sys.argv[1] + "acme/", auth=("aws", sys.argv[2])).text)
"""


@contextmanager
def killed_at_the_end(clean_env: dict[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """Serve from a state folder; the block gets the clients' environment, then it is killed."""
    at = folder / "at"
    words = [PIPENV_CA, "sandbox", "serve", "--no-upstream", "--state", str(folder / "state")]
    shown = (PIPENV_CA, "sandbox", "env", "--json", "--at", at)
    words += ["--at", str(at)]
    with subprocess.Popen(words, env=clean_env, cwd=folder, stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: run(*shown, env=clean_env, cwd=folder).status == 0)
            changes = json.loads(run(*shown, env=clean_env, cwd=folder).stdout)
            yield clean_env | {k: v for k, v in changes.items() if v is not None}
        finally:
            server.kill()


@pytest.mark.wide
def test_killed_after_an_answer(clean_env: dict[str, str], tmp_path: Path) -> None:
    """What a client was told of is there after a kill -9, token and upload alike."""
    wheel = make_wheel(tmp_path / "wheels", "acme", "1.0")
    with killed_at_the_end(clean_env, tmp_path) as env:
        url = env["PIPENV_CA_SANDBOX_URL"]
        words = (PIPENV_CA, "--ca-no-cache", "token", url)
        token = run(*words, env=env, cwd=tmp_path).stdout.strip()
        program = (sys.executable, "-c", _UPLOAD)
        sent = run(*program, url.removesuffix("simple/"), token, wheel, env=env, cwd=tmp_path)
        assert sent.status == 0, sent.output
    with killed_at_the_end(clean_env, tmp_path) as env:
        page = run(sys.executable, "-c", _PAGE, url, token, env=env, cwd=tmp_path)
        assert "acme-1.0" in page.stdout, page.output


def test_two_runs_in_one_folder(tmp_path: Path, clean_base: dict[str, str]) -> None:
    """A second run in a folder that is in use is refused, and the first goes on."""
    state = tmp_path / "state"
    with Sandbox(base=clean_base, state=state, upstream=False) as first:
        with pytest.raises(SandboxError, match="Another sandbox has its state in"):
            Sandbox(base=clean_base, state=state, upstream=False).__enter__()
        first.publish(make_wheel(tmp_path, "acme", "1.0"))
    with Sandbox(base=clean_base, state=state, upstream=False) as again:
        assert again.is_published("acme")


@pytest.mark.wide
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "account": "999999999999"}',
        '{"version": 1, "account": "123456789012", "domains": [{}], "tokens": {}, "user": {}}',
        "[" * 100_000,
    ],
)
def test_state_that_cannot_be_used(text: str, tmp_path: Path, clean_env: dict[str, str]) -> None:
    """A state that is broken, another account's or a newer version's is told, and kept."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "state.json").write_text(text)
    words = (PIPENV_CA, "sandbox", "run", "--state", state, "--", "true")
    done = run(*words, env=clean_env, cwd=tmp_path)
    assert (done.status, done.stdout) == (1, "")
    assert f"error: {state / 'state.json'} cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert (state / "state.json").read_text() == text


def test_folder_that_is_none(tmp_path: Path, clean_env: dict[str, str]) -> None:
    """A state folder that cannot be one is told."""
    (tmp_path / "file").write_text("")
    words = (PIPENV_CA, "sandbox", "run", "--state", tmp_path / "file", "--", "true")
    done = run(*words, env=clean_env, cwd=tmp_path)
    assert done.status == 1
    assert "cannot hold a sandbox's state" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.wide
def test_lock_and_sync_in_two_runs(
    tmp_path: Path, clean_env: dict[str, str], project: Path
) -> None:
    """A project locked in one run installs in the next, from what was published in the first."""
    state, packages = tmp_path / "state", tmp_path / "packages"
    make_wheel(packages, "acme", "1.0")
    with Sandbox(upstream=False) as sandbox:
        endpoint = sandbox.endpoint
    write_pipfile(project, source(endpoint), '[packages]\nacme = "*"\n')
    first = (PIPENV_CA, "sandbox", "run", "--no-upstream", "--state", state, "--packages", packages)
    done = run(*first, "--", PIPENV_CA, "lock", env=clean_env, cwd=project)
    assert done.status == 0, done.output
    then = (PIPENV_CA, "sandbox", "run", "--state", state, "--", PIPENV_CA, "sync")
    done = run(*then, env=clean_env, cwd=project)
    assert done.status == 0, done.output
    assert sorted(os.listdir(state)) == ["fetched", "in-use.lock", "published", "state.json"]
