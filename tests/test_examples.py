"""Every example is played by a test: each file, and each block of commands in a document."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.acme import OWNER
from support.ci import add_aws, load_yaml
from support.guides import blocks, commands, section
from support.lint import lock, pipfile, reviewed, write_project
from support.programs import SCRIPTS, run
from support.sandbox import client_of

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel
from codeartifact_pipenv.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_TESTS = Path(__file__).parent
_EXAMPLES = _TESTS.parent / "examples"
# The test that plays a file, or the blocks below a title of a document (`*`: all of them).
PLAYED = {
    "ci/Dockerfile": "test_ci_examples.test_docker",
    "ci/action/action.yml": "test_ci_examples.test_action",
    "ci/buildspec.yml": "test_ci_examples.test_codebuild",
    "ci/dependabot.yml": "test_ci_examples.test_dependabot",
    "ci/github-lint.yml": "test_ci_examples.test_github_lint",
    "ci/github-update.yml": "test_ci_examples.test_github_update",
    "ci/github.yml": "test_ci_examples.test_github",
    "ci/gitlab-ci.yml": "test_ci_examples.test_gitlab",
    "ci/gitlab-trust.json": "test_ci_examples.test_gitlab",
    "ci/pre-commit-config.yaml": "test_ci_examples.test_pre_commit",
    "ci/tox.ini": "test_ci_examples.test_tox",
    "ci/README.md#The role": "test_ci_examples.test_github",
    "ci/README.md#GitLab": "test_ci_examples.test_gitlab",
    "ci/README.md#Docker": "test_ci_examples.test_docker_secret",
    "ci/README.md#Dependabot and Renovate": "test_ci_examples.test_renovate",
    "guides/assistant.md#Letting an assistant help": "test_examples.test_extras_exist",
    "guides/assistant.md#Registering it": "test_assistant.test_registration_of_the_guide_starts_a_server_with_read_only_tools_and_all_guides",
    "guides/ci.md#pipenv": "test_team_guides.test_ci",
    "guides/ci.md#uv": "test_team_guides.test_uv",
    "guides/ci.md#uvx": "test_team_guides.test_uv",
    "guides/clients.md#*": "test_clients_guide.test_guide",
    "guides/compatibility.md#Windows and macOS": "test_windows.test_env_for_powershell",
    "guides/integration.md#*": "test_team_guides.test_integration",
    "guides/leaving.md#uv": "test_team_guides.test_leaving",
    "guides/leaving.md#poetry": "test_team_guides.test_leaving",
    "guides/lint.md#What lint finds: every code, and what to do": "test_examples.test_lint_settings",
    "guides/performance.md#Measure it": "benchmark.main",  # it is a test's own program
    "guides/project-template.md#*": "test_team_guides.test_template",
    "guides/provision.md#*": "test_examples.test_provision",
    "guides/python-standards.md#*": "test_team_guides.test_standards",
    "guides/sandbox.md#One command: run": "test_examples.test_sandbox_run",
    "guides/sandbox.md#pytest": "test_examples.test_sandbox_in_pytest",
    "guides/sandbox.md#Faults": "test_examples.test_sandbox_in_pytest",
    "guides/settings.md#Settings and exit codes": "test_examples.test_settings_of_a_domain",
    "guides/tokens.md#Tools that cannot ask a keyring": "test_team_guides.test_tools_without_a_keyring",
    "guides/usage.md#Daily use": "test_team_guides.test_quick_start",
    "guides/usage.md#The Pipfile": "test_examples.test_pipfile",
    "guides/usage.md#Completion": "test_examples.test_completion",
    "pictures/demo.svg": "test_pictures.test_demo",
    "pictures/doctor.svg": "test_pictures.test_doctor",
    "pictures/lint.svg": "test_pictures.test_lint",
    "publish/README.md#*": "test_publish_example.test_the_example",
    "publish/acme_greetings.py": "test_publish_example.test_the_example",
    "publish/app/Pipfile": "test_publish_example.test_the_example",
    "publish/app/greet.py": "test_publish_example.test_the_example",
    "publish/pyproject.toml": "test_publish_example.test_the_example",
    "quickstart/Pipfile": "test_examples.test_quickstart",
    "quickstart/README.md#*": "test_examples.test_quickstart",
    "quickstart/main.py": "test_examples.test_quickstart",
    "quickstart/packages/acme-invoices/acme_invoices.py": "test_examples.test_quickstart",
    "quickstart/packages/acme-invoices/pyproject.toml": "test_examples.test_quickstart",
}
# The same for the blocks of README.md.
PLAYED_AT_THE_TOP = {
    "README.md#Quick start": "test_team_guides.test_quick_start",
    "README.md#Try it without an AWS account": "test_examples.test_readme_tries_everything",
    "README.md#Before and after": "test_examples.test_source_of_the_readme",
    "README.md#When it fails": "test_explain.test_a_failed_lock_prints_the_lines_of_the_readme",
    "README.md#Other clients": "test_clients_guide.test_readme",
    "README.md#CI": "test_team_guides.test_ci",
    # `.ci/run` runs the first line, and the test the second.
    "README.md#Contribute": "test_examples.test_readme_tries_everything",
}
# What is not an example: what git ignores, and what commands leave in a checkout.
_OTHERS = {".gitignore", ".venv", "dist", "__pycache__", "Pipfile.lock", "build"}


def examples(folder: Path) -> Iterator[str]:
    """Yield each example below a folder: a file, or a title of a document with blocks below it."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or _OTHERS & set(path.parts) or ".egg-info" in name:
            continue
        if path.suffix != ".md":
            yield name
        else:
            yield from titles_with_blocks(path, name)


def titles_with_blocks(path: Path, name: str) -> Iterator[str]:
    """Yield, for each block of a document, its name and the title above."""
    title, is_block = "", False
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("```"):
            is_block = not is_block
            if is_block:
                yield f"{name}#*" if f"{name}#*" in PLAYED else f"{name}#{title}"
        elif line.startswith("#") and not is_block:
            title = line.lstrip("# ")


def test_every_example_is_played() -> None:
    """Each file and each block of the examples has a test that plays it."""
    assert set(examples(_EXAMPLES)) == set(PLAYED)
    readme = _EXAMPLES.parent / "README.md"
    assert set(titles_with_blocks(readme, readme.name)) == set(PLAYED_AT_THE_TOP)
    for played in {*PLAYED.values(), *PLAYED_AT_THE_TOP.values()}:
        module, _, name = played.partition(".")
        text = (_TESTS / f"{module}.py").read_text("utf-8")
        assert f"\ndef {name}(" in text, played


def test_a_new_example_is_noticed(tmp_path: Path) -> None:
    """A file, and a block below any title, is an example as soon as it is there."""
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "new.yml").touch()
    text = "# New\n\n```console\n# no title\n```\n\n## More\n\n```\n$ x\n```\n\n## Rest\n"
    (tmp_path / "new.md").write_text(text)
    assert list(examples(tmp_path)) == ["ci/new.yml", "new.md#New", "new.md#More"]


def guide(name: str, *titles: str) -> list[tuple[str, str]]:
    """Return the blocks of a document, or of some sections of it, each with its language."""
    text = (_EXAMPLES / name).read_text("utf-8")
    return [
        found for part in [section(text, t) for t in titles] or [text] for found in blocks(part)
    ]


def bash(lines: list[str], env: dict[str, str], folder: Path) -> str:
    """Run commands in one shell, which must succeed, and return what they said."""
    env = env | {"PATH": f"{SCRIPTS}:{env['PATH']}", "PIPENV_VENV_IN_PROJECT": "1"}
    done = run("bash", "-euc", "\n".join(lines), env=env, cwd=folder, timeout=400)
    assert done.status == 0, done.output[-6000:]
    return done.output


def test_extras_exist() -> None:
    """What the examples install with our package is one of its extras."""
    texts = [path.read_text("utf-8") for path in _EXAMPLES.rglob("*.md")]
    named = set(re.findall(r"codeartifact-pipenv\[([\w,-]+)\]", "".join(texts)))
    extras = importlib.metadata.metadata("codeartifact-pipenv").get_all("Provides-Extra") or []
    assert {"mcp"} <= named <= set(extras)


def test_lint_settings(tmp_path: Path) -> None:
    """The settings of the guide to lint leave its code out, and name packages as private."""
    text = pipfile('billing = "*"\nsix = "*"')
    path = write_project(tmp_path, text, lock(text, {"six": {"version": "==1.0"}}))
    assert "hashes-missing" in {finding.code for finding in reviewed(path).findings}
    ((_, settings),) = guide("guides/lint.md")
    (tmp_path / "pyproject.toml").write_text(settings)
    found = {(finding.code, finding.subject) for finding in reviewed(path).findings}
    assert ("index-missing", "package billing") in found
    assert "hashes-missing" not in {code for code, _ in found}


def test_settings_of_a_domain(tmp_path: Path) -> None:
    """The table of the guide to settings gives a domain its profile and role."""
    ((_, text),) = guide("guides/settings.md")
    (tmp_path / "config.toml").write_text(text)
    settings = Settings({}, {"PIPENV_CA_CONFIG": str(tmp_path / "config.toml")})
    domain = Domain("acme", OWNER, "eu-west-1")
    assert settings.text("profile", domain) == "work"
    assert settings.text("role", domain) == f"arn:aws:iam::{OWNER}:role/reader"


def test_pipfile(tmp_path: Path) -> None:
    """The Pipfile of the guide to daily use names CodeArtifact, and nothing in it is wrong."""
    ((_, text),) = guide("guides/usage.md", "The Pipfile")
    project = reviewed(write_project(tmp_path, text))
    assert project.findings == []
    assert list(project.contents.sources.repositories) == ["codeartifact"]


@pytest.mark.wide
def test_completion(clean_env: dict[str, str], tmp_path: Path) -> None:
    """Each shell's line of the guide to daily use prints a script, and bash takes its own."""
    (_, posix), (_, windows) = guide("guides/usage.md", "Completion")
    for variable in re.findall(r"\w+_source", posix + windows):
        said = bash([f"_PIPENV_CA_COMPLETE={variable} pipenv-ca"], clean_env, tmp_path)
        assert "pipenv-ca" in said
    said = bash([posix.splitlines()[0], "complete -p pipenv-ca"], clean_env, tmp_path)
    assert said.startswith("complete ")


def readme(title: str) -> str:
    return section((_EXAMPLES.parent / "README.md").read_text("utf-8"), title)


def test_source_of_the_readme(tmp_path: Path) -> None:
    """Lint finds nothing wrong in the README's source."""
    ((_, text),) = blocks(readme("Before and after"))
    text = text.replace("DOMAIN", "acme").replace("REPOSITORY", "team")
    assert reviewed(write_project(tmp_path, text)).findings == []


@pytest.mark.wide
def test_readme_tries_everything(clean_env: dict[str, str], tmp_path: Path) -> None:
    """The README's one line works in a fresh checkout and prints what the README shows."""
    checkout = tmp_path / "checkout"
    others = shutil.ignore_patterns(
        *_OTHERS - {".gitignore"}, ".git", "tests", "*.egg-info", ".*_cache"
    )
    shutil.copytree(_EXAMPLES.parent, checkout, ignore=others)
    text = readme("Try it without an AWS account")
    ((_, line),) = blocks(text)
    again = commands(next(blocks(readme("Contribute")))[1])[1]
    said = bash([line, again], clean_env, checkout)
    shown = text.split("```")[3].lstrip("\n")
    newest = re.compile(r"(humanize +)[\d.]+ +")
    assert newest.sub(r"\1", said).count(newest.sub(r"\1", shown)) == 2


@pytest.mark.wide
def test_quickstart(clean_base: dict[str, str], clean_env: dict[str, str], tmp_path: Path) -> None:
    """The project runs in the sandbox's demonstration, and in an account that has its package."""
    project = tmp_path / "examples" / "quickstart"
    shutil.copytree(_EXAMPLES / "quickstart", project, ignore=shutil.ignore_patterns(*_OTHERS))
    demo, own = (commands(block) for _, block in guide("quickstart/README.md"))
    assert "acme-invoices" in bash(demo, clean_env, tmp_path)
    (project / "Pipfile.lock").unlink(missing_ok=True)
    with Sandbox(
        [project / "packages"],
        domain="acme",
        region="eu-west-1",
        repository="team",
        base=clean_base,
    ) as sandbox:
        said = bash(own, sandbox.environ(clean_env), project)
    assert "1,234,567 in two invoices\n" in said


def write_sandbox_project(folder: Path, domain: str, repository: str) -> None:
    """Write a project of one private package for a repository, with the package in ``wheels``."""
    wheel = make_wheel(folder / "wheels", "our-package", "1.0")
    url = (
        f"https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{domain}.amazonaws.com/pypi/{repository}/simple/"
    )
    write_project(folder, pipfile('our-package = "*"', ("ca", url)))
    (folder / "dist").mkdir()
    shutil.copy(wheel, folder / "dist")
    (folder / "Makefile").write_text(
        "test:\n\tpipenv-ca run python -c 'import our_package'\n"
        f"release:\n\ttwine upload -u aws --repository-url https://{domain}.amazonaws.com/pypi/"
        f"{repository}/ dist/*\n"
    )


@pytest.mark.wide
def test_sandbox_run(clean_env: dict[str, str], tmp_path: Path) -> None:
    """What the guide to the sandbox runs, at a prompt and in a CI job, works in a project."""
    (_, block), (_, text) = guide("guides/sandbox.md", "One command: run")
    (tmp_path / "job.yml").write_text(text)
    install, *steps = [step["run"] for step in load_yaml(tmp_path / "job.yml")]
    assert install == 'pip install "codeartifact-pipenv[sandbox]"'
    places = {
        "demo-123456789012.d.codeartifact.us-east-1": ("pypi-store", commands(block)),
        "acme-111122223333.d.codeartifact.eu-west-1": ("team", steps),
    }
    for domain, (repository, lines) in places.items():
        folder = tmp_path / repository
        folder.mkdir()
        write_sandbox_project(folder, domain, repository)
        locks = lines[0].rpartition(" -- ")[0] + " -- pipenv-ca lock"
        bash([locks, *lines], clean_env, folder)
        assert list((folder / ".venv").glob("lib/*/site-packages/our_package"))


@pytest.mark.wide
def test_sandbox_in_pytest(clean_env: dict[str, str], tmp_path: Path) -> None:
    """The fixtures and the faults of the guide to the sandbox work in another project's tests."""
    write_sandbox_project(tmp_path, "demo-123456789012.d.codeartifact.us-east-1", "pypi-store")
    released, behaviour, faults = (
        block
        for language, block in guide("guides/sandbox.md", "pytest", "Faults")
        if language == "python"
    )
    imports = "from codeartifact_pipenv.sandbox.behaviour import Behaviour\nimport pytest\n"
    (tmp_path / "conftest.py").write_text(imports + behaviour)
    played = "\n".join(f"    {line}" for line in faults.splitlines())
    faults = (
        f"def test_faults(codeartifact_sandbox):\n    sandbox = codeartifact_sandbox\n{played}\n"
    )
    (tmp_path / "test_it.py").write_text(f"import subprocess\n{released}\n{faults}")
    said = bash(["python -m pytest -q test_it.py"], clean_env, tmp_path)
    assert "2 passed" in said


@pytest.mark.wide
def test_provision(clean_base: dict[str, str], clean_env: dict[str, str], tmp_path: Path) -> None:
    """The guide to provisioning works in one shell, those of its commands that are the AWS CLI's too."""
    lines = [
        line.removeprefix("$ ")
        for _, block in guide("guides/provision.md")
        for line in block.splitlines()
    ]
    add_aws(tmp_path)
    with Sandbox(base=clean_base, owner=OWNER, upstream=False) as sandbox:
        iam = client_of(sandbox, "iam", sandbox.user)
        iam.create_role(RoleName="ROLE", AssumeRolePolicyDocument="{}")
        env = sandbox.environ(clean_env) | {"AWS_REGION": "eu-west-1"}
        bash([f"PATH={tmp_path}:$PATH", "cd ~", *lines], env, tmp_path)
        kept = iam.list_attached_role_policies(RoleName="acme-ci")["AttachedPolicies"]
        iam.close()
    assert [each["PolicyName"] for each in kept] == ["acme-ci"]
