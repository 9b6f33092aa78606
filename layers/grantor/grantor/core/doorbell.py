"""Events as doorbells: what rang, when, and what is to be looked at because of it; never what to do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grantor.core.event import member, seconds
from grantor.core.expansion import needs
from grantor.core.focus import EVERYTHING, Focus
from grantor.core.reason import of_subject, profile_subject
from grantor.core.rule import Rule

OWN = "grantor"  # the source of our own events; a run that could not finish rings by one of them


@dataclass(frozen=True)
class Bell:
    """What rang: `kind` is policy, profile, data, clock, own or unknown; `at` is the event's time in seconds since 1970, or None.

    `about` says what is to be looked at: "everything", "profile DOMAIN-ID/NAME" as CloudTrail names it, "data s3://bucket/folder/".
    """

    kind: str
    about: tuple[str, ...]
    id: str = ""
    at: float | None = None
    attempt: int = 0  # how often a run has rung it again by itself

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(self.about)}"


def bell(event: Mapping[str, Any], policy_bucket: str) -> Bell:
    """The bell that an EventBridge event is. Anything can ring: an event of no known shape is about everything."""
    detail = event.get("detail")
    known: Mapping[str, Any] = detail if isinstance(detail, Mapping) else {}
    kind, about = _what(str(event.get("source", "")), known, policy_bucket)
    attempt = known.get("attempt") if kind == "own" else 0
    return Bell(kind, about, str(event.get("id", "")), seconds(event.get("time")), attempt if isinstance(attempt, int) else 0)


def earliest(bells: Iterable[Bell]) -> dict[str, float | None]:
    """What all the bells are about, each with the earliest time at which it rang."""
    found: dict[str, float | None] = {}
    for one in bells:
        for about in one.about:
            times = [time for time in (found.get(about), one.at) if time is not None]
            found[about] = min(times, default=None)
    return found


def heard(bells: Iterable[str], rules: Sequence[Rule], domains: Callable[[], Mapping[str, str]]) -> Focus | None:
    """What all that rang is about, as a focus; None if no rule follows any of it.

    `domains` gives the id of each Studio domain by its name, and is asked only when a profile rang. A domain of an unknown id may have
    been deleted just now, which concerns everyone who was in it.
    """
    listed = tuple(bells)
    names = {identifier: name for name, identifier in domains().items()} if any(map(_profile, listed)) else {}
    subjects = {subject for about in listed for subject in _subjects(about, rules, names)}
    return Focus.of(subjects) if subjects else None


def _subjects(about: str, rules: Sequence[Rule], names: Mapping[str, str]) -> tuple[str, ...]:
    if about.startswith("data "):
        return needs.subjects_of_key(rules, about.removeprefix("data "))
    identifier, name = _profile(about) or ("", "")
    return (profile_subject(names[identifier], name),) if identifier in names else (EVERYTHING,)


def _profile(about: str) -> tuple[str, str] | None:
    found = of_subject(about)
    return found if found and all(found) else None


def _what(source: str, detail: Mapping[str, Any], policy_bucket: str) -> tuple[str, tuple[str, ...]]:
    match source:
        case "aws.s3":
            return _object(member(detail, "bucket", "name"), member(detail, "object", "key"), policy_bucket)
        case "aws.sagemaker":
            domain, name = (member(detail, "requestParameters", key) for key in ("domainId", "userProfileName"))
            return "profile", (f"profile {domain}/{name}" if domain and name else EVERYTHING,)
        case "aws.events" | "aws.scheduler":
            return "clock", (EVERYTHING,)
        case own if own == OWN:
            return "own", _listed(detail.get("bells"))
    return "unknown", (EVERYTHING,)


def _object(bucket: str, key: str, policy_bucket: str) -> tuple[str, tuple[str, ...]]:
    if bucket == policy_bucket:
        return "policy", (EVERYTHING,)
    return "data", (f"data s3://{bucket}/{key[: key.rfind('/') + 1]}" if bucket else EVERYTHING,)


def _listed(bells: object) -> tuple[str, ...]:
    named = tuple(str(one) for one in bells) if isinstance(bells, list) else ()
    return named or (EVERYTHING,)
