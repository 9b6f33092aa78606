"""Custom resources: when the stack goes, stop our jobs, take away our grants and empty our buckets, so that nothing is left behind.

The template orders them: the doorbells fall silent, jobs and grants go, then the location and its role, then what is in the buckets.
"""

from collections.abc import Mapping
from typing import Any

from grantor.aws import cleanup
from grantor.aws.clients import Clients
from grantor.teardown.custom_resource import Turn, Work, leave
from grantor.teardown.steps import revoke, stop


def handler(event: dict[str, Any], context: Any) -> None:
    """Only Delete does anything; repeating it after a failure goes on where it stopped."""
    work: dict[str, Work] = {"Custom::StoppedJobs": stop, "Custom::RevokedGrants": revoke, "Custom::EmptiedBuckets": empty}
    leave(event, context, work[event["ResourceType"]])


def empty(properties: Mapping[str, Any], turn: Turn) -> dict[str, str]:
    """End each of `Buckets` but those that are `Kept`; where the stack was never completed, nobody's data is in these either."""
    kept = () if turn.undone else properties.get("Kept", ())
    s3 = Clients().s3
    return {
        "Objects": str(sum(cleanup.delete_bucket(s3, name, turn.go_on) for name in properties["Buckets"] if name not in kept))
    }
