"""The same job requested twice: by PySparkProcessor, and by our launcher."""

from dataclasses import dataclass
from typing import Any

from grantor.core.jobs.request import JobNetwork, JobTerms, SparkSubmission
from grantor.core.rules import Instances

# The SDK's default, where it lays what it finds on the notebook's disk
BUCKET = "sagemaker-us-east-1-111122223333"
LAID = f"s3://{BUCKET}/by-hand/input"
APP = f"{LAID}/code/preprocess.py"
ROLE = "arn:aws:iam::111122223333:role/sagemaker-usera-role"  # as it was captured
IMAGE = "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing"
PINNED = {"framework_version": "3.5", "py_version": "py312", "container_version": "1.3"}
ARTICLE = [
    "--account_id", "111122223333", "--s3_input_bucket", "IN", "--s3_input_key_prefix", "UserA",
    "--s3_output_bucket", "OUT", "--s3_output_key_prefix", "UserA/output",
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Arguments of the SDK's constructor and of its run, and of its NetworkConfig if there is one;
    and ours. Named as it was captured.
    """

    processor: dict[str, Any]
    run: dict[str, Any]
    what: SparkSubmission
    terms: JobTerms
    network: dict[str, Any] | None = None

    def encode(self) -> dict[str, Any]:
        """For sent.py."""
        machines = {"role": ROLE, "instance_count": 2, "instance_type": "ml.m5.2xlarge"}
        run = {
            "submit_app": "preprocess.py",
            "arguments": ARTICLE,
            "job_name": "by-hand",
        } | self.run
        return {
            "bucket": BUCKET,
            "network": self.network,
            "processor": machines | self.processor,
            "run": run,
        }


def terms(tag: str = "3.5-cpu-py312-v1.3", volume: int = 30, **more: Any) -> JobTerms:
    return JobTerms(ROLE, f"{IMAGE}:{tag}", Instances("ml.m5.2xlarge", 2, volume), **more)


CASES = {
    "blog (v2 SDK)": Case(
        {"framework_version": "3.3"},
        {
            "spark_event_logs_s3_uri": "s3://OUT/Product/sagemaker/spark-preprocess-demo/ts/spark_event_logs"
        },
        SparkSubmission(
            APP,
            events="s3://OUT/Product/sagemaker/spark-preprocess-demo/ts/spark_event_logs",
            arguments=ARTICLE,
        ),
        terms("3.3-cpu"),
    ),
    "3.5 default": Case(
        {"framework_version": "3.5"},
        {"spark_event_logs_s3_uri": "s3://OUT/logs/"},
        SparkSubmission(APP, events="s3://OUT/logs/", arguments=ARTICLE),
        terms("3.5-cpu"),
    ),
    "3.5 no event logs, s3 code": Case(
        PINNED, {}, SparkSubmission(APP, arguments=ARTICLE), terms()
    ),
    "3.5 py312 v1.3 + everything": Case(
        PINNED
        | {
            "volume_size_in_gb": 50,
            "max_runtime_in_seconds": 3600,
            "env": {"AWS_SPARK_CONFIG_MODE": "2"},
        }
        | {"tags": [{"Key": "team", "Value": "product"}]},
        {
            "submit_py_files": ["util.py"],
            "configuration": [
                {"Classification": "spark-defaults", "Properties": {"spark.driver.memory": "4g"}}
            ],
            "spark_event_logs_s3_uri": "s3://OUT/logs",
        },
        SparkSubmission(
            APP,
            f"{LAID}/py-files",
            f"{LAID}/conf/configuration.json",
            "s3://OUT/logs",
            ARTICLE,
            {"AWS_SPARK_CONFIG_MODE": "2"},
        ),
        terms(
            volume=50,
            seconds=3600,
            tags={"team": "product"},
            network=JobNetwork(("subnet-1", "subnet-2"), ("sg-1",), encrypted=True),
        ),
        {
            "enable_network_isolation": False,
            "encrypt_inter_container_traffic": True,
            "security_group_ids": ["sg-1"],
            "subnets": ["subnet-1", "subnet-2"],
        },
    ),
    "code in S3, network": Case(
        PINNED,
        {"submit_app": "s3://ops/code/0123/preprocess.py"},
        SparkSubmission("s3://ops/code/0123/preprocess.py", arguments=ARTICLE),
        terms(network=JobNetwork(("subnet-1",), ("sg-1", "sg-2"))),
        {
            "enable_network_isolation": False,
            "security_group_ids": ["sg-1", "sg-2"],
            "subnets": ["subnet-1"],
        },
    ),
}
