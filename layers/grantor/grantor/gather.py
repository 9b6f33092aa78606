"""Both sides are read: what the rules want, and what the ledger and the service hold. A focused run reads only what it touches.

What could not be read, and can be judged without, is named in the facts, and nothing is concluded from it. Whatever a run
cannot do without raises: then nothing is changed, and the bells ring again.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from grantor.aws.aside import each
from grantor.aws.ledger import Pair
from grantor.certainty import certain
from grantor.core.authority import Authority
from grantor.core.decide import decide
from grantor.core.entry import Entry
from grantor.core.expansion import needs
from grantor.core.expansion.expand import expand
from grantor.core.facts import Facts
from grantor.core.focus import Focus
from grantor.core.grant import Grant, Grantee
from grantor.core.plan import Plan
from grantor.core.rule import Mode
from grantor.core.wanted import Wanted
from grantor.intake import Intake
from grantor.surroundings import focused, whole
from grantor.world import World

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
        facts = focused(self.world, needs.concerned(self.policies.rules, self.focus), self.focus, now)
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
