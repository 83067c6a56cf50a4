"""Different AWS identities have different fingerprints; the same identity has the same one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import botocore.configloader
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
credential_process = one
[profile sso]
sso_session = corp
services = local
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
[services local]
sts =
  endpoint_url = https://localhost:4566
[profile other]
role_arn = arn:aws:iam::210987654321:role/other
[profile "my own"]
role_arn = arn:aws:iam::123456789012:role/own
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


# Another value of the first ones is another identity; the others have no influence.
SELECT = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL_STS"),
    *("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_UNKNOWN"),
)
IRRELEVANT = ("AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PAGER", "AWSOME")


@pytest.mark.parametrize("name", [*SELECT, *IRRELEVANT])
def test_only_variables_that_select_the_identity_change_it(account: Account, name: str) -> None:
    prints = {account.print(), account.print(**{name: "other"}), account.print(**{name: "third"})}
    assert len(prints) == (3 if name in SELECT else 1)


def test_another_profile_is_another_identity_and_the_order_does_not_matter(
    account: Account,
) -> None:
    """A profile from an option differs from the same profile in a variable."""
    prints = {account.print(profile) for profile in (None, "work", "other", "nonexistent")}
    both = account.print("work", AWS_PROFILE="a", AWS_ROLE_ARN="b")
    assert len({*prints, account.print(AWS_PROFILE="work"), both}) == 6
    account.environ = dict(reversed(list(account.environ.items())))
    assert account.print("work", AWS_ROLE_ARN="b", AWS_PROFILE="a") == both


USED = [
    ("work", "role/work", "role/admin"),
    ("work", "source_profile = base", "source_profile = other"),
    ("work", "source_profile = keys", "source_profile = other"),
    ("work", "AKIAKEYS", "AKIANEW"),
    ("work", "mfa/me", "mfa/you"),
    ("sso", "corp.awsapps.com", "evil.awsapps.com"),
    ("sso", "localhost:4566", "localhost:4567"),
    ("work", "credential_process = one", "credential_process = two"),
    ("default", "[default]\nregion", "[profile default]\nrole_arn = x\nregion"),
    (None, "AKIADEFAULT", "AKIANEW"),
    ("my own", "role/own", "role/another"),
    ("my own", "[default]\nregion", "[DEFAULT]\nsource_profile = keys\n[default]\nregion"),
]
UNUSED = [
    ("work", "role/other", "role/another"),
    ("work", "AKIADEFAULT", "AKIANEW"),
    ("work", "corp.awsapps.com", "new.awsapps.com"),
    ("work", "SECRET-keys", "SECRET-new"),
    ("work", "SECRET-session", "SECRET-new"),
    ("work", "[profile keys]", "\n# a comment\n[profile keys]\n; another"),
    ("work", "[profile other]", "[profile new]\nregion = x\n[profile other]"),
    ("work", "source_profile = base", "source_profile=base"),
]


@pytest.mark.parametrize(("profile", "old", "new"), [*USED, *UNUSED])
def test_only_a_change_of_settings_that_the_profile_uses_is_another_identity(
    account: Account, profile: str | None, old: str, new: str
) -> None:
    named = {"AWS_PROFILE": profile or "default"}
    before = account.print(profile), account.print(**named)
    account.edit(old, new)
    changed = (profile, old, new) in USED
    assert (account.print(profile) != before[0]) == changed
    assert (account.print(**named) != before[1]) == changed


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("default", "[default]"),
        ("two  blanks", '[profile "two  blanks"]'),
        ("it's", """[profile "it's"]"""),
        ('a "b"', """[profile 'a "b"']"""),
        ("back\\slash", r'[profile "back\\slash"]'),
        ("tab", "[profile\ttab]"),
        ("bar", "[profilefoo bar]"),
        ("no\N{NO-BREAK SPACE}break", "[profile no\N{NO-BREAK SPACE}break]"),
    ],
)
def test_profile_names_are_read_as_botocore_reads_them(
    account: Account, name: str, title: str
) -> None:
    seen = set()
    for role in ("one", "two"):
        account.config.write_text(f"{title}\nrole_arn = {role}\n", encoding="utf-8")
        parsed = botocore.configloader.load_config(str(account.config))
        assert parsed["profiles"][name] == {"role_arn": role}
        for key in ("", f"[{name}]\naws_access_key_id = a\n", f"[{name}]\naws_access_key_id = b\n"):
            account.credentials.write_text(key, encoding="utf-8")
            seen.add(account.print(name))
    assert len(seen) == 6


def test_profiles_that_name_each_other_are_read_once(account: Account) -> None:
    account.edit("[profile keys]", "[profile keys]\nsource_profile = work")
    account.edit("[profile other]", "[profile other]\nsource_profile = other")
    assert account.print("work") != account.print("other")


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


def test_files_in_the_home_folder_count_when_no_variable_names_them(
    account: Account, tmp_path: Path
) -> None:
    """A missing file differs from one with settings."""
    (tmp_path / ".aws").mkdir()
    account.config = account.config.rename(tmp_path / ".aws" / "config")
    account.credentials = account.credentials.rename(tmp_path / ".aws" / "credentials")
    account.environ = {}
    seen = [account.print("keys")]
    for path in (account.credentials, account.config):
        path.unlink()
        seen.append(account.print("keys"))
    assert len(set(seen)) == 3


def test_keys_of_a_boto_2_file_are_part_of_the_identity(tmp_path: Path, account: Account) -> None:
    """Botocore still reads this file."""
    before = account.print(BOTO_CONFIG=str(tmp_path / "boto.cfg"))
    (tmp_path / "boto.cfg").write_text("[Credentials]\naws_access_key_id = AKIAONE\n")
    assert account.print(BOTO_CONFIG=str(tmp_path / "boto.cfg")) != before


def test_an_identity_never_contains_a_secret(account: Account) -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": "SECRET-a", "AWS_SESSION_TOKEN": "SECRET-b"}
    for profile in ("work", "keys", "default", None):
        assert "SECRET" not in account.print(profile, **secrets)
    account.edit("aws_secret_access_key = SECRET-keys", "AWS_Secret_Access_Key=SECRET-keys")
    assert "SECRET" not in account.print("keys")
    account.credentials.write_text("aws_secret_access_key = SECRET-x\n")  # no section
    assert "SECRET" not in account.print("keys")
