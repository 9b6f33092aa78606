"""Custom resources of existing buckets: connect them to the stack, and take that back.

The template orders them: buckets leave before the permissions for them do, and are connected after
these have come.
"""

from typing import Any

from grantor.aws.services import build_services
from grantor.buckets.resources import BucketRemoval, GroupConnection, read_change
from grantor.teardown.custom_resource import TeardownStep, run_resumable

LEAVING = "Custom::LeavingBuckets"


def handler(event: dict[str, Any], context: Any) -> None:
    """Do what CloudFormation asks of the resource. A repeated request goes on where the last one
    stopped.
    """
    run_resumable(event, context, build_step(event))


def build_step(event: dict[str, Any]) -> TeardownStep:
    """The work of one request, as a step that may be repeated until it is done."""
    found: list[TeardownStep] = []

    def step(properties: Any, turn: Any) -> dict[str, str]:
        if not found:  # here, so that a failure is a response
            services = build_services()
            kind = BucketRemoval if event["ResourceType"] == LEAVING else GroupConnection
            found.append(kind(services, read_change(event, services)).run)
        return found[0](properties, turn)

    return step
