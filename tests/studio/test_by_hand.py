"""The article's steps in Studio, by the profile's role alone.

An administrator makes presigned URLs. Whatever follows is done with what the URL opens: a session
of the profile's execution role creates a JupyterLab space and its app, and the two cells of
examples/studio run in the app, as the owner of the folder and as somebody who has no grant on it.
The stack is deployed as it ships.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from grantor.aws.job_services import JobCode
from grantor.core.policy.job_language import SHIPPED_JOBS
from sandbox.process import Server
from sandbox.testing.helpers import call_control, wait_until
from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.studio.conftest import PYTHON
from tests.teardown.empty_account import DeployedStack, EmptyAccount, package_stack

CELLS = ROOT / "examples/studio"
ROLES = {"userA": "grantor-usera-role", "userB": "grantor-userb-role"}
GRANT_SECONDS = 30
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


@dataclass(frozen=True)
class Article:
    """The deployed stack with the article's grants, and the domain of its profiles."""

    account: EmptyAccount
    stack: DeployedStack
    outputs: dict[str, str]
    domain: str

    def client(self, service: str) -> Any:
        """A client of the owner of the account."""
        return self.account.client(service)

    def open_studio(self, profile: str) -> Any:
        """A client of whoever opens Studio as a profile, by a presigned URL."""
        url = self.client("sagemaker").create_presigned_domain_url(
            DomainId=self.domain, UserProfileName=profile
        )["AuthorizedUrl"]
        keys = call_control(self.account.sandbox, f"notebook?url={quote(url, safe='')}")
        return self.account.sandbox.client("sagemaker", keys)

    def describe_jobs(self) -> str:
        """What the jobs have printed, for whoever looks for what went wrong."""
        logs = self.client("logs")
        found = logs.filter_log_events(logGroupName="/aws/sagemaker/ProcessingJobs")
        return "\n".join(event["message"] for event in found["events"][-60:])


@dataclass(frozen=True)
class Notebook:
    """A running JupyterLab app in a private space of a profile."""

    article: Article
    profile: str
    studio: Any  # a client of the session that created it

    @property
    def place(self) -> dict[str, str]:
        return {"DomainId": self.article.domain, "SpaceName": f"{self.profile}-desk"}

    @property
    def app(self) -> dict[str, str]:
        return self.place | {"AppType": "JupyterLab", "AppName": "default"}

    def start(self) -> None:
        """Create the space and its app, as Studio does for its owner."""
        self.studio.create_space(
            **self.place,
            OwnershipSettings={"OwnerUserProfileName": self.profile},
            SpaceSharingSettings={"SharingType": "Private"},
            SpaceSettings={"AppType": "JupyterLab"},
        )
        wait_until(lambda: self.studio.describe_space(**self.place)["Status"] == "InService")
        self.studio.create_app(**self.app, ResourceSpec={"InstanceType": "ml.t3.medium"})
        wait_until(lambda: self.studio.describe_app(**self.app)["Status"] == "InService")

    def run(self, *program: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the app: the app's environment and these settings are all it has."""
        server = Server(self.article.account.sandbox.port)
        variables = server.app_variables(self.article.domain, self.place["SpaceName"])
        return subprocess.run(
            [PYTHON, *program],
            env=variables | {"PATH": "/usr/bin:/bin"} | settings,
            cwd=variables["HOME"],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def run_cell(self, cell: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a cell of the article on userA's data."""
        outputs = self.article.outputs
        # On AWS, the SDK finds the role in /opt/ml/metadata, a path that the sandbox does not have.
        role = f"arn:aws:iam::{ACCOUNT}:role/{ROLES[self.profile]}"
        places = {name: outputs[output] for name, output in PLACES.items()}
        given = {"EXECUTION_ROLE": role, "FOLDER": "UserA", **places, **settings}
        return self.run(CELLS / cell, **given)


PLACES = {"DATA_BUCKET": "DataBucket", "OPERATIONS_BUCKET": "OperationsBucket"}


@pytest.fixture(scope="module")
def article(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Article:
    sandbox = start_sandbox()
    account = EmptyAccount(sandbox, package_stack(sandbox, tmp_path_factory.mktemp("package")))
    account.reset()
    stack = account.build_stack()
    assert stack.create() == "CREATE_COMPLETE", stack.describe_failures()
    outputs = stack.read_outputs()
    keys = account.client("sts").assume_role(
        RoleArn=outputs["StewardRole"], RoleSessionName="steward"
    )["Credentials"]
    sandbox.client("s3", keys).put_object(
        Bucket=outputs["PolicyBucket"],
        Key="policy/article.yaml",
        Body=(ROOT / "policy/article.yaml").read_bytes(),
    )
    control = account.client("s3control")
    wait_until(
        lambda: len(control.list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]) == 4,
        GRANT_SECONDS,
    )
    return Article(account, stack, outputs, stack.find_physical_id("Domain"))


@pytest.fixture(scope="module")
def notebooks(article: Article) -> dict[str, Notebook]:
    """A running notebook of each user."""
    made = {name: Notebook(article, name, article.open_studio(name)) for name in ROLES}
    for notebook in made.values():
        notebook.start()
    return made


@pytest.mark.parametrize("profile", ROLES)
def test_no_credential_of_anybody_else_is_in_a_notebook(notebooks, profile):
    seen = json.loads(notebooks[profile].run("-c", LOOK_AROUND).stdout)

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
    code = JobCode(SHIPPED_JOBS["abalone"], folder / "code" / "abalone")
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
    ran = hers.run_cell("run_job.py", JOB_CODE=placed)
    seen = hers.run_cell("validate.py")

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
    seen = notebooks["userB"].run_cell("validate.py")

    assert (seen.returncode, seen.stdout, seen.stderr.count("\n")) == (1, "", 1)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLES['userB']}/SageMaker"
    assert seen.stderr.startswith(f"AccessDenied: {session} may not read s3://")
    assert "You do not have READ permissions to the requested S3 Prefix" in seen.stderr


def test_the_job_of_somebody_without_a_grant_exits_with_the_code_for_it(notebooks):
    ran = notebooks["userB"].run_cell("run_job.py", JOB_CODE=str(ROOT / "spark_jobs"))

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("spark-preprocess-job-")
    assert "Failed. AlgorithmError: , exit code: 10" in ran.stderr


def test_what_people_left_running_goes_with_the_stack(article, notebooks):
    stack = article.stack

    assert stack.delete() == "DELETE_COMPLETE", stack.describe_failures()
    assert article.client("sagemaker").list_domains()["Domains"] == []
