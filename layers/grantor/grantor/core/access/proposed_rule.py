"""The smallest rule that makes a no a yes, ready to paste into a policy file, and whom to ask.

A proposal is tried before anybody sees it: with it, the same rules over the same inventory answer
yes. If they do not, it says what is in the way.
"""

import json
from dataclasses import dataclass, replace

from grantor.core.access.access_index import Principal, spell_bucket
from grantor.core.access.explain import AccessEvidence, choose_grantee
from grantor.core.data_access import find_owners
from grantor.core.grant import Permission, parse_profile_subject
from grantor.core.planning.bounds import ALL_FILES
from grantor.core.policy.grantee_types import DIRECTORY_TYPES, find_iam_key
from grantor.core.policy.language import format_rule
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy

PROPOSED_NAME = "proposed"


@dataclass(frozen=True)
class ProposedRule:
    """A rule as YAML, an item below `rules:`.

    `folder` is that of the policy files in which it works, "" if it works in none; then `why` says
    what is in the way. `owners` are who may be asked about the place, the closest first.
    """

    text: str
    folder: str = ""
    why: str = ""
    owners: tuple[str, ...] = ()


def propose_access(
    evidence: AccessEvidence,
    principal: Principal,
    permission: Permission,
    target: str,
    subject: str = "",
) -> ProposedRule:
    """Propose a rule for exactly this request, and try it in the folders of the bounds; `subject`
    is that of the profile who asks, if it is one.

    A principal who is suspended gets nothing by it.
    """
    sharing = evidence.inventory.sharing
    is_shared = any(len(sharing.get(one.identifier, ())) > 1 for one in principal.grantees)
    text = propose_rule(principal, permission, target, subject, is_shared=is_shared)
    owners, why = tuple(find_owners(evidence.policies, target)), ""
    near = evidence.narrow(target)
    for folder in sorted(evidence.bounds.folders, key=len) if evidence.bounds else (ALL_FILES,):
        policy = _parse_proposal(f"{folder}{PROPOSED_NAME}.yaml", text)
        if isinstance(policy, str):
            return ProposedRule(text, "", policy, owners)
        more = replace(near, policies=(*near.policies, policy))
        if more.index.decide(principal, permission, target).is_yes:
            return ProposedRule(text, folder, owners=owners)
        why = why or _find_obstacle(more, policy)
    return ProposedRule(text, "", why, owners)


def propose_rule(
    principal: Principal,
    permission: Permission,
    target: str,
    subject: str = "",
    *,
    is_shared: bool = False,
) -> str:
    """Write the rule. It names a profile by its `subject`, and accepts a role that is shared."""
    scope = spell_bucket(target)
    place = json.dumps(scope) if scope.endswith("*") else f"{{object: {json.dumps(scope)}}}"
    more = ["raw_prefix: true"] if scope.endswith("*") and not scope.endswith("/*") else []
    whom, profile = choose_grantee(principal), parse_profile_subject(subject)
    if profile is None:
        is_iam = whom.kind == "IAM"
        key = find_iam_key(whom.identifier) if is_iam else DIRECTORY_TYPES[whom.kind].key.name
        return format_rule(
            PROPOSED_NAME, f"{key}: {json.dumps(whom.identifier)}", place, permission, *more
        )
    more += ["shared_role: accepted"] if is_shared else []
    domain, name = map(json.dumps, profile)
    to = f"profiles: {{domain: {domain}, names: [{name}]}}"
    return format_rule(PROPOSED_NAME, to, place, permission, *more)


def _parse_proposal(file: str, text: str) -> Policy | str:
    """The policy, or why the language cannot say it."""
    found = parse_policy(file, f"version: 1\nrules:\n{text}\n".encode())
    return found if isinstance(found, Policy) else found[0].sentence


def _find_obstacle(evidence: AccessEvidence, policy: Policy) -> str:
    """Why a policy's rules give nothing: what is wrong with one, or what it waits for."""
    found = [
        *(
            one.sentence.removeprefix(f"{policy.rules[0].title}: ")
            for one in evidence.wanted.rejected
            if one.file == policy.file
        ),
        *(hold.why for hold in evidence.wanted.on_hold if hold.rule == policy.rules[0].id),
    ]
    return next(iter(found), "a suspension takes it away")
