"""What the job may do is what grants say, asked before anything else; what it was given is renewed, and missed when it is taken back."""

import time
from typing import TYPE_CHECKING

import pytest

from abalone.access import CredentialBroker
from abalone.objects import ObjectFolder
from sandbox.testing.helpers import call_control, policy_document
from tests.conftest import ACCOUNT, Sandbox
from tests.jobs_io.grounds import Grounds, lay
from tests.jobs_io.process import by_the_rules, environment, run_here
from tests.jobs_io.reader import look
from tests.jobs_io.rows import rows

if TYPE_CHECKING:
    from abalone.compute import ComputedRun, ComputeTask

INPUT, OUTPUT = "Product/abalone.csv", "UserA/output"
MISSING = [
    pytest.param(
        [("UserA/*", "READWRITE")],
        "READ on s3://{data}/Product/abalone.csv",
        id="the input may not be read",
    ),
    pytest.param(
        [("Product/*", "WRITE"), ("UserA/*", "READWRITE")],
        "READ on s3://{data}/Product/abalone.csv",
        id="nor where it may be written",
    ),
    pytest.param(
        [("Product/*", "READ")],
        "READ on s3://{data}/UserA/output/*",
        id="nothing is granted for the output",
    ),
    pytest.param(
        [("Product/*", "READ"), ("UserA/*", "READ")],
        "WRITE on s3://{data}/UserA/output/*",
        id="the output may only be read",
    ),
    pytest.param(
        [("Product/*", "READ"), ("UserA/*", "WRITE")],
        "READ on s3://{data}/UserA/output/*",
        id="the output may only be written",
    ),
    pytest.param(
        [("Product/*", "READ"), ("UserB/*", "READWRITE")],
        "READ on s3://{data}/UserA/output/*",
        id="only somebody else's folder",
    ),
]


@pytest.mark.parametrize(("grants", "missing"), MISSING)
def test_a_missing_grant_is_named_before_anything_is_read_or_written(
    job_sandbox: Sandbox, grants: list[tuple[str, str]], missing: str
):
    grounds = lay(job_sandbox, *grants)
    grounds.upload(INPUT, rows(20))
    call_control(job_sandbox, "calls", "DELETE")

    ended = run_here(grounds, grounds.words(INPUT, OUTPUT, summary=grounds.place_of_summary()))

    assert ended.code == 10
    assert ended.sentence.startswith(
        f"role {grounds.role} has no {missing.format(data=grounds.data)} (asked GetDataAccess: You do not have"
    )
    assert {call["operation"] for call in grounds.calls()} <= {
        "GetDataAccess",
        "GetCallerIdentity",
        "ListObjectsV2",
        "PutObject",
    }
    assert grounds.listed() == [INPUT]
    assert grounds.summary()["sentence"] == ended.sentence


SUFFICIENT = [
    pytest.param([("*", "READWRITE")], id="one grant for all"),
    pytest.param([("Product/*", "READ"), ("UserA/*", "READWRITE")], id="two places"),
    pytest.param(
        [("Product/*", "READ"), ("UserA/*", "READ"), ("UserA/*", "WRITE")],
        id="reading and writing granted apart",
    ),
    pytest.param(
        [("Product/abalone.csv", "READ"), ("UserA/output/*", "READWRITE")],
        id="no more than there must be",
    ),
]


@pytest.mark.parametrize("grants", SUFFICIENT)
def test_these_grants_are_enough(job_sandbox: Sandbox, grants: list[tuple[str, str]]):
    grounds = lay(job_sandbox, *grants)
    for number in (20, 30):
        grounds.upload(INPUT, rows(number))
        ended = run_here(grounds, grounds.words(INPUT, OUTPUT))
        assert ended.code == 0, ended.said

    seen = look(grounds)
    assert (seen.manifest["rows"]["in"], seen.plain) == (30, seen.files)


def test_a_role_that_may_not_ask_for_access_gets_an_error_that_says_so(job_sandbox: Sandbox):
    grounds = lay(job_sandbox, ("UserA/*", "READWRITE"))
    grounds.upload("UserA/abalone.csv", rows(20))
    job_sandbox.client("iam").delete_role_policy(RoleName=grounds.role, PolicyName="job")

    ended = run_here(grounds)

    assert (ended.code, "s3:GetDataAccess" in ended.sentence) == (10, True), ended.said


def test_an_object_is_found_by_a_role_that_may_read_it_and_list_nothing(grounds: Grounds):
    etag = grounds.upload("UserA/abalone.csv", rows(20))
    only = policy_document({"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{grounds.data}/*"})
    grounds.sandbox.client("iam").put_role_policy(
        RoleName=grounds.location, PolicyName="data", PolicyDocument=only
    )

    with environment(grounds.environment()):
        found = ObjectFolder(
            CredentialBroker(ACCOUNT), grounds.data, "UserA/abalone.csv"
        ).find_object("UserA/abalone.csv")
        missing = ObjectFolder(
            CredentialBroker(ACCOUNT), grounds.data, "UserA/other.csv"
        ).find_object("UserA/other.csv")

    assert (found and found.etag, found and found.bytes, missing) == (etag, 940, None)


def test_a_job_goes_on_for_longer_than_its_credentials_last(grounds: Grounds):
    grounds.upload("UserA/abalone.csv", rows(20))
    grounds.switch(vended_seconds=2)
    asked: list[int] = []

    def slow(task: "ComputeTask") -> "ComputedRun":
        asked.append(asks(grounds))
        time.sleep(3)  # the time that credentials last is what is tested here
        return by_the_rules(task)

    call_control(grounds.sandbox, "calls", "DELETE")
    try:
        ended = run_here(grounds, make=slow)
    finally:
        grounds.no_faults()

    assert ended.code == 0, ended.said
    assert asks(grounds) > asked[0]
    assert look(grounds).manifest["rows"]["in"] == 20


def test_an_hour_is_not_asked_for_again_and_again(grounds: Grounds):
    grounds.upload("UserA/abalone.csv", rows(20))
    call_control(grounds.sandbox, "calls", "DELETE")
    run_here(grounds)

    assert asks(grounds) == 4  # READ on the input; READ, WRITE and READWRITE on the output


@pytest.mark.parametrize("how", ["the credentials", "the grant"])
def test_what_is_taken_back_meanwhile_ends_the_job_and_nothing_is_published(
    job_sandbox: Sandbox, how: str
):
    grounds = lay(job_sandbox)
    grant = grounds.grant("UserA/*", "READWRITE")
    grounds.upload("UserA/abalone.csv", rows(20))
    grounds.switch(
        vended_seconds=3600 if how == "the credentials" else 1
    )  # else they would last for an hour

    def taken_back(task: "ComputeTask") -> "ComputedRun":
        made = by_the_rules(task)
        grounds.take_back() if how == "the credentials" else grounds.no_grant(grant)
        return made

    try:
        ended = run_here(grounds, make=taken_back)
    finally:
        grounds.no_faults()

    assert ended.code == 10, ended.said
    assert look(grounds).run == ""


def asks(grounds: Grounds) -> int:
    return sum(call["operation"] == "GetDataAccess" for call in grounds.calls())
