"""Explanations are right: the rule that is named gives the access, and the causes keep it away.

CASES=10000 explains as many answers.
"""

import os
from dataclasses import replace
from random import Random

import pytest

from grantor.core.access.access_index import AccessAnswer, Principal
from grantor.core.access.explain import (
    RESTRICTIONS,
    AccessEvidence,
    Cause,
    explain_access,
)
from grantor.core.access.proposed_rule import propose_access
from grantor.core.grant import Permission
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from tests.core.access.random_rules import TARGETS, choose_request, make_evidence

CASES = int(os.environ.get("CASES", "400"))
PARTS = 4


def decide(
    evidence: AccessEvidence, principal: Principal, permission: Permission, target: str
) -> AccessAnswer:
    return evidence.index.decide(principal, permission, target)


def add_rule(evidence: AccessEvidence, text: str, folder: str) -> AccessEvidence:
    body = f"version: 1\nrules:\n{text}\n".encode()
    policy = parse_policy(f"{folder}new.yaml", body, "data")
    assert isinstance(policy, Policy), policy
    return replace(evidence, policies=(*evidence.policies, policy))


def list_yes(
    evidence: AccessEvidence, principal: Principal, target: str
) -> set[tuple[Permission, str]]:
    """List what the principal may do, of all that the random requests ask, and with the target."""
    asked = [(permission, place) for permission in Permission for place in {*TARGETS, target}]
    return {one for one in asked if decide(evidence, principal, *one).is_yes}


@pytest.mark.parametrize("part", range(PARTS))
def test_each_explanation_proves_right(part: int) -> None:
    random, seen = Random(f"1 {part}"), set()
    for _ in range(CASES // PARTS):
        evidence = make_evidence(random)
        request = choose_request(random, evidence)
        found = explain_access(evidence, *request)
        answer = decide(evidence, *request)
        assert bool(found.grant) == answer.is_yes
        if found.grant:
            assert found.grant == answer.grant
            check_reasons(evidence, request, {reason.rule for reason in found.reasons})
        else:
            check_causes(evidence, request, found.causes)
            check_proposal(evidence, request, found.causes)
        seen |= {answer.is_yes, *found.causes}
    assert {True, False, Cause.NO_RULE, Cause.OUT_OF_BOUNDS} <= seen


def check_reasons(evidence: AccessEvidence, request: tuple, rules: set[str]) -> None:
    """Without the rules that are named, the answer is a no, or names another reason."""
    policies = tuple(
        replace(policy, rules=tuple(rule for rule in policy.rules if rule.id not in rules))
        for policy in evidence.policies
    )
    left = explain_access(replace(evidence, policies=policies), *request)
    assert not rules & {reason.rule for reason in left.reasons}


def check_causes(evidence: AccessEvidence, request: tuple, causes: tuple[Cause, ...]) -> None:
    """With all causes lifted the answer is a yes; with all but one it is not."""
    if Cause.NO_RULE in causes or Cause.ON_HOLD in causes:
        for lift in RESTRICTIONS.values():
            evidence = lift(evidence)
        assert not decide(evidence, *request).is_yes
        return
    for kept in (None, *causes):
        changed = evidence
        for cause in set(causes) - {kept}:
            changed = RESTRICTIONS[cause](changed)
        assert decide(changed, *request).is_yes == (kept is None)


def check_proposal(evidence: AccessEvidence, request: tuple, causes: tuple[Cause, ...]) -> None:
    """The proposed rule makes the answer a yes, and no question outside of it; where nobody may
    write such a rule, it says so.
    """
    principal, permission, target = request
    subjects = sorted(evidence.inventory.sharing.get(principal.grantees[0].identifier, ()))
    subject = subjects[0] if subjects and len(principal.grantees) == 1 else ""
    proposed = propose_access(evidence, principal, permission, target, subject)
    if not proposed.folder:
        assert Cause.SUSPENDED in causes or evidence.bounds
        assert proposed.why
        for folder in evidence.bounds.folders if evidence.bounds else ():
            assert not decide(add_rule(evidence, proposed.text, folder), *request).is_yes
        return
    more = add_rule(evidence, proposed.text, proposed.folder)
    assert decide(more, *request).is_yes
    gained = list_yes(more, principal, target) - list_yes(evidence, principal, target)
    within = target.removesuffix("*")
    assert (permission, target) in gained
    assert all(may in permission.included and on.startswith(within) for may, on in gained)
