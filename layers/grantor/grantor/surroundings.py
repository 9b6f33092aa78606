"""The facts that rules are expanded over: profiles, folders, names of the directory, locations. What can't be read is named, with why."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from botocore.exceptions import ClientError

from grantor.aws.aside import each
from grantor.aws.directory import Ids, NoDirectory
from grantor.aws.errors import UNANSWERED
from grantor.aws.ledger import Pair
from grantor.core.expansion import needs
from grantor.core.facts import Facts, Profile
from grantor.core.focus import Focus
from grantor.core.grant import Grantee
from grantor.core.reason import of_subject, profile_subject
from grantor.core.rule import Rule
from grantor.core.whom import Profiles
from grantor.world import World


def whole(world: World, rules: Sequence[Rule], now: datetime, pairs: Iterable[Pair]) -> Facts:
    """Everything that the rules need, but no locations. `pairs` tell of earlier runs: each profile in them that no list has is looked at once again."""
    domains = world.domains.domains()
    read = world.domains.profiles(domains, needs.tags(rules), world.memory)
    world.memory.clear()
    world.memory.update(read.known)
    listed = {profile.subject: profile for profile in read.profiles}
    seen = [(subject, grantee) for subject, grantee in pairs if of_subject(subject) and subject not in listed]
    unsure = [(subject, grantee) for subject, grantee in seen if f"domain {_domain(subject)}" in read.unread]
    for subject in sorted({subject for subject, _ in seen} - {subject for subject, _ in unsure}):
        listed |= _looked(world, domains, subject, rules)
    sharing = _sharing(listed.values(), unsure)
    facts = Facts(now, profiles=_ordered(listed.values()), domains=frozenset(domains), sharing=sharing, unread=read.unread)
    return _placed(world, rules, facts, needs.bases(rules) | needs.levels(rules, facts.profiles))


def focused(world: World, rules: Sequence[Rule], focus: Focus, now: datetime) -> Facts:
    """What the rules need for the subjects in focus. Raises ClientError or NotYet where one of these can't be read."""
    return _Focused(world, rules, focus).facts(now)


class _Focused:
    """Reads for some subjects: the profiles, who stands beside them, the folders."""

    def __init__(self, world: World, rules: Sequence[Rule], focus: Focus) -> None:
        self.world, self.rules = world, rules
        self.subjects = [subject for subject in focus.subjects if of_subject(subject)]
        self.folders = [subject.removeprefix(needs.PREFIX) for subject in focus.subjects if not of_subject(subject)]
        self.domains = world.domains.domains() if self.subjects or needs.domains(rules) else {}
        self.found: dict[str, Profile] = {}
        self.unread: dict[str, str] = {}

    def facts(self, now: datetime) -> Facts:
        self._look([*self.subjects, *map(_twin, self.subjects)])
        ledger, roles = self.world.ledger, {profile.role for profile in self.found.values()}
        for _, subjects in each(ledger.of, [Grantee("IAM", role) for role in sorted(roles)]):
            self._look(subjects)
        self._widen()
        self._look(needs.neighbours(self.rules, self._people(now)))
        facts = self._people(now)
        bases = needs.bases(self.rules)
        # A profile in focus may have grants for every folder, so these are listed whole beside it.
        there = {} if self.subjects else self._there([folder for folder in self.folders if needs.parent(folder) in bases])
        listed = (bases - there.keys()) | needs.levels(self.rules, facts.profiles)
        return _placed(self.world, self.rules, replace(facts, folders=there, locations=self.world.grants.locations()), listed)

    def _people(self, now: datetime) -> Facts:
        profiles = _ordered(self.found.values())
        domains = frozenset(self.domains)
        return Facts(now, profiles=profiles, domains=domains, sharing=_sharing(profiles), unread=self.unread)

    def _look(self, subjects: Iterable[str]) -> None:
        new = sorted(set(filter(of_subject, subjects)) - self.found.keys())
        for found in each(lambda subject: _looked(self.world, self.domains, subject, self.rules), new):
            self.found |= found
        for domain in map(_domain, new):
            if self.domains.get(domain) == "":
                self.unread[f"domain {domain}"] = "two domains have this name"

    def _widen(self) -> None:
        """Read the domains of which more than a few names matter: a rule gives a folder to all, or its scope ends inside a name."""
        wide = [rule.to for rule in self.rules if isinstance(rule.to, Profiles) and (self._for_folders(rule) or rule.raw_prefix)]
        names = {to.domain for to in wide}
        read = self.world.domains.profiles(
            {name: self.domains[name] for name in names & self.domains.keys()}, needs.tags(self.rules), self.world.memory
        )
        self.world.memory.update(read.known)
        self.unread |= read.unread
        self.found |= {profile.subject: profile for profile in read.profiles}

    def _for_folders(self, rule: Rule) -> bool:
        """Whether the rule may give something for one of the folders in focus."""
        return bool(self.folders and (rule.each_prefix or rule.excepts))

    def _there(self, folders: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Which of the folders in focus there are, by the folder that they lie in."""
        found: dict[str, tuple[str, ...]] = defaultdict(tuple)
        for folder in sorted(folders):
            name = (folder[:-1].rpartition("/")[2],) if self.world.folders.exists(folder) else ()
            found[needs.parent(folder)] += name
        return dict(found)


def _looked(world: World, domains: Mapping[str, str], subject: str, rules: Sequence[Rule]) -> dict[str, Profile]:
    """The profile by its subject, if there is one."""
    domain, name = of_subject(subject) or ("", "")
    found = world.domains.profile(domain, domains[domain], name, needs.tags(rules)) if domains.get(domain) else None
    return {subject: found} if found else {}


def _placed(world: World, rules: Sequence[Rule], facts: Facts, listed: Iterable[str]) -> Facts:
    """The facts with the folders of those that are to be listed, and with whom the directory knows."""
    folders, unread = dict(facts.folders), dict(facts.unread)
    for base in sorted(listed):
        try:
            folders[base] = world.folders.folders(base)
        except (*UNANSWERED, ClientError) as error:
            unread[f"folders {base}"] = str(error)
    ids = _ids(world, needs.directory_names(rules, folders))
    return replace(facts, folders=folders, directory=ids.found, unread=unread | dict(ids.unread))


def _ids(world: World, wanted: frozenset[tuple[str, str]]) -> Ids:
    try:
        return world.directory.ids(wanted) if wanted else Ids()
    except NoDirectory as nobody:
        return Ids(unread={f"directory {kind} {name}": str(nobody) for kind, name in wanted})


def _sharing(profiles: Iterable[Profile], others: Iterable[Pair] = ()) -> dict[str, frozenset[str]]:
    """Who runs as which role, as far as it was read, and the others as they were seen to once."""
    found: dict[str, set[str]] = defaultdict(set)
    for profile in profiles:
        found[profile.role].add(profile.subject)
    for subject, grantee in others:
        found[grantee.identifier].add(subject)
    return {role: frozenset(subjects) for role, subjects in found.items()}


def _ordered(profiles: Iterable[Profile]) -> tuple[Profile, ...]:
    return tuple(sorted(profiles, key=lambda profile: profile.subject))


def _domain(subject: str) -> str:
    return (of_subject(subject) or ("", ""))[0]


def _twin(subject: str) -> str:
    """The only other name that has the same folder: it differs in whether its first letter is a capital."""
    domain, name = of_subject(subject) or ("", "")
    return profile_subject(domain, name[:1].swapcase() + name[1:])
