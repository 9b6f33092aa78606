"""What `grantor doctor` relies on: IAM's policy simulator, and the names of quotas."""

import json
from typing import Any

from botocore.exceptions import ClientError

from tests.live.probe import Finding, match_answer, probe
from tests.live.workspace import Workspace, format_policy

QUOTA = "ml.m5.xlarge for processing job usage"
READ = {"Action": "s3:GetObject", "Resource": "*"}
KEY = "grantor:live"  # each role of the probes has this tag


@probe()
def simulator_knows_tags(workspace: Workspace) -> Finding:
    """Does SimulatePrincipalPolicy know the tags of a role that ContextEntries do not name?"""
    tagged = {"StringLike": {f"aws:PrincipalTag/{KEY}": "*"}}
    decision = _simulate(workspace, READ | {"Condition": tagged})
    known = {"allowed": True, "implicitDeny": False}
    return match_answer(decision, known, f"allowed for the role's own tag {KEY}")


@probe(assumed="InvalidInput")
def simulator_and_bucket_policies(workspace: Workspace) -> Finding:
    """Which error code does SimulatePrincipalPolicy give for a role and a bucket's policy?"""
    policy = json.loads(format_policy(READ | {"Effect": "Deny", "Principal": "*"}))
    seen = workspace.try_call(lambda: _simulate(workspace, READ, ResourcePolicy=json.dumps(policy)))
    return Finding(seen, "a role that may read, and a policy that denies it")


@probe(assumed="listed")
def quota_has_its_name(workspace: Workspace) -> Finding:
    """Does Service Quotas list the quota of processing instances under the name that doctor looks for?"""
    pages = workspace.account.client("service-quotas").get_paginator("list_service_quotas")
    try:
        names = {
            quota["QuotaName"]
            for page in pages.paginate(ServiceCode="sagemaker")
            for quota in page["Quotas"]
        }
    except ClientError as refused:
        return Finding(refused.response["Error"]["Code"], "ListServiceQuotas")
    return Finding("listed" if QUOTA in names else "missing", f"{len(names)} quotas of SageMaker")


def _simulate(workspace: Workspace, right: dict[str, Any], **more: Any) -> str:
    """What the simulator decides about a read by a new role with this permission."""
    role = workspace.create_person(right).role
    answer = workspace.account.client("iam").simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=["s3:GetObject"],
        ResourceArns=[f"arn:{workspace.account.partition}:s3:::{workspace.bucket}/x"],
        **more,
    )
    return str(answer["EvaluationResults"][0]["EvalDecision"])
