"""Comparisons of access as sentences, as rows of a table and as the JSON document of docs/json.md.

The first sentence is the verdict. `+` begins what only the new side gives, `-` what only the old.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from grantor.core.access.answer_text import describe_moment
from grantor.core.access.compare import AccessComparison, AccessDifference, AccessRequest
from grantor.core.access.compare_rules import SideComparison
from grantor.core.grant import Grantee, format_end
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Home,
    Json,
    describe_grantee,
    describe_omitted,
    encode_grant,
    encode_reason,
    format_timestamp,
)

UNDECIDED = "undecided"
NOBODY = "nobody"


@dataclass(frozen=True)
class PeopleNames:
    """Names of grantees: the profiles that run as a role, by its ARN, with `profile ` before each;
    a grantee that no profile runs as is itself.
    """

    subjects: Mapping[str, Iterable[str]]
    home: Home

    def list_names(self, grantee: Grantee) -> tuple[str, ...]:
        """Who the grantee is: the names of its profiles, as DOMAIN/NAME, or itself."""
        return self.list_profiles(grantee) or (describe_grantee(grantee, self.home),)

    def list_profiles(self, grantee: Grantee) -> tuple[str, ...]:
        """The profiles that run as the grantee, as DOMAIN/NAME."""
        found = self.subjects.get(grantee.identifier, ())
        return tuple(sorted(subject.partition(" ")[2] for subject in found))

    def list_people(self, grantee: Grantee) -> tuple[str, ...]:
        """The people whom the grantee stands for: its profiles, or a user of the directory."""
        if grantee.kind == "DIRECTORY_USER":
            return (grantee.identifier,)
        return self.list_profiles(grantee)

    def describe(self, grantee: Grantee) -> str:
        """The grantee, with its profiles if it has some."""
        profiles = ", ".join(self.list_profiles(grantee))
        shown = describe_grantee(grantee, self.home)
        return f"{shown} ({profiles})" if profiles else shown


def describe_comparison(
    found: SideComparison, names: PeopleNames, most: int, as_of: datetime | None = None
) -> Iterator[str]:
    """A comparison in lines: the verdict, what could not be judged, a counterexample for each
    direction, at most so many differences of each, and for which moment this is true if not now.
    """
    yield describe_verdict(found, names)
    yield from (f"on hold: {hold.rule}: {hold.why}" for hold in found.unjudged)
    for side, differences in ((found.new, found.found.gained), (found.old, found.found.lost)):
        if differences:
            request = describe_request(differences[0].request, names)
            yield f"counterexample: only with {side.name}, {request}"
    for sign, differences in (("+", found.found.gained), ("-", found.found.lost)):
        yield from (f"{sign} {describe_difference(one, names)}" for one in differences[:most])
        if len(differences) > most:
            yield f"{sign} {describe_omitted(len(differences) - most)}"
    if as_of:
        yield describe_moment(as_of)


def describe_verdict(found: SideComparison, names: PeopleNames) -> str:
    """The verdict in a sentence."""
    old, new = found.old.name, found.new.name
    if found.verdict is None:
        count = len({hold.rule for hold in found.unjudged})
        rules = "1 rule is" if count == 1 else f"{count:,} rules are"
        return f"{UNDECIDED}: {rules} on hold, and not alike in {old} and {new}"
    gain, lose = _describe_both(found.found, names)
    return f"{found.verdict}: from {old} to {new}, {gain} and {lose}"


def describe_request(request: AccessRequest, names: PeopleNames) -> str:
    """A counterexample: who may do what, and when if not now."""
    at = f", at {format_timestamp(request.at)}" if request.at else ""
    through = f" through {request.application}" if request.application else ""
    who = f"{names.describe(request.grantee)}{through}"
    return f"{who} may {request.permission} {request.target}{at}"


def describe_difference(difference: AccessDifference, names: PeopleNames) -> str:
    """What only one side gives, until when, and by which rules."""
    grant, permission = difference.grant, difference.request.permission
    through = f" through {grant.application}" if grant.application else ""
    what = f"{permission} {grant.scope} to {names.describe(grant.grantee)}{through}"
    rules = " and ".join(sorted({reason.rule for reason in difference.reasons}))
    return f"{what}, {describe_ends(difference)}, because of {rules or 'no rule'}"


def describe_ends(difference: AccessDifference) -> str:
    """Until when a side gives something, and until when the other one does."""
    until = format_end(difference.until)
    if difference.other_end is None:
        return until
    return f"{until} instead of {format_end(difference.other_end)}"


def describe_rest(difference: AccessDifference) -> str:
    """Until when the other side still gives what this one gives; "" if it gives nothing."""
    if difference.other_end is None:
        return ""
    return f"{format_end(difference.other_end)} instead of {format_end(difference.until)}"


@dataclass(frozen=True)
class DifferenceRow:
    """Differences of several people that are the same otherwise."""

    permission: str
    scope: str
    application: str
    people: tuple[str, ...]
    when: str


def group_differences(
    differences: Iterable[AccessDifference],
    names: PeopleNames,
    describe: Callable[[AccessDifference], str],
) -> list[DifferenceRow]:
    """Group differences by what is given, where and when, as `describe` says, in order of scope."""
    people: dict[tuple[str, str, str, str], set[str]] = {}
    for one in differences:
        grant = one.grant
        what = (grant.scope, str(one.request.permission), grant.application, describe(one))
        people.setdefault(what, set()).update(names.list_names(grant.grantee))
    return [
        DifferenceRow(permission, scope, application, tuple(sorted(people[what])), when)
        for what in sorted(people)
        for scope, permission, application, when in (what,)
    ]


def describe_effect(found: AccessComparison, names: PeopleNames) -> str:
    """Who gains and who loses by a plan, in a sentence."""
    gain, lose = _describe_both(found, names)
    return f"{gain} and {lose}"


def _describe_both(found: AccessComparison, names: PeopleNames) -> tuple[str, str]:
    """Who gains, and who loses."""
    gain, lose = (count_holders(them, names) for them in (found.gained, found.lost))
    return (
        f"{gain} {'gains' if _is_single(gain) else 'gain'}",
        f"{lose} {'loses' if _is_single(lose) else 'lose'}",
    )


def _is_single(counted: str) -> bool:
    return counted == NOBODY or (counted.startswith("1 ") and " and " not in counted)


def count_holders(differences: Iterable[AccessDifference], names: PeopleNames) -> str:
    """How many people and other grantees differences concern."""
    grantees = {one.grant.grantee for one in differences}
    people = {name for grantee in grantees for name in names.list_people(grantee)}
    others = sum(not names.list_people(grantee) for grantee in grantees)
    parts = [f"{len(people):,} {'person' if len(people) == 1 else 'people'}"] if people else []
    other = "other " if people else ""
    parts += [f"{others:,} {other}grantee{'' if others == 1 else 's'}"] if others else []
    return " and ".join(parts) or NOBODY


def encode_comparison(
    found: SideComparison, names: PeopleNames, as_of: datetime | None = None
) -> Json:
    """A comparison as a document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "comparison",
        "as_of": _encode_end(as_of),
        "old": found.old.name,
        "new": found.new.name,
        "verdict": str(found.verdict or UNDECIDED),
        "on_hold": [
            {"rule": hold.rule, "subject": hold.subject or None, "why": hold.why}
            for hold in found.unjudged
        ],
        "gained": [_encode_difference(one, names) for one in found.found.gained],
        "lost": [_encode_difference(one, names) for one in found.found.lost],
    }


def _encode_difference(one: AccessDifference, names: PeopleNames) -> Json:
    request = one.request
    return {
        **encode_grant(one.grant),
        "profiles": list(names.list_profiles(one.grant.grantee)),
        "until": _encode_end(one.until),
        "other_until": _encode_end(one.other_end),
        "reasons": list(map(encode_reason, one.reasons)),
        "counterexample": {
            "permission": str(request.permission),
            "target": request.target,
            "application": request.application or None,
            "at": _encode_end(request.at),
        },
    }


def _encode_end(end: datetime | None) -> str | None:
    return format_timestamp(end) if end else None
