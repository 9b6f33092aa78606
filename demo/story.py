"""The story, chapter by chapter; each is a function of what the chapter before left."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.event_to_grant import measure
from benchmarks.figures import table, write
from demo import more_rules, new_data
from demo.cast import POLICY, STACK, Cast, Row
from demo.desk import ROOT, Desk
from demo.inventory import inventory
from demo.stage import eventually, expect, say, step

BROKEN = """\
version: 1
rules:
  - name: own-folder
    to: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/*
    alow: READWRITE
"""


def tell(desk: Desk, data: Path | None) -> None:
    """The whole story; Unmet at the first expectation that does not hold."""
    before = inventory(desk.client, desk.account)
    cast = deploy(desk, data)
    article = drop_policy(cast)
    user_a_reads(cast, data)
    user_b_is_refused(cast)
    new_profile(cast, article)
    profile_leaves(cast, article)
    broken_policy(cast, article)
    more_rules.tell(cast, article)
    new_data.tell(cast, data)
    speed(cast, article)
    leave(cast, before)


def deploy(desk: Desk, data: Path | None) -> Cast:
    with step("A platform engineer deploys: sam deploy"):
        chosen = _upload(desk, data) if data else ""
        options = ["--parameter-overrides", f"Dataset={chosen}"] if chosen else []
        desk.sam("deploy", "--stack-name", STACK, "--resolve-s3", "--no-confirm-changeset", "--no-progressbar", *options)
        cast = Cast(desk, _outputs(desk))
        say(f"stack {STACK}: data in {cast.data}, policy files in {cast.outputs['PolicyBucket']}")
        expect("LoadDataset has put abalone.csv into each folder", FOLDERS, _keys(cast))
        expect("nobody has a grant yet", set(), cast.grants())
        return cast


FOLDERS = ["Product/abalone.csv", "UserA/abalone.csv", "UserB/abalone.csv"]


def drop_policy(cast: Cast) -> set[Row]:
    with step(f"A data steward drops {POLICY} into the policy bucket"):
        say((ROOT / POLICY).read_text())
        cast.put_policy(POLICY, (ROOT / POLICY).read_bytes())
        article = cast.granted("userA", "Product", "UserA") | cast.granted("userB", "Product", "UserB")
        eventually("the grants are the article's four", article, cast.grants)
        say()
        for row in sorted(article):
            say(f"{row[0]:<22} {row[1]:<10} {row[2]}")
        return article


def user_a_reads(cast: Cast, data: Path | None) -> None:
    with step("userA, in a notebook, reads UserA/abalone.csv with credentials from GetDataAccess"):
        vended = _access(cast, "userA", "UserA", "READ")
        body = cast.desk.client("s3", vended).get_object(Bucket=cast.data, Key="UserA/abalone.csv")["Body"].read()
        rows = body.decode().splitlines()[:5]
        source = data or next((ROOT / "functions/load_dataset").glob("*.csv"))
        expect("they are the first five rows of the file", source.read_text().splitlines()[:5], rows)
        say("\n".join(rows))


def user_b_is_refused(cast: Cast) -> None:
    with step("userB asks for the same"):
        own = cast.desk.notebook("userB").client("s3")
        where = f"s3://{cast.data}/UserA/*"
        said = refusal(lambda: _access(cast, "userB", "UserA", "READ"))
        expect(
            "GetDataAccess refuses",
            ("AccessDenied", f"You do not have READ permissions to the requested S3 Prefix: {where}"),
            said,
        )
        code, _ = refusal(lambda: own.get_object(Bucket=cast.data, Key="UserA/abalone.csv"))
        expect("and userB's own role may not GetObject", "AccessDenied", code)


def new_profile(cast: Cast, article: set[Row]) -> None:
    with step("A new Studio user, userC, is added; nobody runs anything else"):
        iam, studio = cast.desk.client("iam"), cast.desk.client("sagemaker")
        trust = iam.get_role(RoleName="sagemaker-usera-role")["Role"]["AssumeRolePolicyDocument"]
        role = iam.create_role(RoleName="sagemaker-userc-role", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        studio.create_user_profile(DomainId=cast.domain(), UserProfileName="userC", UserSettings={"ExecutionRole": role})
        wanted = article | cast.granted("userC", "Product", "UserC")
        eventually("userC has its grants", wanted, cast.grants)


def profile_leaves(cast: Cast, article: set[Row]) -> None:
    with step("userC leaves"):
        studio = cast.desk.client("sagemaker")
        profile = {"DomainId": cast.domain(), "UserProfileName": "userC"}
        eventually("its profile has settled", "InService", lambda: studio.describe_user_profile(**profile)["Status"])
        studio.delete_user_profile(**profile)
        eventually("userC's grants are gone, the others stand", article, cast.grants)
        cast.desk.client("iam").delete_role(RoleName="sagemaker-userc-role")


def broken_policy(cast: Cast, article: set[Row]) -> None:
    with step("The steward makes a mistake"):
        say(BROKEN)
        seen = cast.complaints()
        cast.put_policy(POLICY, BROKEN.encode())
        place = f"{POLICY}:6:5:"
        eventually("the function's log says where", True, lambda: any(place in said for said in cast.complaints() - seen))
        for said in sorted(said for said in cast.complaints() - seen if place in said):
            say(said)
        expect("nothing has changed", article, cast.grants())
        cast.put_policy(POLICY, (ROOT / POLICY).read_bytes())


def speed(cast: Cast, article: set[Row]) -> None:
    with step("From event to grant, beside an empty function"):
        figures = measure(cast.desk.client, cast.outputs, samples=5)
        write("event_to_grant_demo", figures)
        say(table([replace(figure, bound=None) for figure in figures]))  # `make bench` judges them, with more samples
        eventually("the grants are the article's again", article, cast.grants)


def untold(cast: Cast) -> list[str]:
    return sorted(said for said in cast.complaints() if "could not be told" in said)


def leave(cast: Cast, before: frozenset[str]) -> None:
    with step("The platform engineer leaves: sam delete"):
        expect("every run could be told of, on the bus and in the history", [], untold(cast))
        desk = cast.desk
        desk.sam("delete", "--stack-name", STACK, "--no-prompts")
        _drop_what_others_keep(desk)
        expect("nothing is left in any service", [], sorted(inventory(desk.client, desk.account) - before))


def refusal(ask: Callable[[], Any]) -> tuple[str, str]:
    """How AWS refuses: code and message; ("nothing", …) if it does not."""
    try:
        return "nothing was refused", str(ask())
    except ClientError as refused:
        error = refused.response["Error"]
        return error["Code"], error["Message"]


def _access(cast: Cast, who: str, folder: str, permission: str) -> dict[str, str]:
    control = cast.desk.notebook(who).client("s3control")
    target = f"s3://{cast.data}/{folder}/*"
    given = control.get_data_access(AccountId=cast.desk.account, Target=target, Permission=permission)
    return dict(given["Credentials"])


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


def _outputs(desk: Desk) -> dict[str, str]:
    stack = desk.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _keys(cast: Cast) -> list[str]:
    return sorted(item["Key"] for item in cast.desk.client("s3").list_objects_v2(Bucket=cast.data).get("Contents", []))


def _upload(desk: Desk, data: Path) -> str:
    s3 = desk.client("s3")
    s3.create_bucket(Bucket="demo-dataset")
    s3.upload_file(str(data), "demo-dataset", "abalone.csv")
    return "s3://demo-dataset/abalone.csv"


def _drop_what_others_keep(desk: Desk) -> None:
    """SAM keeps a bucket for artifacts in a stack of its own, and `sam delete` leaves it; the story's own data set goes too."""
    s3, cloud = desk.client("s3"), desk.client("cloudformation")
    for bucket in [item["Name"] for item in s3.list_buckets()["Buckets"]]:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for item in page.get("Versions", []) + page.get("DeleteMarkers", []):
                s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
        if bucket == "demo-dataset":
            s3.delete_bucket(Bucket=bucket)
    # One group of logs for the jobs of all who use the account is SageMaker's own, and stays as well.
    desk.client("logs").delete_log_group(logGroupName="/aws/sagemaker/ProcessingJobs")
    cloud.delete_stack(StackName="aws-sam-cli-managed-default")
    cloud.get_waiter("stack_delete_complete").wait(StackName="aws-sam-cli-managed-default", WaiterConfig={"Delay": 1})
