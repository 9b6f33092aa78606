"""Custom resources: when the stack is deleted, stop its jobs, revoke its grants, empty its buckets.

The template orders them: first events stop, then jobs and grants go, then the location and its
role, then the content of the buckets.
"""

from collections.abc import Mapping
from typing import Any

from grantor.aws import cleanup
from grantor.aws.clients import Clients
from grantor.teardown.custom_resource import TeardownPass, TeardownStep, run_teardown
from grantor.teardown.steps import revoke_grants, stop_jobs


def handler(event: dict[str, Any], context: Any) -> None:
    """Run the teardown step of the resource; only Delete does anything.

    A repeated Delete after a failure continues where the last one stopped.
    """
    steps: dict[str, TeardownStep] = {
        "Custom::StoppedJobs": stop_jobs,
        "Custom::RevokedGrants": revoke_grants,
        "Custom::EmptiedBuckets": empty_buckets,
    }
    run_teardown(event, context, steps[event["ResourceType"]])


def empty_buckets(properties: Mapping[str, Any], turn: TeardownPass) -> dict[str, str]:
    """Delete each of `Buckets` with its content, except those in `Kept`.

    If the stack was never completed, those are deleted, too: nobody has put data into them.
    """
    kept = () if turn.rolled_back else properties.get("Kept", ())
    s3 = Clients().s3
    deleted = (
        cleanup.delete_bucket(s3, name, turn.check_time)
        for name in properties["Buckets"]
        if name not in kept
    )
    return {"Objects": str(sum(deleted))}
