"""When a rule ends: at a date, at a time, or so long after a profile was made; and how long a job may run."""

import calendar
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

from grantor.core.diagnostics import Fault, shown

DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z", re.ASCII)
YEAR_FIRST = re.compile(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})", re.ASCII)
YEAR_LAST = re.compile(r"(\d{1,2})[-./](\d{1,2})[-./](\d{4})", re.ASCII)
SPAN = re.compile(r"([1-9]\d{0,3})([hdw])", re.ASCII)
LOOSE_SPAN = re.compile(r"([1-9]\d{0,3})\s*(h|d|w)[a-z]*", re.ASCII | re.IGNORECASE)
LIMIT = re.compile(r"([1-9]\d{0,3})([mhd])", re.ASCII)
LOOSE_LIMIT = re.compile(r"([1-9]\d{0,6})\s*(s|m|h|d|w)[a-z]*", re.ASCII | re.IGNORECASE)
UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
MOST = timedelta(days=5)  # the quota of a processing job's run time (Service Quotas of SageMaker), below the API's bound of nine
LIMITS = "it is a whole number and m, h or d: minutes, hours or days, up to 5d"
LAST_YEAR = 9998  # a day after it is still a date to Python


def until(text: str) -> datetime | Fault:
    """The instant at which a rule has ended, in UTC: a date ends with its last moment.

    >>> print(until("2027-03-31"), until("2027-03-31T18:00Z"))
    2027-04-01 00:00:00+00:00 2027-03-31 18:00:00+00:00
    """
    try:
        if DATE.fullmatch(text):
            return _end_of(date.fromisoformat(text))
        if TIME.fullmatch(text):
            return _sane(datetime.fromisoformat(text))
    except ValueError:
        return _no_such(text)
    return _other_time(text) or _other_date(text) or _no_date(text)


def lasting(text: str) -> timedelta | Fault:
    """How long a rule lasts: a number of hours, days or weeks.

    >>> print(lasting("30d"))
    30 days, 0:00:00
    """
    if found := SPAN.fullmatch(text):
        return int(found[1]) * UNITS[found[2]]
    why = "it is a whole number from 1 to 9999 and h, d or w: hours, days or weeks"
    near = LOOSE_SPAN.fullmatch(text)
    remedy = f"{near[1]}{near[2].lower()}" if near else f"{text}d" if re.fullmatch("[1-9][0-9]{0,3}", text) else "30d"
    return Fault(f"{shown(text)} is no length of time", why, f"write for: {remedy}")


def limit(text: str) -> timedelta | Fault:
    """How long a job may run: a number of minutes, hours or days, up to five days.

    >>> print(limit("90m"))
    1:30:00
    """
    if found := LIMIT.fullmatch(text):
        length = int(found[1]) * UNITS[found[2]]
        return length if length <= MOST else Fault(f"{shown(text)} is longer than 5d", LIMITS, "write time_limit: 5d")
    near = LOOSE_LIMIT.fullmatch(text)
    remedy = f"write time_limit: {_limit(near)}" if near else "write for example time_limit: 1h"
    return Fault(f"{shown(text)} is no time limit", LIMITS, remedy)


def _limit(near: re.Match[str]) -> str:
    """What was meant most likely by a time limit that is written otherwise."""
    unit = near[2].lower()
    length = min(int(near[1]) * UNITS[unit], MOST)
    if unit in ("s", "w"):
        return f"{max(length // UNITS['m'], 1)}m" if unit == "s" else f"{length.days}d"
    return f"{length // UNITS[unit]}{unit}"


def _end_of(day: date) -> datetime | Fault:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return _sane(midnight) if day.year > LAST_YEAR else midnight + timedelta(days=1)


def _sane(moment: datetime) -> datetime | Fault:
    if moment.year <= LAST_YEAR:
        return moment
    return Fault(f"the year {moment.year} is no end", "a rule without until has none", "leave until out")


def _no_such(text: str) -> Fault:
    year, month = int(text[:4]), int(text[5:7])
    if year and 1 <= month <= 12 and int(text[8:10]) > calendar.monthrange(year, month)[1]:
        days = calendar.monthrange(year, month)[1]
        return Fault(f"{shown(text)} is no day", f"that month has {days}", f"write until: {text[:8]}{days}")
    return Fault(
        f"{text} does not exist", "a month is 01 to 12, an hour 00 to 23, a minute 00 to 59", "write the one that is meant"
    )


def _other_time(text: str) -> Fault | None:
    """A time that is written otherwise than in UTC to the second; the remedy says the same instant."""
    try:
        moment = datetime.fromisoformat(text.upper()) if len(text) > len("2027-03-31") else None
        instant = moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if moment is None or instant is None:
        return None
    plain = instant.replace(tzinfo=None).isoformat(timespec="seconds" if instant.second else "minutes")
    why = "times are in UTC, as 2027-03-31T18:00Z" if moment.tzinfo else "nobody can tell its time zone"
    return Fault(f"{shown(text)} is not a time in UTC", why, f"write until: {plain}Z")


def _other_date(text: str) -> Fault | None:
    days = {day for reading in (_iso, _year_first, _year_last) for day in reading(text)}
    if len(days) != 1:
        return None
    return Fault(f"{shown(text)} is no date", "a date is year-month-day, with all its digits", f"write until: {days.pop()}")


def _iso(text: str) -> Iterator[date]:
    with suppress(ValueError):
        yield date.fromisoformat(text)


def _year_first(text: str) -> Iterator[date]:
    if found := YEAR_FIRST.fullmatch(text):
        yield from _dates(found, (1, 2, 3))


def _year_last(text: str) -> Iterator[date]:
    """Day first or month first: which of the two can only be told if one of them is no date."""
    if found := YEAR_LAST.fullmatch(text):
        yield from _dates(found, (3, 2, 1))
        yield from _dates(found, (3, 1, 2))


def _dates(found: re.Match[str], order: tuple[int, int, int]) -> Iterator[date]:
    with suppress(ValueError):
        yield date(*(int(found[place]) for place in order))


def _no_date(text: str) -> Fault:
    why = "it is a date, meant through its end in UTC, or a time in UTC"
    return Fault(f"{shown(text)} is no date", why, "write for example until: 2027-03-31, or until: 2027-03-31T18:00Z")
