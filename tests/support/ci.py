"""Files of CI systems, read and played as these systems do; AWS is the sandbox."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
from support.answers import AnsweringServer
from support.guides import with_ours
from support.programs import run
from support.sandbox import IDENTITY, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

# `aws SERVICE OPERATION --OPTION VALUE...`, by botocore's own model of the operation.
_AWS = """#!{python}
import pathlib, sys
import botocore.session
from botocore import xform_name

service, operation, *words = sys.argv[1:]
client = botocore.session.Session().create_client(service, region_name="us-east-1")
method = operation.replace("-", "_")
name = client.meta.method_to_api_mapping[method]
shape = client.meta.service_model.operation_model(name).input_shape
members = {{"--" + xform_name(member, "-"): member for member in shape.members}}
given = {{}}
for option, value in zip(words[::2], words[1::2], strict=True):
    if value.startswith("file://"):
        value = pathlib.Path(value.removeprefix("file://")).read_text()
    member = members[option]
    given[member] = [value] if shape.members[member].type_name == "list" else value
getattr(client, method)(**given)
client.close()
"""


def load_yaml(path: Path) -> Any:
    """Return what a YAML file says, by YAML 1.2 (in which ``on`` is a word)."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def add_program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    (folder / name).chmod(0o755)


def add_aws(folder: Path) -> None:
    """Put an ``aws`` into a folder that makes the calls that the AWS CLI would make."""
    add_program(folder, "aws", _AWS.format(python=sys.executable))


@contextmanager
def container_credentials(sandbox: Sandbox, role: str) -> Iterator[dict[str, str]]:
    """Serve a role's keys as a container's own endpoint does; yield the variables that lead there.

    Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
    """
    sts = client_of(sandbox, "sts", sandbox.user)
    words = {"RoleArn": role, "RoleSessionName": "job", "WebIdentityToken": IDENTITY}
    keys = sts.assume_role_with_web_identity(**words)["Credentials"]
    sts.close()
    answer = {name: keys[name] for name in ("AccessKeyId", "SecretAccessKey")}
    answer |= {"Token": keys["SessionToken"], "Expiration": "2099-01-01T00:00:00Z"}
    with AnsweringServer(body=json.dumps(answer).encode()) as server:
        yield {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/keys"}


class Instruction(NamedTuple):
    """An instruction of a Dockerfile; RUN has the ids of its secrets, which are mounted as files."""

    name: str
    secrets: list[str]
    words: str


def read_dockerfile(text: str) -> list[Instruction]:
    """Return a Dockerfile's instructions; its comments stand at the beginning of lines."""
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in filter(str.strip, lines.splitlines()):
        name, words = line.split(maxsplit=1)
        secrets = re.findall(r"--mount=type=secret,id=(\w+)", words)
        found.append(Instruction(name, secrets, re.sub(r"--mount=\S+\s+", "", words).strip()))
    return found


def build_image(text: str, context: Path, root: Path, env: dict[str, str], secret: str) -> Path:
    """Play a build from a context, in which every secret has one value.

    Each stage is a folder below ``root``; returns the last.
    """
    stage = folder = root
    inside = env
    for each in read_dockerfile(text):
        if each.name == "FROM":
            stage = folder = root / (each.words.partition(" AS ")[2] or "last")
            inside = env
        elif each.name == "WORKDIR":
            folder = stage / each.words.strip("/")
        elif each.name == "ENV":
            name, _, value = each.words.partition("=")
            inside = inside | {name: f"{stage}{value}" if value.startswith("/") else value}
        elif each.name == "COPY":
            *words, target = shlex.split(each.words.replace("--from=", f"{root}/"))
            start = words.pop(0) if words[0].startswith(str(root)) else f"{context}/"
            places = [f"{start}{word}" for word in words]
            _run(shlex.join(["cp", "-a", *places, target]), env, folder)
        elif each.name == "RUN":
            with tempfile.TemporaryDirectory() as mounted:
                # (In place of /run/secrets, which belongs to the machine.)
                files = {f"{name}_FILE": f"{mounted}/{name}" for name in each.secrets}
                for path in files.values():
                    Path(path).write_text(f"{secret}\n", encoding="utf-8")
                _run(each.words, inside | files, folder)
    return stage


def _run(command: str, env: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    done = run("sh", "-c", with_ours(command), env=env, cwd=folder)
    assert done.status == 0, done.output[-6000:]
