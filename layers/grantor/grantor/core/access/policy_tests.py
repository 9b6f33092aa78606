"""Run the tests of policy files: ask each question, and compare the answer with the expected one.

A question is answered by what the rules give over the inventory of the tests, as AccessIndex
decides. Nothing else matters: no grant that exists, and no clock. Without `at`, no end has been
reached, so what becomes of a file never changes as long as the file does not.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property

from grantor.core.access.access_index import Principal
from grantor.core.access.answers import AskedPrincipal, find_principal
from grantor.core.access.explain import (
    AccessEvidence,
    Explanation,
    explain_access,
    find_holds,
    may_reach,
)
from grantor.core.diagnostics import Fault, join_words
from grantor.core.expectations import Expectation, Given, GivenProfile, PolicyTests, Question
from grantor.core.grant import (
    Grant,
    Grantee,
    Location,
    Permission,
    name_profiles,
    parse_profile_subject,
    split_uri,
)
from grantor.core.policy.grantee_types import DIRECTORY_TYPES
from grantor.core.policy.parse_tests import explain_unknown_rule
from grantor.core.rules import Policy, Rule
from grantor.core.snapshot import Hold, Inventory, Profile

BEGINNING = datetime.min.replace(tzinfo=UTC)  # before every end
ANYWHERE = (Location("anywhere", "s3://"),)  # the tests know no locations
ONLY_GIVEN = "a test asks about those that exist in its inventory"
NOT_ASKED = Explanation()
USER, GROUP = "DIRECTORY_USER", "DIRECTORY_GROUP"


@dataclass(frozen=True)
class FoundAccess:
    """A grant that answers a question: what it is in the words of a test, and the rules that give
    it.
    """

    answer: str  # the name of a principal, or PERMISSION SCOPE
    grant: Grant
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckedExpectation:
    """What became of one expectation.

    `fault` says why it cannot be asked. Of `can` and `cannot`, `explanation` is the answer. Of
    lists, `found` is all that is there, `missing` what is not although it should be, and `extra`
    what is there besides. `lacking` are rules that the answer should be because of, and is not.
    """

    expectation: Expectation
    fault: Fault | None = None
    explanation: Explanation = NOT_ASKED
    found: tuple[FoundAccess, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[FoundAccess, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def is_answered(self) -> bool:
        """Whether the answer is the expected one, whatever it is because of."""
        asked, is_yes = self.expectation.question, self.explanation.grant is not None
        if asked in (Question.WHO, Question.REACH):
            return not self.missing and not self.extra
        return is_yes == (asked is Question.CAN)

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return self.fault is None and self.is_answered and not self.lacking


def run_own_tests(policy: Policy) -> Iterator[CheckedExpectation]:
    """Check a policy file's own tests: its rules alone decide, over its `given`.

    So no other file, no profile and no day makes them fail.
    """
    return run_tests(policy.tests, (policy,)) if policy.tests else iter(())


def run_tests(
    tests: PolicyTests,
    policies: Iterable[Policy],
    inventory: Inventory | None = None,
) -> Iterator[CheckedExpectation]:
    """Check each test of a file, in order. `inventory` is what exists, and the time,
    if the file says nothing about that.
    """
    given = tests.given or Given()
    run = _TestRun(given, tuple(policies), None if tests.given else inventory)
    return map(run.check, tests.expectations)


def build_inventory(given: Given, at: datetime | None) -> Inventory:
    """What exists for tests, at a time; None is before every end."""
    profiles = tuple(_build_profile(one, at) for one in given.profiles)
    sharing: dict[str, set[str]] = {}
    for one in profiles:
        sharing.setdefault(one.role, set()).add(one.subject)
    groups = {*given.groups, *(group for _, groups in given.users for group in groups)}
    names = [(USER, name) for name, _ in given.users] + [(GROUP, name) for name in groups]
    return Inventory(
        at or BEGINNING,
        ANYWHERE,
        profiles,
        frozenset(one.domain for one in profiles),
        _list_folders(given.folders),
        {(kind, name): name for kind, name in names},
        {role: frozenset(subjects) for role, subjects in sharing.items()},
    )


def _build_profile(given: GivenProfile, at: datetime | None) -> Profile:
    # A profile that says nothing has a role of its own.
    role = given.role or f"arn:aws:iam::111122223333:role/{given.domain}/{given.name}"
    created = given.created or (None if at else BEGINNING)
    return Profile(given.domain, given.name, role, created, given.tags)


def _list_folders(given: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The folders directly below each folder and bucket.

    >>> _list_folders(["s3://b/teams/blue/"])
    {'s3://b/': ('teams',), 's3://b/teams/': ('blue',)}
    """
    found: dict[str, set[str]] = {}
    for folder in given:
        bucket, key = split_uri(folder)
        base = f"s3://{bucket}/"
        for name in filter(None, key.split("/")):
            found.setdefault(base, set()).add(name)
            base = f"{base}{name}/"
    return {base: tuple(sorted(names)) for base, names in found.items()}


def find_rule(reference: str, rules: Collection[str]) -> str | Fault:
    """The id of the rule that a test names, as NAME or FILE#NAME.

    >>> rules = ("policy/a.yaml#own", "policy/b.yaml#own", "policy/b.yaml#team")
    >>> find_rule("team", rules), find_rule("a.yaml#own", rules)
    ('policy/b.yaml#team', 'policy/a.yaml#own')
    """
    found = [rule for rule in rules if f"/{rule}".endswith((f"/{reference}", f"#{reference}"))]
    if len(found) == 1:
        return found[0]
    if not found:
        names = {rule.rpartition("#")[2] for rule in rules}
        return explain_unknown_rule(reference, names, "the files that are tested")
    what = f"several rules are called {reference}"
    return Fault(what, f"they are {join_words(sorted(found), 'and')}", f"write {min(found)}")


class _TestRun:
    def __init__(
        self,
        given: Given,
        policies: tuple[Policy, ...],
        inventory: Inventory | None,
    ) -> None:
        self.given, self.policies, self.inventory = given, policies, inventory
        self.find_evidence = cache(self._build_evidence)  # most tests ask at the same time

    def _build_evidence(self, at: datetime | None) -> AccessEvidence:
        known = self.inventory
        if known is not None:
            known = replace(known, now=at) if at else known
        return AccessEvidence(self.policies, known or build_inventory(self.given, at))

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """A rule for each id."""
        return {rule.id: rule for policy in self.policies for rule in policy.rules}

    def check(self, expectation: Expectation) -> CheckedExpectation:
        """Ask one question, and compare."""
        evidence = self.find_evidence(expectation.at)
        if expectation.question is Question.WHO:
            return self._doubt(self._check_who(expectation, evidence), evidence)
        who = self._find_principal(expectation.who, evidence)
        if isinstance(who, Fault):
            return CheckedExpectation(expectation, who)
        principal = replace(who.principal, application=expectation.application)
        if expectation.question is Question.REACH:
            held = evidence.index.list_held(principal.grantees)
            found = (_describe(f"{one.permission} {one.scope}", one, evidence) for one in held)
            return self._doubt(_compare(expectation, expectation.exactly, found), evidence, who)
        return self._doubt(self._check_can(expectation, principal, evidence), evidence, who)

    def _doubt(
        self,
        checked: CheckedExpectation,
        evidence: AccessEvidence,
        who: AskedPrincipal | None = None,
    ) -> CheckedExpectation:
        """Let nothing pass by the absence of what is not known."""
        if not checked.passed or checked.explanation.grant:
            return checked
        concerned = find_holds(evidence, who.principal) if who else evidence.wanted.on_hold
        place = checked.expectation.place
        near = {rule.id for rule in self.rules.values() if not place or may_reach(rule, place)}
        known = tuple(one.what for one in (*evidence.wanted.rejected, *evidence.wanted.warnings))
        for hold in concerned:
            # What is rejected is known to give nothing, and says so.
            if hold.rule in near and not any(what.endswith(hold.why) for what in known):
                return CheckedExpectation(checked.expectation, self._explain_unread(hold))
        return checked

    def _explain_unread(self, hold: Hold) -> Fault:
        remedy = "write it below given"
        if self.inventory:
            remedy = "save the inventory once these rules are in force, or write given"
        return Fault(f"{hold.rule} cannot be judged", hold.why, remedy)

    def _check_can(
        self, expectation: Expectation, principal: Principal, evidence: AccessEvidence
    ) -> CheckedExpectation:
        permission, place = expectation.permission, expectation.place
        assert permission
        answer = evidence.index.decide(principal, permission, place)
        explanation = Explanation(answer.grant)
        is_expected = answer.is_yes == (expectation.question is Question.CAN)
        if expectation.because or not is_expected:
            explanation = _explain(evidence, principal, permission, place)
        named = [find_rule(one, self.rules) for one in expectation.because]
        if faults := [one for one in named if isinstance(one, Fault)]:
            return CheckedExpectation(expectation, faults[0], explanation)
        given = {reason.rule for reason in explanation.reasons}
        lacking = tuple(one for one in named if isinstance(one, str) and one not in given)
        return CheckedExpectation(expectation, explanation=explanation, lacking=lacking)

    def _check_who(self, expectation: Expectation, evidence: AccessEvidence) -> CheckedExpectation:
        expected: list[str] = []
        for text in expectation.exactly:
            who = self._find_principal(text, evidence)
            if isinstance(who, Fault):
                return CheckedExpectation(expectation, who)
            grantee = who.principal.grantees[0]
            named = parse_profile_subject(who.subject)
            expected += ["/".join(named)] if named else _name_grantee(grantee, evidence.inventory)
        index, place = evidence.index, expectation.place
        found = (
            _describe(name, grant, evidence)
            for grant in (*index.list_covering(place), *index.list_within(place))
            if expectation.permission in (None, *grant.permission.included)
            for name in _name_grantee(grant.grantee, evidence.inventory)
        )
        return _compare(expectation, expected, found)

    def _find_principal(self, text: str, evidence: AccessEvidence) -> AskedPrincipal | Fault:
        """Whom a test names; a user of the directory comes with the groups that `given` says."""
        found = find_principal(text, evidence.inventory)
        if isinstance(found, Fault):
            return found if self.inventory or "/" not in text else _explain_profile(text, found)
        if not text.startswith("directory_"):
            return found
        grantee = found.principal.grantees[0]
        name = text.partition(":")[2]
        if (grantee.kind, name) not in evidence.inventory.directory:
            return _explain_unknown(grantee, name)
        groups = (self._find_group(group, evidence) for group in self.given.find_groups(name))
        return replace(found, principal=Principal((grantee, *groups)))

    def _find_group(self, name: str, evidence: AccessEvidence) -> Grantee:
        return Grantee(GROUP, evidence.inventory.directory[GROUP, name])


def _explain(
    evidence: AccessEvidence, principal: Principal, permission: Permission, place: str
) -> Explanation:
    """Why the answer is as it is, with what could not be judged of the rules that would give it."""
    found = explain_access(evidence, principal, permission, place)
    rules = {reason.rule for reason in found.reasons}
    holds = [one for one in find_holds(evidence, principal) if one.rule in rules]
    return replace(found, on_hold=tuple(sorted({*found.on_hold, *holds})))


def _explain_profile(text: str, fault: Fault) -> Fault:
    return Fault(fault.what, ONLY_GIVEN, f"write below given profiles: {{{text}: {{}}}}")


def _explain_unknown(grantee: Grantee, name: str) -> Fault:
    noun = DIRECTORY_TYPES[grantee.kind].noun
    where = f"users: {{{name}: {{groups: []}}}}" if grantee.kind == USER else f"groups: [{name}]"
    return Fault(f"there is no {noun} {name}", ONLY_GIVEN, f"write below given {where}")


def _name_grantee(grantee: Grantee, inventory: Inventory) -> list[str]:
    """A grantee in the words of a test: the profiles that run as a role, or else its own name."""
    if grantee.kind == "IAM":
        subjects = inventory.sharing.get(grantee.identifier, ())
        named = sorted(name_profiles(subjects))
        return named or [grantee.identifier]
    known = (
        name
        for (kind, name), one in inventory.directory.items()
        if (kind, one) == (grantee.kind, grantee.identifier)
    )
    return [f"{grantee.kind.lower()}:{next(known, grantee.identifier)}"]


def _describe(answer: str, grant: Grant, evidence: AccessEvidence) -> FoundAccess:
    reasons = evidence.wanted.grants[grant]
    return FoundAccess(answer, grant, tuple(sorted({reason.rule for reason in reasons})))


def _compare(
    expectation: Expectation, expected: Collection[str], found: Iterable[FoundAccess]
) -> CheckedExpectation:
    listed = tuple(sorted(found, key=lambda one: (one.answer, one.grant.sort_key())))
    answers = {one.answer for one in listed}
    return CheckedExpectation(
        expectation,
        found=listed,
        missing=tuple(sorted(set(expected) - answers)),
        extra=tuple(one for one in listed if one.answer not in set(expected)),
    )
