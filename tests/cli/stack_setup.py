"""A stack with the template's outputs and managed policies, on the resources of a setup."""

import json
import time
from collections.abc import Iterator
from typing import Any

import yaml

from harness.fast_yaml import FastLoader
from sandbox.testing.helpers import policy_document, unique_name
from tests.conftest import ACCOUNT, REGION, ROOT
from tests.grantor_setup import DATA, LEDGER, POLICIES, STACK, GrantorSetup

PERSON_POLICIES = ("Reader", "Approver", "Steward", "BreakGlass")
OPERATIONS = "operations"
RULES = (
    "PolicyChanged",
    "PolicyWritten",
    "ProfileChanged",
    "DataChanged",
    "Schedule",
    "DataUploaded",
    "JobEnded",
    "GrantsChanged",
)


def deploy_stack(setup: GrantorSetup) -> dict[str, str]:
    """Create the CloudFormation stack of the setup; return its outputs."""
    template = _fill_template(setup)
    defaults = {name: it.get("Default", "") for name, it in template["Parameters"].items()}
    template = _resolve_values(template, defaults)
    policies = {name: template["Resources"][name] for name in PERSON_POLICIES}
    # The function's permissions as a policy that a person can have, for tests of what they allow.
    function = template["Resources"]["ReconcileGrantsRole"]["Properties"]["Policies"][0][
        "PolicyDocument"
    ]
    policies["Function"] = {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"PolicyDocument": function},
    }
    outputs = template["Outputs"] | {"Function": {"Value": {"Ref": "Function"}}}
    outputs = {name: one for name, one in outputs.items() if _is_made(one["Value"], policies)}
    body = json.dumps({"Resources": policies, "Outputs": outputs})
    cloud = setup.client("cloudformation")
    cloud.create_stack(StackName=STACK, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    until = time.monotonic() + 30
    while (stack := cloud.describe_stacks(StackName=STACK)["Stacks"][0])[
        "StackStatus"
    ] != "CREATE_COMPLETE":
        assert time.monotonic() < until, stack
        time.sleep(0.02)
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _is_made(value: Any, policies: dict[str, Any]) -> bool:
    """Return whether the stack has what an output shows."""
    return set(_list_references(value)) <= policies.keys()


def _list_references(value: Any) -> Iterator[str]:
    """Yield the logical ids that a value refers to, pseudo parameters left out."""
    if isinstance(value, list):
        for item in value:
            yield from _list_references(item)
    elif isinstance(value, dict):
        named = value.get("Ref") or (value.get("Fn::GetAtt") or [""])[0]
        if named and not str(named).startswith("AWS::"):
            yield str(named).partition(".")[0]
        for item in value.values():
            yield from _list_references(item)


def _resolve_values(value: Any, parameters: dict[str, Any]) -> Any:
    """Return the template with all its conditions met and its parameters replaced by these."""
    if isinstance(value, list):
        return [_resolve_values(item, parameters) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        return _resolve_values(value["Fn::If"][1], parameters)
    if isinstance(text := value.get("Fn::Sub"), str):
        for name, default in parameters.items():
            text = text.replace(f"${{{name}}}", str(default))
        return {"Fn::Sub": text}
    if value.get("Ref") in parameters:
        return str(parameters[value["Ref"]])
    return {
        key: _resolve_values(item, parameters)
        for key, item in value.items()
        if not (key == "Condition" and isinstance(item, str))
    }


def read_location_trust(setup: GrantorSetup) -> Any:
    """Return the trust policy of the template's LocationRole, for the resources of the setup."""
    role = _resolve_values(_fill_template(setup), {})["Resources"]["LocationRole"]
    return _fill_pseudo_parameters(role["Properties"]["AssumeRolePolicyDocument"])


def _fill_pseudo_parameters(value: Any) -> Any:
    if isinstance(value, list):
        return [_fill_pseudo_parameters(item) for item in value]
    if not isinstance(value, dict):
        return value
    known = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws"}
    if value.get("Ref") in known:
        return known[value["Ref"]]
    if "Fn::Sub" not in value:
        return {name: _fill_pseudo_parameters(item) for name, item in value.items()}
    text = str(value["Fn::Sub"])
    for name, filled in known.items():
        text = text.replace(f"${{{name}}}", filled)
    return text


def assume_role_with(setup: GrantorSetup, *policies: str) -> dict[str, str]:
    """Return keys of a role with these managed policies, by ARN, and no other permission."""
    iam, name = setup.client("iam"), unique_name("person")
    trust = policy_document(
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    )
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return dict(setup.client("sts").assume_role(RoleArn=arn, RoleSessionName="ana")["Credentials"])


def _fill_template(setup: GrantorSetup) -> dict[str, Any]:
    """Return the template with the setup's resources in place of those that a deploy creates."""
    table = setup.client("dynamodb").describe_table(TableName=LEDGER)["Table"]["TableArn"]
    instance = setup.client("s3control").get_access_grants_instance(AccountId=ACCOUNT)[
        "AccessGrantsInstanceArn"
    ]
    queues = f"{setup.sandbox.url}/{ACCOUNT}"
    there = {
        "Ledger": LEDGER,
        "Ledger.Arn": table,
        "AccessGrantsInstance.AccessGrantsInstanceArn": instance,
        "LocationRole": "location",
        "LocationRole.Arn": f"arn:aws:iam::{ACCOUNT}:role/location",
        "StewardRole.Arn": f"arn:aws:iam::{ACCOUNT}:role/steward",
        "Scientist": f"arn:aws:iam::{ACCOUNT}:policy/scientist",
        "DataBucket": DATA,
        "DataBucket.Arn": f"arn:aws:s3:::{DATA}",
        "PolicyBucket": POLICIES,
        "PolicyBucket.Arn": f"arn:aws:s3:::{POLICIES}",
        "EventQueue": setup.names.event_queue,
        "EventQueue.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:event-queue",
        "EventDLQ": f"{queues}/event-dlq",
        "EventDLQ.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:event-dlq",
        "UploadDLQ": f"{queues}/upload-dlq",
        "UploadDLQ.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:upload-dlq",
        "UploadQueue": f"{queues}/upload-queue",
        "UploadQueue.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:upload-queue",
        "StartSparkJob": f"{STACK}-start-spark-job",
        "OperationsBucket": OPERATIONS,
        "OperationsBucket.Arn": f"arn:aws:s3:::{OPERATIONS}",
        "AlertTopic": setup.names.alert_topic,
        "ReconcileGrants": f"{STACK}-reconcile-grants",
        **{
            f"{rule}.Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{STACK}-{rule}-1"
            for rule in RULES
        },
        "ReconcileGrantsLog.Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{STACK}-reconcile-grants:*",
    }

    class Template(FastLoader):
        """Reads CloudFormation's short forms; a resource of the setup becomes its name."""

    def short_form(loader: yaml.SafeLoader, tag: str, node: Any) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            made = (
                loader.construct_sequence
                if isinstance(node, yaml.SequenceNode)
                else loader.construct_mapping
            )
            return {f"Fn::{tag}": made(node, deep=True)}
        text = str(node.value)
        if tag == "Sub":
            for name, value in there.items():
                text = text.replace(f"${{{name}}}", value)
            return {"Fn::Sub": text}
        return there.get(text) or (
            {"Ref": text} if tag == "Ref" else {"Fn::GetAtt": text.split(".")}
        )

    Template.add_multi_constructor("!", short_form)
    return dict(yaml.load((ROOT / "template.yaml").read_text(), Template))
