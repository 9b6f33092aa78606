"""The estate as CloudFormation shows a deployed one: the template's own outputs and managed policies, for the things that it has."""

import json
import time
from typing import Any

import yaml

from tests.conftest import ACCOUNT, REGION, ROOT
from tests.estate import DATA, LEDGER, POLICIES, STACK, Estate
from tests.sandbox.desk import allowing, own

PEOPLE = ("Reader", "Approver", "Steward", "BreakGlass")
OPERATIONS = "operations"


def deploy(estate: Estate) -> dict[str, str]:
    """A stack of the estate's name; its outputs."""
    template = _template(estate)
    policies = {name: template["Resources"][name] for name in PEOPLE}
    # For tests of what it is enough for, the function's rights as a policy that a person can have.
    function = template["Resources"]["ReconcileGrantsRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    policies["Function"] = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": function}}
    outputs = template["Outputs"] | {"Function": {"Value": {"Ref": "Function"}}}
    body = json.dumps({"Resources": policies, "Outputs": outputs})
    cloud = estate.client("cloudformation")
    cloud.create_stack(StackName=STACK, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    until = time.monotonic() + 30
    while (stack := cloud.describe_stacks(StackName=STACK)["Stacks"][0])["StackStatus"] != "CREATE_COMPLETE":
        assert time.monotonic() < until, stack
        time.sleep(0.02)
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def session_of(estate: Estate, *policies: str) -> dict[str, str]:
    """The keys of a session of a role that has these managed policies, by ARN, and no other right."""
    iam, name = estate.client("iam"), own("person")
    trust = allowing({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return dict(estate.client("sts").assume_role(RoleArn=arn, RoleSessionName="ana")["Credentials"])


def _template(estate: Estate) -> dict[str, Any]:
    """The template, with what the estate has in place of the resources that a deploy would make."""
    table = estate.client("dynamodb").describe_table(TableName=LEDGER)["Table"]["TableArn"]
    instance = estate.client("s3control").get_access_grants_instance(AccountId=ACCOUNT)["AccessGrantsInstanceArn"]
    queues = f"{estate.sandbox.url}/{ACCOUNT}"
    there = {
        "Ledger": LEDGER, "Ledger.Arn": table, "AccessGrantsInstance.AccessGrantsInstanceArn": instance,
        "DataBucket": DATA, "DataBucket.Arn": f"arn:aws:s3:::{DATA}",
        "PolicyBucket": POLICIES, "PolicyBucket.Arn": f"arn:aws:s3:::{POLICIES}",
        "Bells": estate.names.bells, "Bells.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:bells",
        "DeadBells": f"{queues}/dead-bells", "DeadBells.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-bells",
        "DeadUploads": f"{queues}/dead-uploads", "DeadUploads.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-uploads",
        "Uploads": f"{queues}/uploads", "Uploads.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:uploads", "StartSparkJob": f"{STACK}-start-spark-job",
        "OperationsBucket": OPERATIONS, "OperationsBucket.Arn": f"arn:aws:s3:::{OPERATIONS}",
        "Notices": estate.names.notices, "ReconcileGrants": f"{STACK}-reconcile-grants",
        "ReconcileGrantsLog.Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{STACK}-reconcile-grants:*",
    }  # fmt: skip

    class Template(yaml.SafeLoader):
        """CloudFormation's short forms, each resource that is there by what it is called."""

    def short_form(loader: yaml.SafeLoader, tag: str, node: Any) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            made = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
            return {f"Fn::{tag}": made(node, deep=True)}
        text = str(node.value)
        if tag == "Sub":
            for name, value in there.items():
                text = text.replace(f"${{{name}}}", value)
            return {"Fn::Sub": text}
        return there.get(text) or ({"Ref": text} if tag == "Ref" else {"Fn::GetAtt": text.split(".")})

    Template.add_multi_constructor("!", short_form)
    return dict(yaml.load((ROOT / "template.yaml").read_text(), Template))
