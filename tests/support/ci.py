"""Files of CI systems, read and played as these systems do; AWS is the sandbox."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
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


def add_aws(folder: Path) -> None:
    """Put an ``aws`` into a folder which makes the calls that the AWS CLI would make."""
    program = folder / "aws"
    program.write_text(_AWS.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)


def assume(sandbox: Sandbox, role: str) -> dict[str, str]:
    """Return the keys of a role for a job's web identity, as variables."""
    sts = client_of(sandbox, "sts", sandbox.user)
    try:
        got = sts.assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="job", WebIdentityToken=IDENTITY
        )["Credentials"]
    finally:
        sts.close()
    return {
        "AWS_ACCESS_KEY_ID": got["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": got["SecretAccessKey"],
        "AWS_SESSION_TOKEN": got["SessionToken"],
    }


@contextmanager
def container_credentials(keys: dict[str, str]) -> Iterator[dict[str, str]]:
    """Serve keys as a container's own endpoint does; yield the variables that lead there.

    Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
    """
    answer = {
        "AccessKeyId": keys["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
        "Token": keys["AWS_SESSION_TOKEN"],
        "Expiration": "2099-01-01T00:00:00Z",
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            del arguments

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_port}/keys"}
        server.shutdown()
        thread.join()


class Instruction(NamedTuple):
    """A line of a Dockerfile.

    Attributes:
        name: such as ``RUN``.
        mounts: the options of each ``--mount`` of a RUN.
        words: what follows; of a RUN the command.
    """

    name: str
    mounts: tuple[dict[str, str], ...]
    words: str

    @property
    def secrets(self) -> list[str]:
        """The ids of the secrets that are there for a RUN, each as a file in /run/secrets."""
        return [each["id"] for each in self.mounts if each["type"] == "secret"]


def read_dockerfile(text: str) -> list[Instruction]:
    """Return a Dockerfile's instructions; its comments stand at the beginning of lines."""
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, words = line.split(maxsplit=1)
        mounts = []
        while match := re.match(r"--mount=(\S+)\s+", words):
            options = (each.partition("=") for each in match[1].split(","))
            mounts.append({key: value for key, _, value in options})
            words = words[match.end() :]
        found.append(Instruction(name, tuple(mounts), words))
    return found


def build_image(text: str, context: Path, root: Path, env: dict[str, str], secret: str) -> Path:
    """Play a build: each stage is a folder below ``root``; return the last.

    Args:
        text: the Dockerfile.
        context: the folder that is built from.
        root: where the stages are.
        env: the environment around a RUN.
        secret: what every secret is.
    """
    stage = root
    stages: dict[str, Path] = {}
    inside: dict[str, str] = {}
    folder = ""
    for each in read_dockerfile(text):
        if each.name == "FROM":
            name = each.words.partition(" AS ")[2] or "last"
            stage = stages[name] = root / name
            inside = {}
        elif each.name == "WORKDIR":
            folder = each.words.strip("/")
            (stage / folder).mkdir(parents=True)
        elif each.name == "ENV":
            name, _, value = each.words.partition("=")
            inside[name] = f"{stage}{value}" if value.startswith("/") else value
        elif each.name == "COPY":
            _copy(each.words, stages, context, stage / folder)
        elif each.name == "RUN":
            with tempfile.TemporaryDirectory() as mounted:
                # (In place of /run/secrets, which belongs to the machine.)
                files = {f"{name}_FILE": str(Path(mounted, name)) for name in each.secrets}
                for path in files.values():
                    Path(path).write_text(f"{secret}\n", encoding="utf-8")
                _run(each.words, {**env, **inside, **files}, stage / folder)
    return stage


def _copy(words: str, stages: dict[str, Path], context: Path, folder: Path) -> None:
    *sources, target = shlex.split(words)
    start = context
    if sources[0].startswith("--from="):
        start = stages[sources.pop(0).removeprefix("--from=")]
    for source in sources:
        found = start / source.lstrip("/")
        if found.is_dir():
            shutil.copytree(found, folder / target, symlinks=True)
        else:
            shutil.copy(found, folder / target)


def _run(command: str, env: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    done = run("sh", "-c", with_ours(command), env=env, cwd=folder)
    assert done.status == 0, done.output[-6000:]
