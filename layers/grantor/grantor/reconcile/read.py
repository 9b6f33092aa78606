"""The list of grants is held against the ledger: it may lag behind, so what it still shows may be gone, and what it lacks may stand.

listed as                       then the service is asked by id
another id than the ledger's    whether that one is there, and whether its tag says that we made it
not at all, and unwanted        whether the ledger's is there: what is forgotten while it stands nobody would ever take away

All else needs no call: what is wanted and not listed is found by making it.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from botocore.exceptions import ClientError

from grantor.aws.access_grants import OWNER, AccessGrants
from grantor.aws.clients import UNANSWERED, each
from grantor.aws.identity_center import Ids, NoDirectory
from grantor.aws.ledger import Pair
from grantor.aws.services import World
from grantor.core.grant import Entry, Grant, Grantee, of_subject, profile_subject
from grantor.core.planning import inputs
from grantor.core.planning.expand import expand
from grantor.core.planning.plan import Plan, decide, doubtful
from grantor.core.rules import Mode, Profiles, Rule
from grantor.core.snapshot import Authority, Facts, Focus, Profile, Wanted
from grantor.reconcile.policies import Intake


def certain(
    grants: AccessGrants, entries: Mapping[Grant, Entry], wanted: Container[Grant], listed: Mapping[Grant, str]
) -> tuple[Mapping[Grant, str], frozenset[Grant]]:
    """The grants that exist, and those of them that are ours though the ledger does not know them by that id. A call for each doubt."""
    actual, ours, gone = dict(listed), set(), set()
    for grant in doubtful(entries, actual):
        tags = grants.tags(actual[grant])
        if tags is None:
            del actual[grant]
            gone.add(grant)
        elif tags.get(OWNER) == grants.stack:
            ours.add(grant)
    for grant, entry in entries.items():
        unlisted = entry.id and grant not in actual and (grant not in wanted or grant in gone)
        if unlisted and grants.tags(entry.id) is not None:
            actual[grant] = entry.id
    return actual, frozenset(ours)


def whole(world: World, rules: Sequence[Rule], now: datetime, pairs: Iterable[Pair]) -> Facts:
    """Everything that the rules need, but no locations. `pairs` tell of earlier runs: each profile in them that no list has is looked at once again."""
    domains = world.domains.domains()
    read = world.domains.profiles(domains, inputs.tags(rules), world.memory)
    world.memory.clear()
    world.memory.update(read.known)
    listed = {profile.subject: profile for profile in read.profiles}
    seen = [(subject, grantee) for subject, grantee in pairs if of_subject(subject) and subject not in listed]
    unsure = [(subject, grantee) for subject, grantee in seen if f"domain {_domain(subject)}" in read.unread]
    for subject in sorted({subject for subject, _ in seen} - {subject for subject, _ in unsure}):
        listed |= _looked(world, domains, subject, rules)
    sharing = _sharing(listed.values(), unsure)
    facts = Facts(now, profiles=_ordered(listed.values()), domains=frozenset(domains), sharing=sharing, unread=read.unread)
    return _placed(world, rules, facts, inputs.bases(rules) | inputs.levels(rules, facts.profiles))


def focused(world: World, rules: Sequence[Rule], focus: Focus, now: datetime) -> Facts:
    """What the rules need for the subjects in focus. Raises ClientError or NotYet where one of these can't be read."""
    return _Focused(world, rules, focus).facts(now)


class _Focused:
    """Reads for some subjects: the profiles, who stands beside them, the folders."""

    def __init__(self, world: World, rules: Sequence[Rule], focus: Focus) -> None:
        self.world, self.rules = world, rules
        self.subjects = [subject for subject in focus.subjects if of_subject(subject)]
        self.folders = [subject.removeprefix(inputs.PREFIX) for subject in focus.subjects if not of_subject(subject)]
        self.domains = world.domains.domains() if self.subjects or inputs.domains(rules) else {}
        self.found: dict[str, Profile] = {}
        self.unread: dict[str, str] = {}

    def facts(self, now: datetime) -> Facts:
        self._look([*self.subjects, *map(_twin, self.subjects)])
        ledger, roles = self.world.ledger, {profile.role for profile in self.found.values()}
        for _, subjects in each(ledger.of, [Grantee("IAM", role) for role in sorted(roles)]):
            self._look(subjects)
        self._widen()
        self._look(inputs.neighbours(self.rules, self._people(now)))
        facts = self._people(now)
        bases = inputs.bases(self.rules)
        # A profile in focus may have grants for every folder, so these are listed whole beside it.
        there = {} if self.subjects else self._there([folder for folder in self.folders if inputs.parent(folder) in bases])
        listed = (bases - there.keys()) | inputs.levels(self.rules, facts.profiles)
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
            {name: self.domains[name] for name in names & self.domains.keys()}, inputs.tags(self.rules), self.world.memory
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
            found[inputs.parent(folder)] += name
        return dict(found)


def _looked(world: World, domains: Mapping[str, str], subject: str, rules: Sequence[Rule]) -> dict[str, Profile]:
    """The profile by its subject, if there is one."""
    domain, name = of_subject(subject) or ("", "")
    found = world.domains.profile(domain, domains[domain], name, inputs.tags(rules)) if domains.get(domain) else None
    return {subject: found} if found else {}


def _placed(world: World, rules: Sequence[Rule], facts: Facts, listed: Iterable[str]) -> Facts:
    """The facts with the folders of those that are to be listed, and with whom the directory knows."""
    folders, unread = dict(facts.folders), dict(facts.unread)
    for base in sorted(listed):
        try:
            folders[base] = world.folders.folders(base)
        except (*UNANSWERED, ClientError) as error:
            unread[f"folders {base}"] = str(error)
    ids = _ids(world, inputs.directory_names(rules, folders))
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


FEW = 50  # grantees that are read one by one, two calls each; a ledger of 100,000 grants (AWS's quota) and its grants are 136


@dataclass(frozen=True)
class Gathered:
    """All that a plan follows from."""

    facts: Facts
    wanted: Wanted
    entries: Mapping[Grant, Entry]
    actual: Mapping[Grant, str]
    ours: frozenset[Grant]
    authority: Authority
    pairs: frozenset[Pair] = frozenset()  # of a run that read everything

    def stale(self, plan: Plan, forgotten: Container[Grant]) -> frozenset[Pair]:
        """The pairs that nothing follows from once the plan is carried out and these grants are forgotten by the ledger.

        No grant has the subject as a reason any more, and no profile runs as that role.
        """
        reasons = {grant: entry.reasons for grant, entry in self.entries.items() if grant not in forgotten}
        reasons |= {entry.grant: entry.reasons for entry in plan.write}
        reasons |= {change.grant: reasons.get(change.grant, frozenset()).union(change.reasons) for change in plan.create}
        used = {(subject, grant.grantee) for grant, those in reasons.items() for reason in those for subject in reason.subjects}
        running = {(subject, Grantee("IAM", role)) for role, subjects in self.facts.sharing.items() for subject in subjects}
        return self.pairs - used - running

    def counts(self) -> dict[str, int]:
        """How many profiles each Studio domain has that was read whole; nothing for a run that looked at some."""
        if not self.authority.focus.everything:
            return {}
        found = Counter(profile.domain for profile in self.facts.profiles)
        return {domain: found[domain] for domain in sorted(self.facts.domains) if f"domain {domain}" not in self.facts.unread}

    def plan(self) -> Plan:
        """What is to be done."""
        return decide(self.wanted.grants, self.entries, self.actual, self.ours, self.authority)


def gather(world: World, policies: Intake, focus: Focus, now: datetime) -> Gathered:
    """Access Grants is asked for its locations, for its grants (a page for each 1,000, or one list for each grantee in focus if these
    are few), and for the tags of each grant of which list and ledger say different things.

    Raises ClientError or NotYet when the ledger, the grants or the locations cannot be read in whole.
    """
    return _Gathering(world, policies, focus).at(now)


@dataclass(frozen=True)
class _Gathering:
    world: World
    policies: Intake
    focus: Focus

    def at(self, now: datetime) -> Gathered:
        return self._everything(now) if self.focus.everything else self._some(now)

    def _everything(self, now: datetime) -> Gathered:
        entries, pairs = self.world.ledger.everything()
        grants = self.world.grants
        with ThreadPoolExecutor(2) as aside:
            locations = aside.submit(grants.locations)
            actual = aside.submit(grants.list, known={entry.id for entry in entries})
            facts = whole(self.world, self.policies.rules, now, pairs)
        facts = replace(facts, locations=locations.result())
        return replace(self._sure(facts, self._expanded(facts), entries, actual.result()), pairs=pairs)

    def _some(self, now: datetime) -> Gathered:
        facts = focused(self.world, inputs.concerned(self.policies.rules, self.focus), self.focus, now)
        wanted = self._expanded(facts)
        ledger = self.world.ledger
        touched = {grant.grantee for grant in wanted.grants}.union(*each(ledger.grantees, self.focus.subjects))
        entries, actual = self._of_many(touched) if len(touched) > FEW else self._of(touched)
        return self._sure(facts, wanted, entries, actual)

    def _of(self, touched: Iterable[Grantee]) -> tuple[list[Entry], Mapping[Grant, str]]:
        """Both sides of some grantees, one by one."""
        ledger, grants = self.world.ledger, self.world.grants

        def both(grantee: Grantee) -> tuple[list[Entry], Mapping[Grant, str]]:
            entries = ledger.of(grantee)[0]
            return entries, grants.list([grantee], {entry.id for entry in entries})

        sides = each(both, sorted(touched))
        actual = {grant: grant_id for _, listed in sides for grant, grant_id in listed.items()}
        return [entry for entries, _ in sides for entry in entries], actual

    def _of_many(self, touched: Container[Grantee]) -> tuple[list[Entry], Mapping[Grant, str]]:
        """The same, out of both sides of everybody."""
        entries = [entry for entry in self.world.ledger.entries() if entry.grant.grantee in touched]
        listed = self.world.grants.list(known={entry.id for entry in entries})
        return entries, {grant: grant_id for grant, grant_id in listed.items() if grant.grantee in touched}

    def _expanded(self, facts: Facts) -> Wanted:
        return expand(self.policies.policies.values(), facts, self.focus)

    def _sure(self, facts: Facts, wanted: Wanted, known: Iterable[Entry], listed: Mapping[Grant, str]) -> Gathered:
        """Both sides, after the doubts that they leave about each other are settled."""
        entries = {entry.grant: entry for entry in known}
        actual, ours = certain(self.world.grants, entries, wanted.grants, listed)
        authority = Authority.over(facts.now, self.focus, self._modes(entries.values()), wanted.held)
        return Gathered(facts, wanted, entries, actual, ours, authority)

    def _modes(self, entries: Iterable[Entry]) -> dict[str, Mode | None]:
        """Of every policy file; also of one that is gone, where the run that took note of it did not take away all that it gave."""
        named = {reason.file for entry in entries for reason in entry.reasons}
        unknown = named - self.policies.modes.keys() - self.policies.unread.keys()
        return {**self.policies.modes, **dict.fromkeys(filter(self.world.files.gone, sorted(unknown)))}
