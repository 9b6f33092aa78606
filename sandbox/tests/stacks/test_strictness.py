"""CloudFormation on the sandbox refuses what AWS refuses, and what fails leaves nothing behind."""

import re

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import FUNCTION_TEMPLATE

# A custom resource's function that always succeeds.
RESPOND = (
    "import json, urllib.request\n"
    "def handler(event, context):\n"
    "    said = {k: event[k] for k in ('StackId', 'RequestId', 'LogicalResourceId')}\n"
    "    said = json.dumps(said | {'Status': 'SUCCESS', 'PhysicalResourceId': 'once'}).encode()\n"
    "    asked = urllib.request.Request(event['ResponseURL'], said, method='PUT')\n"
    "    urllib.request.urlopen(asked)\n"
)
BUCKET = "Resources: {Data: {Type: AWS::S3::Bucket, Properties: {BucketName: data}}}"

REFUSED = {
    "a type that there is not": (
        "Resources: {Data: {Type: AWS::S3::Buckett}}",
        "Template format error: Unrecognized resource types: [AWS::S3::Buckett]",
    ),
    "a property that the type does not have": (
        "Resources: {Data: {Type: AWS::S3::Bucket, Properties: {BucketNam: data}}}",
        (
            "Properties validation failed for resource Data with message: #: extraneous key "
            "[BucketNam] is not permitted"
        ),
    ),
    "a nested property that the type does not have": (
        (
            "Resources: "
            "{Data: {Type: AWS::S3::Bucket, Properties: {VersioningConfiguration: {Status: Enabled, Mfa: true}}}}"
        ),
        "#/VersioningConfiguration: extraneous key [Mfa] is not permitted",
    ),
    "a property of a list's item that the type does not have": (
        (
            "Resources: "
            "{Data: {Type: AWS::S3::Bucket, Properties: {LifecycleConfiguration: {Rules: [{Status: Enabled, Expires: 3}]}}}}"
        ),
        "#/LifecycleConfiguration/Rules/0: extraneous key [Expires] is not permitted",
    ),
    "a property below Fn::If that the type does not have": (
        (
            "Conditions: {A: !Equals [a, a]}\nResources: "
            "{Data: {Type: AWS::S3::Bucket, Properties: !If [A, {BucketNam: data}, {}]}}"
        ),
        "#: extraneous key [BucketNam] is not permitted",
    ),
    "a property that is only read": (
        "Resources: {Data: {Type: AWS::S3::Bucket, Properties: {Arn: arn}}}",
        "#: Encountered read-only property [Arn]",
    ),
    "a needed property that is missing": (
        (
            "Resources: "
            "{Location: {Type: AWS::S3::AccessGrantsLocation, Properties: {LocationScope: s3://data/}}}"
        ),
        "#: required key [IamRoleArn] not found",
    ),
    "a value outside of its enumeration": (
        "Resources: {Log: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 17}}}",
        "#/RetentionInDays: failed validation constraint for keyword [enum]",
    ),
    "an attribute that resources do not have": (
        "Resources: {Data: {Type: AWS::S3::Bucket, Propertys: {BucketName: data}}}",
        "Invalid template resource property 'Propertys'",
    ),
    "a section that templates do not have": (
        "Resource: {}\nResources: {Data: {Type: AWS::S3::Bucket}}",
        "Invalid template property or properties [Resource]",
    ),
    "a null": (
        "Resources: {Data: {Type: AWS::S3::Bucket, Metadata: {why: used, and kept}}}",
        "[/Resources/Data/Metadata/and kept] 'null' values are not allowed in templates",
    ),
    "Ref to nothing": (
        "Resources: {Data: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref Nothing}}}",
        (
            "Template format error: Unresolved resource dependencies [Nothing] in the Resources block "
            "of the template"
        ),
    ),
    "Ref to a pseudo parameter that there is not": (
        "Resources: {Data: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref AWS::Nothing}}}",
        "Unresolved resource dependencies [AWS::Nothing] in the Resources block",
    ),
    "GetAtt to nothing": (
        "Resources: {Data: {Type: AWS::S3::Bucket, Properties: {BucketName: !GetAtt Nothing.Arn}}}",
        "Unresolved resource dependencies [Nothing] in the Resources block",
    ),
    "Sub to nothing": (
        (
            "Resources: "
            "{Data: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub '${Nothing}-data'}}}"
        ),
        "Unresolved resource dependencies [Nothing] in the Resources block",
    ),
    "Sub with a map to nothing": (
        (
            "Resources: "
            "{Data: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub ['${Own}-${Nothing}', {Own: data}]}}}"
        ),
        "Unresolved resource dependencies [Nothing] in the Resources block",
    ),
    "DependsOn to nothing": (
        "Resources: {Data: {Type: AWS::S3::Bucket, DependsOn: Nothing}}",
        "Unresolved resource dependencies [Nothing] in the Resources block",
    ),
    "an output of nothing": (
        "Resources: {Data: {Type: AWS::S3::Bucket}}\nOutputs: {Name: {Value: !Ref Nothing}}",
        "Unresolved resource dependencies [Nothing] in the Outputs block",
    ),
    "FindInMap of nothing": (
        (
            "Resources: "
            "{Data: {Type: AWS::S3::Bucket, Properties: {BucketName: !FindInMap [Nothing, a, b]}}}"
        ),
        "Template error: Unable to get mapping for Nothing::a::b",
    ),
    "a resource under a condition that there is not": (
        "Resources: {Data: {Type: AWS::S3::Bucket, Condition: Nothing}}",
        (
            "Template format error: Unresolved condition dependency Nothing in the Resources block of "
            "the template"
        ),
    ),
    "an output under a condition that there is not": (
        (
            "Resources: {Data: {Type: AWS::S3::Bucket}}\nOutputs: "
            "{Name: {Condition: Nothing, Value: data}}"
        ),
        "Unresolved condition dependency Nothing in the Outputs block",
    ),
    "Fn::If on a condition that there is not": (
        "Resources: {Data: {Type: AWS::S3::Bucket, Properties: {BucketName: !If [Nothing, a, b]}}}",
        "Template error: unresolved condition dependency Nothing in Fn::If",
    ),
    "a condition that refers to a resource": (
        "Conditions: {Some: !Equals [!Ref Data, data]}\nResources: {Data: {Type: AWS::S3::Bucket}}",
        (
            "Unresolved dependencies [Data]. Cannot reference resources in the Conditions block of the "
            "template"
        ),
    ),
    "a condition that refers to none": (
        (
            "Conditions: {Some: !Not [!Condition Nothing]}\nResources: "
            "{Data: {Type: AWS::S3::Bucket, Condition: Some}}"
        ),
        "Unresolved condition dependency Nothing in the Conditions block",
    ),
    "resources that wait for each other": (
        (
            "Resources: "
            "{A: {Type: AWS::SQS::Queue, DependsOn: B}, B: {Type: AWS::SQS::Queue, DependsOn: A}, C: {Type: AWS::SQS::Queue}}"
        ),
        "Circular dependency between resources: [A, B]",
    ),
}


@pytest.mark.parametrize(("template", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_template_that_aws_would_refuse_is_refused_by_name_and_leaves_nothing(
    stacks, template, said
):
    before = stacks.things()

    with pytest.raises(ClientError, match=re.escape(said)) as refused:
        stacks.create("wrong", template)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert stacks.things() == before


def test_a_change_set_is_refused_as_a_stack_is(stacks):
    template, said = REFUSED["Ref to nothing"]

    with pytest.raises(ClientError, match=re.escape(said)):
        stacks.cloud.create_change_set(
            StackName="wrong", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template
        )


def test_an_update_that_is_refused_leaves_the_stack_as_it_is(stacks):
    stacks.create("right", BUCKET)
    before = stacks.things()

    with pytest.raises(ClientError, match="extraneous key"):
        stacks.update("right", BUCKET.replace("BucketName: data", "BucketName: data, Bucket: data"))
    assert (stacks.described("right")["StackStatus"], stacks.things()) == (
        "CREATE_COMPLETE",
        before,
    )


DROPPED = (
    "The sandbox has no AccelerateConfiguration for AWS::S3::Bucket, and does not act as if it had."
)
ACCELERATED = BUCKET.replace(
    "BucketName: data", "BucketName: data, AccelerateConfiguration: {AccelerationStatus: Enabled}"
)


def test_a_property_that_the_server_would_drop_fails_its_resource(stacks):
    before = stacks.things()

    status = stacks.create("dropped", ACCELERATED)

    assert (status, stacks.why("dropped")) == ("ROLLBACK_COMPLETE", {"Data": DROPPED})
    assert stacks.things() - before == {"cloudformation stacks: dropped"}


def test_a_property_that_the_server_would_drop_in_an_update_fails_its_resource(stacks):
    stacks.create(
        "dropped", BUCKET.replace("data", "data, VersioningConfiguration: {Status: Suspended}")
    )

    status = stacks.update(
        "dropped", ACCELERATED.replace("data", "data, VersioningConfiguration: {Status: Enabled}")
    )

    assert (status, stacks.why("dropped")) == ("UPDATE_ROLLBACK_COMPLETE", {"Data": DROPPED})
    assert stacks.client("s3").get_bucket_versioning(Bucket="data")["Status"] == "Suspended"


def test_an_attribute_that_a_resource_does_not_have_fails_the_one_that_asks_for_it(stacks):
    before = stacks.things()

    status = stacks.create(
        "asks",
        BUCKET.replace("Data:", "EventQueue: {Type: AWS::SQS::Queue}, Data:").replace(
            "data", "!GetAtt EventQueue.Tone"
        ),
    )

    assert (status, stacks.why("asks")) == (
        "ROLLBACK_COMPLETE",
        {"Data": "Requested attribute Tone does not exist in schema for AWS::SQS::Queue"},
    )
    assert stacks.things() - before == {"cloudformation stacks: asks"}


MISTRUSTED = {"Function": "The role defined for the function cannot be assumed by Lambda."}


def test_a_function_whose_role_lambda_may_not_assume_is_refused(stacks):
    status = stacks.create(
        "mistrusted", FUNCTION_TEMPLATE.replace("lambda.amazonaws.com", "ec2.amazonaws.com")
    )

    assert (status, stacks.why("mistrusted")) == ("ROLLBACK_COMPLETE", MISTRUSTED)


def test_a_function_does_not_change_to_a_role_that_lambda_may_not_assume(stacks):
    assert stacks.create("trusted", FUNCTION_TEMPLATE) == "CREATE_COMPLETE"

    other = FUNCTION_TEMPLATE.replace("lambda.amazonaws.com", "ec2.amazonaws.com").replace(
        "Role:\n    Type", "Other:\n    Type"
    )
    status = stacks.update("trusted", other.replace("GetAtt Role", "GetAtt Other"))

    assert (status, stacks.why("trusted")) == ("UPDATE_ROLLBACK_COMPLETE", MISTRUSTED)


CUSTOM = """
  Once:
    Type: Custom::Once
    Properties: {ServiceToken: !GetAtt Function.Arn, ServiceTimeout: 10}
"""


def test_a_custom_resource_keeps_its_function(stacks):
    answers = FUNCTION_TEMPLATE.replace(
        "def handler(event, context): return event", RESPOND.replace("\n", "\\n")
    )
    assert stacks.create("custom", answers + CUSTOM) == "CREATE_COMPLETE", stacks.why("custom")

    renamed = answers.replace("Runtime:", "FunctionName: other\n      Runtime:")
    assert stacks.update("custom", renamed + CUSTOM) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Modifying service token is not allowed." in stacks.why("custom")["Once"]
