"""The places that a setting comes from, and the values that are refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.settings import SETTINGS, Settings, default_cache_dir, user_config_path

if TYPE_CHECKING:
    from pathlib import Path

ACME = Domain("acme", "123456789012", "us-east-1")
ARN = "arn:aws:iam::123456789012:"
CHINA = ARN.replace("aws", "aws-cn")
ROLE = f"{ARN}role/team/reader"


class Places(NamedTuple):
    """The four places of a setting."""

    options: dict[str, str | bool]
    environ: dict[str, str]
    project: Path
    user: Path

    def write_project(self, text: str, head: str = "[tool.codeartifact-pipenv]\n") -> None:
        (self.project / "pyproject.toml").write_text(head + text, encoding="utf-8")

    def settings(self) -> Settings:
        made = Settings(self.options, self.environ)
        made.read_project(str(self.project))
        return made

    def refusal(self, name: str) -> tuple[str, str]:
        """Return sentence and hint of the error that a setting causes."""
        with pytest.raises(ConfigurationError) as caught:
            self.settings().text(name)
        assert caught.value.exit_code == 2
        assert caught.value.hint
        return caught.value.sentence, caught.value.hint


@pytest.fixture
def places(tmp_path: Path) -> Places:
    project = tmp_path / "project"
    project.mkdir()
    user = tmp_path / "codeartifact-pipenv" / "config.toml"
    user.parent.mkdir()
    return Places({}, {"XDG_CONFIG_HOME": str(tmp_path)}, project, user)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps both in LOCALAPPDATA")
@pytest.mark.parametrize(
    ("home", "environ", "config", "cache"),
    [
        ("/me", {}, "/me/.config", "/me/.cache"),
        ("/me", {"XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/x"}, "/c", "/x"),
        # The XDG specification ignores relative paths.
        ("/me", {"XDG_CONFIG_HOME": "c", "XDG_CACHE_HOME": "x"}, "/me/.config", "/me/.cache"),
        ("", {}, "", ""),
        ("nowhere", {}, "", ""),
    ],
)
def test_configuration_and_cache_follow_xdg_or_the_home(
    home: str, environ: dict[str, str], config: str, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home)
    environ = {"HOME": home, **environ}
    assert user_config_path(environ) == (config and f"{config}/codeartifact-pipenv/config.toml")
    assert default_cache_dir(environ) == (cache and f"{cache}/codeartifact-pipenv")
    assert Settings({}, environ).state_directory() == (default_cache_dir(environ) or None)
    own = {**environ, "PIPENV_CA_CONFIG": "/own.toml", "PIPENV_CA_CACHE_DIR": "/elsewhere"}
    assert user_config_path(own) == "/own.toml"
    assert Settings({}, own).state_directory() == "/elsewhere"


def test_a_domain_table_wins_over_the_project_and_the_file(places: Places) -> None:
    table = '[domains."acme-123456789012"]'
    places.user.write_text(f'profile = "general"\n{table}\nprofile = "work"\n')
    assert places.settings().text("profile") == "general"
    places.write_project('profile = "team"\n')
    found = places.settings()
    assert found.text("profile", ACME) == "work"
    assert found.origin("profile", ACME) == f"profile in {table} of {places.user}"
    for other in (None, ACME._replace(name="acme2"), ACME._replace(owner="210987654321")):
        assert found.text("profile", other) == "team"
    places.environ["PIPENV_CA_PROFILE"] = "variable"
    assert places.settings().text("profile", ACME) == "variable"
    places.options["profile"] = "option"
    assert places.settings().text("profile", ACME) == "option"


NOT_A_DOMAIN = "is not a table of a domain"
# They choose a program, an account or a place for tokens.
PERSONAL = ["allowed-owners", "cache-dir", "keyring-backend", "no-cache", "pipenv", "role"]


@pytest.mark.parametrize(
    ("place", "text", "sentence", "hint"),
    [
        ("user", "domains = 3", f"domains in USER {NOT_A_DOMAIN}", '"acme-123456789012"'),
        ("user", '[domains]\nacme-123456789012 = "x"', NOT_A_DOMAIN, ""),
        ("user", "[domains.acme]", f"domains.acme in USER {NOT_A_DOMAIN}", ""),
        ("user", "[domains.-123456789012]", NOT_A_DOMAIN, ""),
        ("user", "[domains.acme-12345678901]", NOT_A_DOMAIN, ""),
        ("user", "[domains.acme-123456789012]\nduration = 900", "sets duration in", "and role."),
        ("user", "proflie = 'x'", "sets proflie, which is not a setting", "profile"),
        ("project", "domains.a-123456789012.role = 'x'", "sets domains, which", "config.toml"),
        ("project", "proflie = 'x'", "sets proflie, which is not a setting", "profile"),
        *(
            ("project", f"{n} = 'x'", f"{n}, which a project may not", SETTINGS[n].variable)
            for n in PERSONAL
        ),
    ],
)
def test_a_wrong_key_of_user_or_project_is_refused(
    place: str, text: str, sentence: str, hint: str, places: Places
) -> None:
    if place == "user":
        places.user.write_text(f"{text}\n")
    else:
        places.write_project(f"{text}\n")
    said = places.refusal("profile")
    assert sentence.replace("USER", str(places.user)) in said[0]
    assert hint in said[1]


def test_a_stronger_no_wins_and_an_empty_variable_is_unset(places: Places) -> None:
    places.user.write_text("verbose = true\n")
    places.environ["PIPENV_CA_VERBOSE"] = ""
    assert places.settings().flag("verbose")
    places.write_project("verbose = false\n")
    assert not places.settings().flag("verbose")
    places.environ["PIPENV_CA_VERBOSE"] = "yes"
    assert places.settings().flag("verbose")


VALID: dict[str, list[tuple[str, object]]] = {
    "route": [
        *((f"'{name}'", "loopback") for name in ("loopback", "proxy")),
        *((f"'{name}'", "as-written") for name in ("as-written", "direct")),
    ],
    "role": [(f"'{role}'", role) for role in (ROLE, f"{CHINA}role/a/b_+=,.@-C1")],
    "duration": [('"0"', 0), ('"3600"', 3600), ("0", 0), ("900", 900), ("43200", 43200)],
    "refresh": [
        *((f"'{word}'", True) for word in ("1", "true", "YES", "on", " True ")),
        *((f"'{word}'", False) for word in ("0", "false", "No", "OFF", " ")),
    ],
    "allowed-owners": [
        ('"123456789012, 210987654321"', ("123456789012", "210987654321")),
        ('["123456789012", "210987654321"]', ("123456789012", "210987654321")),
        ("[]", ()),  # allows no account
    ],
    "private-packages": [
        ('"acme-*, billing"', ("acme-*", "billing")),
        ('["acme-*", " billing "]', ("acme-*", "billing")),
    ],
    "keyring-backend": [("'module.Class'", "module.Class")],
    "no-cache": [("true", True)],
    "cache-dir": [("'~/tokens'", "/home/someone/tokens")],
    "pipenv": [("'~/bin/pipenv'", "/home/someone/bin/pipenv")],
}
BAD = {
    ("profile", "a text"): ["3", '"  "'],
    ("cache-dir", "a text"): ["[]"],
    ("verbose", "true or false"): ['"perhaps"', "1"],
    ("allowed-owners", "account numbers of 12 digits"): ['"12345"', "[123456789012]", "1234"],
    ("private-packages", "a list of texts"): ["3", '["a", 3]', '[""]'],
    ("route", "loopback or as-written"): ["['loopback']", '"LOOPBACK"'],
    ("duration", "0 or 900 to 43200 seconds"): [
        *("899", "43201", "-1", '"12h"', "900.5", "false", "[900]", '""', "1e400")
    ],
    ("role", "the ARN of an IAM role"): [
        f"'{arn}'"
        for arn in (
            *("reader", f" {ROLE}", ":role/x", f"{ARN}role/", f"{ARN}role/a b", f"{ARN}role/\xe9"),
            *(f"{ARN}user/me", f"{ARN}x:role/reader", "arn:aws:iam::12345:role/reader"),
            *(ROLE.replace("::", ":us-east-1:"), ROLE.replace("iam", "sts")),
            ROLE.replace("aws", "azure"),
        )
    ],
}


@pytest.mark.parametrize(
    ("name", "written", "value"), [(n, *case) for n, cases in VALID.items() for case in cases]
)
def test_each_valid_value_is_read_from_the_users_file(
    name: str, written: str, value: object, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    places.user.write_text(f"{name} = {written}\n")
    assert places.settings().value(name) == value


@pytest.mark.parametrize(
    ("name", "expected", "value"), [(*kind, value) for kind in BAD for value in BAD[kind]]
)
def test_a_bad_value_names_the_expected_kind(
    places: Places, name: str, expected: str, value: str
) -> None:
    places.user.write_text(f"{name} = {value}\n", encoding="utf-8")
    sentence, _ = places.refusal(name)
    assert sentence.startswith(f"{name} in {places.user} must be {expected}")
    assert ", and it is " in sentence


@pytest.mark.parametrize("content", [b"profile = ", b"profile = '\xff'", b"\x00", b"[a\n", None])
def test_a_broken_or_missing_users_file_is_refused_and_a_broken_pyproject_ignored(
    content: bytes | None, places: Places
) -> None:
    (places.project / "pyproject.toml").write_bytes(content or b"tool = 3")
    assert places.settings().text("profile") is None
    places.environ["PIPENV_CA_CONFIG"] = str(places.user)
    if content is not None:
        places.user.write_bytes(content)
    assert f"{places.user} cannot be read" in places.refusal("profile")[0]  # it may hold a limit
    places.options["profile"] = "option"
    assert places.settings().text("profile") == "option"


def test_a_pyproject_needs_a_table_of_ours_or_nothing(places: Places) -> None:
    for text in ("", "[tool.other]\nx = 1\n", "[project]\n"):
        places.write_project(text, head="")
        assert places.settings().text("profile") is None
    places.write_project("[tool]\ncodeartifact-pipenv = 3\n", head="")
    assert "is not a table" in places.refusal("profile")[0]
