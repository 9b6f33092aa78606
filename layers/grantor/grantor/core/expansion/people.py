"""The Studio profiles that facts tell of, in order for looking up: those that were read, and those only named as sharers of a role."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property

from grantor.core.facts import Facts, Profile
from grantor.core.reason import of_subject
from grantor.core.whom import Profiles

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
