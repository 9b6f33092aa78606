"""The Studio profiles that facts tell of, in order for looking up: those that were read, and those only named as sharers of a role."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property

from grantor.core.diagnostics import Fault, nearest, shown
from grantor.core.grant import Grantee, of_subject
from grantor.core.planning.templates import Refused, Unread, fill
from grantor.core.policy.arns import ID
from grantor.core.policy.value_types import ROLE, USER
from grantor.core.rules import Directory, Principal, Profiles
from grantor.core.snapshot import Facts, Profile

Tags = tuple[tuple[str, str], ...]
WILDCARD = re.compile(r"[*?\[]")


def named(to: Profiles, domain: str, name: str) -> bool:
    """Whether the rule means the profile, as far as its name tells."""
    return domain == to.domain and (not to.names or any(fnmatchcase(name, pattern) for pattern in to.names))


def tagged(tags: Tags, profile: Profile) -> bool:
    """Whether the profile carries all of these."""
    return all(tag in profile.tags for tag in tags)


class People:
    """Profiles by name, tag, role and folder. Whatever is looked up comes in the order of domain and name."""

    def __init__(self, facts: Facts) -> None:
        self._sharing = facts.sharing
        self._read = {profile.subject: profile for profile in sorted(facts.profiles, key=_order)}

    def chosen(self, to: Profiles, tags: Tags) -> list[Profile]:
        """Those of the profiles read that a rule means; `tags` are its tags, filled in."""
        found: Iterable[Profile] = self._domains.get(to.domain, {}).values()
        if to.names:
            names = {name for pattern in to.names for name in self._fitting(to.domain, pattern)}
            found = [self._domains[to.domain][name] for name in sorted(names)]
        elif tags:
            found = self._carriers.get((to.domain, *tags[0]), ())
        return [profile for profile in found if tagged(tags, profile)]

    def fits_any(self, domain: str, pattern: str) -> bool:
        """Whether a name or glob fits the name of any profile read."""
        return any(True for _ in self._fitting(domain, pattern))

    def is_read(self, profile: Profile) -> bool:
        """Whether more than its name and its role is known."""
        return profile.subject in self._read

    def sharers(self, role: str) -> list[Profile]:
        """All that run as this role, in whatever domain."""
        return self._roles.get(role, [])

    def twins(self, profile: Profile) -> list[Profile]:
        """The others of its domain that have the same folder: ana and Ana."""
        found = self._folders.get(profile.domain, {}).get(profile.folder, [])
        return [other for other in found if other.name != profile.name]

    def near(self, profile: Profile) -> list[Profile]:
        """The others of its domain whose folder begins with its folder, or the other way round: ana, Ana and anabel."""
        mine, folders = profile.folder, self._folders.get(profile.domain, {})
        alike = {mine[:end] for end in range(1, len(mine))} | set(_beginning(mine, self._sorted_folders.get(profile.domain, [])))
        found = [other for folder in alike for other in folders.get(folder, [])]
        return sorted((other for other in found if other.name != profile.name), key=_order)

    def _fitting(self, domain: str, pattern: str) -> Iterable[str]:
        names = self._domains.get(domain, {})
        plain = WILDCARD.split(pattern, 1)[0]
        if plain == pattern:
            return (pattern,) if pattern in names else ()
        return (name for name in _beginning(plain, self._sorted_names.get(domain, [])) if fnmatchcase(name, pattern))

    @cached_property
    def _domains(self) -> Mapping[str, Mapping[str, Profile]]:
        grouped = _grouped((profile.domain, profile) for profile in self._read.values())
        return {domain: {profile.name: profile for profile in profiles} for domain, profiles in grouped.items()}

    @cached_property
    def _sorted_names(self) -> Mapping[str, list[str]]:
        return {domain: list(profiles) for domain, profiles in self._domains.items()}

    @cached_property
    def _carriers(self) -> Mapping[tuple[str, str, str], list[Profile]]:
        return _grouped(((profile.domain, *tag), profile) for profile in self._read.values() for tag in profile.tags)

    @cached_property
    def _everyone(self) -> list[Profile]:
        """Those read, and those of which only name and role are known; what was read is believed."""
        sharers = [(role, who) for role, subjects in self._sharing.items() for who in filter(None, map(of_subject, subjects))]
        known = {profile.subject: profile for profile in (Profile(domain, name, role) for role, (domain, name) in sharers)}
        return sorted((known | self._read).values(), key=_order)

    @cached_property
    def _roles(self) -> Mapping[str, list[Profile]]:
        return _grouped((profile.role, profile) for profile in self._everyone)

    @cached_property
    def _folders(self) -> Mapping[str, Mapping[str, list[Profile]]]:
        grouped = _grouped((profile.domain, profile) for profile in self._everyone)
        return {domain: _grouped((one.folder, one) for one in profiles) for domain, profiles in grouped.items()}

    @cached_property
    def _sorted_folders(self) -> Mapping[str, list[str]]:
        return {domain: sorted(folders) for domain, folders in self._folders.items()}


def _order(profile: Profile) -> tuple[str, str]:
    return profile.domain, profile.name


def _grouped[Key](pairs: Iterable[tuple[Key, Profile]]) -> dict[Key, list[Profile]]:
    found: dict[Key, list[Profile]] = defaultdict(list)
    for key, profile in pairs:
        found[key].append(profile)
    return found


def _beginning(start: str, ordered: list[str]) -> Iterator[str]:
    """Those of the sorted words that begin with `start`."""
    for at in range(bisect_left(ordered, start), len(ordered)):
        if not ordered[at].startswith(start):
            return
        yield ordered[at]


def is_id(who: str) -> bool:
    """Whether a person or group is given by id, so that no name has to be looked up."""
    return bool(ID.fullmatch(who))


def principal(to: Principal, values: Mapping[str, str]) -> Grantee:
    """The role or user. Raises Refused where a folder's name makes no ARN."""
    arn = fill(to.arn, values)
    if "{" not in arn and (ROLE.fits(arn) or USER.fits(arn)):
        return Grantee("IAM", arn)
    why = "names of roles and users have only letters, digits and + = , . @ _ -"
    raise Refused(
        Fault(f"{shown(arn)} is no ARN of a role or user", why, "name the folder as the role, or write a rule for it alone")
    )


def execution_role(profile: Profile) -> Grantee:
    """The role that the profile's notebooks run as. Raises Refused where it has none."""
    if profile.role:
        return Grantee("IAM", profile.role)
    what = f"profile {profile.name} has no execution role, and neither has its domain"
    raise Refused(Fault(what, "a grant is held by a role", "give the profile an execution role"))


def check_domain(domain: str, facts: Facts) -> None:
    """Raises Refused where there is no such domain, Unread where its profiles are not known."""
    if why := facts.unread.get(f"domain {domain}"):
        raise Unread(f"the profiles of Studio domain {domain} could not be read: {why}")
    if domain not in facts.domains:
        near = nearest(domain, sorted(facts.domains))
        remedy = f"did you mean {near}?" if near else "write its name as the list of domains shows it"
        what, why = f"there is no Studio domain {shown(domain)}", "that may be a slip, so nothing is done for it"
        raise Refused(Fault(what, why, remedy))


def member(to: Directory, values: Mapping[str, str], facts: Facts) -> Grantee:
    """The person or group. Raises Refused where the directory has none of that name, Unread where it could not be asked."""
    who = fill(to.who, values)
    if is_id(who):
        return Grantee(to.kind, who)
    if why := facts.unread.get(f"directory {to.kind} {who}"):
        raise Unread(f"the directory could not be asked for {shown(who)}: {why}")
    if found := facts.directory.get((to.kind, who)):
        return Grantee(to.kind, found)
    called = to.kind.removeprefix("DIRECTORY_").lower()
    near = nearest(who, sorted(name for kind, name in facts.directory if kind == to.kind))
    remedy = f"did you mean {near}?" if near else f"write the name as the directory has it, or the {called}'s id"
    raise Refused(
        Fault(f"the directory has no {called} {shown(who)}", "a grant is held by an id, which is found by the name", remedy)
    )
