"""Asks IAM's policy simulator what the execution roles of Studio's profiles may do.

The simulator knows a condition key only if it is given, and no bucket policy for a role (API
reference of SimulatePrincipalPolicy), so the keys of each call are named here and a bucket's policy
is judged elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grantor.aws.clients import map_concurrently
from grantor.aws.doctor_facts import attempt, read_role
from grantor.core.findings import Fact, Unread
from grantor.core.snapshot import Profile
from grantor.core.stack_checks import STUDIO_SERVICE, ProfileFacts, RoleFact, Verdict
from grantor.settings import MAX_DOCTOR_ROLES

if TYPE_CHECKING:
    from grantor.aws.clients import Clients
    from grantor.aws.studio import ProfileList

ROLE_TAG = "grantor:role"
# Keys that these calls do not have, unless they are named: a tag that the role lacks, and what only
# vended credentials carry. A policy that asks for one is judged rightly without it.
ABSENT_KEYS = ("aws:principaltag/", "s3:accessgrantsinstancearn")
# What somebody does who opens a space in Studio, and the resource of each (SageMaker guide, "Give
# your users access to spaces"; Service Authorization Reference).
STUDIO_CALLS = (
    ("sagemaker:DescribeDomain", "domain/{domain}"),
    ("sagemaker:DescribeUserProfile", "user-profile/{domain}/{profile}"),
    ("sagemaker:CreatePresignedDomainUrl", "user-profile/{domain}/{profile}"),
    ("sagemaker:ListSpaces", ""),
    ("sagemaker:ListApps", ""),
    ("sagemaker:CreateSpace", "space/{domain}/{profile}-doctor"),
    ("sagemaker:DescribeSpace", "space/{domain}/{profile}-doctor"),
    ("sagemaker:AddTags", "space/{domain}/{profile}-doctor"),
    ("sagemaker:CreateApp", "app/{domain}/{profile}-doctor/JupyterLab/default"),
    ("sagemaker:DescribeApp", "app/{domain}/{profile}-doctor/JupyterLab/default"),
)


@dataclass(frozen=True)
class RightsReader:
    """Reads the roles of profiles. `outputs` are the stack's, `domains` ids by name."""

    clients: "Clients"
    account: str
    partition: str
    outputs: Mapping[str, str]
    domains: Mapping[str, str]

    @property
    def instance(self) -> str:
        """The ARN of the Access Grants instance, which every account and Region has by rule."""
        return self._arn("s3", "access-grants/default")

    def read_profiles(self, found: "Fact[ProfileList]") -> ProfileFacts:
        """Read the roles, each once. Costs about 15 calls for each of MAX_DOCTOR_ROLES roles."""
        scientist = self.outputs.get("Scientist", "")
        if isinstance(found, Unread):
            return ProfileFacts(found, {}, 0, scientist, self.instance)
        by_role: dict[str, list[Profile]] = {}
        for profile in found.profiles:
            by_role.setdefault(profile.role, []).append(profile)
        chosen = sorted(by_role.items())[:MAX_DOCTOR_ROLES]
        roles = map_concurrently(self._read_one, chosen)
        return ProfileFacts(roles, found.unread, len(by_role), scientist, self.instance)

    def _read_one(self, item: tuple[str, Sequence[Profile]]) -> Fact[RoleFact]:
        arn, profiles = item
        names = tuple(f"{one.domain}/{one.name}" for one in profiles)
        name = arn.rpartition("/")[2]
        found = attempt("iam:GetRole", lambda: read_role(self.clients, name))
        if isinstance(found, Unread):
            return found
        if not found:
            return RoleFact(arn, names, exists=False)
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
        return RoleFact(
            arn,
            names,
            True,
            found["AssumeRolePolicyDocument"],
            tags.get(ROLE_TAG, ""),
            attempt("iam:ListAttachedRolePolicies", lambda: self._list_policies(name)),
            self._judge_rights(arn, profiles[0], tags),
        )

    def _list_policies(self, name: str) -> list[str]:
        pages = self.clients.iam.get_paginator("list_attached_role_policies")
        return [
            one["PolicyArn"]
            for page in pages.paginate(RoleName=name)
            for one in page["AttachedPolicies"]
        ]

    def _judge_rights(
        self, role: str, profile: Profile, tags: Mapping[str, str]
    ) -> dict[str, Fact[Verdict]]:
        place = {"domain": self.domains.get(profile.domain, ""), "profile": profile.name}
        studio = [
            (action, self._arn("sagemaker", path.format(**place)) if path else "*")
            for action, path in STUDIO_CALLS
        ]
        data, policies = (
            f"arn:{self.partition}:s3:::{self.outputs[name]}"
            for name in ("DataBucket", "PolicyBucket")
        )
        asked = {
            "studio-rights": studio,
            "credentials": [("s3:GetDataAccess", self.instance)],
            "pass-role": [("iam:PassRole", role)],
            "data-without-grant": [("s3:GetObject", f"{data}/x"), ("s3:PutObject", f"{data}/x")],
            "policy-writes": [
                ("s3:PutObject", f"{policies}/policy/x"),
                ("sts:AssumeRole", self.outputs.get("StewardRole", "*")),
            ],
        }
        keys = self._list_keys(role, place, tags)
        return {
            kind: attempt(
                "iam:SimulatePrincipalPolicy",
                lambda calls=calls: self._simulate(role, calls, keys),  # type: ignore[misc]
            )
            for kind, calls in asked.items()
        }

    def _list_keys(
        self, role: str, place: Mapping[str, str], tags: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """The condition keys that these calls have, as somebody makes them in Studio."""
        owner = self._arn("sagemaker", "user-profile/{domain}/{profile}".format(**place))
        values = {
            "aws:PrincipalAccount": self.account,
            "aws:PrincipalArn": role,
            "aws:RequestedRegion": self.clients.region,
            "aws:ResourceAccount": self.account,
            "aws:SecureTransport": "true",
            "iam:PassedToService": STUDIO_SERVICE,
            "sagemaker:DomainId": place["domain"],
            "sagemaker:OwnerUserProfileArn": owner,
            "sagemaker:SpaceSharingType": "Private",
            "sagemaker:TaggingAction": "CreateSpace",
            "sagemaker:UserProfileName": place["profile"],
        } | {f"aws:PrincipalTag/{key}": value for key, value in tags.items()}
        return [
            {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
            for key, value in values.items()
        ]

    def _simulate(
        self, role: str, calls: Iterable[tuple[str, str]], keys: list[dict[str, Any]]
    ) -> Verdict:
        results: list[dict[str, Any]] = []
        for resource, actions in _group_calls(calls).items():
            pages = self.clients.iam.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=role,
                ActionNames=actions,
                ResourceArns=[resource],
                ContextEntries=keys,
            )
            results += [one for page in pages for one in page["EvaluationResults"]]
        allowed = {one["EvalActionName"] for one in results if one["EvalDecision"] == "allowed"}
        missing = {
            key
            for one in results
            if one["EvalDecision"] != "allowed"
            for key in one.get("MissingContextValues", ())
            if not key.lower().startswith(ABSENT_KEYS)
        }
        refused = {one["EvalActionName"] for one in results} - allowed
        return Verdict(tuple(sorted(refused)), tuple(sorted(allowed)), tuple(sorted(missing)))

    def _arn(self, service: str, path: str) -> str:
        return f"arn:{self.partition}:{service}:{self.clients.region}:{self.account}:{path}"


def _group_calls(calls: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The actions by their resource: one call asks about several actions."""
    grouped: dict[str, list[str]] = {}
    for action, resource in calls:
        grouped.setdefault(resource, []).append(action)
    return grouped
