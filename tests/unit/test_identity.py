"""Different AWS identities have different fingerprints; the same identity has the same one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.auth.authorization_token import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[default]
region = eu-west-1

[profile work]
role_arn = arn:aws:iam::123456789012:role/work
source_profile = base

[profile base]
source_profile = keys

[profile keys]
region = eu-west-1

[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = developer
services = local

[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1

[services local]
sts =
  endpoint_url = https://localhost:4566

[profile other]
role_arn = arn:aws:iam::210987654321:role/other
"""
CREDENTIALS = """
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = SECRET-default

[keys]
aws_access_key_id = AKIAKEYS
aws_secret_access_key = SECRET-keys
aws_session_token = SECRET-session

[work]
mfa_serial = arn:aws:iam::123456789012:mfa/me

[other]
aws_access_key_id = AKIAOTHER
aws_secret_access_key = SECRET-other
"""


class Account:
    """A user's two AWS files, and an environment that names them."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config"
        self.credentials = folder / "credentials"
        self.config.write_text(CONFIG)
        self.credentials.write_text(CREDENTIALS)
        self.environ = {
            "AWS_CONFIG_FILE": str(self.config),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials),
        }

    def print(self, profile: str | None = None, **variables: str) -> str:
        return json.dumps(fingerprint(self.environ | variables, profile))

    def edit(self, old: str, new: str) -> None:
        for path in (self.config, self.credentials):
            path.write_text(path.read_text().replace(old, new))
        assert new in self.config.read_text() + self.credentials.read_text()


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Account(tmp_path)


def test_the_same_user_has_the_same_identity(account: Account) -> None:
    """The order of the variables does not matter."""
    assert account.print("work") == account.print("work")
    account.environ = dict(reversed(list(account.environ.items())))
    assert account.print(AWS_PROFILE="a", AWS_ROLE_ARN="b") == account.print(
        AWS_ROLE_ARN="b", AWS_PROFILE="a"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_PROFILE", "other"),
        ("AWS_DEFAULT_PROFILE", "other"),
        ("AWS_ACCESS_KEY_ID", "AKIAOTHER"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/other"),
        ("AWS_ROLE_SESSION_NAME", "other"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/other"),
        ("AWS_ENDPOINT_URL", "https://localhost:4566"),
        ("AWS_ENDPOINT_URL_CODEARTIFACT", "https://localhost:4566"),
        ("AWS_ENDPOINT_URL_STS", "https://localhost:4566"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost/other"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/other"),
        ("AWS_CONFIG_FILE", "/other"),
    ],
)
def test_another_value_of_an_identity_variable_is_another_identity(
    account: Account, name: str, value: str
) -> None:
    assert account.print(**{name: value}) != account.print()
    assert account.print(**{name: value}) != account.print(**{name: f"{value}2"})


@pytest.mark.parametrize(
    "name",
    [
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_PAGER", "AWS_MAX_ATTEMPTS", "AWS_CA_BUNDLE", "AWS_DEFAULT_OUTPUT"),
        *("PATH", "HTTPS_PROXY", "AWSOME"),
    ],
)
def test_regions_secrets_and_connection_variables_do_not_change_the_identity(
    account: Account, name: str
) -> None:
    assert account.print(**{name: "x"}) == account.print()


def test_another_profile_is_another_identity(account: Account) -> None:
    """A profile from an option differs from the same profile in a variable."""
    prints = {
        account.print(),
        account.print("work"),
        account.print("other"),
        account.print("nonexistent"),
        account.print(AWS_PROFILE="work"),
    }
    assert len(prints) == 5


@pytest.mark.parametrize(
    ("profile", "old", "new"),
    [
        ("work", "role/work", "role/admin"),
        ("work", "source_profile = base", "source_profile = other"),
        ("work", "source_profile = keys", "source_profile = other"),
        ("work", "AKIAKEYS", "AKIANEW"),
        ("work", "mfa/me", "mfa/you"),
        ("sso", "developer", "admin"),
        ("sso", "corp.awsapps.com", "evil.awsapps.com"),
        ("sso", "localhost:4566", "localhost:4567"),
        ("default", "AKIADEFAULT", "AKIANEW"),
    ],
)
def test_a_change_in_a_section_that_the_profile_uses_changes_the_identity(
    account: Account, profile: str, old: str, new: str
) -> None:
    before = account.print(profile), account.print(AWS_PROFILE=profile)
    account.edit(old, new)
    assert account.print(profile) != before[0]
    assert account.print(AWS_PROFILE=profile) != before[1]


def test_default_profile_counts_when_no_profile_is_named(account: Account) -> None:
    """Both spellings of its section count."""
    before = account.print()
    account.edit("AKIADEFAULT", "AKIANEW")
    assert account.print() != before
    before = account.print()
    account.edit("[default]\nregion", "[profile default]\nrole_arn = x\nregion")
    assert account.print() != before


def test_another_credential_process_is_another_identity(account: Account) -> None:
    account.edit("[profile keys]", "[profile keys]\ncredential_process = one")
    before = account.print("work")
    account.edit("credential_process = one", "credential_process = two")
    assert account.print("work") != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("role/other", "role/another"),
        ("AKIAOTHER", "AKIANEW"),
        ("AKIADEFAULT", "AKIANEW"),
        ("corp.awsapps.com", "new.awsapps.com"),
        ("SECRET-keys", "SECRET-new"),
        ("SECRET-session", "SECRET-new"),
        ("[profile keys]", "# a comment\n[profile keys]\n; another"),
        ("[profile keys]", "\n\n[profile keys]"),
        ("[profile other]", "[profile new]\nregion = x\n[profile other]"),
        ("source_profile = base", "source_profile=base"),
    ],
)
def test_unrelated_sections_secrets_and_comments_do_not_change_the_identity(
    account: Account, old: str, new: str
) -> None:
    before = account.print("work")
    account.edit(old, new)
    assert account.print("work") == before


NAMES = {
    "default": "default",
    "work": "[profile work]",
    "two  blanks": '[profile "two  blanks"]',
    "it's": """[profile "it's"]""",
    'a "b"': """[profile 'a "b"']""",
    "[b]": "[profile [b]]",
    "back\\slash": r'[profile "back\\slash"]',
    " both ": '[profile " both "]',
    "tab": "[profile\ttab]",
    "\N{LATIN SMALL LETTER U WITH DIAERESIS} x": '[profile "\N{LATIN SMALL LETTER U WITH DIAERESIS} x"]',
    "bar": "[profilefoo bar]",
    "no\N{NO-BREAK SPACE}break": "[profile no\N{NO-BREAK SPACE}break]",
}


@pytest.mark.parametrize("name", NAMES)
def test_profile_names_are_read_as_botocore_reads_them(tmp_path: Path, name: str) -> None:
    import botocore.configloader

    config, credentials = tmp_path / "config", tmp_path / "credentials"
    environ = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    seen = set()
    for key in ("one", "two", "three"):
        title = NAMES[name] if name in NAMES and NAMES[name] != name else "[default]"
        config.write_text(f"{title}\nrole_arn = {key}\n", encoding="utf-8")
        parsed = botocore.configloader.load_config(str(config))
        assert parsed["profiles"][name] == {"role_arn": key}
        credentials.write_text("", encoding="utf-8")
        seen.add(json.dumps(fingerprint(environ, name)))
        config.write_text("", encoding="utf-8")
        credentials.write_text(f"[{name}]\naws_access_key_id = {key}\n", encoding="utf-8")
        seen.add(json.dumps(fingerprint(environ, name)))
    assert len(seen) == 6


def test_the_default_section_of_a_file_counts_for_each_profile(tmp_path: Path) -> None:
    """Botocore applies [DEFAULT] to each profile."""
    config = tmp_path / "config"
    environ = {"AWS_CONFIG_FILE": str(config)}
    seen = set()
    for key in ("one", "two", "three"):
        config.write_text(f"[DEFAULT]\nrole_arn = {key}\n[profile work]\nregion = x\n")
        seen.add(json.dumps(fingerprint(environ, "work")))
    assert len(seen) == 3


def test_a_profile_name_with_a_blank_is_read_in_quotes(account: Account) -> None:
    account.edit("[profile other]", '[profile "my own"]')
    before = account.print("my own")
    account.edit("role/other", "role/another")
    assert account.print("my own") != before


def test_profiles_that_name_each_other_are_read_once(account: Account) -> None:
    account.edit("[profile keys]", "[profile keys]\nsource_profile = work")
    account.edit("[profile other]", "[profile other]\nsource_profile = other")
    assert account.print("work")
    assert account.print("other")


@pytest.mark.parametrize(
    "content", [b"no section\n", b"[a\n", b"\xff\xfe[default]", b"\xef\xbb\xbf[default]\n"]
)
def test_unreadable_files_with_other_bytes_are_another_identity(
    account: Account, content: bytes
) -> None:
    good = account.print("work")
    account.config.write_bytes(content)
    broken = account.print("work")
    account.config.write_bytes(content + b"x")
    assert len({good, broken, account.print("work")}) == 3


def test_a_missing_file_differs_from_a_file_with_settings(account: Account) -> None:
    both = account.print("work")
    account.credentials.unlink()
    one = account.print("work")
    account.config.unlink()
    assert len({both, one, account.print("work")}) == 3


def test_files_in_the_home_folder_are_read_without_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    before = json.dumps(fingerprint({}, None))
    (tmp_path / ".aws" / "config").write_text("[default]\nrole_arn = x\n")
    with_config = json.dumps(fingerprint({}, None))
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = AKIA\n")
    assert len({before, with_config, json.dumps(fingerprint({}, None))}) == 3


def test_keys_of_a_boto_2_file_are_part_of_the_identity(tmp_path: Path, account: Account) -> None:
    """Botocore still reads this file."""
    boto = tmp_path / "boto.cfg"
    boto.write_text("[Credentials]\naws_access_key_id = AKIAONE\n")
    before = account.print(BOTO_CONFIG=str(boto))
    boto.write_text("[Credentials]\naws_access_key_id = AKIATWO\n")
    assert account.print(BOTO_CONFIG=str(boto)) != before


def test_an_identity_never_contains_a_secret(account: Account) -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": "SECRET-a", "AWS_SESSION_TOKEN": "SECRET-b"}
    for profile in ("work", "keys", "other", "default", None):
        assert "SECRET" not in account.print(profile, **secrets)
    account.edit("aws_secret_access_key = SECRET-keys", "AWS_Secret_Access_Key=SECRET-keys")
    assert "SECRET" not in account.print("keys")
    account.credentials.write_text("aws_secret_access_key = SECRET-x\n")  # no section
    assert "SECRET" not in account.print("keys")
