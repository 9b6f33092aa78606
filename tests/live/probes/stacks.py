"""What CloudFormation accepts in a template. ValidateTemplate says so, and creates nothing."""

import json
from typing import Any

from tests.live.probe import Finding, match_answer, probe
from tests.live.workspace import DONE, Workspace


def _validate(workspace: Workspace, bucket: dict[str, Any]) -> str:
    """The outcome of validating a template with one bucket, which has these attributes."""
    conditions = {"Kept": {"Fn::Equals": [{"Ref": "AWS::Region"}, "nowhere"]}}
    resources = {"Data": {"Type": "AWS::S3::Bucket"} | bucket}
    body = json.dumps({"Conditions": conditions, "Resources": resources})
    cloud = workspace.account.client("cloudformation")
    return workspace.try_call(lambda: cloud.validate_template(TemplateBody=body))


@probe(bare=True)
def nulls_in_metadata(workspace: Workspace) -> Finding:
    """Does CloudFormation accept a null in the Metadata of a template?"""
    seen = _validate(workspace, {"Metadata": {"a comment": None}})
    return match_answer(seen, {DONE: True, "ValidationError": False}, "a null in Metadata")


@probe(assumed=DONE, bare=True)
def conditional_deletion_policy(workspace: Workspace) -> Finding:
    """Which error code does a template get whose DeletionPolicy has Fn::If, without a transform?"""
    policy = {"Fn::If": ["Kept", "RetainExceptOnCreate", "Delete"]}
    seen = _validate(workspace, {"DeletionPolicy": policy})
    return Finding(seen, "Fn::If in DeletionPolicy, without AWS::LanguageExtensions")
