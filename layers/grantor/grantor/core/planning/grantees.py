"""Who gets a grant: the profiles, roles, users and directory members that a rule names, found in
the inventory.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property

from grantor.core.diagnostics import Fault, find_nearest, join_words, quote_text
from grantor.core.grant import Grantee, iam_grantee, parse_profile_subject, profile_subject
from grantor.core.planning.scopes import (
    NotRead,
    RuleOutcomes,
    RuleRejected,
    UnusableName,
    fill_variables,
)
from grantor.core.policy.grantee_types import DIRECTORY_ID, DIRECTORY_TYPES
from grantor.core.policy.text_forms import ROLE, USER
from grantor.core.rules import (
    DirectoryName,
    IamPrincipal,
    ProfileName,
    ProfileQuery,
    ProfileSelector,
    Suspension,
)
from grantor.core.snapshot import Inventory, Profile, Suspended
from grantor.settings import GUARD_SUSPENDED_PEOPLE, MAX_LISTED_NAMES

LAST_MOMENT = datetime.max.replace(tzinfo=UTC)  # a rule that lasts longer ends here

Tags = tuple[tuple[str, str], ...]
WILDCARD = re.compile(r"[*?\[]")


def matches_name(selector: ProfileSelector, domain: str, name: str) -> bool:
    """Whether the selector includes the profile, as far as domain and name decide."""
    if domain != selector.domain:
        return False
    return not selector.names or any(fnmatchcase(name, pattern) for pattern in selector.names)


def has_tags(tags: Tags, profile: Profile) -> bool:
    """Whether the profile carries all of these."""
    return all(tag in profile.tags for tag in tags)


class ProfileIndex:
    """Profiles by name, tag, role and folder, in order; also those only known to share a role."""

    def __init__(self, inventory: Inventory) -> None:
        self._sharing = inventory.sharing
        profiles = sorted(inventory.profiles, key=_sort_key)
        self._read = {profile.subject: profile for profile in profiles}

    def select_profiles(self, selector: ProfileSelector, tags: Tags) -> list[Profile]:
        """The profiles read that the selector includes; `tags` are its tags, filled in."""
        found: Iterable[Profile] = self._domains.get(selector.domain, {}).values()
        if selector.names:
            domain = selector.domain
            names = {name for pattern in selector.names for name in self._match(domain, pattern)}
            found = [self._domains[domain][name] for name in sorted(names)]
        elif tags:
            found = self._by_tag.get((selector.domain, *tags[0]), ())
        return [profile for profile in found if has_tags(tags, profile)]

    def matches_any(self, domain: str, pattern: str) -> bool:
        """Whether a name or glob matches the name of any profile read."""
        return any(True for _ in self._match(domain, pattern))

    def is_read(self, profile: Profile) -> bool:
        """Whether more than its name and its role is known."""
        return profile.subject in self._read

    def list_known(self, domain: str) -> list[Profile]:
        """All profiles of the domain: those read, and those of which name and role are known."""
        return [profile for profile in self._all if profile.domain == domain]

    def list_sharers(self, role: str) -> list[Profile]:
        """All profiles that run as this role, in any domain."""
        return self._by_role.get(role, [])

    def list_same_folder(self, profile: Profile) -> list[Profile]:
        """The others of its domain that have the same folder: ana and Ana."""
        found = self._by_folder.get(profile.domain, {}).get(profile.folder, [])
        return [other for other in found if other.name != profile.name]

    def list_overlapping(self, profile: Profile) -> list[Profile]:
        """The others of its domain whose folder begins with its folder, or vice versa: ana, Ana and
        anabel.
        """
        mine, folders = profile.folder, self._by_folder.get(profile.domain, {})
        longer = _starting_with(mine, self._sorted_folders.get(profile.domain, []))
        alike = {mine[:end] for end in range(1, len(mine))} | set(longer)
        found = [other for folder in alike for other in folders.get(folder, [])]
        return sorted((other for other in found if other.name != profile.name), key=_sort_key)

    def _match(self, domain: str, pattern: str) -> Iterable[str]:
        names = self._domains.get(domain, {})
        plain = WILDCARD.split(pattern, 1)[0]
        if plain == pattern:
            return (pattern,) if pattern in names else ()
        candidates = _starting_with(plain, self._sorted_names.get(domain, []))
        return (name for name in candidates if fnmatchcase(name, pattern))

    @cached_property
    def _domains(self) -> Mapping[str, Mapping[str, Profile]]:
        grouped = _group((profile.domain, profile) for profile in self._read.values())
        return {
            domain: {profile.name: profile for profile in profiles}
            for domain, profiles in grouped.items()
        }

    @cached_property
    def _sorted_names(self) -> Mapping[str, list[str]]:
        return {domain: list(profiles) for domain, profiles in self._domains.items()}

    @cached_property
    def _by_tag(self) -> Mapping[tuple[str, str, str], list[Profile]]:
        profiles = self._read.values()
        return _group(((one.domain, *tag), one) for one in profiles for tag in one.tags)

    @cached_property
    def _all(self) -> list[Profile]:
        """Those read, and those of which only name and role are known. What was read takes
        precedence.
        """
        known = {}
        for role, subjects in self._sharing.items():
            for domain, name in filter(None, map(parse_profile_subject, subjects)):
                profile = Profile(domain, name, role)
                known[profile.subject] = profile
        return sorted((known | self._read).values(), key=_sort_key)

    @cached_property
    def _by_role(self) -> Mapping[str, list[Profile]]:
        return _group((profile.role, profile) for profile in self._all)

    @cached_property
    def _by_folder(self) -> Mapping[str, Mapping[str, list[Profile]]]:
        grouped = _group((profile.domain, profile) for profile in self._all)
        return {
            domain: _group((one.folder, one) for one in profiles)
            for domain, profiles in grouped.items()
        }

    @cached_property
    def _sorted_folders(self) -> Mapping[str, list[str]]:
        return {domain: sorted(folders) for domain, folders in self._by_folder.items()}


def _sort_key(profile: Profile) -> tuple[str, str]:
    return profile.domain, profile.name


def _group[Key](pairs: Iterable[tuple[Key, Profile]]) -> dict[Key, list[Profile]]:
    found: dict[Key, list[Profile]] = defaultdict(list)
    for key, profile in pairs:
        found[key].append(profile)
    return found


def _starting_with(start: str, ordered: list[str]) -> Iterator[str]:
    """Those of the sorted words that begin with `start`."""
    for at in range(bisect_left(ordered, start), len(ordered)):
        if not ordered[at].startswith(start):
            return
        yield ordered[at]


def is_directory_id(who: str) -> bool:
    """Whether a user or group is given by id, so that no name has to be looked up."""
    return bool(DIRECTORY_ID.fullmatch(who))


def resolve_grantee(
    to: IamPrincipal | DirectoryName, values: Mapping[str, str], inventory: Inventory
) -> Grantee:
    """Who is meant, once the variables of a folder are filled in."""
    if isinstance(to, IamPrincipal):
        return _resolve_principal(to, values)
    return _resolve_directory_name(to, values, inventory)


def _resolve_principal(to: IamPrincipal, values: Mapping[str, str]) -> Grantee:
    """The role or user. Raises UnusableName if a folder's name makes no valid ARN."""
    arn = fill_variables(to.arn, values)
    if "{" not in arn and (ROLE.fits(arn) or USER.fits(arn)):
        return iam_grantee(arn)
    what = f"{quote_text(arn)} is not the ARN of a role or user"
    why = "names of roles and users contain only letters, digits and + = , . @ _ -"
    raise UnusableName(
        Fault(what, why, "give the folder the role's name, or write a rule for it alone")
    )


def resolve_execution_role(profile: Profile) -> Grantee:
    """The role that the profile's notebooks run as. Raises RuleRejected if there is none."""
    if profile.role:
        return iam_grantee(profile.role)
    what = f"profile {profile.name} has no execution role, and neither has its domain"
    raise RuleRejected(Fault(what, "a grant needs a role", "give the profile an execution role"))


def check_domain(domain: str, inventory: Inventory) -> None:
    """Raise RuleRejected if there is no such domain, NotRead if its profiles are not known."""
    if why := inventory.unread.get(f"domain {domain}"):
        raise NotRead(f"the profiles of Studio domain {domain} could not be read: {why}")
    if domain not in inventory.domains:
        near = find_nearest(domain, sorted(inventory.domains))
        remedy = (
            f"did you mean {near}?" if near else "write its name as the list of domains shows it"
        )
        what = f"there is no Studio domain {quote_text(domain)}"
        raise RuleRejected(
            Fault(what, "that may be a typing mistake, so nothing changes for it", remedy)
        )


def _resolve_directory_name(
    to: DirectoryName, values: Mapping[str, str], inventory: Inventory
) -> Grantee:
    """The user or group. Raises RuleRejected if the directory has none of that name, NotRead if it
    was not read.
    """
    who = fill_variables(to.who, values)
    if is_directory_id(who):
        return Grantee(to.kind, who)
    if why := inventory.unread.get(f"directory {to.kind} {who}"):
        raise NotRead(f"{quote_text(who)} could not be looked up in the directory: {why}")
    if found := inventory.directory.get((to.kind, who)):
        return Grantee(to.kind, found)
    noun = DIRECTORY_TYPES[to.kind].noun
    near = find_nearest(who, sorted(name for kind, name in inventory.directory if kind == to.kind))
    remedy = f"write the name as the directory has it, or the {noun}'s id"
    if near:
        remedy = f"did you mean {near}?"
    what = f"the directory has no {noun} {quote_text(who)}"
    fault = Fault(what, "a grant names an id, which Grantor looks up by the name", remedy)
    raise RuleRejected(fault, warns="{" in to.who)  # then a folder's name is in it


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
            more = ["others"] if len(others) > MAX_LISTED_NAMES else []
            names = join_words([*others[:MAX_LISTED_NAMES], *more], "and")
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
        more = review.people[MAX_LISTED_NAMES:]
        names = join_words(
            [*review.people[:MAX_LISTED_NAMES], *(["others"] if more else [])], "and"
        )
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


def find_end(query: ProfileQuery, profile: Profile) -> datetime | None:
    """When the rule ends for this profile; None for never. Raises NotRead if that depends on an
    unknown time.
    """
    if query.lasts is None:
        return query.until
    if profile.created is None:
        raise NotRead(
            f"the rule's time runs from the creation of {profile.subject}, which is not known"
        )
    return profile.created + min(query.lasts, LAST_MOMENT - profile.created)


def has_passed(until: datetime | None, now: datetime) -> bool:
    """Whether an end has been reached; at its very moment it has.

    >>> has_passed(None, LAST_MOMENT), has_passed(LAST_MOMENT, LAST_MOMENT)
    (False, True)
    """
    return until is not None and until <= now
