"""Parse when a rule ends (a date, a time, or a profile's age) and how long a job may run."""

import calendar
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from grantor.core.diagnostics import Fault, quote_text
from grantor.core.policy.yaml_tree import Fields, PolicyReader, Text
from grantor.limits import MAX_PROCESSING_TIME
from grantor.settings import LAST_END_YEAR

DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z", re.ASCII)
YEAR_FIRST = re.compile(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})", re.ASCII)
YEAR_LAST = re.compile(r"(\d{1,2})[-./](\d{1,2})[-./](\d{4})", re.ASCII)
SPAN = re.compile(r"([1-9]\d{0,3})([hdw])", re.ASCII)
LOOSE_SPAN = re.compile(r"([1-9]\d{0,3})\s*(h|d|w)[a-z]*", re.ASCII | re.IGNORECASE)
LIMIT = re.compile(r"([1-9]\d{0,3})([mhd])", re.ASCII)
LOOSE_LIMIT = re.compile(r"([1-9]\d{0,6})\s*(s|m|h|d|w)[a-z]*", re.ASCII | re.IGNORECASE)
UNTIL_TAG = re.compile(r"\{profile\.tags\.([^{}]+)\}")
UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
LIMIT_FORM = "expected a whole number and m, h or d, for minutes, hours or days, up to 5d"


@dataclass(frozen=True)
class RuleEnd:
    """When a rule ends: at a moment, at what a profile's tag says, after a time; or never."""

    until: datetime | None = None
    tag: str = ""
    lasts: timedelta | None = None


def parse_ends(rule: Fields, reader: PolicyReader) -> RuleEnd:
    """When a rule ends; what is wrong with that is reported."""
    until, lasts = rule.text("until"), rule.text("for")
    tag = UNTIL_TAG.fullmatch(until.value) if until else None
    end = _parse_end(until.value) if until and not tag else None
    length = parse_span(lasts.value) if lasts else None
    for given, found in ((until, end), (lasts, length)):
        if given and isinstance(found, Fault):
            reader.add(given, *found)
    return RuleEnd(
        None if isinstance(end, Fault) else end,
        tag[1] if tag else "",
        None if isinstance(length, Fault) else length,
    )


def _parse_end(text: str) -> datetime | Fault:
    if "{" not in text:
        return parse_until(text)
    why = "of variables, an end can only be one tag of each profile, with nothing around it"
    remedy = 'write a date, or until: "{profile.tags.KEY}"'
    return Fault(f"{quote_text(text)} is not an end", why, remedy)


def parse_until(text: str) -> datetime | Fault:
    """The instant in UTC at which a rule has ended: a date ends with its last moment.

    >>> print(parse_until("2027-03-31"), parse_until("2027-03-31T18:00Z"))
    2027-04-01 00:00:00+00:00 2027-03-31 18:00:00+00:00
    """
    try:
        if DATE.fullmatch(text):
            return _end_of_day(date.fromisoformat(text))
        if TIME.fullmatch(text):
            return _check_year(datetime.fromisoformat(text))
    except ValueError:
        return _explain_impossible(text)
    return _explain_time(text) or _explain_date(text)


def parse_moment(text: str, key: str) -> datetime | Fault:
    """The moment in UTC that a text names, of a date its first one; `key` is that of the text.

    >>> print(parse_moment("2027-03-31", "at"))
    2027-03-31 00:00:00+00:00
    """
    found = parse_until(text)
    if isinstance(found, datetime):
        return found - timedelta(days=1) if DATE.fullmatch(text) else found
    if text.startswith(str(LAST_END_YEAR + 1)):
        return Fault(found.what, "every rule with an end has ended by then", "write an earlier day")
    return found._replace(remedy=found.remedy.replace("until: ", f"{key}: "))


def parse_review(text: Text, reader: PolicyReader) -> timedelta | None:
    """How long a review of a rule, or of all rules of a file, holds; None if something is wrong
    with it, which is then reported.
    """
    found = SPAN.fullmatch(text.value)
    if found and found[2] != "h":
        return int(found[1]) * UNITS[found[2]]
    why = "a review holds for whole days: expected a number from 1 to 9999 and d or w"
    near = LOOSE_SPAN.fullmatch(text.value)
    days = f"{near[1]}{near[2].lower()}" if near and near[2].lower() in "dw" else "90d"
    what = f"{quote_text(text.value)} is no time for a review"
    reader.add(text, what, why, f"write review: {days}")
    return None


def parse_span(text: str) -> timedelta | Fault:
    """How long a rule lasts: a number of hours, days or weeks.

    >>> print(parse_span("30d"))
    30 days, 0:00:00
    """
    if found := SPAN.fullmatch(text):
        return int(found[1]) * UNITS[found[2]]
    why = "expected a whole number from 1 to 9999 and h, d or w, for hours, days or weeks"
    example = f"{text}d" if re.fullmatch("[1-9][0-9]{0,3}", text) else "30d"
    near = LOOSE_SPAN.fullmatch(text)
    remedy = f"write for: {f'{near[1]}{near[2].lower()}' if near else example}"
    return Fault(f"{quote_text(text)} is not a length of time", why, remedy)


def parse_time_limit(text: str) -> timedelta | Fault:
    """How long a job may run: a number of minutes, hours or days, up to five days.

    >>> print(parse_time_limit("90m"))
    1:30:00
    """
    if found := LIMIT.fullmatch(text):
        length = int(found[1]) * UNITS[found[2]]
        if length <= MAX_PROCESSING_TIME:
            return length
        return Fault(f"{quote_text(text)} is longer than 5d", LIMIT_FORM, "write time_limit: 5d")
    near = LOOSE_LIMIT.fullmatch(text)
    remedy = f"write time_limit: {_suggest_limit(near)}" if near else ""
    what = f"{quote_text(text)} is not a time limit"
    return Fault(what, LIMIT_FORM, remedy or "write for example time_limit: 1h")


def _suggest_limit(near: re.Match[str]) -> str:
    """The time limit that was most likely meant by one that is written differently."""
    unit = near[2].lower()
    length = min(int(near[1]) * UNITS[unit], MAX_PROCESSING_TIME)
    if unit in ("s", "w"):
        return f"{max(length // UNITS['m'], 1)}m" if unit == "s" else f"{length.days}d"
    return f"{length // UNITS[unit]}{unit}"


def _end_of_day(day: date) -> datetime | Fault:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return _check_year(midnight) if day.year > LAST_END_YEAR else midnight + timedelta(days=1)


def _check_year(moment: datetime) -> datetime | Fault:
    if moment.year <= LAST_END_YEAR:
        return moment
    what, why = f"the year {moment.year} is too late", "a rule without until never ends"
    return Fault(what, why, "omit until")


def _explain_impossible(text: str) -> Fault:
    year, month = int(text[:4]), int(text[5:7])
    if year and 1 <= month <= 12 and int(text[8:10]) > calendar.monthrange(year, month)[1]:
        days = calendar.monthrange(year, month)[1]
        what, why = f"{quote_text(text)} is not a day", f"that month has {days} days"
        return Fault(what, why, f"write until: {text[:8]}{days}")
    why = "months are 01 to 12, hours 00 to 23, and minutes 00 to 59"
    return Fault(f"{quote_text(text)} does not exist", why, "write the date or time that you mean")


def _explain_time(text: str) -> Fault | None:
    """Explain a time that is not written in UTC; the remedy gives the same instant."""
    try:
        moment = datetime.fromisoformat(text.upper()) if len(text) > len("2027-03-31") else None
        zoned = moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        instant = zoned and zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if moment is None or instant is None:
        return None
    precision = "seconds" if instant.second else "minutes"
    plain = instant.replace(tzinfo=None).isoformat(timespec=precision)
    zone = "times must be in UTC, such as 2027-03-31T18:00Z"
    why = zone if moment.tzinfo else "it does not say its time zone"
    return Fault(f"{quote_text(text)} is not a time in UTC", why, f"write until: {plain}Z")


def _explain_date(text: str) -> Fault:
    """Explain a text that is not a date; the remedy gives the day if only one can be meant."""
    readings = (_read_iso_date, _read_year_first, _read_year_last)
    days = {day for read in readings for day in read(text)}
    what = f"{quote_text(text)} is not a date"
    if len(days) == 1:
        why = "a date is written year-month-day, with all digits"
        return Fault(what, why, f"write until: {days.pop()}")
    why = "expected a date, which includes the whole day in UTC, or a time in UTC"
    return Fault(what, why, "write for example until: 2027-03-31, or until: 2027-03-31T18:00Z")


def _read_iso_date(text: str) -> Iterator[date]:
    with suppress(ValueError):
        yield date.fromisoformat(text)


def _read_year_first(text: str) -> Iterator[date]:
    if found := YEAR_FIRST.fullmatch(text):
        yield from _build_dates(found, (1, 2, 3))


def _read_year_last(text: str) -> Iterator[date]:
    """Day first or month first: which one is meant is only known if the other is not a date."""
    if found := YEAR_LAST.fullmatch(text):
        yield from _build_dates(found, (3, 2, 1))
        yield from _build_dates(found, (3, 1, 2))


def _build_dates(found: re.Match[str], order: tuple[int, int, int]) -> Iterator[date]:
    with suppress(ValueError):
        yield date(*(int(found[place]) for place in order))
