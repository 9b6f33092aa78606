"""AWS's limits of names, texts and sizes, each with its source.

One table: what a property of a CloudFormation resource and the member of the API operation that
creates the same thing may hold. `sandbox.server.limit_checks` enforces it in both ways. "Model" is
the service's model in botocore, "schema" CloudFormation's resource schema.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ANYTHING = r"[\s\S]*"
IAM_NAME = r"[\w+=,.@-]+"
# How a value is measured: plain texts by their characters.
Measure = Callable[[Any], int]


def count_characters(value: Any) -> int:
    """Return the characters of a text."""
    return len(str(value))


def count_policy_characters(document: Any) -> int:
    """Return the characters of a policy, without white space, as IAM counts them."""
    text = document if isinstance(document, str) else json.dumps(document)
    return len(re.sub(r"\s", "", text))


def count_document_characters(document: Any) -> int:
    """Return the characters of a document as it is sent: compact JSON, if it is no text yet."""
    if isinstance(document, str):
        return len(document)
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False))


def count_inline_characters(policies: Any) -> int:
    """Return the characters of all inline policies of a template's role."""
    return sum(count_policy_characters(it.get("PolicyDocument", {})) for it in policies)


def count_variable_bytes(variables: Any) -> int:
    """Return the bytes of a function's variables, as Lambda's message shows them: compact JSON."""
    return len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())


@dataclass(frozen=True)
class SizeLimit:
    """What one property may hold.

    `property` may lead into a structure: `Environment.Variables`. `operations` are the API's, as
    `service.Operation`; `member` is what they call the property on the wire; `code` refuses it. An
    operation whose model or whose emulation refuses already is not listed. `resource_type` is empty
    where the server's CloudFormation has no such property.
    """

    resource_type: str
    property: str
    longest: int
    source: str
    operations: tuple[str, ...] = ()
    member: str = ""
    shortest: int = 1
    pattern: str = ANYTHING
    code: str = "ValidationException"
    measure: Measure = count_characters
    text: str = ""  # the service's own sentence, if it is not the usual one

    def find_violation(self, value: Any) -> str | None:
        """Return why the value is refused, in AWS's words; None if it is accepted."""
        if isinstance(value, Mapping) and self.measure is count_characters:
            return None  # unresolved
        size = self.measure(value)
        if size > self.longest:
            return self._describe(value, f"length less than or equal to {self.longest}")
        if size < self.shortest:
            return self._describe(value, f"length greater than or equal to {self.shortest}")
        if self.measure is count_characters and not re.fullmatch(self.pattern, str(value)):
            return self._describe(value, f"satisfy regular expression pattern: {self.pattern}")
        return None

    def _describe(self, value: Any, constraint: str) -> str:
        if self.text:
            return self.text
        verb = "" if constraint.startswith("satisfy") else "have "
        name = (self.member or self.property)[:1].lower() + (self.member or self.property)[1:]
        return (
            f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy "
            f"constraint: Member must {verb}{constraint}"
        )


LIMITS: tuple[SizeLimit, ...] = (
    SizeLimit(
        "AWS::IAM::Role", "RoleName", 64, "model of iam, roleNameType",
        ("iam.CreateRole",), "RoleName", pattern=IAM_NAME, code="ValidationError",
    ),
    SizeLimit(
        "AWS::IAM::Role", "Description", 1000, "model of iam, roleDescriptionType",
        ("iam.CreateRole", "iam.UpdateRole"), "Description", 0, code="ValidationError",
    ),
    SizeLimit(
        "AWS::IAM::Role", "AssumeRolePolicyDocument", 2048,
        "IAM User Guide, IAM and STS quotas: role trust policy length (can be raised to 4,096)",
        ("iam.CreateRole",), "AssumeRolePolicyDocument", code="LimitExceeded",
        measure=count_policy_characters, text="Cannot exceed quota for ACLSizePerRole: 2048",
    ),
    SizeLimit(
        "", "", 2048, "as above",
        ("iam.UpdateAssumeRolePolicy",), "PolicyDocument", code="LimitExceeded",
        measure=count_policy_characters, text="Cannot exceed quota for ACLSizePerRole: 2048",
    ),
    SizeLimit(
        "AWS::IAM::Role", "Policies", 10240,
        "IAM User Guide, IAM and STS quotas: inline policies of a role, together", (),
        shortest=0, measure=count_inline_characters,
        text="Maximum policy size of 10240 bytes exceeded for the role",
    ),
    SizeLimit(
        "AWS::IAM::Role", "ManagedPolicyArns", 10,
        "IAM User Guide, IAM and STS quotas: managed policies attached to a role (can be raised)",
        (), shortest=0, measure=len, text="Cannot exceed quota for PoliciesPerRole: 10",
    ),
    SizeLimit(
        "AWS::IAM::Policy", "PolicyDocument", 10240,
        "IAM User Guide, IAM and STS quotas: inline policies of a role, together",
        ("iam.PutRolePolicy",), "PolicyDocument", code="LimitExceeded",
        measure=count_policy_characters,
        text="Maximum policy size of 10240 bytes exceeded for the role",
    ),
    SizeLimit(
        "AWS::IAM::Policy", "PolicyName", 128, "model of iam, policyNameType",
        ("iam.PutRolePolicy", "iam.PutUserPolicy", "iam.PutGroupPolicy"), "PolicyName",
        pattern=IAM_NAME, code="ValidationError",
    ),
    SizeLimit(
        "AWS::IAM::ManagedPolicy", "ManagedPolicyName", 128, "model of iam, policyNameType",
        ("iam.CreatePolicy",), "PolicyName", pattern=IAM_NAME, code="ValidationError",
    ),
    SizeLimit(
        "AWS::IAM::ManagedPolicy", "PolicyDocument", 6144,
        "IAM User Guide, IAM and STS quotas: managed policy length",
        ("iam.CreatePolicy", "iam.CreatePolicyVersion"), "PolicyDocument", code="LimitExceeded",
        measure=count_policy_characters, text="Cannot exceed quota for PolicySize: 6144",
    ),
    SizeLimit(
        "AWS::IAM::ManagedPolicy", "Description", 1000, "model of iam, policyDescriptionType",
        ("iam.CreatePolicy",), "Description", 0, code="ValidationError",
    ),
    SizeLimit(
        "AWS::IAM::User", "UserName", 64, "model of iam, userNameType",
        ("iam.CreateUser",), "UserName", pattern=IAM_NAME, code="ValidationError",
    ),
    SizeLimit(
        "", "", 128, "model of iam, groupNameType",
        ("iam.CreateGroup",), "GroupName", pattern=IAM_NAME, code="ValidationError",
    ),
    SizeLimit(
        "AWS::IAM::InstanceProfile", "InstanceProfileName", 128,
        "model of iam, instanceProfileNameType",
        ("iam.CreateInstanceProfile",), "InstanceProfileName", pattern=IAM_NAME,
        code="ValidationError",
    ),
    SizeLimit(
        "AWS::Lambda::Function", "FunctionName", 64,
        "API reference of CreateFunction: a name alone has 64 characters at most; schema",
        ("lambda.CreateFunction",), "FunctionName",
        pattern=r"[a-zA-Z0-9_-]+|arn:[a-zA-Z0-9-]+:lambda:.*",
    ),
    SizeLimit(
        "AWS::Lambda::Function", "Description", 256, "model of lambda, Description",
        ("lambda.CreateFunction", "lambda.UpdateFunctionConfiguration"), "Description", 0,
    ),
    SizeLimit(
        "AWS::Lambda::Function", "Environment.Variables", 4096,
        "Lambda Developer Guide, Lambda quotas: environment variables, in aggregate",
        ("lambda.CreateFunction", "lambda.UpdateFunctionConfiguration"), "Environment.Variables",
        0, code="InvalidParameterValueException", measure=count_variable_bytes,
        text="Lambda was unable to configure your environment variables because the environment "
        "variables you have provided exceeded the 4KB limit.",
    ),
    SizeLimit(
        "AWS::Lambda::LayerVersion", "LayerName", 140, "model of lambda, LayerName",
        ("lambda.PublishLayerVersion",), "LayerName", pattern=r"[a-zA-Z0-9_-]+|arn:.*",
    ),
    SizeLimit(
        "AWS::Logs::LogGroup", "LogGroupName", 512, "model of logs, LogGroupName",
        ("logs.CreateLogGroup",), "logGroupName", pattern=r"[.\-_/#A-Za-z0-9]+",
        code="InvalidParameterException",
    ),
    SizeLimit(
        "AWS::SQS::Queue", "QueueName", 80, "API reference of CreateQueue",
        ("sqs.CreateQueue",), "QueueName", pattern=r"[a-zA-Z0-9_-]+(\.fifo)?",
        code="InvalidParameterValue",
        text="Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ),
    SizeLimit(
        "AWS::SNS::Topic", "TopicName", 256, "API reference of CreateTopic",
        ("sns.CreateTopic",), "Name", pattern=r"[a-zA-Z0-9_-]+(\.fifo)?", code="InvalidParameter",
        text="Invalid parameter: Topic Name",
    ),
    SizeLimit(
        "AWS::SNS::Topic", "DisplayName", 100, "SNS Developer Guide: display name", (), shortest=0,
        text="Invalid parameter: Display Name",
    ),
    SizeLimit(
        "AWS::Events::Rule", "Name", 64, "model of events, RuleName",
        ("eventbridge.PutRule",), "Name", pattern=r"[.\-_A-Za-z0-9]+",
    ),
    SizeLimit(
        "AWS::Events::Rule", "Description", 512, "model of events, RuleDescription",
        ("eventbridge.PutRule",), "Description", 0,
    ),
    SizeLimit(
        "AWS::Events::Rule", "EventPattern", 2048,
        "EventBridge User Guide, quotas: event pattern size (can be raised to 4,096)",
        ("eventbridge.PutRule",), "EventPattern", 0, code="LimitExceededException",
        measure=count_document_characters,
        text="The requested resource exceeds the maximum number allowed.",
    ),
    SizeLimit(
        "AWS::S3::BucketPolicy", "PolicyDocument", 20_480,
        "S3 User Guide: bucket policies are limited to 20 KB in size", (),
        measure=count_policy_characters,
        text="Bucket policies are limited to 20480 bytes in size",
    ),
    SizeLimit(
        "AWS::DynamoDB::Table", "TableName", 255, "API reference of CreateTable", (),
        shortest=3, pattern=r"[a-zA-Z0-9_.-]+",
    ),
    SizeLimit(
        "AWS::CloudWatch::Alarm", "AlarmName", 255, "model of cloudwatch, AlarmName",
        ("cloudwatch.PutMetricAlarm",), "AlarmName", code="ValidationError",
    ),
    SizeLimit(
        "AWS::CloudWatch::Alarm", "AlarmDescription", 1024, "model of cloudwatch, AlarmDescription",
        ("cloudwatch.PutMetricAlarm",), "AlarmDescription", 0, code="ValidationError",
    ),
    SizeLimit(
        "AWS::CloudWatch::Dashboard", "DashboardName", 255, "API reference of PutDashboard",
        ("cloudwatch.PutDashboard",), "DashboardName", pattern=r"[A-Za-z0-9_-]+",
        code="InvalidParameterInput",
    ),
    SizeLimit(
        "AWS::CloudTrail::Trail", "TrailName", 128, "API reference of CreateTrail; schema",
        (), "Name", 3, r"[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?",
    ),
    SizeLimit(
        "AWS::SageMaker::Domain", "DomainName", 63, "model of sagemaker, DomainName", (),
        pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
    ),
    SizeLimit(
        "AWS::SageMaker::UserProfile", "UserProfileName", 63, "model of sagemaker, UserProfileName",
        (), pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
    ),
    SizeLimit(
        "AWS::S3::Bucket", "BucketName", 63, "S3 User Guide, general purpose bucket naming rules",
        (), shortest=3, pattern=r"[a-z0-9][a-z0-9.-]*[a-z0-9]",
        text="The specified bucket is not valid. (InvalidBucketName)",
    ),
    SizeLimit(
        "AWS::S3::AccessGrantsLocation", "LocationScope", 2000, "model of s3control, S3Prefix", (),
        pattern=r"s3://.*",
    ),
    SizeLimit(
        "AWS::SSM::Parameter", "Value", 4096,
        "Systems Manager User Guide: a standard parameter's value has 4 KB at most",
        ("ssm.PutParameter",), "Value",
        text="Standard tier parameters support a maximum parameter value of 4096 characters.",
    ),
    SizeLimit("AWS::SSM::Parameter", "Description", 1024, "model of ssm, ParameterDescription",
              ("ssm.PutParameter",), "Description", 0),
    SizeLimit(
        "AWS::ECR::Repository", "RepositoryName", 256, "model of ecr, RepositoryName",
        ("ecr.CreateRepository",), "repositoryName", 2,
        r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*",
        "InvalidParameterException",
    ),
    SizeLimit(
        "AWS::KMS::Alias", "AliasName", 256, "model of kms, AliasNameType", (),
        pattern=r"alias/[a-zA-Z0-9/_-]+",
    ),
    SizeLimit(
        "AWS::EC2::SecurityGroup", "GroupName", 255, "API reference of CreateSecurityGroup",
        ("ec2.CreateSecurityGroup",), "GroupName", 1, code="InvalidParameterValue",
    ),
    SizeLimit(
        "AWS::EC2::SecurityGroup", "GroupDescription", 255, "API reference of CreateSecurityGroup",
        ("ec2.CreateSecurityGroup",), "GroupDescription", 1,
        r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+", "InvalidParameterValue",
        text="Character sets beyond ASCII are not supported, and these characters alone are "
        "allowed: a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*",
    ),
)  # fmt: skip

NETWORK_TYPES = {"AWS::EC2::VPC": "InvalidVpc.Range", "AWS::EC2::Subnet": "InvalidSubnet.Range"}
NETWORK_OPERATIONS = {"ec2.CreateVpc": "AWS::EC2::VPC", "ec2.CreateSubnet": "AWS::EC2::Subnet"}


def find_network_violation(resource_type: str, block: Any) -> tuple[str, str] | None:
    """Return code and text of EC2's refusal of a CIDR block; None if it is accepted.

    EC2 wants a mask of 16 to 28 bits. Source: API reference of CreateVpc and CreateSubnet.
    """
    text, slash, bits = str(block).partition("/")
    try:
        network = ipaddress.IPv4Network(f"{text}/{bits}", strict=False) if slash else None
    except ValueError:
        network = None
    if network is None:
        why = f"Value ({block}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        return "InvalidParameterValue", why
    if not 16 <= network.prefixlen <= 28:
        return NETWORK_TYPES[resource_type], f"The CIDR '{block}' is invalid."
    return None


def list_limits(resource_type: str) -> Iterator[SizeLimit]:
    """Yield the limits of a type's properties."""
    return (limit for limit in LIMITS if limit.resource_type == resource_type)


def read_member(properties: Mapping[str, Any], path: str) -> Any:
    """Return a property by its dotted path; None if it is not there."""
    value: Any = properties
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
