"""Profiles that a grant cannot keep apart, because they share a role or their folders overlap.

S3 Access Grants knows roles, not profiles, and prefixes, not folders. So a rule is rejected for a
profile whose role is shared, unless the rule includes all sharers and gives each the same. It is
also rejected for profiles of different roles that have one folder, or whose folders begin alike
while the scope ends inside a name: within one rule by ConflictCheck, across rules and domains by
FolderClaims.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product

from grantor.core.diagnostics import Fault, join_some
from grantor.core.grant import covers, iam_grantee, profile_subject
from grantor.core.planning.grantees import (
    ProfileIndex,
    carries_tags,
    has_ended,
    matches_name,
    select_domains,
)
from grantor.core.planning.scopes import (
    VARIABLE,
    NotRead,
    RuleRejected,
    fill_variables,
    profile_values,
)
from grantor.core.rules import (
    DOMAIN_VARIABLE,
    PROFILE_VARIABLES,
    ProfileQuery,
    ProfileSelector,
    Rule,
)
from grantor.core.snapshot import Inventory, Profile
from grantor.settings import MAX_LISTED_NAMES

Verdict = RuleRejected | NotRead | None


def list_folder_neighbours(
    query: ProfileQuery, profile: Profile, profiles: ProfileIndex
) -> list[Profile]:
    """The others whose own folder may overlap with this profile's, given how the scope is
    written.
    """
    if not any(variable in query.scope for variable in PROFILE_VARIABLES):
        return []
    if query.ends_inside_name:
        return profiles.list_overlapping(profile)
    return profiles.list_same_folder(profile)


@dataclass
class ConflictCheck:
    """Judges one rule or job, in one folder: `values` are the folder's variables, which the tags of
    the query's selector have filled in.
    """

    query: ProfileQuery
    values: Mapping[str, str]
    profiles: ProfileIndex
    now: datetime  # aware, UTC
    _roles: dict[str, Verdict] = field(default_factory=dict)

    def check_profile(self, profile: Profile) -> None:
        """Raise RuleRejected if a grant for this profile would reach others, NotRead if too little
        is known of them.
        """
        if profile.role not in self._roles:
            self._roles[profile.role] = self._judge_role(profile.role)
        found = self._roles[profile.role] or self._judge_folder(profile)
        if found:
            raise found.with_traceback(None)

    def _judge_role(self, role: str) -> Verdict:
        sharers = self.profiles.list_sharers(role)
        if len(sharers) < 2 or self.query.shared_role:
            return None
        asker, reach = self.query.asker, self.query.reach
        if others := _name_some(one for one in sharers if self._includes(one) is False):
            return self._reject_role(
                role, f"it is also the role of {others}, which the {asker} does not select"
            )
        if unread := _name_some(one for one in sharers if self._includes(one) is None):
            return NotRead(f"too little is known about the other profiles of its role: {unread}")
        if len({self._fill_texts(one) for one in sharers}) > 1:
            names = _name_some(sharers)
            what = f"it is the role of {names}, and the {asker} gives them different {reach}s"
            return self._reject_role(role, what)
        return None

    def _judge_folder(self, profile: Profile) -> Verdict:
        if not self.query.selector.each:
            return None
        neighbours = list_folder_neighbours(self.query, profile, self.profiles)
        others = [one for one in neighbours if one.role != profile.role]
        if not others:
            return None
        if unread := _name_some(one for one in others if self._includes(one) is None):
            return NotRead(
                f"too little is known about profiles that may have the same folder: {unread}"
            )
        meeting = (one for one in others if self._includes(one) and self._overlap(profile, one))
        names = _name_some(meeting)
        return self._reject_folder(names) if names else None

    def _includes(self, other: Profile) -> bool | None:
        """Whether the rule gives the other a grant as well; None if too little is known of it."""
        query = self.query
        if not matches_name(query.selector, other.domain, other.name):
            return False
        unread = query.needs_neighbours and not self.profiles.is_read(other)
        if unread or (query.lasts and other.created is None):
            return None
        return carries_tags(query.selector, other) and not has_ended(query, other, self.now)

    def _overlap(self, profile: Profile, other: Profile) -> bool:
        mine, theirs = self._fill_texts(profile), self._fill_texts(other)
        if not (mine and theirs):
            return False
        return covers(mine[0], theirs[0]) or covers(theirs[0], mine[0])

    def _fill_texts(self, profile: Profile) -> tuple[str, ...]:
        """The scope and the other texts for this profile; empty if a variable has no usable
        value.
        """
        each = self.query.selector.each
        values = {**profile_values(profile), **self.values} if each else self.values
        try:
            return tuple(
                fill_variables(text, values) for text in (self.query.scope, *self.query.texts)
            )
        except RuleRejected:
            return ()

    def _reject_role(self, role: str, what: str) -> RuleRejected:
        why = (
            "S3 Access Grants knows roles, not profiles, "
            "so a grant for one of them is a grant for all"
        )
        remedy = (
            f"give each a role of its own, let the {self.query.asker} treat all of them alike, "
            "or write shared_role: accepted"
        )
        return RuleRejected(Fault(what, why, remedy), about=str(iam_grantee(role)))

    def _reject_folder(self, others: str) -> RuleRejected:
        reach, why = (
            self.query.reach,
            "each would reach the other's data, although their roles differ",
        )
        remedy = f"rename one of them, or write {{profile.name}} in the {reach}"
        if self.query.ends_inside_name:
            remedy = f"end the {reach} in /*"
        return RuleRejected(Fault(f"its {reach} overlaps with that of {others}", why, remedy))


def _name_some(profiles: Iterable[Profile]) -> str:
    """The first few by name; empty if there are none."""
    return join_some((f"{one.domain}/{one.name}" for one in profiles), MAX_LISTED_NAMES)


@dataclass(frozen=True)
class FolderClaim:
    """A rule for each profile gives this one a scope of its own."""

    scope: str
    rule: Rule
    profile: Profile
    is_read: bool = True  # whether more of the profile is known than its name and role
    is_expanded: bool = True  # whether this run would grant it; else it is only compared

    @property
    def key(self) -> tuple[str, str]:
        """The id of the rule, and the subject of the profile."""
        return self.rule.id, self.profile.subject

    def disputes(self, other: "FolderClaim") -> bool:
        """Whether both would reach the other's data. Within one rule and domain, ConflictCheck
        judges.
        """
        if self.group == other.group or self.profile.role == other.profile.role:
            return False
        return self.profile.subject != other.profile.subject

    @property
    def group(self) -> tuple[int, str]:
        """The claims that need no comparison with each other: of one rule, and of one domain."""
        return id(self.rule), self.profile.domain


class FolderClaims:
    """Whose own scope is whose, over all rules and domains."""

    def __init__(self) -> None:
        self._claims: dict[str, dict[tuple[str, str], FolderClaim]] = defaultdict(dict)
        self._groups: set[tuple[int, str]] = set()

    def add(self, claim: FolderClaim) -> None:
        """Note a claim; one that this run would grant comes after its comparison."""
        self._groups.add(claim.group)
        self._claims[claim.scope][claim.key] = claim

    def find_disputes(self) -> Iterator[tuple[FolderClaim, RuleRejected | NotRead]]:
        """Every claim that this run would grant although others have a part of its scope, and why
        it must not.
        """
        found: dict[FolderClaim, set[FolderClaim]] = defaultdict(set)
        levels: list[tuple[str, list[FolderClaim]]] = []
        for scope in sorted(self._claims, key=_outermost_first) if len(self._groups) > 1 else ():
            while levels and not covers(levels[-1][0], scope):
                levels.pop()
            claims = list(self._claims[scope].values())
            levels.append((scope, claims))
            for _, around in levels:
                for one, other in product(claims, around):
                    if one.disputes(other):
                        found[one].add(other)
                        found[other].add(one)
        for claim, others in found.items():
            if claim.is_expanded:
                yield claim, _judge_dispute(claim, others)


def _outermost_first(scope: str) -> tuple[str, bool]:
    return scope.removesuffix("*"), not scope.endswith("*")


def _judge_dispute(claim: FolderClaim, others: Iterable[FolderClaim]) -> RuleRejected | NotRead:
    listed = sorted(others, key=lambda one: one.key)
    if not any(one.is_read for one in listed):
        names = _name_some(one.profile for one in listed)
        return NotRead(f"too little is known about profiles that may have the same folder: {names}")
    first = next(one for one in listed if one.is_read)
    what = f"its scope overlaps with that of {first.profile.subject}, which {first.rule.id} gives"
    why = "each would reach the other's data, although their roles differ"
    remedy = "write another scope in one of the two rules, or rename one of the profiles"
    if first.profile.domain != claim.profile.domain:
        remedy = "write {domain.name} in the scope, or rename one of the profiles"
    return RuleRejected(Fault(what, why, remedy))


def gives_own_folder(query: ProfileQuery) -> bool:
    """Whether each profile gets a scope with its own name in it."""
    own = any(variable in query.scope for variable in PROFILE_VARIABLES)
    return query.selector.each and own


def find_rivals(
    queries: Iterable[ProfileQuery], profiles: Iterable[Profile], domains: Iterable[str]
) -> frozenset[str]:
    """The profiles, as subjects, that may have a folder of one of these, by the queries of all
    rules; those of its own domain and name are among them. `domains` are the names of those that
    exist; whether the profiles exist is unknown.
    """
    rivals = _list_rivals(queries, domains)
    names = _list_own_names([query for query, _ in rivals], profiles)
    return frozenset(
        subject
        for query, domain in rivals
        for own in names
        if _may_meet(query.scope, domain, own)
        for subject in _name_rivals(query, domain, own)
    )


def find_rival_domains(
    queries: Iterable[ProfileQuery], profiles: Iterable[Profile], domains: Iterable[str]
) -> frozenset[str]:
    """The domains of which every profile may have a folder of one of these, because a scope ends
    inside a name.
    """
    rivals = _list_rivals(queries, domains)
    names = _list_own_names([query for query, _ in rivals], profiles)
    return frozenset(
        domain
        for query, domain in rivals
        if query.ends_inside_name and any(_may_meet(query.scope, domain, own) for own in names)
    )


def _list_rivals(
    queries: Iterable[ProfileQuery], domains: Iterable[str]
) -> list[tuple[ProfileQuery, str]]:
    """The queries that give profiles scopes of their own, each with each of its domains."""
    known, own = tuple(domains), filter(gives_own_folder, queries)
    return [(query, domain) for query in own for domain in select_domains(query.selector, known)]


def _list_own_names(
    queries: Iterable[ProfileQuery], profiles: Iterable[Profile]
) -> list[tuple[str, ...]]:
    """The scopes that the queries give these profiles, split at their slashes."""
    asked = tuple(dict.fromkeys(queries))
    scopes = (
        _fill_known(query.scope, profile)
        for profile in profiles
        for query in asked
        if matches_name(query.selector, profile.domain, profile.name)
    )
    return [tuple(scope.rstrip("*").split("/")) for scope in dict.fromkeys(scopes)]


def _may_meet(scope: str, domain: str, names: tuple[str, ...]) -> bool:
    """Whether a scope of a profile of this domain may overlap with the one of these names: none of
    the names that both have in full differs. What variables stand for is unknown.
    """
    parts = scope.replace(DOMAIN_VARIABLE, domain).rstrip("*").split("/")
    pairs = zip(parts[:-1], names[:-1], strict=False)
    return all(mine == other or "{" in mine or "{" in other for mine, other in pairs)


def _fill_known(text: str, profile: Profile) -> str:
    """The text with the variables of the profile, as far as it has them."""
    for name, value in profile_values(profile).items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _name_rivals(query: ProfileQuery, domain: str, names: tuple[str, ...]) -> Iterator[str]:
    """The profiles of the domain whose own name would stand in the query's scope where these names
    stand.
    """
    scope = query.scope.replace(DOMAIN_VARIABLE, domain)
    for part, name in zip(scope.rstrip("*").split("/"), names, strict=False):
        own = next((one for one in PROFILE_VARIABLES if one in part), "")
        if own:
            before, _, after = part.partition(own)
            around = (VARIABLE.sub("\0", text) for text in (before, after))
            pattern = "(.+)".join(".*".join(map(re.escape, one.split("\0"))) for one in around)
            if match := re.fullmatch(pattern, name):
                for spelled in (match[1], match[1][:1].swapcase() + match[1][1:]):
                    if matches_name(query.selector, domain, spelled):
                        yield profile_subject(domain, spelled)


def needs_tags(queries: Iterable[ProfileQuery]) -> bool:
    """Whether the profiles' tags are needed, which cost a call for each profile."""
    return any(query.needs_tags for query in queries)


def find_neighbours(queries: Iterable[ProfileQuery], inventory: Inventory) -> frozenset[str]:
    """The profiles, as subjects, that must be read besides those in `inventory`: who shares a role
    or a folder.

    Only a query that depends on tags or on a profile's creation needs it. For all others the names
    in `inventory.sharing` are enough.
    """
    profiles = ProfileIndex(inventory)
    closer = [query for query in queries if query.needs_neighbours]
    return frozenset(
        neighbour.subject
        for query in closer
        for profile in profiles.select_profiles(_without_tags(query.selector))
        for neighbour in _list_neighbours(query, profile, profiles)
        if not profiles.is_read(neighbour)
    )


def _without_tags(selector: ProfileSelector) -> ProfileSelector:
    return replace(selector, tags=(), except_tags=())


def _list_neighbours(
    query: ProfileQuery, profile: Profile, profiles: ProfileIndex
) -> Iterator[Profile]:
    """The profiles that the query may also select, and that share the profile's role or folder."""
    sharers = () if query.shared_role else profiles.list_sharers(profile.role)
    others = (*sharers, *list_folder_neighbours(query, profile, profiles))
    return (one for one in others if matches_name(query.selector, one.domain, one.name))
