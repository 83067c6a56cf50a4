"""Every code that a message or a finding can end with: what it means and what to do."""

from __future__ import annotations

from typing import NamedTuple

# The levels of finding.py; this module imports nothing of the package.
_WARNING, _FAILURE = "warning", "failure"


class Cause(NamedTuple):
    """One cause.

    Attributes:
        code: its name, such as ``read-denied``.
        section: the heading that it is listed under.
        level: what it usually is: WARNING or FAILURE of finding.py.
        sentence: what it means.
        hint: what to do.
        text: a longer explanation in Markdown; '' if there is none.
        in_lint: whether lint reports it.
    """

    code: str
    section: str
    level: str
    sentence: str
    hint: str
    text: str = ""
    in_lint: bool = False


_ALL = (
    Cause(
        "token-expired",
        "The token",
        _WARNING,
        "The token in the environment variable has expired.",
        "Unset the variable. pipenv-ca fetches a new token; bare pipenv fails.",
    ),
    Cause(
        "dotenv-token",
        "The token",
        _FAILURE,
        "`.env` sets the token's variable, and pipenv loads it over a fresh token.",
        "Remove the line, or set `PIPENV_DONT_LOAD_ENV=1`.",
        (
            "`.env` sets the variable of a token. pipenv loads that over a fresh token; the "
            "commands fail when it has expired, is empty, or is not a token at all (then it "
            "is an error). Remove it."
        ),
        in_lint=True,
    ),
    Cause(
        "login-left",
        "The token",
        _WARNING,
        "A file or variable of yours holds a CodeArtifact token in clear.",
        "Run `pipenv-ca logout`, or unset the variable.",
    ),
    Cause(
        "file-readable",
        "The token",
        _WARNING,
        "Others on this machine can read a file that holds a token.",
        "Run `chmod 600` on it.",
    ),
    Cause(
        "token-wrong-domain",
        "The token",
        _FAILURE,
        "The inherited token is for another domain.",
        "Unset it, or name another variable in the URL.",
    ),
    Cause(
        "token-revoked",
        "The token",
        _FAILURE,
        "AWS rejects the token although it has not expired.",
        "Run `pipenv-ca --ca-refresh ...`.",
    ),
    Cause(
        "token-malformed",
        "The token",
        _FAILURE,
        "The token's variable holds something else: JSON, a command as text, a placeholder, a token of another service, a part of a token.",
        "Set it to what `aws codeartifact get-authorization-token --query authorizationToken --output text` prints, or unset it.",
    ),
    Cause(
        "token-denied",
        "The token",
        _FAILURE,
        "Your identity lacks `codeartifact:GetAuthorizationToken` on the domain.",
        "Ask for this permission.",
    ),
    Cause(
        "bearer-denied",
        "The token",
        _FAILURE,
        "Your identity lacks `sts:GetServiceBearerToken` on `*`.",
        "Ask for it in the identity's own policy; a domain policy cannot grant it.",
    ),
    Cause(
        "duration-refused",
        "The token",
        _FAILURE,
        "A policy limits how long tokens live.",
        "Set `--ca-duration`, or `duration` in the configuration.",
    ),
    Cause(
        "token-elsewhere",
        "The token",
        _FAILURE,
        "A URL that is not CodeArtifact's would receive the token.",
        "Correct the URL, or use another variable there.",
        (
            "The variable of a CodeArtifact token stands in a URL that is not "
            "CodeArtifact's, of a source or a package, or elsewhere in one of its URLs than "
            "as the whole password. The token would be sent there. Use another variable for "
            "another host."
        ),
        in_lint=True,
    ),
    Cause(
        "variable-name",
        "The token",
        _FAILURE,
        "The URL expects the token in a variable that is not named like a secret of your own.",
        (
            "Use a name that contains `CODEARTIFACT` or ends in `_TOKEN` or `_PASSWORD`, and "
            "does not belong to another program."
        ),
        (
            "The token goes only into a variable that is named like a secret of "
            "your own: it has `CODEARTIFACT` in its name, or ends in `_TOKEN`, `_PASSWORD`, "
            "`_KEY` or the like (`TOKEN_PROD` also works), and is not another program's, "
            "such as `GITHUB_TOKEN` or `UV_...`. What is in other variables may be shown or "
            "sent on: compilers print `CFLAGS`. Name another one."
        ),
        in_lint=True,
    ),
    Cause(
        "variable-shared",
        "The token",
        _FAILURE,
        "One variable is used for the tokens of two domains.",
        "Use one variable per domain.",
        (
            "One variable stands for the tokens of two domains, and a token is good for "
            "one. Name a variable of its own for each, such as "
            "`${CODEARTIFACT_AUTH_TOKEN_FAR}`."
        ),
        in_lint=True,
    ),
    Cause(
        "no-credentials",
        "AWS credentials",
        _FAILURE,
        "No AWS credentials were found.",
        "Log in, set `AWS_PROFILE`, give a CI job a role, or pass in a token.",
    ),
    Cause(
        "partial-credentials",
        "AWS credentials",
        _FAILURE,
        "Only half of a key pair is set.",
        "Set the other half, or remove this one.",
    ),
    Cause(
        "unknown-profile",
        "AWS credentials",
        _FAILURE,
        "The AWS profile does not exist.",
        "Run `aws configure list-profiles`.",
    ),
    Cause(
        "sso-never",
        "AWS credentials",
        _FAILURE,
        "You have not logged in with SSO on this machine.",
        "Run `aws sso login --profile NAME`.",
    ),
    Cause(
        "sso-expired",
        "AWS credentials",
        _FAILURE,
        "The SSO login has expired.",
        "Run `aws sso login --profile NAME`.",
    ),
    Cause(
        "sso-denied",
        "AWS credentials",
        _FAILURE,
        "SSO gives no credentials for the profile's account and role.",
        "Log in again, and check the profile.",
    ),
    Cause(
        "sso-broken",
        "AWS credentials",
        _FAILURE,
        "The SSO login in `~/.aws/sso/cache` cannot be read or is incomplete.",
        "Run `aws sso login --profile NAME`.",
    ),
    Cause(
        "login-expired",
        "AWS credentials",
        _FAILURE,
        "The session of `aws login` has expired.",
        "Run `aws login`.",
    ),
    Cause(
        "login-library",
        "AWS credentials",
        _FAILURE,
        "A library that `aws login` sessions need is missing.",
        "Install `botocore[crt]`.",
    ),
    Cause(
        "login-denied",
        "AWS credentials",
        _FAILURE,
        "`aws login` gives no credentials, or its permission is missing.",
        "Ask for `signin:CreateOAuth2Token`, or log in again.",
    ),
    Cause(
        "mfa-required",
        "AWS credentials",
        _FAILURE,
        "AWS asks for a second factor, and there is no terminal to enter it.",
        "Run an `aws` command with the profile in a terminal first.",
    ),
    Cause(
        "web-identity-missing",
        "AWS credentials",
        _FAILURE,
        "The job's identity file does not exist.",
        "In GitHub Actions, set `permissions: id-token: write`.",
    ),
    Cause(
        "web-identity-refused",
        "AWS credentials",
        _FAILURE,
        "AWS does not accept the job's identity token.",
        "Have the token made again; the message names its setting.",
    ),
    Cause(
        "assume-role-denied",
        "AWS credentials",
        _FAILURE,
        "Your identity may not assume the role.",
        "Check the role's trust policy and the identity that assumes it.",
    ),
    Cause(
        "credentials-source",
        "AWS credentials",
        _FAILURE,
        "A credential process, container or instance returned no credentials.",
        "Run the source by hand.",
    ),
    Cause(
        "aws-config",
        "AWS credentials",
        _FAILURE,
        "The AWS configuration cannot be read or contradicts itself.",
        "Correct it.",
    ),
    Cause(
        "botocore-incomplete",
        "AWS credentials",
        _FAILURE,
        "The installed botocore does not know the service, or its data is missing.",
        "Upgrade or reinstall botocore.",
    ),
    Cause(
        "keyringrc-broken",
        "AWS credentials",
        _FAILURE,
        "`keyringrc.cfg` has `[codeartifact]` sections and cannot be read.",
        "Correct the line that the message names.",
    ),
    Cause(
        "keyringrc-ambiguous",
        "AWS credentials",
        _FAILURE,
        "Two sections of `keyringrc.cfg` match equally well and differ.",
        "Remove one, or make it more specific.",
    ),
    Cause(
        "keyringrc-ignored",
        "AWS credentials",
        _WARNING,
        "A key or section title in `keyringrc.cfg` is ignored.",
        "Correct or remove it.",
    ),
    Cause(
        "keys-wrong",
        "AWS credentials",
        _FAILURE,
        "AWS does not recognize the access keys.",
        "Check the keys.",
    ),
    Cause(
        "keys-expired",
        "AWS credentials",
        _FAILURE,
        "The AWS credentials have expired.",
        "Renew them.",
    ),
    Cause(
        "keys-malformed",
        "AWS credentials",
        _FAILURE,
        "The access keys hold a line break, a blank, a quotation mark or a foreign letter.",
        "Export or write them again.",
    ),
    Cause(
        "keys-expiring",
        "AWS credentials",
        _WARNING,
        "The AWS credentials expire within 15 minutes.",
        "Log in again before a longer command.",
    ),
    Cause(
        "clock-wrong",
        "AWS credentials",
        _FAILURE,
        "This machine's clock is more than 5 minutes off.",
        "Set the clock.",
    ),
    Cause(
        "domain-missing",
        "Where things are",
        _FAILURE,
        "The domain does not exist in AWS.",
        "Check domain, account and region in the URL.",
    ),
    Cause(
        "owner-wrong",
        "Where things are",
        _FAILURE,
        "A domain of that name belongs to another account.",
        "Put that account into the URL.",
    ),
    Cause(
        "list-denied",
        "Where things are",
        _FAILURE,
        "Your identity may not list what a repository holds.",
        (
            "Ask for the permission that the message names; `AWSCodeArtifactReadOnlyAccess` "
            "includes it."
        ),
    ),
    Cause(
        "repository-missing",
        "Where things are",
        _FAILURE,
        "The domain does not have this repository.",
        "Correct the URL; `aws codeartifact list-repositories` lists them.",
    ),
    Cause(
        "region-unsupported",
        "Where things are",
        _FAILURE,
        "CodeArtifact is not available in this region.",
        "Correct the region.",
    ),
    Cause(
        "unreachable",
        "Where things are",
        _FAILURE,
        "The host cannot be reached or has no address.",
        "Check the network and the URL.",
    ),
    Cause(
        "no-answer",
        "Where things are",
        _FAILURE,
        "AWS or an index did not answer in time. Whether it is slow or down, and whether it has a package, is not known.",
        "Try again, or run `pipenv-ca explain`, which waits longer.",
    ),
    Cause(
        "tls-untrusted",
        "Where things are",
        _FAILURE,
        "The certificate is not trusted.",
        "Set `AWS_CA_BUNDLE` for AWS, `REQUESTS_CA_BUNDLE` for pipenv and pip.",
    ),
    Cause(
        "ca-bundle-missing",
        "Where things are",
        _FAILURE,
        "A variable names a CA bundle that does not exist.",
        "Correct or unset it.",
    ),
    Cause(
        "proxy-down",
        "Where things are",
        _FAILURE,
        "The proxy cannot be reached.",
        "Check `HTTPS_PROXY` and `NO_PROXY`.",
    ),
    Cause(
        "proxy-invalid",
        "Where things are",
        _FAILURE,
        "A variable does not hold a proxy's address.",
        "Write `http://HOST:PORT`, or unset it.",
    ),
    Cause(
        "throttled",
        "Where things are",
        _FAILURE,
        "AWS is throttling calls or reads.",
        "Try again with fewer parallel jobs.",
    ),
    Cause(
        "service-fault",
        "Where things are",
        _FAILURE,
        "AWS returned a server error or a broken response.",
        "Try again; check the AWS Health Dashboard.",
    ),
    Cause(
        "read-denied",
        "Where things are",
        _FAILURE,
        "The token is valid, but you may not read the repository.",
        "Ask for `codeartifact:ReadFromRepository` on the repository.",
    ),
    Cause(
        "provision-conflict",
        "Provisioning",
        _FAILURE,
        "What exists cannot be changed into what you asked for; nothing was changed.",
        "Follow the hint.",
    ),
    Cause(
        "operation-denied",
        "Provisioning",
        _FAILURE,
        "Your identity may not perform the operation that the message names.",
        "Ask for it; `pipenv-ca provision policy admin` prints a policy.",
    ),
    Cause(
        "quota-exceeded",
        "Provisioning",
        _FAILURE,
        "A quota of the account is used up.",
        "Delete unused resources or request a quota increase.",
    ),
    Cause(
        "aws-conflict",
        "Provisioning",
        _FAILURE,
        "A different resource exists, or it changed in the meantime.",
        "Run the command again.",
    ),
    Cause(
        "aws-missing",
        "Provisioning",
        _FAILURE,
        "AWS does not find the resource.",
        "Check names, account and region.",
    ),
    Cause(
        "aws-invalid",
        "Provisioning",
        _FAILURE,
        "AWS rejects the input.",
        "Check names and values.",
    ),
    Cause(
        "key-unusable",
        "Provisioning",
        _FAILURE,
        "AWS cannot use the KMS key.",
        "Use a symmetric key of this region, with `kms:DescribeKey` and `kms:CreateGrant`.",
    ),
    Cause(
        "package-missing",
        "Packages",
        _FAILURE,
        "The package was not found in any index, public ones included.",
        "Check the spelling, or publish it.",
    ),
    Cause(
        "not-served",
        "Packages",
        _FAILURE,
        "A resolved file is not listed by any source of the project, so nothing is locked.",
        "Check `pip config list` and variables that begin with `PIP_`.",
    ),
    Cause(
        "version-missing",
        "Packages",
        _FAILURE,
        "No version matches; the message shows the newest.",
        "Ask for an existing version, or publish it.",
    ),
    Cause(
        "version-yanked",
        "Packages",
        _FAILURE,
        "Every version that fits has been yanked.",
        "Allow another version, or require exactly the yanked one: `==VERSION`.",
    ),
    Cause(
        "platform-excluded",
        "Packages",
        _FAILURE,
        (
            "The versions that fit have wheels for other platforms or Pythons only, and no "
            "source distribution."
        ),
        "Use a Python or a platform that has wheels, or publish one for this platform.",
    ),
    Cause(
        "page-outdated",
        "Packages",
        _WARNING,
        "An index has a version now that it did not show to the command that failed.",
        (
            "Run the command again. If it stays, clear pipenv's and pip's caches: `pipenv-ca "
            "lock --clear`."
        ),
    ),
    Cause(
        "hash-mismatch",
        "Packages",
        _FAILURE,
        "An index serves other files of a version than the lock was made with.",
        "Find out why the files changed. If the new ones are right, run `pipenv-ca lock`.",
    ),
    Cause(
        "file-missing",
        "Packages",
        _FAILURE,
        "The repository lists a file but keeps returning 404 for it.",
        (
            "Try again in a minute. If it persists, ask the repository's owner whether the "
            "version was deleted there or upstream."
        ),
    ),
    Cause(
        "python-excluded",
        "Packages",
        _FAILURE,
        "The matching versions need another Python.",
        "Use another Python or another version.",
    ),
    Cause(
        "cool-down",
        "Packages",
        _FAILURE,
        "Every matching version is newer than the cool-down allows.",
        "Wait, ask for an older version, or shorten `cool-down-period` in `[pipenv]`.",
    ),
    Cause(
        "marker-invalid",
        "Packages",
        _FAILURE,
        "The marker of a package is not one that pip can read.",
        "Write it as PEP 508 has it, or run `pipenv-ca fix`.",
        (
            'A marker is not one that pip can read: `sys_platform = "win32"` lacks the '
            "operator and the quotes of `\"== 'win32'\"`. pipenv stops there, or drops the "
            "marker, or the package. `pipenv-ca fix` writes the right form where it is clear."
        ),
        in_lint=True,
    ),
    Cause(
        "name-invalid",
        "Packages",
        _FAILURE,
        "The name of a package is not one that pip can read.",
        "Write the name alone.",
        (
            "A package can have letters, digits and `-`, `.`, `_` within its name, nothing "
            "else. A version, a URL or a marker belongs into the entry's value."
        ),
        in_lint=True,
    ),
    Cause(
        "package-duplicate",
        "Packages",
        _WARNING,
        "A package is listed twice.",
        "Remove one entry, or make both the same.",
        (
            "A package is listed twice: in one table under two spellings, or in `[packages]` "
            "and another table with two versions or indexes, which are resolved together. "
            "Remove one, or make them the same."
        ),
        in_lint=True,
    ),
    Cause(
        "package-url",
        "Packages",
        _FAILURE,
        "An entry names a file in CodeArtifact by its URL.",
        "Write `version` and `index`.",
        (
            "An entry names the file of a package in CodeArtifact by its URL. That needs a "
            "token in the Pipfile, and goes around the index and its hashes. Write `{version "
            '= "==1.0", index = "codeartifact"}`.'
        ),
        in_lint=True,
    ),
    Cause(
        "version-invalid",
        "Packages",
        _FAILURE,
        "The version of a package is not one that every pipenv can read.",
        "Write it as pip has it, or run `pipenv-ca fix`.",
        (
            "The version of an entry is not one that every pipenv can read: `latest`, `^1.2`, "
            "`1.x`, `>=1.0 <2`. pip's forms are `*`, `==1.4`, `==1.*`, `>=1.0,<2` and "
            "`~=1.2`. `pipenv-ca fix` writes the right form where it is clear."
        ),
        in_lint=True,
    ),
    Cause(
        "index-missing",
        "Packages",
        _FAILURE,
        (
            "A private package names no index, and CodeArtifact is not the first source, so "
            "bare pipenv does not find it."
        ),
        'Add `index = "..."` to its entry; pipenv-ca finds it without.',
        (
            "A private package names no index, and the first source is not the repository. "
            "pipenv looks in the first source alone: it fails, or installs what anybody "
            'publishes there under that name. Add `index = "..."`: `name = {version = "*", '
            'index = "codeartifact"}`. (pipenv-ca finds it without; others who run bare '
            "pipenv do not.)"
        ),
        in_lint=True,
    ),
    Cause(
        "index-public",
        "Packages",
        _FAILURE,
        "A package listed in `private-packages` uses an index that is not CodeArtifact.",
        "Name the repository, or remove the package from `private-packages`.",
        (
            "A package that `private-packages` names is asked of another index than "
            "CodeArtifact, by its own entry: somebody's namesake is installed, or nothing. "
            "Name the repository. Where the package has gone public, take it out of "
            "`private-packages`."
        ),
        in_lint=True,
    ),
    Cause(
        "index-unknown",
        "Packages",
        _FAILURE,
        "An entry names an index that no source has.",
        "Use the name of an existing source.",
        (
            "An entry names an index, and no source has that name, often after a source was "
            "renamed. Name one that there is."
        ),
        in_lint=True,
    ),
    Cause(
        "name-public",
        "Packages",
        _WARNING,
        "A private package has the same name as a public one.",
        "Name its `index`, or rename it.",
        (
            "Only with `--online`. A private package has a namesake in the public index, "
            "which anything that looks there first will install. Name its `index` (also of "
            "one that only the lock has), or rename it."
        ),
        in_lint=True,
    ),
    Cause(
        "dependency-unlisted",
        "Packages",
        _WARNING,
        "A private dependency of another package is not listed in the Pipfile.",
        "List it with its index; pipenv-ca finds it without.",
        (
            "A private package is in the lock because another one needs it, and the Pipfile "
            "does not list it. Bare pipenv looks for it in the first source when it locks, "
            "and fails. List it with its index, or let `pipenv-ca fix --list-transitive` do "
            "so. With pipenv-ca no changes are needed."
        ),
        in_lint=True,
    ),
    Cause(
        "origin-blocked",
        "Packages",
        _FAILURE,
        "Origin control blocks public versions of this name.",
        "Change it only if you want the public package.",
    ),
    Cause(
        "no-public-upstream",
        "Packages",
        _FAILURE,
        "The package is public, and the repository is not connected to public PyPI.",
        "Add an upstream with `public:pypi`, or make the public index the first source.",
    ),
    Cause(
        "package-not-seen",
        "Packages",
        _WARNING,
        "Not every index answered in time.",
        "Check the package alone: `pipenv-ca doctor NAME`.",
    ),
    Cause(
        "source-incomplete",
        "The project's files",
        _FAILURE,
        "A source has no valid name or URL.",
        "Give it both, or remove the table.",
        (
            "A `[[source]]` has no `name` or no `url`, or one that is not a string. pipenv "
            "reads no Pipfile with such a source. Give it both, or remove the table."
        ),
        in_lint=True,
    ),
    Cause(
        "source-duplicate",
        "The project's files",
        _FAILURE,
        "Two sources share a name or a URL.",
        "Remove one, or rename it.",
        (
            "Two sources have one name, of which pipenv takes the first, or one URL, where "
            "`index` then says nothing. Remove one, or give it a name of its own."
        ),
        in_lint=True,
    ),
    Cause(
        "source-missing",
        "The project's files",
        _FAILURE,
        "A package is private, but no source is CodeArtifact.",
        "Run `pipenv-ca fix --add-source URL`.",
        (
            "A package is private (`private-packages`), and no source is CodeArtifact's: it "
            "can only be found, under that name, in public. Add the repository: `pipenv-ca "
            "fix --add-source URL`."
        ),
        in_lint=True,
    ),
    Cause(
        "url-invalid",
        "The project's files",
        _FAILURE,
        "A URL cannot be parsed.",
        "Correct it.",
        (
            "A URL cannot be read at all: it has no `https://`, its port is not a number, a "
            "bracket is open."
        ),
        in_lint=True,
    ),
    Cause(
        "url-http",
        "The project's files",
        _WARNING,
        "A source uses unencrypted http.",
        "Use https.",
        (
            "A source is asked over http, and whoever is on the way can change what is "
            "installed. Write https. A source on this machine (`localhost`) is left alone."
        ),
        in_lint=True,
    ),
    Cause(
        "url-without-simple",
        "The project's files",
        _FAILURE,
        "A source's URL does not end in `simple/`.",
        "Add `simple/` at the end.",
        (
            "The index of a repository is at `/pypi/REPOSITORY/simple/`; the URL without "
            "`simple/` is for uploads, and pipenv finds no package there. Add `simple/`."
        ),
        in_lint=True,
    ),
    Cause(
        "url-username",
        "The project's files",
        _FAILURE,
        "The URL has a username other than `aws`.",
        "Write `https://aws:${CODEARTIFACT_AUTH_TOKEN}@...`.",
        ("CodeArtifact accepts only the username `aws`. Write `https://aws:${...}@...`."),
        in_lint=True,
    ),
    Cause(
        "url-token",
        "The project's files",
        _FAILURE,
        "The URL contains a token in plain text.",
        "Use a variable in its place.",
        (
            "The URL of a CodeArtifact source holds a token in plain text. It ends within 12 "
            "hours, when the Pipfile stops working, and until then everybody with the "
            "checkout can read the whole domain. Write "
            "`https://aws:${CODEARTIFACT_AUTH_TOKEN}@...` (`pipenv-ca fix` does). The token "
            "itself cannot be withdrawn alone; deny its identity in IAM if it was public."
        ),
        in_lint=True,
    ),
    Cause(
        "url-secret",
        "The project's files",
        _FAILURE,
        "A URL, comment or script contains a secret in plain text.",
        "Use a variable, and rotate the secret.",
        (
            "Another URL, of a source, a package or an entry of the lock, holds a password, "
            "an access token (those of GitHub, GitLab, AWS, PyPI, npm and Slack are known "
            "by their looks) or a signature. Write a variable in its place, which pipenv "
            "expands, and rotate the secret; treat it as compromised. Tokens of these "
            "services are also found in comments and scripts."
        ),
        in_lint=True,
    ),
    Cause(
        "tls-unverified",
        "The project's files",
        _FAILURE,
        "A source turns off certificate verification.",
        "Write `verify_ssl = true`.",
        (
            "`verify_ssl = false`: a token goes to whoever answers, or packages come from "
            "them. Write `true`; certificates of a company's own proxy are named in "
            "`REQUESTS_CA_BUNDLE`."
        ),
        in_lint=True,
    ),
    Cause(
        "variable-form",
        "The project's files",
        _FAILURE,
        "pipenv does not expand the variable in this form.",
        "Write `${NAME}`.",
        (
            "pipenv expands `$NAME` and `${NAME}`, in the case in which the variable is set, "
            "and nothing else. `${NAME:-default}`, `$(NAME)`, `%NAME%`, `{{ NAME }}` and "
            "`$codeartifact_auth_token` are sent as they are, and refused. So is what stands "
            "in place of a secret: `$(aws ...)`, `<token>`, `****`, `changeme`, an empty "
            "password. It is no secret, and nothing has leaked. (On Windows `%NAME%` would "
            "do, and nowhere else.) Write `${NAME}`."
        ),
        in_lint=True,
    ),
    Cause(
        "variable-unset",
        "The project's files",
        _FAILURE,
        "The URL names a variable that is not set.",
        "Set it, or write its value.",
    ),
    Cause(
        "near-miss",
        "The project's files",
        _FAILURE,
        "A URL looks like CodeArtifact but is not accepted.",
        "Correct it.",
        (
            "A URL looks like CodeArtifact's and is not, to the letter: http, another port, "
            "an account number with a digit too few, no repository in the path, a page of the "
            "AWS console. No token is sent there. The hint has its right form; what the URL "
            "itself does not tell stands there in capitals."
        ),
        in_lint=True,
    ),
    Cause(
        "lock-invalid",
        "The project's files",
        _FAILURE,
        "The lock cannot be read or is incomplete.",
        "Run `pipenv-ca lock`.",
        (
            "The lock cannot be read, has an entry that pipenv or pip cannot read (a version "
            "without `==`, a marker), or lacks the hash, the sources or `requires` in "
            "`_meta`, without which pipenv ends in a traceback. A conflict of a merge is "
            "often why. Lock again: `pipenv-ca lock`."
        ),
        in_lint=True,
    ),
    Cause(
        "lock-outdated",
        "The project's files",
        _FAILURE,
        "The lock was made from another Pipfile.",
        "Run `pipenv-ca lock`, and commit both files.",
        (
            "The lock was made of another Pipfile: `pipenv install --deploy` refuses it. "
            "`pipenv-ca lock`, and commit both."
        ),
        in_lint=True,
    ),
    Cause(
        "lock-index",
        "The project's files",
        _FAILURE,
        "The lock takes a package from a different index than the Pipfile.",
        "Run `pipenv-ca lock`.",
        (
            "The lock has a package from another index than the Pipfile names, or from one "
            "that is not among the lock's sources; pipenv installs from there. Lock again."
        ),
        in_lint=True,
    ),
    Cause(
        "lock-sources",
        "The project's files",
        _FAILURE,
        "The lock's sources differ from the Pipfile's.",
        "Run `pipenv-ca lock`.",
        (
            "The lock says that it was made of this Pipfile, and has other sources, which "
            "`pipenv sync` takes. It was edited, or a merge changed it. Lock again."
        ),
        in_lint=True,
    ),
    Cause(
        "hashes-missing",
        "The project's files",
        _WARNING,
        "A package is locked without hashes.",
        "Run `pipenv-ca lock`.",
        (
            "A package of an index is locked without hashes, so that whatever bears the "
            "version is installed. Lock again. A package from a folder or a repository has "
            "none, and is left alone. One whose markers exclude the machine that locked has "
            "neither version nor hashes, and locking again there does not help: pin its "
            "version in the Pipfile, or lock on a machine that it is for."
        ),
        in_lint=True,
    ),
    Cause(
        "ignore-unused",
        "The project's files",
        _WARNING,
        "A comment ignores a finding that does not occur, or an unknown code.",
        "Remove the comment.",
        (
            "A comment ignores what is not there, or a code that does not exist. Remove it, "
            "before it hides something new."
        ),
        in_lint=True,
    ),
    Cause(
        "key-ignored",
        "The project's files",
        _WARNING,
        "pipenv reads another key than this one, and passes over it.",
        "Write the key that is meant, or remove it.",
        (
            "pipenv reads another key than this one, and passes over it without a word: "
            "`allow_prerelease` for `allow_prereleases`, `python` for `python_version`, "
            "`version` beside `path`, `ref` without `git`. Write the key that is meant, or "
            "remove it."
        ),
        in_lint=True,
    ),
    Cause(
        "table-unknown",
        "The project's files",
        _WARNING,
        "pipenv takes a table for a category of packages of its own.",
        "Write `[packages]` or `[dev-packages]`, or rename the category.",
        (
            "To pipenv every table that it does not know is a category of packages, which "
            "`pipenv install` leaves out. The name is one that people write for `[packages]` "
            "or `[dev-packages]`, such as `[dev_packages]` or `[dependencies]`. Correct it, "
            "or rename a category that is meant to be one."
        ),
        in_lint=True,
    ),
    Cause(
        "requires-invalid",
        "The project's files",
        _FAILURE,
        "`[requires]` names a version of Python that pipenv cannot read.",
        'Write `python_version = "3.11"`.',
        (
            "`[requires]` names a Python that pipenv cannot find on any machine: `^3.9`, "
            '`3.x`, `311`. Write `python_version = "3.11"`.'
        ),
        in_lint=True,
    ),
    Cause(
        "requires-unclear",
        "The project's files",
        _WARNING,
        "`[requires]` means something else than it seems to.",
        'Write `python_version = "3.11"`.',
        (
            "`[requires]` means something else than it seems to: one patch release alone "
            "(`3.11.4`), any Python 3 (`3`), a range that older pipenvs do not read "
            "(`>=3.8`), or both keys, of which pipenv takes `python_full_version`. Write "
            '`python_version = "3.11"`.'
        ),
        in_lint=True,
    ),
    Cause(
        "hashes-invalid",
        "The project's files",
        _FAILURE,
        "A hash in the lock is not one that pip takes.",
        "Run `pipenv-ca lock`.",
        (
            "A hash in the lock is not one that pip takes: `md5:`, no `sha256:` before it, "
            "too few digits. Lock again."
        ),
        in_lint=True,
    ),
    Cause(
        "lock-edited",
        "The project's files",
        _WARNING,
        "The lock has what pipenv does not write.",
        "Run `pipenv-ca lock`.",
        (
            "The lock has what pipenv does not write, such as another `pipfile-spec` than 6: "
            "somebody, or another tool, has edited it. Lock again."
        ),
        in_lint=True,
    ),
    Cause(
        "lock-incomplete",
        "The project's files",
        _FAILURE,
        "The lock lacks a package of its Pipfile, or has it in another version.",
        "Run `pipenv-ca lock`.",
        (
            "The lock says that it was made of this Pipfile, and lacks one of its packages, "
            "or has it in another version than the Pipfile pins. A merge or an edit by hand "
            "has done that. Lock again."
        ),
        in_lint=True,
    ),
    Cause(
        "lock-loopback",
        "The project's files",
        _FAILURE,
        "The lock names an index that was on this machine for one command.",
        "Run `pipenv-ca lock`.",
        (
            "A source or a file in the lock is on this machine (`127.0.0.1`), and the Pipfile "
            "does not name it: an index that was there for one command. Lock again."
        ),
        in_lint=True,
    ),
    Cause(
        "lock-markers",
        "The project's files",
        _WARNING,
        "A package has a marker in the Pipfile and none in the lock.",
        "Write it as `markers` in the Pipfile, and run `pipenv-ca lock`.",
        (
            "A package has a marker in the Pipfile and none in the lock, so it is installed "
            'everywhere. pipenv loses markers that are keys of their own (`sys_platform = "== '
            "'win32'\"`) on a machine that they exclude. Write `markers = \"sys_platform == "
            "'win32'\"`, and lock again."
        ),
        in_lint=True,
    ),
    Cause(
        "dotenv-aws",
        "The project's files",
        _WARNING,
        "`.env` sets what AWS's libraries take credentials from, which pipenv-ca does not see.",
        "Export it, or set `profile` under `[tool.codeartifact-pipenv]`.",
        (
            "`.env` sets what AWS's libraries take credentials from. pipenv gives it to its "
            "own children alone; pipenv-ca asks AWS before that. Export it, or set `profile` "
            "under `[tool.codeartifact-pipenv]`."
        ),
        in_lint=True,
    ),
    Cause(
        "dotenv-invalid",
        "The project's files",
        _WARNING,
        "python-dotenv cannot read a line of `.env`, and passes over it.",
        "Write `NAME=value`.",
        "python-dotenv cannot read a line of `.env`, and passes over it without a word.",
        in_lint=True,
    ),
    Cause(
        "extra-index",
        "The project's files",
        _WARNING,
        "A requirements file names the repository beside another index.",
        "Name the repository alone, by `--index-url`.",
        (
            "A requirements file names the repository beside another index. pip asks all of "
            "them for every package and takes the highest version: whoever publishes the name "
            "of a private package in public is installed. Name the repository alone by "
            "`--index-url`, with an upstream to the public index."
        ),
        in_lint=True,
    ),
    Cause(
        "path-missing",
        "The project's files",
        _FAILURE,
        "A file or folder that an entry or a requirements file names does not exist.",
        "Correct the path.",
        (
            "An entry's `path` or `file` does not exist, and pipenv stops there. Paths are "
            "relative to the folder of the Pipfile."
        ),
        in_lint=True,
    ),
    Cause(
        "pipfile-missing",
        "The project's files",
        _FAILURE,
        "No Pipfile was found here or in a parent directory.",
        "Run the command in a project.",
    ),
    Cause(
        "pipfile-invalid",
        "The project's files",
        _FAILURE,
        "pipenv cannot read the Pipfile.",
        "Correct it.",
        (
            "The Pipfile is not valid TOML (the line is where reading ended), is not UTF-8, "
            "or begins with a byte order mark; or a table has not the shape that pipenv "
            "reads, such as `verify_ssl` as a text or a key of an entry that the newest "
            "pipenv does not know, where it ends in a traceback. Correct it there. What "
            "cannot be read has no comments, and cannot be ignored by one."
        ),
        in_lint=True,
    ),
    Cause(
        "folder-unreadable",
        "The project's files",
        _FAILURE,
        "The current directory was removed or cannot be read.",
        "Change to another directory.",
    ),
    Cause(
        "netrc-unreadable",
        "Programs",
        _FAILURE,
        "Python cannot read a line of your netrc file, so that clients get no login of it.",
        "Correct the line.",
    ),
    Cause(
        "pip-config-invalid",
        "Programs",
        _FAILURE,
        "pip cannot read one of its configuration files.",
        "Correct it.",
    ),
    Cause(
        "pipenv-outdated",
        "Programs",
        _FAILURE,
        "This pipenv is older than the oldest supported version.",
        "Upgrade it.",
    ),
    Cause(
        "keyring-missing",
        "Programs",
        _WARNING,
        "There is no `keyring` command for pip, uv and pipx of other environments.",
        "Run `pipx install keyring && pipx inject keyring codeartifact-pipenv`.",
    ),
    Cause(
        "keyring-outdated",
        "Programs",
        _WARNING,
        "The `keyring` command lacks a feature that newer clients need.",
        "Upgrade it.",
    ),
    Cause(
        "keyring-without-backend",
        "Programs",
        _WARNING,
        "The `keyring` command's environment does not have this package.",
        "Run `pipx inject keyring codeartifact-pipenv`.",
    ),
)

CAUSES: dict[str, Cause] = {cause.code: cause for cause in _ALL}
# The levels of what lint reports, by code.
LEVELS = {code: cause.level for code, cause in CAUSES.items() if cause.in_lint}
