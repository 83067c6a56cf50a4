"""The examples for CI: what they say fits the systems' schemas, and what they run works."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.acme import (
    ACME,
    OWNER,
    acme_environment,
    acme_sandbox,
    make_invoices,
    write_acme_project,
)
from support.ci import (
    add_aws,
    assume,
    build_image,
    container_credentials,
    load_yaml,
    read_dockerfile,
)
from support.clients import Place
from support.files import files_with
from support.github import github as github_identity
from support.guides import blocks, commands, script, section, with_ours
from support.programs import PIPENV_CA, SCRIPTS, Result, run
from support.runs import Calls, get_token
from support.sandbox import IDENTITY
from support.traces import CommandLines, assert_no_secrets, assert_not_shown

from codeartifact_pipenv.settings import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

_ROOT = Path(__file__).parent.parent
_CI = _ROOT / "examples" / "ci"
_README = (_CI / "README.md").read_text(encoding="utf-8")
_DOCKERFILE = (_CI / "Dockerfile").read_text(encoding="utf-8")
WORKFLOWS = sorted(path.name for path in _CI.glob("github*.yml"))


# --- what the files say ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-actions", ["action/action.yml"]),
        ("vendor.gitlab-ci", ["gitlab-ci.yml"]),
        ("vendor.dependabot", ["dependabot.yml"]),
    ],
)
def test_each_example_fits_the_schema_of_its_system(schema: str, names: list[str]) -> None:
    check_schema(schema, *(_CI / name for name in names))


def check_schema(schema: str, *paths: Path) -> None:
    words = ["--builtin-schema", schema, *map(str, paths)]
    done = run(SCRIPTS / "check-jsonschema", *words, env={}, cwd=_CI)
    assert done.status == 0, done.output


def test_buildspec_has_only_phases_and_keys_that_codebuild_knows() -> None:
    spec = load_yaml(_CI / "buildspec.yml")
    assert str(spec["version"]) == "0.2"
    assert set(spec) == {"version", "phases", "cache"}
    assert list(spec["phases"]) == ["install", "build"]
    for phase in spec["phases"].values():
        assert set(phase) <= {"runtime-versions", "commands"}
        assert all(isinstance(command, str) for command in phase["commands"])


def test_every_example_is_in_the_table_of_the_readme() -> None:
    there = {str(path.relative_to(_CI)) for path in _CI.rglob("*.*")} - {"README.md"}
    rows = "\n".join(re.findall(r"^\| \[.*$", _README, re.MULTILINE))
    assert set(re.findall(r"\]\(([\w./-]+)\)", rows)) == there | {"Dockerfile"}


def caches() -> dict[str, tuple[str, list[str]]]:
    """Return the key and the paths of each file's cache."""
    steps = load_yaml(_CI / "github.yml")["jobs"]["test"]["steps"]
    (github,) = [each["with"] for each in steps if each.get("uses", "").startswith("actions/cache")]
    gitlab = load_yaml(_CI / "gitlab-ci.yml")["test"]["cache"]
    build = load_yaml(_CI / "buildspec.yml")["cache"]
    return {
        "github": (github["key"], github["path"].split()),
        "gitlab": (" ".join(gitlab["key"]["files"]), gitlab["paths"]),
        "codebuild": (build["key"], [path.removesuffix("/**/*") for path in build["paths"]]),
    }


@pytest.mark.parametrize("system", ["github", "gitlab", "codebuild"])
def test_cache_keys_depend_on_the_lock_and_no_token_is_cached(system: str) -> None:
    """Only the folders of pip and pipenv are cached."""
    key, paths = caches()[system]
    assert "Pipfile.lock" in key
    asked = set(re.findall(r"\$\{\{ ([\w.-]+)|\$\(([\w-]+)|\$(\w+)", key))
    named = {name for each in asked for name in each if name}
    machine = {"runner.os", "steps.python.outputs.python-version"}
    assert named <= machine | {"hashFiles", "codebuild-hash-files"}
    assert {Path(path).name for path in paths} == {"pip", "pipenv"}


def shown_tokens(dockerfile: str) -> list[str]:
    """Return the instructions of a Dockerfile by which a token could get into an image."""
    found = []
    secret = re.compile(
        r"token|password|secret|credential|\.aws|netrc|pip\.conf|\.env", re.IGNORECASE
    )
    for each in read_dockerfile(dockerfile):
        if each.name == "RUN":
            named = secret.search(each.words) or re.search(r"\btoken\b", each.words)
            mounted = [m for m in each.mounts if m["type"] not in {"secret", "cache"}]
            if named or mounted:
                found.append(each.name)
        elif secret.search(each.words) or (each.name == "COPY" and each.words.startswith(". ")):
            found.append(each.name)
    return found


def test_no_instruction_of_the_dockerfile_has_a_token() -> None:
    """The only secret is mounted for a RUN instruction."""
    assert shown_tokens(_DOCKERFILE) == []
    instructions = read_dockerfile(_DOCKERFILE)
    (secrets,) = [each.secrets for each in instructions if each.secrets]
    assert secrets == ["CODEARTIFACT_AUTH_TOKEN"]


@pytest.mark.parametrize(
    ("line", "instruction"),
    [
        ("ARG CODEARTIFACT_AUTH_TOKEN", "ARG"),
        ("ENV CODEARTIFACT_AUTH_TOKEN=$T", "ENV"),
        ("COPY . .", "COPY"),
        ("COPY .env ./", "COPY"),
        ("RUN --mount=type=secret,id=token cp /run/secrets/token /x", "RUN"),
        ("RUN pipenv-ca token > x", "RUN"),
    ],
)
def test_a_dockerfile_that_puts_a_token_in_a_layer_is_noticed(line: str, instruction: str) -> None:
    assert shown_tokens(f"{_DOCKERFILE}{line}\n") == [instruction]


def test_hooks_of_the_example_are_those_of_this_repository() -> None:
    (repository,) = load_yaml(_CI / "pre-commit-config.yaml")["repos"]
    named = [hook["id"] for hook in repository["hooks"]]
    assert named == [hook["id"] for hook in load_yaml(_ROOT / ".pre-commit-hooks.yaml")]


# --- what the files run ---------------------------------------------------------------------


def commands_of(title: str) -> list[str]:
    """Return the commands of a section of the README."""
    found = blocks(section(_README, title))
    return [line for language, block in found for line in commands(block)]


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    """Acme's account, in which the README's commands have made the roles."""
    folder = tmp_path_factory.mktemp("acme")
    with acme_sandbox(folder / "packages", clean_base) as running:
        shutil.copy(_CI / "gitlab-trust.json", folder)
        add_aws(folder)
        env = running.environ(clean_base)
        env |= {"PATH": f"{folder}:{SCRIPTS}:{env['PATH']}", "HOME": str(folder)}
        lines = [*commands_of("The role"), *commands_of("GitLab")]
        done = run("bash", "-ec", "\n".join(lines), env=env, cwd=folder)
        assert done.status == 0, done.output
        yield running


@pytest.fixture(scope="module")
def lock(acme: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the lock of the project, which is made once."""
    folder = tmp_path_factory.mktemp("lock")
    write_acme_project(folder, acme)
    env = acme.environ() | {"HOME": str(folder), "PIPENV_NOSPIN": "1"}
    done = run(PIPENV_CA, "lock", env=env, cwd=folder)
    assert done.status == 0, done.output
    return (folder / "Pipfile.lock").read_text()


class Job:
    """A job in a fresh checkout, on a machine on which our package is not installed.

    Attributes:
        env: its environment, without any credentials.
        folder: the checkout.
    """

    def __init__(self, acme: Sandbox, base: dict[str, str], folder: Path, lock: str) -> None:
        self.acme = acme
        self.folder = folder
        self.env = acme_environment(acme, base, folder.parent)
        for name in ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR"):
            del self.env[name]
        self.home = Path(self.env["HOME"])
        write_acme_project(folder, acme)
        (folder / "Pipfile.lock").write_text(lock)

    def run(self, *lines: str, by: str = "bash", **env: str) -> Result:
        """Run some lines in one shell, to the first that fails."""
        text = "\n".join(map(with_ours, "\n".join(lines).splitlines()))
        done = run(by, "-ec", text, env=self.env | env, cwd=self.folder)
        assert done.status == 0, done.output[-6000:]
        return done

    def check(self, done: Result, calls: Calls, token: str, kept: list[str]) -> None:
        """Check what holds after every job.

        What was locked is installed and tested; AWS was asked for one token, which is in
        nothing that was said, and in one file: that of our cache, which CI does not keep.
        """
        assert "Ran 1 test" in done.output
        assert Place(self.folder / ".venv").version("acme_invoices") == "1.0"
        assert calls.count() == 1
        assert_not_shown(token, done)
        (cached,) = files_with(token, [self.home, self.folder, Path(self.env["TMPDIR"])])
        assert cached.is_relative_to(self.home / ".cache")
        for path in kept:
            folder = self.folder / re.sub("^~", str(self.home), path)
            assert not cached.is_relative_to(folder)


@pytest.fixture
def job(acme: Sandbox, clean_env: dict[str, str], project: Path, lock: str) -> Job:
    return Job(acme, clean_env, project, lock)


def github(job: Job, name: str) -> Result:
    """Play a workflow's only job: its steps' commands, with the identity that GitHub gives it."""
    workflow = load_yaml(_CI / name)
    assert workflow["permissions"]["id-token"] == "write"
    (played,) = workflow["jobs"].values()
    said = []
    with github_identity(job.env | played["env"]) as of_job:
        job.env = of_job.env | {"GITHUB_ACTIONS": "true"}
        for step in played["steps"]:
            if "run" in step:
                env = {n: value for n, value in step.get("env", {}).items() if "${{" not in value}
                said.append(job.run(step["run"], **env))
    return Result(0, "".join(each.stdout for each in said), "".join(e.stderr for e in said))


@pytest.mark.wide
def test_github(job: Job) -> None:
    """A GitHub job installs with the role that trusts its environment."""
    calls = Calls(job.acme)
    done = github(job, "github.yml")
    token = get_token(job.acme, job.env, job.folder)
    job.check(done, calls, token, caches()["github"][1])


def play_action(job: Job, **inputs: str) -> str:
    """Play the composite action's own commands, give the job their variables, and return the log."""
    action = load_yaml(_CI / "action" / "action.yml")
    given = {name: each["default"] for name, each in action["inputs"].items()} | inputs

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: given[found[1]], text)

    files = {name: job.folder.parent / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT")}
    job.env |= {"GITHUB_ACTIONS": "true", **{name: str(path) for name, path in files.items()}}
    log = ""
    for step in action["runs"]["steps"]:
        if "run" in step:
            env = {name: filled(value) for name, value in step.get("env", {}).items()}
            assert filled(step.get("working-directory", ".")) == "."
            # The package under test replaces any released version.
            line = step["run"].replace('--quiet "codeartifact-pipenv$VERSION"', PROGRAM)
            log += job.run(line, **env).output
    assert files["GITHUB_OUTPUT"].read_text().startswith("version=3.")
    job.env |= dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
    files["GITHUB_ENV"].unlink()
    return log


@pytest.mark.wide
@pytest.mark.shows_token("output")  # the command that masks it has it
def test_action(job: Job) -> None:
    """One step takes the role with the job's identity; the next step runs bare pipenv."""
    calls = Calls(job.acme)
    with github_identity(job.env) as of_job:
        job.env = of_job.env
        log = play_action(job, role=f"arn:aws:iam::{OWNER}:role/acme-ci")
    assert [each.target for each in of_job.asked] == ["/id?api=2&audience=sts.amazonaws.com"]
    token = job.env["CODEARTIFACT_AUTH_TOKEN"]
    assert log.count(token) == log.count(f"::add-mask::{token}\n") == 1
    assert token == get_token(job.acme, job.env, job.folder)
    done = job.run("pipenv sync --dev", "pipenv-ca run python -m unittest")
    assert "Ran 1 test" in done.output
    assert Place(job.folder / ".venv").version("acme_invoices") == "1.0"
    assert calls.count() == 1


@pytest.mark.wide
def test_github_lint(job: Job) -> None:
    """The check of a pull request sends no request to AWS."""
    calls = Calls(job.acme)
    steps = load_yaml(_CI / "github-lint.yml")["jobs"]["lint"]["steps"]
    (step,) = [each for each in steps if "run" in each]
    install = "pipx install codeartifact-pipenv"
    job.run(install, step["run"].removeprefix("pipx run "), **step["env"])
    (job.folder / "Pipfile").write_text("[packages]\nacme-core = '*'\n")
    done = run("bash", "-c", "codeartifact-pipenv lint", env=job.env | step["env"], cwd=job.folder)
    assert done.status == 1
    assert calls.to_aws() == 0


@pytest.mark.wide
def test_github_update(job: Job) -> None:
    """The weekly job opens a pull request with the new lock, and only if there are new versions."""
    job.acme.publish(make_invoices(job.folder.parent / "new", "1.1"))
    gh, asked = job.folder.parent / "programs" / "gh", job.folder.parent / "asked"
    gh.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n[ "$2" = create ]\n', encoding="utf-8")
    gh.chmod(0o755)
    (job.home / ".gitconfig").write_text("[user]\nname = A\nemail = a@acme.example\n")
    (job.folder / ".gitignore").write_text(".venv\n__pycache__\n")
    job.run(
        "git init -q -b main; git add .; git commit -qm locked",
        "git init -q --bare ../origin; git remote add origin ../origin; git push -q origin main",
    )
    done = github(job, "github-update.yml")
    assert "Ran 1 test" in done.output
    assert asked.read_text().splitlines()[-1] == "pr create --fill --head packages/update"
    changed = job.run("git -C ../origin diff --name-only main packages/update").stdout.split()
    assert changed == ["Pipfile.lock"]
    pushed = json.loads(job.run("git -C ../origin show packages/update:Pipfile.lock").stdout)
    assert pushed["default"]["acme-invoices"]["version"] == "==1.1"
    asked.unlink()
    job.run("git switch -q -c next")
    github(job, "github-update.yml")
    assert not asked.exists()


@pytest.mark.wide
def test_gitlab(job: Job) -> None:
    """A GitLab job assumes its role with the identity that it was given."""
    played = load_yaml(_CI / "gitlab-ci.yml")["test"]
    (variable,) = played["id_tokens"]
    for name, value in played["variables"].items():
        job.env[name] = value.replace("$CI_PROJECT_DIR", str(job.folder))
    calls = Calls(job.acme)
    lines = [*played["before_script"], *played["script"], "pipenv-ca token > ../token"]
    done = job.run(*lines, **{variable: IDENTITY})
    written = job.folder.parent / "token"
    token = written.read_text().strip()
    written.unlink()
    job.check(done, calls, token, caches()["gitlab"][1])


@pytest.mark.wide
def test_codebuild(job: Job) -> None:
    """A build gets the credentials of its service role from CodeBuild."""
    phases = load_yaml(_CI / "buildspec.yml")["phases"]
    keys = assume(job.acme, f"arn:aws:iam::{OWNER}:role/acme-ci")
    calls = Calls(job.acme)
    with container_credentials(keys) as variables:
        job.env |= variables | {"CODEBUILD_SRC_DIR": str(job.folder)}
        done = job.run(*(line for phase in phases.values() for line in phase["commands"]), by="sh")
        token = get_token(job.acme, job.env, job.folder)
    job.check(done, calls, token, caches()["codebuild"][1])


@pytest.mark.wide
def test_docker(job: Job) -> None:
    """The image runs, its build does not use AWS, and no layer contains the token."""
    token = get_token(job.acme, job.acme.environ(job.env), job.folder)
    (job.folder / "app.py").write_text("import acme_invoices\nprint(acme_invoices.total())\n")
    calls = Calls(job.acme)
    layers = job.folder.parent / "layers"
    with CommandLines(pause=0.02) as lines:
        image = build_image(_DOCKERFILE, job.folder, layers, job.env, token)
    assert calls.count() == 0
    assert lines.holding(token) == set()
    assert_no_secrets(token, layers, job.home, Path(job.env["TMPDIR"]))
    python = image / "app" / ".venv" / "bin" / "python"
    assert run(python, "app.py", env=job.env, cwd=image / "app").stdout == "42\n"
    last = read_dockerfile(_DOCKERFILE)[-1]
    assert json.loads(last.words) == ["python", "app.py"]


@pytest.mark.wide
@pytest.mark.shows_token("output")  # the stand-in for docker prints the secret
def test_docker_secret(job: Job) -> None:
    """The README's build command names the secret by the id that the Dockerfile uses."""
    docker = job.folder.parent / "programs" / "docker"
    docker.write_text(
        '#!/bin/sh\nwhile [ "$1" != --secret ]; do shift; done\n'
        'echo "${2#id=}"; printenv "${2#id=}"\n'
    )
    docker.chmod(0o755)
    job.env = job.acme.environ(job.env)
    done = job.run("pipx install codeartifact-pipenv", script(section(_README, "Docker")))
    (secrets,) = [each.secrets for each in read_dockerfile(_DOCKERFILE) if each.secrets]
    named, token = done.stdout.splitlines()
    assert [named] == secrets
    assert token == get_token(job.acme, job.env, job.folder)


@pytest.mark.wide
def test_tox(job: Job, clients: Clients) -> None:
    """Locked packages are installed in tox's environment; the project's environment is not created."""
    shutil.copy(_CI / "tox.ini", job.folder)
    job.env |= assume(job.acme, f"arn:aws:iam::{OWNER}:role/acme-ci")
    calls = Calls(job.acme)
    done = job.run("pipx install codeartifact-pipenv", f"'{clients('tox').bin / 'tox'}'")
    assert "Ran 1 test" in done.output
    assert Place(job.folder / ".tox" / "test").version("acme_invoices") == "1.0"
    assert not (job.folder / ".venv").exists()
    assert calls.count() == 1
    assert_not_shown(get_token(job.acme, job.env, job.folder), done)


@pytest.mark.wide
def test_pre_commit(job: Job, clients: Clients) -> None:
    """Pre-commit accepts the configuration and the hooks, and each hook passes on its files."""
    program = clients("pre-commit").bin / "pre-commit"
    job.run(
        f"'{program}' validate-config '{_CI / 'pre-commit-config.yaml'}'",
        f"'{program}' validate-manifest '{_ROOT / '.pre-commit-hooks.yaml'}'",
        "pipx install codeartifact-pipenv",
    )
    for hook in load_yaml(_ROOT / ".pre-commit-hooks.yaml"):
        names = [path.name for path in job.folder.iterdir() if re.search(hook["files"], path.name)]
        assert sorted(names) == ["Pipfile", "Pipfile.lock"]
        job.run(" ".join([hook["entry"], *names]))


@pytest.mark.wide
def test_dependabot(job: Job) -> None:
    """Lint finds an index that Dependabot invents in the lock; locking fixes it."""
    lock = job.folder / "Pipfile.lock"
    text = lock.read_text()
    invented = '"index": "dependabot-inserted-index-0"'
    lock.write_text(text.replace('"index": "codeartifact"', invented, 1))
    job.env = job.acme.environ(job.env)
    job.run("pipx install codeartifact-pipenv")
    found = run(PIPENV_CA, "lint", env=job.env, cwd=job.folder)
    assert found.status == 1
    assert "is locked from dependabot-inserted-index-0" in found.stdout
    assert "[lock-index]" in found.stdout
    job.run("pipenv-ca lock", "pipenv-ca lint")
    assert files_with(invented, [job.folder]) == []
    url = load_yaml(_CI / "dependabot.yml")["registries"]["codeartifact"]
    assert url["url"] == job.acme.endpoint.simple_url
    assert (url["domain"], url["domain-owner"], url["aws-region"]) == ACME


@pytest.mark.wide
@pytest.mark.shows_token("files")  # plain pipenv 2026 leaves one below the temporary folder
def test_renovate(job: Job) -> None:
    """Renovate's rule has the token for the source's host, and pipenv locks with it."""
    job.env = job.acme.environ(job.env)
    lines = script(section(_README, "Dependabot and Renovate"))
    said = job.run("pipx install codeartifact-pipenv", lines, 'printf %s "$RENOVATE_HOST_RULES"')
    (rule,) = json.loads(said.stdout)
    assert job.acme.endpoint.simple_url.startswith(f"{rule['matchHost']}/")
    configuration = job.folder.parent / "renovate.json"
    configuration.write_text(json.dumps({"hostRules": [rule]}))
    check_schema("vendor.renovate", configuration)
    job.run("pipenv lock", CODEARTIFACT_AUTH_TOKEN=rule["password"], AWS_ACCESS_KEY_ID="none")
