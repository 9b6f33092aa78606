"""Whom suspensions concern, and whether they require an approval."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from grantor.core.diagnostics import Fault, join_some
from grantor.core.grant import Grantee, iam_grantee, parse_profile_subject, profile_subject
from grantor.core.planning.grantees import has_passed, resolve_grantee
from grantor.core.planning.scopes import NotRead, RuleOutcomes, RuleRejected
from grantor.core.rules import ProfileName, Suspension
from grantor.core.snapshot import Inventory, Suspended
from grantor.settings import GUARD_SUSPENDED_PEOPLE, MAX_LISTED_NAMES


def find_suspended(
    suspensions: Iterable[Suspension], inventory: Inventory, outcomes: RuleOutcomes
) -> Suspended:
    """Whom the suspensions concern now: a profile also suspends every role that it runs as, as far
    as that was read. What has no effect, or more than it says, is recorded in `outcomes`.
    """
    grantees: dict[Grantee, Suspension] = {}
    subjects: dict[str, Suspension] = {}
    for one in sorted(suspensions, key=lambda one: (one.file, one.line, one.column)):
        if has_passed(one.until, inventory.now):
            what = f"it ended at {one.until:%Y-%m-%d %H:%M}Z"
            outcomes.warn(one, Fault(what, "it suspends nobody any more", "remove it"))
        elif isinstance(one.who, ProfileName):
            subject = profile_subject(one.who.domain, one.who.name)
            subjects.setdefault(subject, one)
            for role in _find_roles(subject, inventory, one, outcomes):
                grantees.setdefault(iam_grantee(role), one)
        else:
            with suppress(NotRead):  # the inventory says what could not be read
                try:
                    grantees.setdefault(resolve_grantee(one.who, {}, inventory), one)
                except RuleRejected as error:
                    outcomes.reject(one, error.fault)
    return Suspended(grantees, subjects)


def _find_roles(
    subject: str, inventory: Inventory, suspension: Suspension, outcomes: RuleOutcomes
) -> list[str]:
    """The roles that a suspended profile runs as; warns if there is none, or others have it."""
    roles = sorted(
        role for role, sharers in inventory.sharing.items() if role and subject in sharers
    )
    domain = (parse_profile_subject(subject) or ("", ""))[0]
    if not roles and inventory.domains and f"domain {domain}" not in inventory.unread:
        what, why = f"there is no {subject}", "nobody is suspended until there is one"
        outcomes.warn(suspension, Fault(what, why, "correct the name, or remove the suspension"))
    for role in roles:
        others = sorted(inventory.sharing[role] - {subject})
        if others:
            names = join_some(others, MAX_LISTED_NAMES)
            what = f"{iam_grantee(role)} is also the role of {names}"
            why = "S3 Access Grants knows roles, not profiles, so they are suspended as well"
            outcomes.warn(suspension, Fault(what, why, "give each a role of its own"))
    return roles


@dataclass(frozen=True)
class SuspensionReview:
    """What suspensions that no run has accepted yet require: an approval if there are causes."""

    people: tuple[str, ...] = ()  # whom they concern, with those of the last day, if too many
    outside: tuple[Suspension, ...] = ()  # outside of the bounds of their file
    agreed: tuple[Suspension, ...] = ()  # those of files that need no approval for them


def review_suspensions(
    new: Iterable[Suspension],
    recent: Iterable[Suspension],
    outside: Collection[Suspension],
    suspended: Suspended,
    inventory: Inventory,
) -> SuspensionReview:
    """Whether a kill switch may be a weapon: `new` suspensions concern more people, with those of
    the last day (`recent`), than may be suspended without asking, or some are `outside`.

    Files that concern the fewest people come first, so that a file that suspends everybody cannot
    keep another's suspension from its effect.
    """
    holders = _list_holders(suspended)
    known = _list_people(recent, holders, inventory)
    files: dict[str, list[Suspension]] = defaultdict(list)
    for one in new:
        files[one.file].append(one)
    people = {file: _list_people(ones, holders, inventory) for file, ones in files.items()}
    agreed: list[Suspension] = []
    total, so_far = known.union(*people.values()), known
    for file in sorted(files, key=lambda file: (len(people[file]), file)):
        fits = not people[file] or len(so_far | people[file]) <= GUARD_SUSPENDED_PEOPLE
        if fits and not any(one in outside for one in files[file]):
            so_far |= people[file]
            agreed += files[file]
    too_many = bool(files) and total != known and len(total) > GUARD_SUSPENDED_PEOPLE
    named = tuple(sorted(total)) if too_many else ()
    asked = tuple(one for ones in files.values() for one in ones if one in outside)
    return SuspensionReview(named, asked, tuple(agreed))


def explain_review(review: SuspensionReview) -> tuple[str, ...]:
    """Why the suspensions require an approval; empty if they do not."""
    causes = []
    if review.people:
        names = join_some(review.people, MAX_LISTED_NAMES)
        causes.append(
            f"it suspends {len(review.people)} people within a day: {names}; "
            f"more than {GUARD_SUSPENDED_PEOPLE}"
        )
    causes += [
        f"{one.file}:{one.line} suspends {one.name}, outside of the bounds of this file"
        for one in review.outside
    ]
    return tuple(causes)


def _list_holders(suspended: Suspended) -> dict[Suspension, list[Grantee]]:
    found: dict[Suspension, list[Grantee]] = defaultdict(list)
    for grantee, suspension in suspended.grantees.items():
        found[suspension].append(grantee)
    return found


def _list_people(
    suspensions: Iterable[Suspension],
    holders: Mapping[Suspension, list[Grantee]],
    inventory: Inventory,
) -> frozenset[str]:
    """Whom the suspensions concern: the profiles that run as a role, or the role itself."""
    return frozenset(
        name
        for one in suspensions
        for grantee in holders.get(one, ())
        for name in inventory.sharing.get(grantee.identifier) or [str(grantee)]
    )
