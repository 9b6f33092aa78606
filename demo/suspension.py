"""A user is compromised: the suspension, what the intruder keeps, and how that ends, too."""

from collections.abc import Callable
from typing import Any

from demo.article import read_refusal
from harness.deployment import DOMAIN, Deployment, GrantRow
from harness.session import SandboxSession
from harness.steps import expect, print_lines, step, wait_until

WHO, BECAUSE = f"{DOMAIN}/userB", "laptop stolen, ticket 4711"
KEY = "UserB/notes.csv"


def show_suspension(deployment: Deployment, article: set[GrantRow]) -> None:
    """All steps. `article` are the grants before and after."""
    stolen, steward = _steal_credentials(deployment), _assume_steward(deployment)
    read = _reader(deployment, stolen)
    with step(f"userB is compromised: a steward suspends {WHO}"):
        printed = steward.run_grantor("suspend", WHO, "--because", BECAUSE, "--wait")
        print_lines(printed)
        others = {row for row in article if row not in deployment.expected_grants(
            "userB", "Product", "UserB"
        )}  # fmt: skip
        expect("userB has no grant any more, userA has all", others, deployment.list_grants())
        code, _ = read_refusal(lambda: _request_access(deployment))
        expect("GetDataAccess refuses userB's role", "AccessDenied", code)
        expect("credentials that were vended before still read", b"1,2\n", read())
    with (
        step("Somebody with BreakGlass ends the sessions that exist"),
        deployment.act_as_person("eva", "Reader", "BreakGlass") as eva,
    ):
        print_lines(eva.run_grantor("end-sessions", "--because", BECAUSE, "--yes"))
        code, _ = read_refusal(read)
        expect("now they are refused", "AccessDenied", code)
        eva.run_grantor("end-sessions", "--because", "the role is safe again", "--undo")
    with step("The laptop is found: the steward lifts the suspension"):
        print_lines(steward.run_grantor("suspend", WHO, "--undo"))
        wait_until("userB has its grants again", article, deployment.list_grants)


def _assume_steward(deployment: Deployment) -> SandboxSession:
    session = deployment.session
    assumed = session.client("sts").assume_role(
        RoleArn=deployment.outputs["StewardRole"], RoleSessionName="steward"
    )
    return session.with_credentials(assumed["Credentials"])


def _request_access(deployment: Deployment) -> dict[str, str]:
    session = deployment.session
    answer = (
        session.as_profile("userB")
        .client("s3control")
        .get_data_access(
            AccountId=session.account,
            Target=f"s3://{deployment.data_bucket}/UserB/*",
            Permission="READWRITE",
        )
    )
    return dict(answer["Credentials"])


def _steal_credentials(deployment: Deployment) -> dict[str, str]:
    """Credentials of userB, as an intruder takes them along."""
    stolen = _request_access(deployment)
    s3 = deployment.session.client("s3", stolen)
    s3.put_object(Bucket=deployment.data_bucket, Key=KEY, Body=b"1,2\n")
    return stolen


def _reader(deployment: Deployment, keys: dict[str, str]) -> Callable[[], Any]:
    s3 = deployment.session.client("s3", keys)

    def read() -> Any:
        return s3.get_object(Bucket=deployment.data_bucket, Key=KEY)["Body"].read()

    return read
