"""Reads Studio profiles: all of them, or those in focus and whoever shares a role or folder."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from grantor.aws.clients import map_concurrently
from grantor.aws.services import EarlyReads, Services
from grantor.core.grant import Pair, iam_grantee, parse_profile_subject, profile_subject
from grantor.core.planning.grantees import select_domains
from grantor.core.planning.profile_conflicts import (
    find_neighbours,
    find_rival_domains,
    find_rivals,
    needs_tags,
)
from grantor.core.rules import ProfileQuery
from grantor.core.snapshot import Focus, Inventory, Profile


def read_all_profiles(
    services: Services, queries: Sequence[ProfileQuery], now: datetime
) -> Inventory:
    """Every profile, for jobs with these queries."""
    with EarlyReads(services) as early:
        return list_profiles(early, queries, now, ())


def list_profiles(
    early: EarlyReads, queries: Sequence[ProfileQuery], now: datetime, pairs: Iterable[Pair]
) -> Inventory:
    """Every profile, for rules or jobs with these queries.

    `pairs` are those of earlier runs: each profile in them that no list contains is read singly
    once more.
    """
    services, read = early.services, early.list_profiles(needs_tags(queries))
    domains = early.read_domains()
    services.known_profiles.clear()
    services.known_profiles.update(read.known)
    listed = {profile.subject: profile for profile in read.profiles}
    missing = [pair for pair in pairs if parse_profile_subject(pair[0]) and pair[0] not in listed]
    unsure = [pair for pair in missing if f"domain {_get_domain(pair[0])}" in read.unread]
    for subject in sorted({subject for subject, _ in missing} - {subject for subject, _ in unsure}):
        listed |= _read_profile(services, domains, subject, queries)
    return Inventory(
        now,
        profiles=_sort_profiles(listed.values()),
        domains=frozenset(domains),
        sharing=_group_by_role(listed.values(), unsure),
        unread=read.unread,
    )


def read_some_profiles(
    services: Services, queries: Sequence[ProfileQuery], focus: Focus, now: datetime
) -> Inventory:
    """The profiles in focus and their neighbours. Raises ClientError or RetryableError if one
    cannot be read.
    """
    list_domains = services.studio.list_domains
    return ProfileReader(services, list_domains, queries, focus).read_inventory(now)


@dataclass
class ProfileReader:
    """Reads the profiles of a focused run, and those that share a role or a folder with them."""

    services: Services
    list_domains: Callable[[], Mapping[str, str]]
    queries: Sequence[ProfileQuery]
    focus: Focus
    also: Iterable[str] = ()
    rivals: Sequence[ProfileQuery] = ()
    found: dict[str, Profile] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)  # read singly, and they do not exist

    @cached_property
    def subjects(self) -> list[str]:
        """The profiles in focus."""
        return [one for one in self.focus.subjects if parse_profile_subject(one)]

    @property
    def has_folders(self) -> bool:
        """Whether folders are in focus."""
        return len(self.subjects) < len(self.focus.subjects)

    @cached_property
    def domains(self) -> Mapping[str, str]:
        """The ids of the domains by name, as far as any are needed."""
        return self.list_domains() if self.subjects or self.queries or self.also else {}

    def read_inventory(self, now: datetime) -> Inventory:
        """The profiles, and those that share a role or a folder with them."""
        self._read_profiles([*self.subjects, *map(_swap_capital, self.subjects), *self.also])
        roles = sorted({profile.role for profile in self.found.values()})
        pairs_of = self.services.ledger.read_grantee
        for _, subjects in map_concurrently(pairs_of, [iam_grantee(role) for role in roles]):
            self._read_profiles(subjects)
        self._read_whole_domains()
        self._read_profiles(find_neighbours(self.queries, self._build_inventory(now)))
        self._read_rivals()
        return self._build_inventory(now)

    def _read_rivals(self) -> None:
        """Read who may have a folder of a profile in focus, by the rules of any domain."""
        found = list(self.found.values())
        self._read_profiles(sorted(find_rivals(self.rivals, found, self._list_domains())))

    def _list_domains(self) -> list[str]:
        """The names of the domains that can be read."""
        return [name for name, domain_id in self.domains.items() if domain_id]

    def _build_inventory(self, now: datetime) -> Inventory:
        profiles = _sort_profiles(self.found.values())
        return Inventory(
            now,
            profiles=profiles,
            domains=frozenset(self.domains),
            sharing=_group_by_role(profiles),
            unread=self.unread,
        )

    def _read_profiles(self, subjects: Iterable[str]) -> None:
        listed = set(filter(parse_profile_subject, subjects))
        new = sorted(listed - self.found.keys() - self.missing)
        asked, domains = [*self.queries, *self.rivals], self.domains  # a rival may be one by tags

        def read(subject: str) -> dict[str, Profile]:
            return _read_profile(self.services, domains, subject, asked)

        for found in map_concurrently(read, new):
            self.found |= found
        self.missing |= set(new) - self.found.keys()
        for domain in map(_get_domain, new):
            if domains.get(domain) == "":
                self.unread[f"domain {domain}"] = "two domains have this name"

    def _read_whole_domains(self) -> None:
        """Read whole domains if all names matter: a rule gives a folder to all, or its scope ends
        inside a name.
        """
        own = {_get_domain(subject) for subject in self.subjects}
        names: set[str] = set()
        for query in self.queries:
            if self.has_folders and query.follows_folders:
                names.update(select_domains(query.selector, self.domains))
            elif query.ends_inside_name:
                names.update(select_domains(query.selector, own))
        self._read_domains(names)
        found = self.found.values()
        self._read_domains(find_rival_domains(self.rivals, found, self.domains) - names)

    def _read_domains(self, names: AbstractSet[str]) -> None:
        domains = {name: self.domains[name] for name in names & self.domains.keys()}
        known = self.services.known_profiles
        read = self.services.studio.list_profiles(domains, needs_tags(self.queries), known)
        known.update(read.known)
        self.unread |= read.unread
        self.found |= {profile.subject: profile for profile in read.profiles}


def _read_profile(
    services: Services, domains: Mapping[str, str], subject: str, queries: Sequence[ProfileQuery]
) -> dict[str, Profile]:
    """The profile by its subject, if it exists."""
    domain, name = parse_profile_subject(subject) or ("", "")
    if not domains.get(domain):
        return {}
    found = services.studio.read_profile(domain, domains[domain], name, needs_tags(queries))
    return {subject: found} if found else {}


def _group_by_role(
    profiles: Iterable[Profile], pairs: Iterable[Pair] = ()
) -> dict[str, frozenset[str]]:
    """Which profiles run as which role, by what was read and by these pairs of earlier runs."""
    found: dict[str, set[str]] = defaultdict(set)
    for profile in profiles:
        found[profile.role].add(profile.subject)
    for subject, grantee in pairs:
        found[grantee.identifier].add(subject)
    return {role: frozenset(subjects) for role, subjects in found.items()}


def _sort_profiles(profiles: Iterable[Profile]) -> tuple[Profile, ...]:
    return tuple(sorted(profiles, key=lambda profile: profile.subject))


def _get_domain(subject: str) -> str:
    return (parse_profile_subject(subject) or ("", ""))[0]


def _swap_capital(subject: str) -> str:
    """The only other name that has the same folder: its first letter has the other case."""
    domain, name = parse_profile_subject(subject) or ("", "")
    return profile_subject(domain, name[:1].swapcase() + name[1:])
