"""The article's own steps, by its own headings; what it does by hand happens by itself here, and is looked at."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from demo import runs
from demo.cast import DOMAIN, POLICY, Cast, Row
from demo.desk import ROOT
from demo.stage import eventually, expect, say, step

JOBS = "policy/abalone.yaml"
FOLDERS = ["Product/abalone.csv", "UserA/abalone.csv", "UserB/abalone.csv"]
OUTPUT = "UserA/output/"


def tell(cast: Cast, data: Path | None) -> set[Row]:
    """All of them; what the grants are from now on."""
    validate_data(cast, data)
    the_domain(cast)
    the_profiles(cast)
    article = the_grants(cast, data)
    run_the_job(cast, data)
    five_rows(cast)
    user_b_denied(cast)
    return article


def validate_data(cast: Cast, data: Path | None) -> None:
    with step("Validate data"):
        s3 = cast.desk.client("s3")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=cast.data).get("Contents", [])]
        expect("LoadDataset has put abalone.csv into each folder", FOLDERS, sorted(keys))
        lines = s3.get_object(Bucket=cast.data, Key=FOLDERS[0])["Body"].read().decode().splitlines()
        expect(f"with its {len(lines):,} rows, as they are", runs.rows(data), lines)


def the_domain(cast: Cast) -> None:
    with step("Validate the Studio domain"):
        domain = cast.desk.client("sagemaker").describe_domain(DomainId=cast.domain())
        expect(f"{DOMAIN} is in service", "InService", domain["Status"])
        subnets = cast.desk.client("ec2").describe_subnets(SubnetIds=domain["SubnetIds"])["Subnets"]
        zones = {subnet["AvailabilityZone"] for subnet in subnets}
        expect("in two private subnets of a VPC of its own, in two zones", (2, {domain["VpcId"]}), (len(zones), _vpcs(subnets)))


def the_profiles(cast: Cast) -> None:
    with step("Validate the user profiles"):
        for who in ("userA", "userB"):
            profile = cast.desk.client("sagemaker").describe_user_profile(DomainId=cast.domain(), UserProfileName=who)
            role = profile["UserSettings"]["ExecutionRole"].rpartition("/")[2]
            expect(f"{who} is in service, as {role}", ("InService", f"sagemaker-{who.lower()}-role"), (profile["Status"], role))
            code, _ = refusal(lambda who=who: _own_right(cast, who))
            expect("which has no right of its own to the data", "AccessDenied", code)


def the_grants(cast: Cast, data: Path | None) -> set[Row]:
    """What the article makes by eight commands, one file makes; its four grants."""
    article = drop_policy(cast)
    with step("userA, in a notebook, reads with credentials from GetDataAccess"):
        vended = _access(cast, "userA", "UserA", "READ")
        body = cast.desk.client("s3", vended).get_object(Bucket=cast.data, Key=runs.INPUT)["Body"].read()
        first = body.decode().splitlines()[:5]
        expect("they are the first five rows of the file", runs.rows(data)[:5], first)
        say("\n".join(first))
    return article


def drop_policy(cast: Cast) -> set[Row]:
    """The article's policy file; its four grants."""
    with step(f"Create the grants: a data steward drops {POLICY} into the policy bucket"):
        say((ROOT / POLICY).read_text())
        cast.put_policy(POLICY, (ROOT / POLICY).read_bytes())
        article = cast.granted("userA", "Product", "UserA") | cast.granted("userB", "Product", "UserB")
        eventually("the grants are the article's four", article, cast.grants)
        say()
        for row in sorted(article):
            say(f"{row[0]:<22} {row[1]:<10} {row[2]}")
        return article


def drop_jobs(cast: Cast) -> None:
    """The article's job, as a policy file."""
    cast.put_policy(JOBS, (ROOT / JOBS).read_bytes())


def run_the_job(cast: Cast, data: Path | None) -> None:
    with step(f"Run the job: {JOBS} is dropped, and userA's new data comes"):
        say((ROOT / JOBS).read_text())
        drop_jobs(cast)
        runs.upload(cast, runs.rows(data))
        name = runs.completed(cast, "its job starts by itself, and completes", set())
        expect("features to train and to validate with stand in UserA/output", ["train", "validation"], _parts(cast))
        say(cast.desk.grantor("jobs", name))


def five_rows(cast: Cast) -> None:
    with step("Five rows: the article's validation script, as userA"):
        said = _validate(cast, "userA")
        say(said.stdout.strip())
        expect("userA sees the first five rows of both", (0, 12), (said.returncode, len(_figures(said.stdout))))


def user_b_denied(cast: Cast) -> None:
    with step("User B is denied: the same script, as userB"):
        refused = _validate(cast, "userB")
        expect("it ends with AccessDenied", (1, True), (refused.returncode, refused.stderr.startswith("AccessDenied")))
        say(refused.stderr.strip())
        where = f"s3://{cast.data}/UserA/*"
        said = refusal(lambda: _access(cast, "userB", "UserA", "READ"))
        text = f"You do not have READ permissions to the requested S3 Prefix: {where}"
        expect("GetDataAccess refuses", ("AccessDenied", text), said)
        code, _ = refusal(lambda: _own_right(cast, "userB"))
        expect("and userB's own role may not GetObject", "AccessDenied", code)


def refusal(ask: Callable[[], Any]) -> tuple[str, str]:
    """How AWS refuses: code and message; ("nothing was refused", …) if it does not."""
    try:
        return "nothing was refused", str(ask())
    except ClientError as refused:
        error = refused.response["Error"]
        return error["Code"], error["Message"]


def _vpcs(subnets: list[dict[str, Any]]) -> set[str]:
    return {subnet["VpcId"] for subnet in subnets}


def _own_right(cast: Cast, who: str) -> Any:
    return cast.desk.notebook(who).client("s3").get_object(Bucket=cast.data, Key=runs.INPUT)


def _access(cast: Cast, who: str, folder: str, permission: str) -> dict[str, str]:
    control = cast.desk.notebook(who).client("s3control")
    target = f"s3://{cast.data}/{folder}/*"
    given = control.get_data_access(AccountId=cast.desk.account, Target=target, Permission=permission)
    return dict(given["Credentials"])


def _parts(cast: Cast) -> list[str]:
    listed = cast.desk.client("s3").list_objects_v2(Bucket=cast.data, Prefix=OUTPUT)["Contents"]
    keys = {item["Key"] for item in listed}
    return sorted(part for part in ("train", "validation") if f"{OUTPUT}{part}/part-00000" in keys)


def _validate(cast: Cast, who: str) -> subprocess.CompletedProcess[str]:
    environment = cast.desk.notebook(who).environment | {"DATA_BUCKET": cast.data, "FOLDER": "UserA"}
    return cast.desk.script("examples/studio/validate.py", environment)


def _figures(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line and not line.startswith("s3://")]
