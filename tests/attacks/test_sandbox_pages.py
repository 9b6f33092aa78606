"""A web page that a developer has open attacks the sandbox on the same machine.

The requests are those of Chromium, sent by an HTTP client. `make test-browser` has Chromium send
them.
"""

import http.client
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.testing.helpers import make_role
from tests.browser.attack import CHROMIUM, PageRequest, list_attack, list_made
from tests.conftest import ACCOUNT, Sandbox

# A browser that is older than Sec-Fetch sends none of it, and no Origin with GET.
OLD_BROWSER = {"Referer": "http://attacker.example/"}


@pytest.fixture(scope="module")
def target(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


def send(
    sandbox: Sandbox, request: PageRequest, headers: dict[str, str], host: str = "127.0.0.1"
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=30)
    own = {"Host": f"{host}:{sandbox.port}", "Content-Type": "text/plain;charset=UTF-8"}
    connection.request(request.method, request.path, request.body.encode(), own | headers)
    answer = connection.getresponse()
    body = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, body


@pytest.mark.parametrize("browser", [CHROMIUM, OLD_BROWSER], ids=["chromium", "old browser"])
@pytest.mark.parametrize("key", ["test", ACCOUNT])
def test_a_page_that_sends_three_requests_makes_no_role_and_runs_no_code(
    target: Sandbox, tmp_path: Path, browser: dict[str, str], key: str
):
    proof = tmp_path / "proof"

    statuses = [send(target, request, browser)[0] for request in list_attack(key, proof)]

    assert list_made(target, proof) == []
    assert statuses == [403, 403, 403]


def test_a_page_whose_name_was_made_to_resolve_to_loopback_gets_no_credentials(target: Sandbox):
    role = make_role(target, "sagemaker.amazonaws.com")
    sagemaker = target.client("sagemaker")
    settings = {"ExecutionRole": role}
    made = sagemaker.create_domain(
        DomainName="d", AuthMode="IAM", DefaultUserSettings=settings, SubnetIds=["subnet-1"], VpcId="vpc-1"
    )  # fmt: skip
    domain = made["DomainArn"].rpartition("/")[2]
    while sagemaker.describe_domain(DomainId=domain)["Status"] != "InService":
        pass
    sagemaker.create_user_profile(DomainId=domain, UserProfileName="userA", UserSettings=settings)
    asked = PageRequest("GET", "/_sandbox/notebook?profile=userA")

    # The page is of the same origin then: the browser sends neither Origin nor Sec-Fetch.
    for host in ("attacker.example", "127.0.0.1"):
        status, body = send(target, asked, {}, host)
        assert (status, "SecretAccessKey" in body) == (403, False)


def test_a_page_forgets_nothing_and_changes_no_setting(target: Sandbox):
    target.client("s3").create_bucket(Bucket="stays")

    for path in ("/_ministack/reset", "/_sandbox/faults", "/_sandbox/calls"):
        assert send(target, PageRequest("POST", path, "{}"), CHROMIUM)[0] == 403
    assert "stays" in [it["Name"] for it in target.client("s3").list_buckets()["Buckets"]]


def test_what_no_one_signed_is_not_the_owner_of_the_account(target: Sandbox):
    target.client("s3").create_bucket(Bucket="unsigned")
    instance = "/v20180820/accessgrantsinstance"
    accounts = {"x-amz-account-id": ACCOUNT}

    listed = send(target, PageRequest("GET", "/"), {})
    made = send(target, PageRequest("POST", instance), accounts)

    assert ("unsigned" in listed[1], listed[0], made[0]) == (False, 403, 403)
    instances = target.client("s3control").list_access_grants_instances(AccountId=ACCOUNT)
    assert instances["AccessGrantsInstancesList"] == []
