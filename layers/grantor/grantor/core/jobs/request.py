"""The request for a processing job, as PySparkProcessor of the SageMaker SDK (v3) would send it, without the SDK's gigabyte.

The SDK's own requests were captured and stand beside the tests; what is built here is equal to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grantor.core.jobs.identity import Attempt, bucket_and_key, role_name
from grantor.core.rules import LONGEST, Instances

# Spark 3.5.6 of EMR 7.12, whose S3A knows S3 Access Grants; Python 3.12, Java 17. Never the floating tag.
TAG = "3.5-cpu-py312-v1.3"
MOST = 100  # arguments (SageMaker's model)
INPUT, EVENTS = "/opt/ml/processing/input", "/opt/ml/processing/spark-events/"
# Who owns the image in each Region, as the SDK v3 lists them (sagemaker 3.27.0).
ACCOUNTS = {
    "af-south-1": "309385258863", "ap-east-1": "732049463269", "ap-east-2": "533267296287", "ap-northeast-1": "411782140378",
    "ap-northeast-2": "860869212795", "ap-northeast-3": "102471314380", "ap-south-1": "105495057255", "ap-south-2": "873151114052",
    "ap-southeast-1": "759080221371", "ap-southeast-2": "440695851116", "ap-southeast-3": "800295151634",
    "ap-southeast-4": "819679513684", "ap-southeast-5": "841784149062", "ap-southeast-6": "278240940207",
    "ap-southeast-7": "471112967968", "ca-central-1": "446299261295", "ca-west-1": "000907499111", "cn-north-1": "671472414489",
    "cn-northwest-1": "844356804704", "eu-central-1": "906073651304", "eu-central-2": "142351485170",
    "eu-isoe-west-1": "010264522435", "eu-north-1": "330188676905", "eu-south-1": "753923664805", "eu-south-2": "833944533722",
    "eu-west-1": "571004829621", "eu-west-2": "836651553127", "eu-west-3": "136845547031", "eusc-de-east-1": "713710892325",
    "il-central-1": "408426139102", "me-central-1": "395420993607", "me-south-1": "750251592176", "mx-central-1": "211125459255",
    "sa-east-1": "737130764395", "us-east-1": "173754725891", "us-east-2": "314815235551", "us-gov-east-1": "260923028637",
    "us-gov-west-1": "271483468897", "us-west-1": "667973535471", "us-west-2": "153931337802",
}  # fmt: skip
# Where a partition's hosts end; everywhere else it is amazonaws.com.
SUFFIXES = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "eu-isoe-": "cloud.adc-e.uk"}


class Unsendable(ValueError):
    """No such request can be made; the text says why, and what to do instead."""


@dataclass(frozen=True)
class Submission:
    """What smspark-submit is given: places in S3 for its code, its py-files, its configuration and its event logs; "" for none."""

    app: str
    py_files: str = ""
    configuration: str = ""
    events: str = ""
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """The subnets and security groups that the job's machines stand in; none: SageMaker's own."""

    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    encrypted: bool = False  # what they say to each other


@dataclass(frozen=True)
class Terms:
    """As whom the job runs, in which image, on which machines and for how long at most (0 seconds: not said)."""

    role: str  # ARN
    image: str
    instances: Instances
    seconds: int = 0
    network: Network = Network()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """Where the launcher works: its stack, account, Region, operations bucket, the job's code in it, and the network for jobs."""

    stack: str
    account: str
    region: str
    operations: str
    code: str  # its hash
    network: Network = Network()


def image(region: str, tag: str = TAG) -> str:
    """The image's address in this Region; Unsendable where there is none.

    >>> image("cn-north-1")
    '671472414489.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-spark-processing:3.5-cpu-py312-v1.3'
    """
    if region not in ACCOUNTS:
        raise Unsendable(f"AWS has no Spark image for SageMaker Processing in {region}: run the jobs in a Region that has one")
    suffix = next((end for start, end in SUFFIXES.items() if region.startswith(start)), "amazonaws.com")
    return f"{ACCOUNTS[region]}.dkr.ecr.{region}.{suffix}/sagemaker-spark-processing:{tag}"


def request(name: str, what: Submission, terms: Terms) -> dict[str, Any]:
    """CreateProcessingJob's parameters; what is not asked for is left out, as the SDK leaves it out."""
    asked: dict[str, Any] = {
        "ProcessingJobName": name,
        "ProcessingResources": {"ClusterConfig": _cluster(terms.instances)},
        "AppSpecification": {
            "ImageUri": terms.image,
            "ContainerArguments": list(what.arguments),
            "ContainerEntrypoint": _entrypoint(what),
        },
        "RoleArn": terms.role,
        "ProcessingInputs": _inputs(what),
        "Environment": dict(what.environment),
    }
    if what.events:
        asked["ProcessingOutputConfig"] = {"Outputs": [_output("spark-event-logs", what.events)]}
    if terms.network.subnets:
        asked["NetworkConfig"] = _network(terms.network)
    if terms.seconds:
        asked["StoppingCondition"] = {"MaxRuntimeInSeconds": terms.seconds}
    if terms.tags:
        asked["Tags"] = [{"Key": key, "Value": value} for key, value in terms.tags.items()]
    return asked


def of_attempt(attempt: Attempt, desk: Desk) -> dict[str, Any]:
    """The request for one attempt; Unsendable where the Region has no image, or an argument is too long for SageMaker."""
    start, code = attempt.start, f"s3://{desk.operations}/code/{desk.code}"
    what = Submission(
        app=f"{code}/preprocess.py",
        py_files=f"{code}/py-files",
        configuration=f"{code}/conf/{bucket_and_key(start.input)[0]}/configuration.json",
        events=f"{runs(desk.operations, start.role, attempt.name)}spark-events/",
        arguments=_fitting(arguments(attempt, desk)),
    )
    seconds, tags = int(start.job.time_limit.total_seconds()), {"grantor:stack": desk.stack, "grantor:job": start.job.name}
    terms = Terms(start.role, image(desk.region), start.job.instances, seconds, desk.network, tags)
    return request(attempt.name, what, terms)


def runs(operations: str, role: str, name: str) -> str:
    """The folder of one processing job in the operations bucket; only the role that it runs as may write there.

    >>> runs("ops", "arn:aws:iam::111122223333:role/sagemaker-usera-role", "grantor-abalone-0123-a1")
    's3://ops/runs/sagemaker-usera-role/grantor-abalone-0123-a1/'
    """
    return f"s3://{operations}/runs/{role_name(role)}/{name}/"


def arguments(attempt: Attempt, desk: Desk) -> list[str]:
    """What the job's code is told: the article's five, who it is, and what the policy adds."""
    start, given = attempt.start, attempt.given
    (source, key), (target, folder) = bucket_and_key(start.input), bucket_and_key(start.output)
    told = {
        "account_id": desk.account,
        "s3_input_bucket": source,
        "s3_input_key_prefix": key,
        "s3_output_bucket": target,
        "s3_output_key_prefix": folder.rstrip("/"),
        "run_id": attempt.run,
        "input_etag": given.etag,
        "input_version": given.version,
        "job_name": attempt.name,
        "summary": f"{runs(desk.operations, start.role, attempt.name)}summary.json",
        **dict(start.job.arguments),
    }
    return [word for name, value in told.items() for word in (f"--{name}", value)]


def _fitting(words: list[str]) -> list[str]:
    """The words, if SageMaker takes them all."""
    if long := next((word for word in words if len(word) > LONGEST), ""):
        why = f"SageMaker takes arguments of up to {LONGEST} characters"
        raise Unsendable(f"{long[:60]!r}… has {len(long)} characters, and {why}: shorten the key, the folder or the argument")
    if len(words) > MOST:
        raise Unsendable(f"the job has {len(words)} arguments, and SageMaker takes up to {MOST}: leave some out")
    return words


def _entrypoint(what: Submission) -> list[str]:
    words = ["smspark-submit"]
    words += ["--py-files", f"{INPUT}/py-files"] if what.py_files else []
    words += ["--local-spark-event-logs-dir", EVENTS] if what.events else []
    return [*words, f"{INPUT}/code/{what.app.rpartition('/')[2]}"]


def _inputs(what: Submission) -> list[dict[str, Any]]:
    named = (("py-files", what.py_files), ("conf", what.configuration), ("code", what.app))
    return [_input(name, uri) for name, uri in named if uri]


def _input(name: str, uri: str) -> dict[str, Any]:
    how = {
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    return {"InputName": name, "S3Input": {"S3Uri": uri, "LocalPath": f"{INPUT}/{name}", **how}}


def _output(name: str, uri: str) -> dict[str, Any]:
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": EVENTS, "S3UploadMode": "Continuous"}}


def _cluster(instances: Instances) -> dict[str, Any]:
    return {"InstanceType": instances.type, "InstanceCount": instances.count, "VolumeSizeInGB": instances.volume}


def _network(network: Network) -> dict[str, Any]:
    # Isolation would cut off S3 itself. The SDK says so in every request that has a network.
    told: dict[str, Any] = {"EnableNetworkIsolation": False}
    told |= {"EnableInterContainerTrafficEncryption": True} if network.encrypted else {}
    return {**told, "VpcConfig": {"SecurityGroupIds": list(network.groups), "Subnets": list(network.subnets)}}
