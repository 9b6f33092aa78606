"""The stack comes, everything in it, and goes again."""

from pathlib import Path

from demo.cast import STACK, Cast
from demo.desk import Desk
from demo.inventory import inventory
from demo.stage import expect, say, step

JOB_LOGS = "/aws/sagemaker/ProcessingJobs"  # one group for the jobs of all who use the account; SageMaker's own, and stays


def deploy(desk: Desk, data: Path | None) -> Cast:
    """One command: the network and Studio in a nested stack, alarms in another, and Grantor."""
    with step("A platform engineer deploys: sam deploy"):
        chosen = _upload(desk, data) if data else ""
        options = ["--parameter-overrides", f"Dataset={chosen}"] if chosen else []
        desk.sam("deploy", "--stack-name", STACK, "--resolve-s3", "--no-confirm-changeset", "--no-progressbar", *options)
        cast = Cast(desk, _outputs(desk))
        say(f"stack {STACK}: data in {cast.data}, policy files in {cast.outputs['PolicyBucket']}")
        expect("nobody has a grant yet", set(), cast.grants())
        return cast


def leave(cast: Cast, before: frozenset[str]) -> None:
    """One command again; Unmet if anything is left of what was not there `before`."""
    with step("Clean up: sam delete"):
        expect("every run could be told of, on the bus and in the history", [], _untold(cast))
        desk = cast.desk
        desk.sam("delete", "--stack-name", STACK, "--no-prompts")
        _drop_what_others_keep(desk)
        expect("nothing is left in any service", [], sorted(inventory(desk.client, desk.account) - before))


def functions(desk: Desk) -> dict[str, dict[str, str]]:
    """The deployed functions' variables by their names in the template, as `sam local invoke --env-vars` takes them."""
    resources = desk.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    names = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::Lambda::Function"}
    configurations = {
        logical: desk.client("lambda").get_function_configuration(FunctionName=name) for logical, name in names.items()
    }
    variables = {logical: configuration["Environment"]["Variables"] for logical, configuration in configurations.items()}
    # Inside a container the desk has this name: `python -m sandbox relay`.
    return {
        logical: values | {"AWS_ENDPOINT_URL": f"http://sandbox.internal:{desk.port}"} for logical, values in variables.items()
    }


def event(sample: Path, cast: Cast) -> str:
    """A sample event about this stack's own buckets."""
    told = sample.read_text().replace("grantor-databucket", cast.data)
    return told.replace("grantor-policybucket", cast.outputs["PolicyBucket"])


def _outputs(desk: Desk) -> dict[str, str]:
    stack = desk.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _upload(desk: Desk, data: Path) -> str:
    s3 = desk.client("s3")
    s3.create_bucket(Bucket="demo-dataset")
    s3.upload_file(str(data), "demo-dataset", "abalone.csv")
    return "s3://demo-dataset/abalone.csv"


def _untold(cast: Cast) -> list[str]:
    return sorted(said for said in cast.complaints() if "could not be told" in said)


def _drop_what_others_keep(desk: Desk) -> None:
    """SAM keeps a bucket for artifacts in a stack of its own, and `sam delete` leaves it; the story's own data set goes too."""
    s3, cloud = desk.client("s3"), desk.client("cloudformation")
    for bucket in [item["Name"] for item in s3.list_buckets()["Buckets"]]:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for item in page.get("Versions", []) + page.get("DeleteMarkers", []):
                s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
        if bucket == "demo-dataset":
            s3.delete_bucket(Bucket=bucket)
    desk.client("logs").delete_log_group(logGroupName=JOB_LOGS)
    cloud.delete_stack(StackName="aws-sam-cli-managed-default")
    cloud.get_waiter("stack_delete_complete").wait(StackName="aws-sam-cli-managed-default", WaiterConfig={"Delay": 1})
