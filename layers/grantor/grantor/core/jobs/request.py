"""The identity of a run, and the request for its processing job.

The same job on the same content into the same output with the same code is the same run. The name
of its processing job is claimed in the ledger before the job exists, so nothing starts twice. Part
of the name is random, so that nobody else can take it first.

The request equals the one of PySparkProcessor in the SageMaker SDK (v3), which has a gigabyte of
dependencies. The SDK's requests were captured; the tests compare with them.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grantor.core.grant import split_uri
from grantor.core.jobs.batches import INPUTS_FILE
from grantor.core.policy.job_types import ENTRY
from grantor.core.rules import Instances, Start
from grantor.core.snapshot import InputObject
from grantor.core.triggers import JOB_NAME_PREFIX
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS, MAX_CONTAINER_ARGUMENTS
from grantor.settings import MAX_JOB_NAME_CHARACTERS

INVALID_NAME_CHARACTERS = re.compile(r"[^a-zA-Z0-9]+")
# Spark 3.5.6 of EMR 7.12, whose S3A knows S3 Access Grants; Python 3.12, Java 17. Never use the
# floating tag.
IMAGE_TAG = "3.5-cpu-py312-v1.3"
INPUT_PATH, EVENT_LOG_PATH = "/opt/ml/processing/input", "/opt/ml/processing/spark-events/"
# The account that owns the image in each Region, from the SDK v3 (sagemaker 3.27.0).
IMAGE_ACCOUNTS = {
    "af-south-1": "309385258863", "ap-east-1": "732049463269", "ap-east-2": "533267296287",
    "ap-northeast-1": "411782140378", "ap-northeast-2": "860869212795",
    "ap-northeast-3": "102471314380", "ap-south-1": "105495057255", "ap-south-2": "873151114052",
    "ap-southeast-1": "759080221371", "ap-southeast-2": "440695851116",
    "ap-southeast-3": "800295151634", "ap-southeast-4": "819679513684",
    "ap-southeast-5": "841784149062", "ap-southeast-6": "278240940207",
    "ap-southeast-7": "471112967968", "ca-central-1": "446299261295", "ca-west-1": "000907499111",
    "cn-north-1": "671472414489", "cn-northwest-1": "844356804704", "eu-central-1": "906073651304",
    "eu-central-2": "142351485170", "eu-isoe-west-1": "010264522435", "eu-north-1": "330188676905",
    "eu-south-1": "753923664805", "eu-south-2": "833944533722", "eu-west-1": "571004829621",
    "eu-west-2": "836651553127", "eu-west-3": "136845547031", "eusc-de-east-1": "713710892325",
    "il-central-1": "408426139102", "me-central-1": "395420993607", "me-south-1": "750251592176",
    "mx-central-1": "211125459255", "sa-east-1": "737130764395", "us-east-1": "173754725891",
    "us-east-2": "314815235551", "us-gov-east-1": "260923028637", "us-gov-west-1": "271483468897",
    "us-west-1": "667973535471", "us-west-2": "153931337802",
}  # fmt: skip
# The domain of a partition's hosts, by the beginning of the Region; elsewhere it is amazonaws.com.
HOST_SUFFIXES = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "eu-isoe-": "cloud.adc-e.uk"}


@dataclass(frozen=True)
class CodeVersion:
    """The hash over a job's code, and the version of its data contract."""

    hash: str
    contract: str


@dataclass(frozen=True)
class Attempt:
    """One attempt of a run: what starts, its input, the run's id, its number, from 1, and the name
    of its processing job.
    """

    start: Start
    input: InputObject
    run: str
    number: int
    name: str

    @property
    def label(self) -> str:
        """What sentences call it: the job, and the profile or role that it is for."""
        return (
            f"{self.start.job.name} for "
            f"{self.start.profile.rpartition('/')[2] or role_name(self.start.role)}"
        )


def compute_run_id(start: Start, given: InputObject, code: CodeVersion) -> str:
    """Return 20 hex digits for this content, processed by this code into this output.

    Neither versions nor machines are part of it: the same content, uploaded again, is the same run.
    The ETag of a batch covers the key and the ETag of each of its objects, and the hash of the code
    covers the job type.
    """
    bucket, key = split_uri(given.uri)
    essence = {
        "job": start.job.id, "bucket": bucket, "key": key, "etag": given.etag,
        "size": given.size, "output": start.output,
        "arguments": start.job.arguments, "code": code.hash, "contract": code.contract,
    }  # fmt: skip
    return _hash_json(essence)[:20]


def compute_input_id(start: Start) -> str:
    """Return 32 hex digits for this job on this input into this output.

    No two runs of it may be in progress at the same time.
    """
    return _hash_json([start.job.id, start.input, start.output])[:32]


def format_job_name(job: str, run: str, attempt: int, secret: str) -> str:
    """Return the name of the processing job, which has at most 63 characters.

    `secret` are eight hex digits that nobody can guess.

    >>> format_job_name("abalone_for.everybody in it", "0123456789abcdef0123", 2, "5eed5eed")
    'grantor-abalone-for-ever-0123456789abcdef0123-a2-5eed5eed'
    """
    shown = INVALID_NAME_CHARACTERS.sub("-", job[:MAX_JOB_NAME_CHARACTERS]).strip("-") or "job"
    return f"{JOB_NAME_PREFIX}{shown}-{run}-a{attempt}-{secret}"


def role_name(role: str) -> str:
    """Return the name of a role, without its path.

    >>> role_name("arn:aws:iam::111122223333:role/studio/sagemaker-usera-role")
    'sagemaker-usera-role'
    """
    return role.rpartition("/")[2]


def _hash_json(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class UnsendableRequest(ValueError):
    """The request cannot be made; the text says why, and what to do instead."""


@dataclass(frozen=True)
class SparkSubmission:
    """What smspark-submit gets.

    The first four are s3:// URIs of code, py-files, configuration and event logs; "" for none.
    """

    app: str
    py_files: str = ""
    configuration: str = ""
    events: str = ""
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobNetwork:
    """The subnets and security groups of the job's machines; by default SageMaker's network."""

    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    encrypted: bool = False  # the traffic between them


@dataclass(frozen=True)
class JobTerms:
    """The role, image and machines of a job, and its time limit; 0 seconds is none."""

    role: str  # ARN
    image: str
    instances: Instances
    seconds: int = 0
    network: JobNetwork = JobNetwork()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LaunchEnvironment:
    """The launcher's stack, account, Region, operations bucket, the hash of the job's code,
    network.
    """

    stack: str
    account: str
    region: str
    operations: str
    code: str  # its hash
    network: JobNetwork = JobNetwork()


def image_uri(region: str, tag: str = IMAGE_TAG) -> str:
    """Return the image's URI in a Region; raises UnsendableRequest if there is none.

    >>> image_uri("cn-north-1")
    '671472414489.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-spark-processing:3.5-cpu-py312-v1.3'
    """
    if region not in IMAGE_ACCOUNTS:
        raise UnsendableRequest(
            f"AWS has no Spark image for SageMaker Processing in {region}: run the jobs in "
            "a Region that has one"
        )
    suffix = next(
        (end for start, end in HOST_SUFFIXES.items() if region.startswith(start)), "amazonaws.com"
    )
    return f"{IMAGE_ACCOUNTS[region]}.dkr.ecr.{region}.{suffix}/sagemaker-spark-processing:{tag}"


def build_request(name: str, what: SparkSubmission, terms: JobTerms) -> dict[str, Any]:
    """Build the parameters of CreateProcessingJob; like the SDK, leave out what is not needed."""
    asked: dict[str, Any] = {
        "ProcessingJobName": name,
        "ProcessingResources": {"ClusterConfig": _build_cluster(terms.instances)},
        "AppSpecification": {
            "ImageUri": terms.image,
            "ContainerArguments": list(what.arguments),
            "ContainerEntrypoint": _build_entrypoint(what),
        },
        "RoleArn": terms.role,
        "ProcessingInputs": _build_inputs(what),
        "Environment": dict(what.environment),
    }
    if what.events:
        asked["ProcessingOutputConfig"] = {
            "Outputs": [_build_output("spark-event-logs", what.events)]
        }
    if terms.network.subnets:
        asked["NetworkConfig"] = _build_network(terms.network)
    if terms.seconds:
        asked["StoppingCondition"] = {"MaxRuntimeInSeconds": terms.seconds}
    if terms.tags:
        asked["Tags"] = [{"Key": key, "Value": value} for key, value in terms.tags.items()]
    return asked


def hash_request(request: Mapping[str, Any]) -> str:
    """Return 32 hex digits over what decides what a processing job does and as whom.

    That is its role, image, entry point, arguments, environment and inputs, with the code's hash.
    DescribeProcessingJob returns these as CreateProcessingJob got them, so its answer has the hash
    of the request. An empty environment may be left out.
    """
    app = request.get("AppSpecification", {})
    members = ("ImageUri", "ContainerEntrypoint", "ContainerArguments")
    inputs = [
        (one["InputName"], place.get("S3Uri"), place.get("LocalPath"))
        for one in request.get("ProcessingInputs") or ()
        for place in (one.get("S3Input") or {},)
    ]
    environment = sorted((request.get("Environment") or {}).items())
    essence = [*map(app.get, members), request.get("RoleArn"), environment, sorted(inputs)]
    return _hash_json(essence)[:32]


def build_attempt_request(attempt: Attempt, environment: LaunchEnvironment) -> dict[str, Any]:
    """Build the request for one attempt.

    Raises UnsendableRequest if the Region has no image, or an argument is too long for SageMaker.
    """
    start, code = attempt.start, f"s3://{environment.operations}/code/{environment.code}"
    what = SparkSubmission(
        app=f"{code}/{ENTRY}",
        py_files=f"{code}/py-files",
        configuration=f"{code}/{configuration_path(list_buckets(start))}",
        events=f"{run_folder(environment.operations, start.role, attempt.name)}spark-events/",
        arguments=_check_arguments(build_arguments(attempt, environment)),
    )
    seconds = int(start.job.time_limit.total_seconds())
    tags = {"grantor:stack": environment.stack, "grantor:job": start.job.name}
    image, machines = image_uri(environment.region), start.job.instances
    terms = JobTerms(start.role, image, machines, seconds, environment.network, tags)
    return build_request(attempt.name, what, terms)


def list_buckets(start: Start) -> tuple[str, ...]:
    """List the buckets that a job reads and writes: one or two."""
    return tuple(dict.fromkeys(split_uri(uri)[0] for uri in (start.input, start.output)))


def configuration_path(buckets: Sequence[str]) -> str:
    """Return the path of the Spark configuration for jobs on these buckets, below their code.

    >>> configuration_path(("data",)), configuration_path(("data", "features"))
    ('conf/data/configuration.json', 'conf/data/features/configuration.json')
    """
    return f"conf/{'/'.join(buckets)}/configuration.json"


def run_folder(operations: str, role: str, name: str) -> str:
    """Return the folder of a processing job in the operations bucket; only its role may write
    there.

    >>> role = "arn:aws:iam::111122223333:role/sagemaker-usera-role"
    >>> run_folder("ops", role, "grantor-abalone-0123-a1")
    's3://ops/runs/sagemaker-usera-role/grantor-abalone-0123-a1/'
    """
    return f"s3://{operations}/runs/{role_name(role)}/{name}/"


def build_arguments(attempt: Attempt, environment: LaunchEnvironment) -> list[str]:
    """Build the job's arguments: the article's five, the run's identity, and the policy file's.

    For a batch, inputs.json says what the job reads, and the key is the pattern of its objects.
    """
    start, given = attempt.start, attempt.input
    (source, key), (target, folder) = split_uri(start.input), split_uri(start.output)
    place = run_folder(environment.operations, start.role, attempt.name)
    version = {"input_etag": given.etag, "input_version": given.version}
    if start.is_batch:
        version = {"inputs": f"{place}{INPUTS_FILE}"}
    arguments = {
        "account_id": environment.account,
        "s3_input_bucket": source,
        "s3_input_key_prefix": key,
        "s3_output_bucket": target,
        "s3_output_key_prefix": folder.rstrip("/"),
        "run_id": attempt.run,
        **version,
        "job_name": attempt.name,
        "summary": f"{place}summary.json",
        "job": start.job.run,
        **dict(start.job.arguments),
    }
    return [word for name, value in arguments.items() for word in _format_option(name, value)]


def _format_option(name: str, value: str) -> tuple[str, ...]:
    """Return an option and its value; in one word if the value looks like an option itself.

    smspark-submit (click) takes options wherever they stand, so that a key "--jars=…" would be one
    of its own.
    """
    return (f"--{name}={value}",) if value.startswith("-") else (f"--{name}", value)


def _check_arguments(words: list[str]) -> list[str]:
    """Return the words if SageMaker accepts them all; raises UnsendableRequest otherwise."""
    if long := next((word for word in words if len(word) > MAX_CONTAINER_ARGUMENT_CHARACTERS), ""):
        why = f"SageMaker takes arguments of up to {MAX_CONTAINER_ARGUMENT_CHARACTERS} characters"
        raise UnsendableRequest(
            f"{long[:60]!r}… has {len(long)} characters, and {why}: shorten the key, the "
            "folder or the argument"
        )
    if len(words) > MAX_CONTAINER_ARGUMENTS:
        raise UnsendableRequest(
            f"the job has {len(words)} arguments, and SageMaker takes up to "
            f"{MAX_CONTAINER_ARGUMENTS}: leave some out"
        )
    return words


def _build_entrypoint(what: SparkSubmission) -> list[str]:
    words = ["smspark-submit"]
    words += ["--py-files", f"{INPUT_PATH}/py-files"] if what.py_files else []
    words += ["--local-spark-event-logs-dir", EVENT_LOG_PATH] if what.events else []
    return [*words, f"{INPUT_PATH}/code/{what.app.rpartition('/')[2]}"]


def _build_inputs(what: SparkSubmission) -> list[dict[str, Any]]:
    named = (("py-files", what.py_files), ("conf", what.configuration), ("code", what.app))
    return [_build_input(name, uri) for name, uri in named if uri]


def _build_input(name: str, uri: str) -> dict[str, Any]:
    how = {
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    return {
        "InputName": name,
        "S3Input": {"S3Uri": uri, "LocalPath": f"{INPUT_PATH}/{name}", **how},
    }


def _build_output(name: str, uri: str) -> dict[str, Any]:
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": uri, "LocalPath": EVENT_LOG_PATH, "S3UploadMode": "Continuous"},
    }


def _build_cluster(instances: Instances) -> dict[str, Any]:
    return {
        "InstanceType": instances.type,
        "InstanceCount": instances.count,
        "VolumeSizeInGB": instances.volume,
    }


def _build_network(network: JobNetwork) -> dict[str, Any]:
    # Isolation would cut off S3. The SDK sends False in every request that has a network.
    config: dict[str, Any] = {"EnableNetworkIsolation": False}
    config |= {"EnableInterContainerTrafficEncryption": True} if network.encrypted else {}
    return {
        **config,
        "VpcConfig": {"SecurityGroupIds": list(network.groups), "Subnets": list(network.subnets)},
    }
