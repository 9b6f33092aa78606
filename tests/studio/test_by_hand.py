"""The two cells of examples/studio, run as the notebooks of two profiles: the one who has a grant
on the folder, and the one who has not.
"""

import json
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest

from grantor.aws.job_services import JobCode
from grantor.core.policy.job_language import SHIPPED_JOBS
from tests.conftest import ACCOUNT, REGION, ROOT, Sandbox
from tests.grantor_setup import ARTICLE_POLICY, DATA, GrantorSetup, set_up_grantor
from tests.studio.conftest import notebook

OPERATIONS = "operations"
CELLS = ROOT / "examples/studio"
PLACES = {"DATA_BUCKET": DATA, "OPERATIONS_BUCKET": OPERATIONS, "FOLDER": "UserA"}


def put_role_policy(setup: GrantorSetup, role: str, policy: str) -> None:
    setup.client("iam").put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=policy)


@pytest.fixture(scope="module")
def setup(server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> GrantorSetup:
    """The article's two users, each with a grant on their own folder and the rights of
    examples/studio/role.json.
    """
    setup = set_up_grantor(server, tmp_path_factory.mktemp("setup"))
    setup.client("s3").create_bucket(Bucket=OPERATIONS)
    data = {
        "Effect": "Allow",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{DATA}", f"arn:aws:s3:::{DATA}/*"],
    }
    put_role_policy(setup, "location", json.dumps({"Version": "2012-10-17", "Statement": [data]}))
    rights = Template((CELLS / "role.json").read_text())
    for role in ("role-userA", "role-userB"):
        put_role_policy(
            setup,
            role,
            rights.substitute(REGION=REGION, ACCOUNT=ACCOUNT, OPERATIONS=OPERATIONS, ROLE=role),
        )
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    return setup


def test_a_user_with_a_grant_sees_five_rows_of_each_part(setup, tmp_path):
    for part in ("train", "validation"):
        rows = "".join(f"{label},1,0,0.455,0.365\n" for label in range(7))
        setup.client("s3").put_object(
            Bucket=DATA, Key=f"UserA/output/{part}/part-00000", Body=rows.encode()
        )

    seen = notebook(setup.sandbox, tmp_path, CELLS / "validate.py", profile="userA", **PLACES)

    assert seen.returncode == 0, seen.stderr
    assert [line.split()[:3] for line in seen.stdout.splitlines() if "0.455" in line] == [
        [str(n), str(n), "1"] for n in range(5)
    ] * 2


def test_a_user_without_a_grant_is_refused_in_one_sentence(setup, tmp_path):
    seen = notebook(setup.sandbox, tmp_path, CELLS / "validate.py", profile="userB", **PLACES)

    assert (seen.returncode, seen.stdout, seen.stderr.count("\n")) == (1, "", 1)
    assert seen.stderr.startswith(f"AccessDenied: arn:aws:sts::{ACCOUNT}:assumed-role/role-userB/")
    assert (
        "You do not have READ permissions to the requested S3 Prefix: s3://data/UserA/*"
        in seen.stderr
    )


def abalone(rows: int) -> bytes:
    """Lines as the data set has them, each another animal."""
    return "".join(
        f"{'MFI'[n % 3]},0.455,0.365,0.095,0.{500 + n},0.2245,0.101,0.15,{5 + n % 9}\n"
        for n in range(rows)
    ).encode()


def job(
    setup: GrantorSetup, folder: Path, profile: str, code: str
) -> subprocess.CompletedProcess[str]:
    role = setup.create_role(f"role-{profile}")
    return notebook(
        setup.sandbox,
        folder,
        CELLS / "run_job.py",
        profile=profile,
        EXECUTION_ROLE=role,
        JOB_CODE=code,
        **PLACES,
    )


def describe_jobs(setup: GrantorSetup) -> str:
    """What the jobs have printed, for whoever looks for what went wrong."""
    logs = setup.client("logs").filter_log_events(logGroupName="/aws/sagemaker/ProcessingJobs")
    return "\n".join(event["message"] for event in logs["events"][-60:])


def events_of(setup: GrantorSetup, name: str) -> list[str]:
    """The keys of a job's event logs, which SageMaker puts there as the job's role."""
    listed = setup.client("s3").list_objects_v2(
        Bucket=OPERATIONS, Prefix=f"runs/role-userA/{name}/spark-events/"
    )
    return [each["Key"] for each in listed.get("Contents", [])]


def find_local_code(setup: GrantorSetup, folder: Path) -> str:
    """The job's code as it stands in this repository, which the SDK uploads."""
    return str(ROOT / "spark_jobs")


def build_launcher_code(setup: GrantorSetup, folder: Path) -> str:
    """The job's code as the launcher carries it and lays it into the operations bucket."""
    subprocess.run(
        [
            sys.executable,
            ROOT / "functions/start_spark_job/pack.py",
            ROOT / "spark_jobs",
            folder / "job_code",
        ],
        check=True,
    )
    code = JobCode(SHIPPED_JOBS["abalone"], folder / "job_code" / "abalone")
    for key, body in code.build_files(DATA).items():
        setup.client("s3").put_object(Bucket=OPERATIONS, Key=key, Body=body)
    return f"s3://{OPERATIONS}/code/{code.code.hash}"


@pytest.mark.parametrize("code", [find_local_code, build_launcher_code])
def test_the_job_of_a_user_with_a_grant_makes_what_the_second_cell_shows(code, setup, tmp_path):
    s3 = setup.client("s3")
    for old in s3.list_objects_v2(Bucket=DATA, Prefix="UserA/output/").get("Contents", []):
        s3.delete_object(Bucket=DATA, Key=old["Key"])
    s3.put_object(Bucket=DATA, Key="UserA/abalone.csv", Body=abalone(100))

    ran = job(setup, tmp_path, "userA", code(setup, tmp_path))
    seen = notebook(setup.sandbox, tmp_path, CELLS / "validate.py", profile="userA", **PLACES)

    assert ran.returncode == 0, ran.stderr + describe_jobs(setup)
    assert ran.stdout.splitlines()[-1].endswith(
        "Completed. See s3://data/UserA/output/train/ and validation/"
    )
    assert len([line for line in seen.stdout.splitlines() if "0.455" in line]) == 10, seen.stderr
    assert events_of(setup, ran.stdout.partition(":")[0])


def test_the_job_of_a_user_without_a_grant_exits_with_the_code_for_it(setup, tmp_path):
    ran = job(setup, tmp_path, "userB", find_local_code(setup, tmp_path))

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("spark-preprocess-job-")
    assert "Failed. AlgorithmError: , exit code: 10" in ran.stderr
