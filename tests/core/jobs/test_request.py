"""The request equals, as a structure, what the SageMaker SDK sends; the SDK's requests are recorded
beside this file.
"""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.validate
import pytest

from grantor.core.jobs.request import (
    IMAGE_ACCOUNTS,
    JobNetwork,
    JobTerms,
    SparkSubmission,
    UnsendableRequest,
    build_arguments,
    build_attempt_request,
    build_request,
    hash_request,
    image_uri,
)
from grantor.core.rules import Instances
from tests.core.jobs.starts import ATTEMPT, ENVIRONMENT, JOB, ROLE, START

CAPTURED = json.loads(Path(__file__).with_name("spark_processing_requests.json").read_text())
ARTICLE = [
    "--account_id", "111122223333", "--s3_input_bucket", "IN", "--s3_input_key_prefix", "UserA",
    "--s3_output_bucket", "OUT", "--s3_output_key_prefix", "UserA/output",
]  # fmt: skip
LARGE = Instances("ml.m5.2xlarge", 2, 30)
TERMS = JobTerms(ROLE, image_uri("us-east-1"), LARGE)


def place(version: str, tag: str) -> str:
    """Where the SDK had put the code for this request."""
    uri = CAPTURED[version]["requests"][tag]["ProcessingInputs"][-1]["S3Input"]["S3Uri"]
    return str(uri.removesuffix("/input/code/preprocess.py"))


def built(version: str, tag: str) -> dict[str, Any]:
    """The same wish, built by us."""
    at, name = place(version, tag), CAPTURED[version]["requests"][tag]["ProcessingJobName"]
    app = f"{at}/input/code/preprocess.py"
    match tag:
        case "blog (v2 SDK)":
            events = "s3://OUT/Product/sagemaker/spark-preprocess-demo/ts/spark_event_logs"
            return build_request(
                name,
                SparkSubmission(app, events=events, arguments=ARTICLE),
                replace(TERMS, image=image_uri("us-east-1", "3.3-cpu")),
            )
        case "3.5 default":
            what = SparkSubmission(app, events="s3://OUT/logs/", arguments=ARTICLE)
            return build_request(
                name, what, replace(TERMS, image=image_uri("us-east-1", "3.5-cpu"))
            )
        case "3.5 no event logs, s3 code":
            return build_request(name, SparkSubmission(app, arguments=ARTICLE), TERMS)
    what = SparkSubmission(
        app,
        f"{at}/input/py-files",
        f"{at}/input/conf/configuration.json",
        "s3://OUT/logs",
        ARTICLE,
        {"AWS_SPARK_CONFIG_MODE": "2"},
    )
    network = JobNetwork(("subnet-1", "subnet-2"), ("sg-1",), encrypted=True)
    return build_request(
        name,
        what,
        JobTerms(
            ROLE,
            image_uri("us-east-1"),
            replace(LARGE, volume=50),
            3600,
            network,
            {"team": "product"},
        ),
    )


def as_version_2(asked: dict[str, Any]) -> dict[str, Any]:
    """The two things in which version 2 of the SDK differs: it says of each place who manages it,
    and numbers its outputs.
    """
    asked = {
        **asked,
        "ProcessingInputs": [{**one, "AppManaged": False} for one in asked["ProcessingInputs"]],
    }
    if "ProcessingOutputConfig" in asked:
        outputs = [
            {**one, "AppManaged": False, "OutputName": "output-1"}
            for one in asked["ProcessingOutputConfig"]["Outputs"]
        ]
        asked["ProcessingOutputConfig"] = {"Outputs": outputs}
    return asked


@pytest.mark.parametrize("tag", CAPTURED["v3"]["requests"])
def test_the_request_is_what_version_3_of_the_sdk_sends(tag: str) -> None:
    assert built("v3", tag) == CAPTURED["v3"]["requests"][tag]


@pytest.mark.parametrize("tag", CAPTURED["v2"]["requests"])
def test_the_request_is_what_version_2_of_the_sdk_sends_except_for_two_values(tag: str) -> None:
    assert as_version_2(built("v2", tag)) == CAPTURED["v2"]["requests"][tag]


def test_one_start_asks_for_code_configuration_and_traces_in_the_operations_bucket_alone() -> None:
    name = "grantor-abalone-0123456789abcdef0123-a1-5eed5eed"
    folder = f"s3://ops/runs/sagemaker-usera-role/{name}"
    how = {
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }

    assert build_attempt_request(ATTEMPT, ENVIRONMENT) == {
        "ProcessingJobName": name,
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": "ml.m5.xlarge",
                "InstanceCount": 2,
                "VolumeSizeInGB": 30,
            }
        },
        "AppSpecification": {
            "ImageUri": "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3",
            "ContainerArguments": [
                "--account_id",
                "111122223333",
                "--s3_input_bucket",
                "data",
                "--s3_input_key_prefix",
                "UserA/abalone.csv",
                "--s3_output_bucket",
                "data",
                "--s3_output_key_prefix",
                "UserA/output",
                "--run_id",
                "0123456789abcdef0123",
                "--input_etag",
                "b1946ac92492d2347c6235b4d2611184",
                "--input_version",
                "v1",
                "--job_name",
                name,
                "--summary",
                f"{folder}/summary.json",
                "--job",
                "abalone",
            ],
            "ContainerEntrypoint": [
                "smspark-submit",
                "--py-files",
                "/opt/ml/processing/input/py-files",
                "--local-spark-event-logs-dir",
                "/opt/ml/processing/spark-events/",
                "/opt/ml/processing/input/code/preprocess.py",
            ],
        },
        "RoleArn": ROLE,
        "ProcessingInputs": [
            {
                "InputName": "py-files",
                "S3Input": {
                    "S3Uri": "s3://ops/code/c0de/py-files",
                    "LocalPath": "/opt/ml/processing/input/py-files",
                    **how,
                },
            },
            {
                "InputName": "conf",
                "S3Input": {
                    "S3Uri": "s3://ops/code/c0de/conf/data/configuration.json",
                    "LocalPath": "/opt/ml/processing/input/conf",
                    **how,
                },
            },
            {
                "InputName": "code",
                "S3Input": {
                    "S3Uri": "s3://ops/code/c0de/preprocess.py",
                    "LocalPath": "/opt/ml/processing/input/code",
                    **how,
                },
            },
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "spark-event-logs",
                    "S3Output": {
                        "S3Uri": f"{folder}/spark-events/",
                        "LocalPath": "/opt/ml/processing/spark-events/",
                        "S3UploadMode": "Continuous",
                    },
                }
            ]
        },
        "Environment": {},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "Tags": [
            {"Key": "grantor:stack", "Value": "grantor"},
            {"Key": "grantor:job", "Value": "abalone"},
        ],
    }


def test_the_values_of_the_policy_reach_the_request() -> None:
    job = replace(
        JOB,
        instances=Instances("ml.m5.4xlarge", 5, 100),
        time_limit=timedelta(days=2),
        arguments=(("max_quarantine", "1%"),),
    )
    environment = replace(ENVIRONMENT, network=JobNetwork(("subnet-1",), ("sg-1",)))
    asked = build_attempt_request(replace(ATTEMPT, start=replace(START, job=job)), environment)

    assert asked["ProcessingResources"]["ClusterConfig"] == {
        "InstanceType": "ml.m5.4xlarge",
        "InstanceCount": 5,
        "VolumeSizeInGB": 100,
    }
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": 172_800}
    assert asked["AppSpecification"]["ContainerArguments"][-2:] == ["--max_quarantine", "1%"]
    assert asked["NetworkConfig"] == {
        "EnableNetworkIsolation": False,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    }


@pytest.mark.parametrize("key", ["User A/100% a+b.csv", "Größe/abalone.csv", "UserA/a=b&c.csv"])
def test_a_key_is_passed_unchanged(key: str) -> None:
    start = replace(START, input=f"s3://data/{key}")

    assert build_arguments(replace(ATTEMPT, start=start), ENVIRONMENT)[4:6] == [
        "--s3_input_key_prefix",
        key,
    ]


@pytest.mark.parametrize("key", ["--jars=s3://evil/a.jar", "-v", "--conf"])
def test_a_value_that_looks_like_an_option_is_passed_in_one_word_with_its_name(key: str) -> None:
    start = replace(START, input=f"s3://data/{key}")
    words = build_arguments(replace(ATTEMPT, start=start), ENVIRONMENT)

    assert words[4] == f"--s3_input_key_prefix={key}"
    assert key not in words


REQUEST = build_attempt_request(ATTEMPT, ENVIRONMENT)
APP, INPUTS = REQUEST["AppSpecification"], REQUEST["ProcessingInputs"]
OTHER_CODE = {**INPUTS[2], "S3Input": {**INPUTS[2]["S3Input"], "S3Uri": "s3://ops/code/e1se/x.py"}}


@pytest.mark.parametrize(
    "change",
    [
        {"RoleArn": "arn:aws:iam::111122223333:role/mallory"},
        {"AppSpecification": {**APP, "ImageUri": "image"}},
        {"AppSpecification": {**APP, "ContainerEntrypoint": ["/bin/true"]}},
        {"AppSpecification": {**APP, "ContainerArguments": [*APP["ContainerArguments"][:-1], "x"]}},
        {"AppSpecification": {"ImageUri": APP["ImageUri"]}},
        {"Environment": {"PYTHONSTARTUP": "/opt/ml/processing/input/x.py"}},
        {"ProcessingInputs": INPUTS[:2]},
        {"ProcessingInputs": [*INPUTS, {**INPUTS[2], "InputName": "more"}]},
        {"ProcessingInputs": [*INPUTS[:2], OTHER_CODE]},
        {"ProcessingInputs": [*INPUTS[:2], {"InputName": "code"}]},
    ],
    ids=[
        "role",
        "image",
        "entry point",
        "an argument",
        "no arguments",
        "environment",
        "an input less",
        "an input more",
        "other code",
        "an input of another kind",
    ],
)
def test_a_description_that_differs_in_what_the_job_does_has_another_hash(change: dict) -> None:
    assert hash_request(REQUEST | change) != hash_request(REQUEST)


def test_a_description_has_the_hash_of_the_request_that_it_describes() -> None:
    described = {key: REQUEST[key] for key in REQUEST if key not in ("Tags", "Environment")} | {
        "ProcessingJobStatus": "Completed",
        "ProcessingInputs": [{**one, "AppManaged": False} for one in reversed(INPUTS)],
    }

    assert hash_request(described) == hash_request(REQUEST)
    assert hash_request({}) != hash_request(REQUEST)


@pytest.mark.parametrize(
    ("start", "region", "why"),
    [
        (replace(START, input=f"s3://data/{'k' * 257}"), "us-east-1", "has 257 characters"),
        (
            replace(START, job=replace(JOB, arguments=tuple((f"a{n}", "1") for n in range(41)))),
            "us-east-1",
            "has 104 arguments",
        ),
        (START, "us-iso-east-1", "no Spark image for SageMaker Processing in us-iso-east-1"),
    ],
    ids=["a long key", "many arguments", "a Region without an image"],
)
def test_a_request_that_sagemaker_would_reject_is_refused_before_the_call(
    start, region: str, why: str
) -> None:
    with pytest.raises(UnsendableRequest, match=why):
        build_attempt_request(replace(ATTEMPT, start=start), replace(ENVIRONMENT, region=region))


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "906073651304.dkr.ecr.eu-central-1.amazonaws.com"),
        ("cn-northwest-1", "844356804704.dkr.ecr.cn-northwest-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "713710892325.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
        ("us-gov-west-1", "271483468897.dkr.ecr.us-gov-west-1.amazonaws.com"),
    ],
)
def test_the_image_is_its_regions_own(region: str, host: str) -> None:
    assert image_uri(region) == f"{host}/sagemaker-spark-processing:3.5-cpu-py312-v1.3"


def test_forty_regions_are_known() -> None:
    assert len(IMAGE_ACCOUNTS) == 40


def test_botocore_finds_nothing_wrong_with_the_request() -> None:
    model = boto3.Session(region_name="us-east-1").client("sagemaker").meta.service_model
    shape = model.operation_model("CreateProcessingJob").input_shape

    assert (
        botocore.validate.ParamValidator()
        .validate(build_attempt_request(ATTEMPT, ENVIRONMENT), shape)
        .generate_report()
        == ""
    )
