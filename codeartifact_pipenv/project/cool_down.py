"""The cool-down period: files uploaded in the last days are ignored."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def cool_down_cutoff(document: Mapping[str, Any], environ: Mapping[str, str]) -> datetime | None:
    """Return the time before which files must have been uploaded, or None without a cool-down.

    It is set by ``cool-down-period`` in a Pipfile's ``[pipenv]``, such as ``7d`` (pipenv 2026.8), or
    by ``PIP_UPLOADED_PRIOR_TO``, a time or a number of days such as ``P7D`` (pip 26.0).

    Args:
        document: the Pipfile, parsed.
        environ: the environment as pipenv sees it.
    """
    table = document.get("pipenv")
    period = table.get("cool-down-period") if isinstance(table, dict) else None
    given = period or environ.get("PIP_UPLOADED_PRIOR_TO")
    if not isinstance(given, str):
        return None
    days = re.fullmatch(r"(\d{1,6})d|P(\d{1,6})D", given.strip())
    if days:
        return datetime.now(timezone.utc) - timedelta(days=int(days[1] or days[2]))
    return None if period else parse_timestamp(given)


def parse_timestamp(text: str) -> datetime | None:
    """Parse an upload time (ISO 8601, PEP 700); return None for other text."""
    try:
        found = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text.strip()))
    except ValueError:
        return None
    return found if found.tzinfo else found.astimezone()
