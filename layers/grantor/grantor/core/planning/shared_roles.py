"""Where profiles stand in each other's way: a grant for one of them would be a grant for another that the rule does not mean alike.

The service knows roles, not profiles, and prefixes, not folders. So a rule is refused for a profile whose role others run as too,
unless the rule means all of them and gives each the same; and for profiles of different roles whose own folders are one, or where
one folder's name begins with the other's and the scope ends inside a name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from grantor.core.diagnostics import Fault, listed
from grantor.core.grant import Grantee
from grantor.core.planning.grantees import People, Tags, named, tagged
from grantor.core.planning.templates import OWN, TAGS, Refused, Unread, end, fill, of_profile, over
from grantor.core.rules import Profiles, Rule
from grantor.core.scope import covers
from grantor.core.snapshot import Profile

SHOWN = 3  # names that a message lists
Outcome = Refused | Unread | None


class Words(NamedTuple):
    """What messages call what is judged, and where it reaches."""

    rule: str = "rule"
    scope: str = "scope"


OF_A_RULE = Words()


def looks_closer(rule: Rule) -> bool:
    """Whether the rule asks for more of a profile than its name: of those who share its role or folder more must be read, too."""
    tags = isinstance(rule.to, Profiles) and rule.to.tags
    return bool(tags or rule.lasts or any(TAGS in text for text in (rule.on, *rule.excepts)))


def beside(rule: Rule, profile: Profile, people: People) -> list[Profile]:
    """The others whose own folder may lie in this profile's, or the other way round, as the rule writes its scope."""
    if OWN[0] not in rule.on and OWN[1] not in rule.on:
        return []
    return people.near(profile) if ends_inside_a_name(rule.on) else people.twins(profile)


def ends_inside_a_name(scope: str) -> bool:
    """Whether a scope covers all names that begin alike, as s3://data/team* does."""
    return scope.endswith("*") and not scope.endswith("/*")


@dataclass
class Sharing:
    """Judges one rule in one folder; `values` are the folder's variables, `tags` the rule's, filled in."""

    rule: Rule
    to: Profiles
    values: Mapping[str, str]
    tags: Tags
    people: People
    now: datetime  # aware, UTC
    words: Words = OF_A_RULE
    _roles: dict[str, Outcome] = field(default_factory=dict)

    def judge(self, profile: Profile) -> None:
        """Raises Refused where a grant for this profile would reach others, Unread where too little of them is known."""
        if profile.role not in self._roles:
            self._roles[profile.role] = self._of_role(profile.role)
        found = self._roles[profile.role] or self._of_folder(profile)
        if found:
            raise found.with_traceback(None)

    def _of_role(self, role: str) -> Outcome:
        sharers = self.people.sharers(role)
        if len(sharers) < 2 or self.rule.shared_role:
            return None
        if strangers := _some(one for one in sharers if self._means(one) is False):
            return self._shared(role, f"it is also the role of {strangers}, whom the {self.words.rule} does not mean")
        if unread := _some(one for one in sharers if self._means(one) is None):
            return Unread(f"too little is known of {unread}, who run as the same role")
        if len({self._scopes(one) for one in sharers}) > 1:
            what = f"it is the role of {_some(sharers)}, and the {self.words.rule} gives them different {self.words.scope}s"
            return self._shared(role, what)
        return None

    def _of_folder(self, profile: Profile) -> Outcome:
        if not self.to.each:
            return None
        others = [one for one in beside(self.rule, profile, self.people) if one.role != profile.role]
        if not others:
            return None
        if unread := _some(one for one in others if self._means(one) is None):
            return Unread(f"too little is known of {unread}, whose folder may be the same")
        meeting = _some(one for one in others if self._means(one) and self._meet(profile, one))
        return self._one_folder(meeting) if meeting else None

    def _means(self, other: Profile) -> bool | None:
        """Whether the rule gives the other a grant as well; None where too little is known of it."""
        if not named(self.to, other.domain, other.name):
            return False
        if (looks_closer(self.rule) and not self.people.is_read(other)) or (self.rule.lasts and other.created is None):
            return None
        return tagged(self.tags, other) and not over(end(self.rule, other), self.now)

    def _meet(self, profile: Profile, other: Profile) -> bool:
        mine, theirs = self._scopes(profile), self._scopes(other)
        return bool(mine and theirs) and (covers(mine[0], theirs[0]) or covers(theirs[0], mine[0]))

    def _scopes(self, profile: Profile) -> tuple[str, ...]:
        """The rule's scope and exceptions as this profile gets them; none where its variables do not do."""
        values = {**of_profile(profile), **self.values} if self.to.each else self.values
        try:
            return tuple(fill(text, values) for text in (self.rule.on, *self.rule.excepts))
        except Refused:
            return ()

    def _shared(self, role: str, what: str) -> Refused:
        why = "the service knows roles, not profiles, so what one of them is granted all of them can do"
        remedy = f"give each a role of its own, let the {self.words.rule} mean all of them alike, or write shared_role: accepted"
        return Refused(Fault(what, why, remedy), about=str(Grantee("IAM", role)))

    def _one_folder(self, others: str) -> Refused:
        scope, why = self.words.scope, "each would reach the other's data, though their roles differ"
        raw = ends_inside_a_name(self.rule.on)
        remedy = f"end the {scope} in /*" if raw else f"rename one of them, or write {{profile.name}} in the {scope}"
        return Refused(Fault(f"its {scope} and that of {others} lie in one another", why, remedy))


def _some(profiles: Iterable[Profile]) -> str:
    """The first few by name; empty if there are none."""
    names = [f"{one.domain}/{one.name}" for one in islice(profiles, SHOWN + 1)]
    return listed([*names[:SHOWN], "others"] if len(names) > SHOWN else names, "and") if names else ""
