"""Custom resources: when the stack is deleted, stop its jobs, revoke its grants, empty its buckets.

The template orders them: first events stop, then jobs and grants go, then Studio, the policies
that people have, the location and its role, then the content of the buckets.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from grantor.aws import cleanup, cloudformation
from grantor.aws.clients import Clients
from grantor.teardown.custom_resource import (
    TeardownPass,
    TeardownStep,
    run_always,
    run_and_respond,
    run_teardown,
)
from grantor.teardown.steps import detach_policies, revoke_grants, stop_jobs

# AWS, AmazonSageMakerFullAccess v29: it allows objects of every bucket, functions and topics whose
# names contain these words. Most execution roles of existing accounts have it.
OPEN_WORDS = ("sagemaker", "aws-glue")


def handler(event: dict[str, Any], context: Any) -> None:
    """Run the teardown step of the resource; before Delete, only the names are checked, and the
    ledger is protected.

    A repeated Delete after a failure continues where the last one stopped.
    """
    if event["ResourceType"] == "Custom::ProtectedLedger":
        protects = event["RequestType"] != "Delete"
        return run_always(event, context, partial(protect_ledger, protects=protects))
    steps: dict[str, TeardownStep] = {
        "Custom::StoppedJobs": stop_jobs,
        "Custom::RevokedGrants": revoke_grants,
        "Custom::EmptiedBuckets": empty_buckets,
        "Custom::DetachedPolicies": detach_policies,
    }
    if event["RequestType"] == "Create":
        return run_and_respond(event, context, lambda: check_names(event["ResourceProperties"]))
    if event["RequestType"] == "Update" and event["ResourceType"] == "Custom::EmptiedBuckets":
        return run_and_respond(event, context, lambda: check_data_bucket(event))
    return run_teardown(event, context, steps[event["ResourceType"]])


def check_data_bucket(event: Mapping[str, Any]) -> dict[str, str]:
    """Raise ValueError if an update would delete the stack's own data bucket, or make one.

    Either would change what policy files call {data_bucket}, and leave data without its grants.
    An update that is being undone has not done it.
    """
    before, now = (
        len(event[name]["Buckets"]) for name in ("OldResourceProperties", "ResourceProperties")
    )
    client = Clients().cloudformation
    if before == now or cloudformation.is_rolling_back(client, event["StackId"]):
        return {}
    if now < before:
        raise ValueError(
            "the stack has a data bucket of its own, which DataBuckets would replace: leave "
            "DataBuckets empty, and write existing buckets into DataBuckets2 to DataBuckets8"
        )
    raise ValueError(
        "the stack was created for existing buckets, and an empty DataBuckets would make it create "
        "one: keep at least one name in DataBuckets, or deploy another stack"
    )


def check_names(properties: Mapping[str, Any]) -> dict[str, str]:
    """Raise ValueError if AWS's managed policies open a bucket of the stack by its name."""
    for name in properties.get("Buckets", ()):
        if word := next((it for it in OPEN_WORDS if it in name), ""):
            raise ValueError(
                f"the bucket {name} has {word} in its name, and AmazonSageMakerFullAccess opens "
                "what is named so to every role that has it: deploy the stack under a name "
                f"without {word}"
            )
    return {}


def protect_ledger(
    properties: Mapping[str, Any], _: TeardownPass, *, protects: bool
) -> dict[str, str]:
    """Protect `Table` from deletion, or take the protection off."""
    cleanup.set_deletion_protection(Clients().dynamodb, properties["Table"], protects=protects)
    return {}


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
