"""How a custom resource answers CloudFormation, so that a failure is told at once instead of after an hour of waiting.

The answer's shape: AWS CloudFormation User Guide, "Custom resource response objects".
"""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger

logger = Logger(service="custom-resource")


class Later(Exception):
    """The work is not done and goes on in another invocation, which answers; the text says what it waits for."""


def answer(event: Mapping[str, Any], context: Any, work: Callable[[], dict[str, str]]) -> None:
    """Do the work and tell CloudFormation how it went: SUCCESS with what it returned, or FAILED with the reason.

    Later goes through, and nothing is told.
    """
    try:
        status, reason, data = "SUCCESS", "", work()
    except Later:
        raise
    except Exception as error:
        logger.exception("the work failed")
        status, reason, data = "FAILED", f"{type(error).__name__}: {error}", {}
    told = {
        "Status": status,
        "Reason": reason or f"see log stream {context.log_stream_name}",
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    _put(event["ResponseURL"], json.dumps(told).encode())


def _put(url: str, body: bytes) -> None:
    # The URL is one that CloudFormation signed for this request; the signature covers an empty content type.
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310  -- it is CloudFormation's own
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310  -- as above
        pass
