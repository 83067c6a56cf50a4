"""What keyring's own configuration, keyringrc.cfg, says of CodeArtifact, and what is followed."""

from __future__ import annotations

import os

from codeartifact_pipenv.auth.keyringrc import KeyringConfig
from codeartifact_pipenv.auth.terms import keyringrc_path, read_keyringrc, terms
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.findings import Finding, ok, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.checks.facts import Facts

_SUBJECT = "keyringrc.cfg"


def check_keyringrc(facts: Facts) -> list[Finding]:
    """Return what it gives each source, and what of it is not followed."""
    try:
        data = read_keyringrc(os.environ)
        config = None if data is None else KeyringConfig(data, keyringrc_path(os.environ))
    except CodeArtifactPipenvError as error:
        return [error.finding(_SUBJECT)]
    if config is None:
        return []
    found = [ok(_SUBJECT, f"{config.path} has sections for CodeArtifact")]
    for source in facts.sources:
        if source.endpoint is None:
            continue
        subject = f"{_SUBJECT}, {source.name}"
        try:
            asked = terms(facts.settings, os.environ, source.endpoint)
        except CodeArtifactPipenvError as error:
            found.append(error.finding(subject))
            continue
        said = f"{asked.origin}: {asked}" if asked.origin else "gives nothing; settings do"
        found.append(ok(subject, said))
    found += [
        warning(
            "keyringrc-ignored",
            _SUBJECT,
            f"Not followed: {text}.",
            "Known keys are profile_name, token_duration, aws_access_key_id and "
            "aws_secret_access_key; a title names domain, account, region or name in quotes.",
        )
        for text in config.ignored()
    ]
    return found
