"""The article's own steps, under its headings. What it does by hand happens by itself here."""

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from demo import job_runs
from demo.spark_installation import SparkInstallation
from harness.deployment import (
    ARTICLE_POLICY,
    DOMAIN,
    INPUT_KEY,
    JOB_POLICY,
    Deployment,
    GrantRow,
    delete_leftovers,
    delete_stack,
)
from harness.session import ROOT
from harness.steps import expect, print_lines, step
from sandbox.testing.inventory import list_everything

FOLDERS = ["Product/abalone.csv", "UserA/abalone.csv", "UserB/abalone.csv"]
OUTPUT_PREFIX = "UserA/output/"
SHOWN_ROWS = 5


def show_grants(deployment: Deployment, data: Path | None) -> set[GrantRow]:
    """The steps up to the first access and the first refusal; the article's grants."""
    validate_data(deployment, data)
    validate_domain(deployment)
    validate_profiles(deployment)
    grants = create_grants(deployment)
    use_grants(deployment, data)
    return grants


def show_job(deployment: Deployment, spark: SparkInstallation, data: Path | None) -> None:
    """The steps that run the Spark job and look at its output."""
    run_job(deployment, spark, data)
    read_output(deployment)
    deny_user_b(deployment)


def validate_data(deployment: Deployment, data: Path | None) -> None:
    """LoadDataset has put the data set into each folder."""
    with step("Validate data"):
        s3, bucket = deployment.session.client("s3"), deployment.data_bucket
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        expect("LoadDataset has put abalone.csv into each folder", FOLDERS, sorted(keys))
        body = s3.get_object(Bucket=bucket, Key=FOLDERS[0])["Body"].read()
        lines = body.decode().splitlines()
        expect(f"with its {len(lines):,} rows, unchanged", job_runs.read_rows(data), lines)


def validate_domain(deployment: Deployment) -> None:
    """The Studio domain is in service, in the private subnets of its VPC."""
    with step("Validate the Studio domain"):
        client = deployment.session.client
        domain = client("sagemaker").describe_domain(DomainId=deployment.find_domain_id())
        expect(f"{DOMAIN} is in service", "InService", domain["Status"])
        subnets = client("ec2").describe_subnets(SubnetIds=domain["SubnetIds"])["Subnets"]
        zones = {subnet["AvailabilityZone"] for subnet in subnets}
        networks = {subnet["VpcId"] for subnet in subnets}
        expect(
            "in two private subnets of its own VPC, in two zones",
            (2, {domain["VpcId"]}),
            (len(zones), networks),
        )


def validate_profiles(deployment: Deployment) -> None:
    """Both profiles are in service, and their roles have no permission on the data."""
    with step("Validate the user profiles"):
        studio, domain = deployment.session.client("sagemaker"), deployment.find_domain_id()
        for user in ("userA", "userB"):
            profile = studio.describe_user_profile(DomainId=domain, UserProfileName=user)
            role = profile["UserSettings"]["ExecutionRole"].rpartition("/")[2]
            wanted = ("InService", f"grantor-{user.lower()}-role")
            expect(f"{user} is in service, as {role}", wanted, (profile["Status"], role))
            code, _ = read_refusal(partial(_read_directly, deployment, user))
            expect("which has no permission of its own on the data", "AccessDenied", code)


def create_grants(deployment: Deployment) -> set[GrantRow]:
    """One policy file creates what the article creates by eight commands; its four grants."""
    with step(f"Create the grants: a data steward puts {ARTICLE_POLICY} into the policy bucket"):
        print_lines((ROOT / ARTICLE_POLICY).read_text())
        grants = deployment.put_article_policy()
        print_lines()
        for role, permission, scope in sorted(grants):
            print_lines(f"{role:<22} {permission:<10} {scope}")
        return grants


def use_grants(deployment: Deployment, data: Path | None) -> None:
    """GetDataAccess returns credentials to userA, and refuses userB."""
    with step("userA, in a notebook, reads with credentials from GetDataAccess; userB is refused"):
        credentials = _get_access(deployment, "userA", "UserA", "READ")
        s3 = deployment.session.client("s3", credentials)
        body = s3.get_object(Bucket=deployment.data_bucket, Key=INPUT_KEY)["Body"].read()
        first = body.decode().splitlines()[:SHOWN_ROWS]
        wanted = job_runs.read_rows(data)[:SHOWN_ROWS]
        expect("userA reads the first five rows of the file", wanted, first)
        print_lines("\n".join(first))
        _expect_no_access(deployment, "userB is refused the same folder")


def run_job(deployment: Deployment, spark: SparkInstallation, data: Path | None) -> None:
    """New data in userA's folder starts the job, which completes."""
    with step(f"Run the job: {JOB_POLICY} is put, and userA's new data arrives"):
        print_lines((ROOT / JOB_POLICY).read_text())
        spark.wait()
        deployment.put_job_policy()
        job_runs.upload_rows(deployment, job_runs.read_rows(data))
        name = job_runs.wait_for_run(deployment, "its job starts by itself, and completes", set())
        parts = _list_output(deployment)
        expect(
            "features for training and validation are in UserA/output",
            ["train", "validation"],
            parts,
        )
        print_lines(deployment.session.run_grantor("jobs", name))


def read_output(deployment: Deployment) -> None:
    """The article's validation script, as userA."""
    with step("Five rows: the article's validation script, as userA"):
        done = _run_validation(deployment, "userA")
        print_lines(done.stdout.strip())
        lines = [line for line in done.stdout.splitlines() if line]
        figures = [line for line in lines if not line.startswith("s3://")]
        expect("userA sees the first five rows of both", (0, 12), (done.returncode, len(figures)))


def deny_user_b(deployment: Deployment) -> None:
    """The same script, as userB, who has no grant on the output."""
    with step("User B is denied: the same script, as userB"):
        done = _run_validation(deployment, "userB")
        denied = done.stderr.startswith("AccessDenied")
        expect("it ends with AccessDenied", (1, True), (done.returncode, denied))
        print_lines(done.stderr.strip())
        _expect_no_access(deployment, "GetDataAccess refuses")
        code, _ = read_refusal(lambda: _read_directly(deployment, "userB"))
        expect("and userB's own role may not call GetObject", "AccessDenied", code)


def clean_up(deployment: Deployment, before: frozenset[str]) -> None:
    """Delete the stack. Raises ExpectationError if something is left that was not there before."""
    with step("Clean up: sam delete"):
        warnings = sorted(it for it in deployment.read_warnings() if "could not be published" in it)
        expect("every run was reported, on the bus and in the history", [], warnings)
        session = deployment.session
        delete_stack(session)
        delete_leftovers(session)
        left = list_everything(session.client, session.account) - before
        expect("nothing is left in any service", [], sorted(left))


def read_refusal(call: Callable[[], Any]) -> tuple[str, str]:
    """The code and message of AWS's refusal, or ("not refused", the answer)."""
    try:
        return "not refused", str(call())
    except ClientError as refused:
        error = refused.response["Error"]
        return error["Code"], error["Message"]


def _expect_no_access(deployment: Deployment, what: str) -> None:
    where = f"s3://{deployment.data_bucket}/UserA/*"
    text = f"You do not have READ permissions to the requested S3 Prefix: {where}"
    seen = read_refusal(lambda: _get_access(deployment, "userB", "UserA", "READ"))
    expect(what, ("AccessDenied", text), seen)


def _read_directly(deployment: Deployment, user: str) -> Any:
    s3 = deployment.session.as_profile(user).client("s3")
    return s3.get_object(Bucket=deployment.data_bucket, Key=INPUT_KEY)


def _get_access(deployment: Deployment, user: str, folder: str, permission: str) -> dict[str, str]:
    session, target = deployment.session, f"s3://{deployment.data_bucket}/{folder}/*"
    control = session.as_profile(user).client("s3control")
    asked = {"AccountId": session.account, "Target": target, "Permission": permission}
    return dict(control.get_data_access(**asked)["Credentials"])


def _list_output(deployment: Deployment) -> list[str]:
    s3 = deployment.session.client("s3")
    listed = s3.list_objects_v2(Bucket=deployment.data_bucket, Prefix=OUTPUT_PREFIX)["Contents"]
    keys = {item["Key"] for item in listed}
    parts = ("train", "validation")
    return sorted(part for part in parts if f"{OUTPUT_PREFIX}{part}/part-00000" in keys)


def _run_validation(deployment: Deployment, user: str) -> subprocess.CompletedProcess[str]:
    variables = {"DATA_BUCKET": deployment.data_bucket, "FOLDER": "UserA"}
    notebook = deployment.session.as_profile(user)
    return notebook.run_notebook_script("examples/studio/validate.py", variables)
