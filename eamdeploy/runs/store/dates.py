"""Dates as people write them, made into one moment; what could be two days, or none, is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from eamdeploy.base.errors import UsageError

_HINT = "write e.g. 2026-11-27, 2026-11-27T14:30+01:00, 27.11.2026, yesterday or '2 weeks ago'"
# a four-digit year first is ISO 8601 or nothing: a lenient reader makes 2026-13-01 the 13th of January
_ISO = re.compile(r"\d{4}\D|\d{8}")


def moment(text: str, now: datetime | None = None) -> datetime:
    """The moment that ``text`` means, in UTC; a day is its first moment, and without an offset a time is UTC.

    Args:
        now: what ``yesterday`` is counted from.

    Raises:
        UsageError: when it is no date, or could be two.
    """
    words = text.strip()
    base = (now or datetime.now(UTC)).astimezone(UTC)
    date = _iso(words) if _ISO.match(words) else _written(words, base)
    if date is None:
        raise UsageError(f"'{text}' is no date", hint=_HINT)
    return date


def _iso(words: str) -> datetime | None:
    try:
        date = datetime.fromisoformat(words)
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def _written(words: str, now: datetime) -> datetime | None:
    import dateparser

    if words.lower() in ("today", "yesterday"):
        words, now = words.lower(), now.replace(hour=0, minute=0, second=0, microsecond=0)
    readings = set()
    # a point between day and month is written where the day comes first
    for order in ("DMY",) if "." in words else ("DMY", "MDY"):
        settings = {
            "TIMEZONE": "UTC",
            "RETURN_AS_TIMEZONE_AWARE": True,
            "STRICT_PARSING": True,
            "DATE_ORDER": order,
            "RELATIVE_BASE": now.replace(tzinfo=None),
        }
        readings.add(dateparser.parse(words, languages=["en"], settings=settings))
    readings.discard(None)
    if len(readings) > 1:
        days = " or ".join(sorted(f"{reading:%Y-%m-%d}" for reading in readings))
        raise UsageError(f"'{words}' could be two days", why=days, hint="write the year first")
    date = readings.pop() if readings else None
    return date.astimezone(UTC) if date else None
