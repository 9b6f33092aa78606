"""Who gets a grant: the profiles, roles, users and directory members that a rule names, found in
the inventory.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from grantor.core.diagnostics import Fault, find_nearest, join_words, quote_text
from grantor.core.grant import Grantee, iam_grantee, parse_profile_subject
from grantor.core.planning.scopes import (
    NotRead,
    RuleRejected,
    UnusableName,
    fill_variables,
)
from grantor.core.planning.unmatched import (
    explain_unknown_domains,
    explain_unknown_name,
    explain_unknown_tag,
)
from grantor.core.policy.durations import parse_until
from grantor.core.policy.grantee_types import DIRECTORY_ID, DIRECTORY_TYPES
from grantor.core.policy.text_forms import END, ROLE, USER
from grantor.core.rules import (
    DirectoryName,
    IamPrincipal,
    ProfileQuery,
    ProfileSelector,
    Tags,
    is_glob,
)
from grantor.core.snapshot import Inventory, Profile

LAST_MOMENT = datetime.max.replace(tzinfo=UTC)  # a rule that lasts longer ends here

WILDCARD = re.compile(r"[*?\[]")


def matches_domain(selector: ProfileSelector, domain: str) -> bool:
    """Whether the selector includes profiles of this domain."""
    return domain in selector.domains or _matches_any(domain, selector.domains)


def select_domains(selector: ProfileSelector, names: Iterable[str]) -> list[str]:
    """Those of the domains that the selector includes, sorted."""
    return list(_match_domains(selector.domains, frozenset(names)))


@lru_cache(1024)
def _match_domains(patterns: tuple[str, ...], names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if _matches_any(name, patterns)))


def matches_name(selector: ProfileSelector, domain: str, name: str) -> bool:
    """Whether the selector includes the profile, as far as domain and name decide."""
    if not matches_domain(selector, domain):
        return False
    if selector.names and not _matches_any(name, selector.names):
        return False
    return not _matches_any(name, selector.except_names)


def _matches_any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def fill_tags(selector: ProfileSelector, values: Mapping[str, str]) -> ProfileSelector:
    """The selector with the variables of a folder filled in. Raises UnusableName if one has no
    usable value.
    """
    if not values or not selector.needs_tags:
        return selector
    tags, *excepted = (
        tuple((key, fill_variables(value, values)) for key, value in each)
        for each in (selector.tags, *selector.except_tags)
    )
    return replace(selector, tags=tags, except_tags=tuple(excepted))


def carries_tags(selector: ProfileSelector, profile: Profile) -> bool:
    """Whether the selector includes the profile, as far as its tags decide."""
    if not _has_all(selector.tags, profile):
        return False
    return not any(_has_all(tags, profile) for tags in selector.except_tags)


def _has_all(tags: Tags, profile: Profile) -> bool:
    return all(tag in profile.tags for tag in tags)


class ProfileIndex:
    """Profiles by name, tag, role and folder, in order; also those only known to share a role."""

    def __init__(self, inventory: Inventory) -> None:
        self._sharing = inventory.sharing
        profiles = sorted(inventory.profiles, key=_sort_key)
        self._read = {profile.subject: profile for profile in profiles}

    def select_profiles(self, selector: ProfileSelector) -> list[Profile]:
        """The profiles read that the selector includes; its tags are filled in."""
        found = [
            profile
            for domain in _match_domains(selector.domains, self._domain_names)
            for profile in self._select_in(domain, selector)
        ]
        names = selector.except_names
        if not (names or selector.needs_tags):
            return found
        return [
            profile
            for profile in found
            if carries_tags(selector, profile) and not _matches_any(profile.name, names)
        ]

    def _select_in(self, domain: str, selector: ProfileSelector) -> Iterable[Profile]:
        """Those of a domain that may be included, as the most selective key finds them."""
        profiles = self._domains[domain]
        if selector.names:
            names = {name for pattern in selector.names for name in self._match(domain, pattern)}
            return [profiles[name] for name in sorted(names)]
        if selector.tags:
            return self._by_tag.get((domain, *selector.tags[0]), ())
        return profiles.values()

    def matches_any(self, domains: Iterable[str], pattern: str) -> bool:
        """Whether a name or glob matches the name of any profile read of these domains."""
        return any(True for domain in domains for _ in self._match(domain, pattern))

    def is_read(self, profile: Profile) -> bool:
        """Whether more than its name and its role is known."""
        return profile.subject in self._read

    def list_known(self, selector: ProfileSelector) -> list[Profile]:
        """All profiles that the selector may include: those read, and those of which name and role
        are known.
        """
        return [one for one in self._all if matches_name(selector, one.domain, one.name)]

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
    def _domain_names(self) -> frozenset[str]:
        return frozenset(self._domains)

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


def find_unmatched(
    selector: ProfileSelector, profiles: ProfileIndex, domains: Iterable[str]
) -> Iterator[Fault]:
    """What the selector names and no profile has. Tags with a folder's name in them are data."""
    existing = tuple(domains)
    included = select_domains(selector, existing)
    for glob in selector.domains:
        if existing and is_glob(glob) and not select_domains(ProfileSelector((glob,)), included):
            yield explain_unknown_domains(glob)
    if not included:
        return
    for name in (*selector.names, *selector.except_names):
        if not profiles.matches_any(included, name):
            yield explain_unknown_name(name, join_words(selector.domains, "and"))
    for tag in (*selector.tags, *(one for tags in selector.except_tags for one in tags)):
        everybody = ProfileSelector(selector.domains)
        if "{" not in tag[1] and not profiles.select_profiles(replace(everybody, tags=(tag,))):
            known = {one for each in profiles.select_profiles(everybody) for one in each.tags}
            yield explain_unknown_tag(join_words(selector.domains, "and"), tag, known)


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


def check_domains(selector: ProfileSelector, inventory: Inventory) -> None:
    """Check all domains that the selector names or matches, as check_domain."""
    for domain in list_needed_domains(selector, inventory.domains):
        check_domain(domain, inventory)


def list_needed_domains(selector: ProfileSelector, known: Iterable[str]) -> list[str]:
    """The domains that the selector names, which may not exist, and those that it matches."""
    return list(_list_needed(selector.domains, frozenset(known)))


@lru_cache(1024)
def _list_needed(patterns: tuple[str, ...], known: frozenset[str]) -> tuple[str, ...]:
    named = (one for one in patterns if not is_glob(one))
    return tuple(sorted({*named, *_match_domains(patterns, known)}))


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


def find_end(query: ProfileQuery, profile: Profile) -> datetime | None:
    """When the rule ends for this profile; None for never. Raises NotRead if that depends on an
    unknown time, UnusableName if the profile's tag does not say.
    """
    if query.until_tag:
        return _read_end(query.until_tag, profile)
    if query.lasts is None:
        return query.until
    if profile.created is None:
        raise NotRead(
            f"the rule's time runs from the creation of {profile.subject}, which is not known"
        )
    return profile.created + min(query.lasts, LAST_MOMENT - profile.created)


def has_ended(query: ProfileQuery, profile: Profile, now: datetime) -> bool:
    """Whether the rule gives the profile nothing any more; False if nobody knows."""
    try:
        return has_passed(find_end(query, profile), now)
    except UnusableName:
        return True
    except NotRead:
        return False


def _read_end(key: str, profile: Profile) -> datetime:
    """Until when the profile's tag says."""
    tagged = dict(profile.tags).get(key)
    if tagged is None:
        what, why = f"it has no tag {key}", "the tag says when the rule ends for the profile"
        remedy = f"give the profile a tag {key} with a date, such as {END.example}"
        raise UnusableName(Fault(what, why, remedy))
    found = parse_until(tagged)
    if isinstance(found, datetime):
        return found
    what, why = f"its tag {key} is {quote_text(tagged)}", "that is no day on which a rule can end"
    remedy = f"write a date in the tag, such as {END.example}, or a time in UTC"
    raise UnusableName(Fault(what, why, remedy))


def has_passed(until: datetime | None, now: datetime) -> bool:
    """Whether an end has been reached; at its very moment it has.

    >>> has_passed(None, LAST_MOMENT), has_passed(LAST_MOMENT, LAST_MOMENT)
    (False, True)
    """
    return until is not None and until <= now
