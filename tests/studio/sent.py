"""What PySparkProcessor sends: a program for an environment that has the SDK, so for a subprocess.

Reads [{"processor": {…}, "run": {…}, "network": {…} or null, "bucket": …}] from stdin and writes
the body of each CreateProcessingJob as JSON. Each is stopped when it is ready to leave; uploads to
S3 go where the environment leads.
"""

import json
import logging
import sys
from typing import Any

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.network import NetworkConfig
from sagemaker.core.spark.processing import PySparkProcessor


class Ready(Exception):
    """A request that botocore was about to send."""


def stop(params: dict[str, Any], **_: Any) -> None:
    raise Ready(params["body"])


def body(case: dict[str, Any]) -> Any:
    boto = boto3.Session()
    boto.events.register("before-call.sagemaker.CreateProcessingJob", stop)
    session = Session(boto, default_bucket=case["bucket"])
    network = NetworkConfig(**case["network"]) if case["network"] else None
    processor = PySparkProcessor(
        sagemaker_session=session, network_config=network, **case["processor"]
    )
    try:
        processor.run(wait=False, **case["run"])
    except Ready as ready:
        return json.loads(ready.args[0])
    raise AssertionError("no CreateProcessingJob")


logging.disable(logging.ERROR)  # the SDK takes the stop for a refusal
sys.stdout.write(json.dumps([body(case) for case in json.load(sys.stdin)]))
