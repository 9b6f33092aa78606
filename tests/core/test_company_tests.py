"""The company's tests protect its policy: they cover all of it, and no change of it passes them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from examples.company.list_grants import COMPANY
from grantor.core.access.policy_coverage import measure_coverage
from grantor.core.access.policy_tests import run_own_tests, run_tests
from grantor.core.expectations import PolicyTests
from grantor.core.grant import Permission
from grantor.core.policy.parser import parse_policy, parse_test_file
from grantor.core.rules import DirectoryName, IamPrincipal, Policy, ProfileSelector, Rule

DAY = timedelta(days=1)


def read_policies() -> tuple[Policy, ...]:
    found = [
        parse_policy(f"policy/{path.name}", path.read_bytes())
        for path in sorted(COMPANY.glob("policy/*.yaml"))
    ]
    return tuple(one for one in found if isinstance(one, Policy))


def read_tests() -> tuple[PolicyTests, ...]:
    found = [
        parse_test_file(path.name, path.read_bytes()) for path in COMPANY.glob("tests/*.test.yaml")
    ]
    return tuple(one for one in found if isinstance(one, PolicyTests))


POLICIES, TESTS = read_policies(), read_tests()


def notices(policies: tuple[Policy, ...]) -> bool:
    """Whether a test fails."""
    asked = (*map(run_own_tests, policies), *(run_tests(tests, policies) for tests in TESTS))
    return any(not one.passed for each in asked for one in each)


def test_all_tests_of_the_company_pass_and_cover_every_part_of_its_rules():
    coverage = measure_coverage(POLICIES, TESTS)

    assert (len(POLICIES), len(TESTS), notices(POLICIES)) == (4, 1, False)
    assert coverage.uncovered == ()
    assert len(coverage.parts) >= 40


Mutation = Callable[[Rule], Rule | None]


def list_mutations(rule: Rule) -> Iterator[tuple[str, Mutation]]:
    """Changes of a rule that coverage does not make itself: other values, not missing parts."""
    for permission in Permission:
        if permission is not rule.allow:
            yield f"allow {permission}", lambda one, to=permission: replace(one, allow=to)
    if rule.until:
        yield "until a day later", lambda one: replace(one, until=one.until + DAY)
        yield "until a day earlier", lambda one: replace(one, until=one.until - DAY)
    if rule.until_tag:
        yield "until another tag", lambda one: replace(one, until_tag="kind")
    yield "in the whole bucket", lambda one: replace(one, on="s3://data-bucket/*", excepts=())
    yield "in another folder", lambda one: replace(one, on=one.on.replace("data-bucket/", "data-bucket/old-", 1))  # fmt: skip
    to = rule.to
    if isinstance(to, ProfileSelector):
        yield "other domains", lambda one: replace(one, to=replace(to, domains=("Pricing",)))
        yield "every domain, everybody", lambda one: replace(one, to=ProfileSelector(("*",), each=to.each))  # fmt: skip
        for tag in to.tags:
            yield f"tag {tag[0]} has another value", lambda one, tag=tag: replace(one, to=replace(to, tags=((tag[0], "other"),)))  # fmt: skip
    if isinstance(to, DirectoryName):
        yield "another group", lambda one: replace(one, to=DirectoryName(to.kind, "Readers"))
    if isinstance(to, IamPrincipal):
        yield "a role of that name in another account", lambda one: replace(one, to=IamPrincipal(to.arn.replace("::4", "::5").replace("::7", "::5")))  # fmt: skip


def build_cases() -> list[object]:
    cases = []
    for policy in POLICIES:
        for rule in policy.rules:
            where = f"{rule.id.removeprefix('policy/')} on {rule.on.partition('bucket/')[2]}"
            cases += [
                pytest.param(rule, mutation, id=f"{where}: {name}")
                for name, mutation in list_mutations(rule)
                if mutation(rule) != rule
            ]
    return cases


CASES = build_cases()


def mutate(rule: Rule, mutation: Mutation) -> tuple[Policy, ...]:
    return tuple(
        replace(policy, rules=tuple(filter(None, (mutation(one) if one == rule else one for one in policy.rules))))
        for policy in POLICIES
    )  # fmt: skip


def test_there_are_many_mutations():
    assert len(CASES) >= 30


@pytest.mark.parametrize(("rule", "mutation"), CASES)
def test_each_change_of_a_rule_fails_a_test(rule: Rule, mutation: Mutation):
    assert notices(mutate(rule, mutation))


def test_a_change_that_gives_nobody_anything_fails_none():
    for policy in POLICIES:
        for rule in policy.rules:
            other = mutate(rule, lambda one: replace(one, owner="somebody", description="else"))
            assert not notices(other)
