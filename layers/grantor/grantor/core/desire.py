"""Rules and profiles become the grants that are wanted, each with the rules that justify it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from grantor.core.grant import Grant, Grantee
from grantor.core.location import Location, closest
from grantor.core.policy import Policy, Profiles, Role, Rule, scope_problems
from grantor.core.problem import Problem

Wanted = dict[Grant, tuple[str, ...]]  # grant → the names of the rules that justify it


@dataclass(frozen=True, order=True)
class Profile:
    """A Studio user profile: its domain's name, its own, and the role that its notebooks run as."""

    domain: str
    name: str
    role: str

    @property
    def folder(self) -> str:
        """The profile's folder in the data bucket: its name, the first letter as a capital, as in the article.

        >>> Profile("Product-Domain", "userA", "arn:aws:iam::111122223333:role/a").folder
        'UserA'
        """
        return self.name[:1].upper() + self.name[1:]


def desired(
    policies: Iterable[Policy], profiles: Iterable[Profile], data_bucket: str, locations: Iterable[Location]
) -> tuple[Wanted, tuple[Problem, ...]]:
    """Every grant that the policies want, and what no grant can be made for. Order of the inputs does not matter."""
    places, everyone = tuple(locations), sorted(profiles)
    wanted: dict[Grant, set[str]] = {}
    problems: set[Problem] = set()
    for rule in (rule for policy in policies for rule in policy.rules):
        for grant in _expand(rule, everyone, data_bucket):
            found = _misplaced(rule, grant, places)
            problems |= set(found)
            if not found:
                wanted.setdefault(grant, set()).add(rule.name)
    return {grant: tuple(sorted(wanted[grant])) for grant in sorted(wanted)}, tuple(sorted(problems))


def _expand(rule: Rule, profiles: list[Profile], data_bucket: str) -> Iterator[Grant]:
    match rule.to:
        case Role(arn):
            yield Grant(Grantee("IAM", arn), rule.allow, _fill(rule.on, data_bucket))
        case Profiles() as chosen:
            for profile in profiles:
                if profile.domain == chosen.domain and (not chosen.names or profile.name in chosen.names):
                    yield Grant(Grantee("IAM", profile.role), rule.allow, _fill(rule.on, data_bucket, profile))


def _fill(scope: str, data_bucket: str, profile: Profile | None = None) -> str:
    known = {"data_bucket": data_bucket}
    if profile:
        known |= {"profile.name": profile.name, "profile.folder": profile.folder}
    for name, value in known.items():
        scope = scope.replace(f"{{{name}}}", value)
    return scope


def _misplaced(rule: Rule, grant: Grant, locations: tuple[Location, ...]) -> list[Problem]:
    found = scope_problems(grant.scope)
    if not found and closest(grant.scope, locations) is None:
        why = "a grant lies under a registered location; these are: " + (", ".join(sorted(x.scope for x in locations)) or "none")
        found = [(f"rule {rule.name}: {grant.scope} lies under no location", why, "name a bucket that has one")]
    return [Problem(rule.file, rule.line, rule.column, *words) for words in found]
