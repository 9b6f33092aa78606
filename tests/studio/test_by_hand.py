"""The article's steps in Studio, by the profile's role alone.

The two cells of examples/studio run in notebooks, as the owner of the folder and as somebody who has
no grant on it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grantor.aws.job_services import JobCode
from sandbox.testing.helpers import call_control
from tests.conftest import ACCOUNT, ROOT
from tests.studio.conftest import PYTHON
from tests.studio.notebook import ROLES, Article, Notebook

CELLS = ROOT / "examples/studio"
LOOK_AROUND = """
import json, os, boto3
keys, files = boto3.Session().get_credentials(), [
    name for _, _, names in os.walk(os.environ["HOME"]) for name in names]
print(json.dumps({"variables": sorted(os.environ), "files": files, "from": keys.method,
                  "who": boto3.client("sts").get_caller_identity()["Arn"]}))
"""
# Everything that a process in a notebook is given; the rest are settings of the cells.
VARIABLES = {
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3_CONTROL",
    "AWS_REGION",
    "HOME",
    "HTTP_PROXY",
    "LANG",
    "NO_PROXY",
    "PATH",
    "http_proxy",
    "no_proxy",
}


PLACES = {"DATA_BUCKET": "DataBucket", "OPERATIONS_BUCKET": "OperationsBucket"}


def run_cell(notebook: Notebook, cell: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a cell of the article on userA's data."""
    outputs = notebook.article.outputs
    # On AWS, the SDK finds the role in /opt/ml/metadata, a path that the sandbox does not have.
    role = f"arn:aws:iam::{ACCOUNT}:role/{ROLES[notebook.profile]}"
    places = {name: outputs[output] for name, output in PLACES.items()}
    given = {"EXECUTION_ROLE": role, "FOLDER": "UserA", **places, **settings}
    return notebook.run(PYTHON, CELLS / cell, **given)


@pytest.fixture(scope="module")
def notebooks(article: Article) -> dict[str, Notebook]:
    """A running notebook of each user."""
    return {name: article.open_notebook(name) for name in ROLES}


@pytest.mark.parametrize("profile", ROLES)
def test_no_credential_of_anybody_else_is_in_a_notebook(notebooks, profile):
    seen = json.loads(notebooks[profile].run(PYTHON, "-c", LOOK_AROUND).stdout)

    assert set(seen["variables"]) - {"LC_CTYPE"} == VARIABLES
    assert (seen["files"], seen["from"]) == ([], "container-role")
    assert seen["who"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLES[profile]}/SageMaker"


def find_local_code(article: Article, folder: Path) -> str:
    """The job's code as it stands in this repository, which the SDK uploads."""
    return str(ROOT / "spark_jobs")


def build_launcher_code(article: Article, folder: Path) -> str:
    """The job's code as the launcher carries it and lays it into the operations bucket."""
    pack = ROOT / "functions/start_spark_job/pack.py"
    subprocess.run([sys.executable, pack, ROOT / "spark_jobs", folder / "code"], check=True)
    code = JobCode(folder / "code" / "abalone")
    operations = article.outputs["OperationsBucket"]
    for key, body in code.build_files(article.outputs["DataBucket"]).items():
        article.client("s3").put_object(Bucket=operations, Key=key, Body=body)
    return f"s3://{operations}/code/{code.code.hash}"


def list_keys(article: Article, bucket: str, prefix: str) -> list[str]:
    found = article.client("s3").list_objects_v2(Bucket=article.outputs[bucket], Prefix=prefix)
    return [each["Key"] for each in found.get("Contents", [])]


def put_data(article: Article, rows: int) -> None:
    """New data in userA's folder, so that the job has work to do: lines as the data set has them."""
    lines = (
        f"{'MFI'[n % 3]},0.455,0.365,0.095,0.{500 + n},0.2245,0.101,0.15,{5 + n % 9}\n"
        for n in range(rows)
    )
    article.client("s3").put_object(
        Bucket=article.outputs["DataBucket"], Key="UserA/abalone.csv", Body="".join(lines).encode()
    )


@pytest.mark.parametrize(("code", "rows"), [(find_local_code, 100), (build_launcher_code, 101)])
def test_both_cells_run_in_the_notebook_of_whoever_has_a_grant(
    code, rows, article, notebooks, tmp_path
):
    put_data(article, rows)
    call_control(article.account.sandbox, "calls", "DELETE")
    hers, placed = notebooks["userA"], code(article, tmp_path)
    ran = run_cell(hers, "run_job.py", JOB_CODE=placed)
    seen = run_cell(hers, "validate.py")

    assert ran.returncode == 0, ran.stderr + article.describe_jobs()
    assert ran.stdout.splitlines()[-1].endswith("UserA/output/train/ and validation/")
    shown = [line for line in seen.stdout.splitlines() if line[:1].isdigit()]
    assert [line.split()[0] for line in shown] == list("01234") * 2, seen.stderr
    job = ran.stdout.partition(":")[0]
    own = f"runs/{ROLES['userA']}/"
    assert list_keys(article, "OperationsBucket", f"{own}{job}/spark-events/")
    calls = call_control(article.account.sandbox, "calls")
    jobs = {row["principal"] for row in calls if row["operation"].endswith("ProcessingJob")}
    assert jobs == {ROLES["userA"]}


def test_the_validation_is_denied_in_the_notebook_of_somebody_without_a_grant(notebooks):
    seen = run_cell(notebooks["userB"], "validate.py")

    assert (seen.returncode, seen.stdout, seen.stderr.count("\n")) == (1, "", 1)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLES['userB']}/SageMaker"
    assert seen.stderr.startswith(f"AccessDenied: {session} may not read s3://")
    assert "You do not have READ permissions to the requested S3 Prefix" in seen.stderr


def test_the_job_of_somebody_without_a_grant_exits_with_the_code_for_it(notebooks):
    ran = run_cell(notebooks["userB"], "run_job.py", JOB_CODE=str(ROOT / "spark_jobs"))

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("spark-preprocess-job-")
    assert "Failed. AlgorithmError: , exit code: 10" in ran.stderr


def test_what_people_left_running_goes_with_the_stack(article, notebooks):
    stack = article.stack

    assert stack.delete() == "DELETE_COMPLETE", stack.describe_failures()
    assert article.client("sagemaker").list_domains()["Domains"] == []
