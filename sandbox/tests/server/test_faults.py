"""Faults on request.

Which calls they strike, what the caller sees, and what has really been done.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from sandbox.process import Server
from sandbox.testing.helpers import (
    call_control,
    make_table,
    make_user,
    policy_document,
    reset_sandbox,
    unique_name,
)
from sandbox.testing.running import ACCOUNT, Sandbox, find_free_port
from tests.conftest import ROOT


@dataclass(frozen=True)
class Faults:
    """The faults of one server."""

    sandbox: Sandbox

    def strike(self, what: str, kind: str, **more: Any) -> dict[str, Any]:
        """Put one rule in force: `what` as service/operation.

        What the server then says is in force, or why not.
        """
        service, _, operation = what.partition("/")
        rule = {"service": service, "operation": operation, "kind": kind} | more
        return dict(call_control(self.sandbox, "faults", "POST", {"rules": [rule]}))

    def switch(self, **switches: Any) -> dict[str, Any]:
        return dict(call_control(self.sandbox, "faults", "POST", {"switches": switches}))

    def forget(self, rule: int | None = None) -> dict[str, Any]:
        return dict(
            call_control(
                self.sandbox, "faults" if rule is None else f"faults?rule={rule}", "DELETE"
            )
        )

    @property
    def struck(self) -> int:
        return sum(rule["struck"] for rule in call_control(self.sandbox, "faults")["rules"])


@pytest.fixture(scope="module")
def server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server of its own, so that faults hurt nobody else."""
    return start_sandbox()


@pytest.fixture
def faults(server: Sandbox) -> Iterator[Faults]:
    faults = Faults(server)
    yield faults
    faults.forget()


@pytest.fixture
def bucket(server: Sandbox) -> str:
    """A bucket with one object, `k`, of 1,000 bytes."""
    name = unique_name("bucket")
    server.client("s3").create_bucket(Bucket=name)
    server.client("s3").put_object(Bucket=name, Key="k", Body=b"x" * 1000)
    return name


def seen(do: Callable[[], Any]) -> tuple[int, str]:
    """The status and the code that the caller sees.

    (0, the client's own error) where no whole answer came.
    """
    try:
        answer = do()
    except ClientError as refused:
        return refused.response["ResponseMetadata"]["HTTPStatusCode"], refused.response["Error"][
            "Code"
        ]
    except BotoCoreError as broken:
        return 0, type(broken).__name__
    return answer["ResponseMetadata"]["HTTPStatusCode"], ""


def query(client: Callable[[str], Any]) -> Any:
    condition = {
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "x"}},
    }
    return client("dynamodb").query(TableName="anything", **condition)


def measure(client: Callable[[str], Any]) -> Any:
    return client("cloudwatch").put_metric_data(
        Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}]
    )


# Each service's own error, from which a client decides what to retry.
WORDS = [
    ("s3/ListBuckets", "throttle", 503, "SlowDown", lambda c: c("s3").list_buckets()),
    ("s3control/ListAccessGrants", "throttle", 503, "SlowDown", lambda c: c("s3control").list_access_grants(AccountId=ACCOUNT)),
    ("dynamodb/Query", "throttle", 400, "ProvisionedThroughputExceededException", query),
    ("sagemaker/ListDomains", "throttle", 400, "ThrottlingException", lambda c: c("sagemaker").list_domains()),
    ("sqs/ListQueues", "throttle", 400, "RequestThrottled", lambda c: c("sqs").list_queues()),
    ("lambda/ListFunctions", "throttle", 429, "TooManyRequestsException", lambda c: c("lambda").list_functions()),
    ("iam/ListRoles", "throttle", 400, "Throttling", lambda c: c("iam").list_roles()),
    ("cloudwatch/PutMetricData", "throttle", 400, "ThrottlingException", measure),
    ("s3/ListBuckets", "error", 500, "InternalError", lambda c: c("s3").list_buckets()),
    ("s3control/ListAccessGrants", "error", 500, "InternalError", lambda c: c("s3control").list_access_grants(AccountId=ACCOUNT)),
    ("dynamodb/Query", "error", 500, "InternalServerError", query),
    ("sagemaker/ListDomains", "error", 500, "InternalFailure", lambda c: c("sagemaker").list_domains()),
    ("sts/GetCallerIdentity", "error", 500, "InternalFailure", lambda c: c("sts").get_caller_identity()),
    ("sns/ListTopics", "error", 500, "InternalError", lambda c: c("sns").list_topics()),
]  # fmt: skip


@pytest.mark.parametrize("case", WORDS, ids=[f"{row[0]}-{row[1]}" for row in WORDS])
def test_each_service_refuses_in_its_own_words(
    server: Sandbox, faults: Faults, case: tuple[str, str, int, str, Any]
):
    what, kind, status, code, call = case
    faults.strike(what, kind)

    assert seen(lambda: call(server.client)) == (status, code)


def test_a_lost_answer_leaves_the_work_done(server: Sandbox, faults: Faults, bucket: str):
    faults.strike("s3/PutObject", "lost")
    s3 = server.client("s3")

    assert seen(lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"1")) == (
        500,
        "InternalError",
    )
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"1"


def test_a_500_that_is_no_lost_answer_leaves_nothing_done(
    server: Sandbox, faults: Faults, bucket: str
):
    faults.strike("s3/PutObject", "error")
    s3 = server.client("s3")

    assert seen(lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"1")) == (
        500,
        "InternalError",
    )
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_an_answer_that_is_cut_breaks_off_in_its_middle(
    server: Sandbox, faults: Faults, bucket: str
):
    faults.strike("s3/GetObject", "cut")
    answer = server.client("s3").get_object(Bucket=bucket, Key="k")

    assert answer["ContentLength"] == 1000
    with pytest.raises(BotoCoreError, match="500 bytes read, 500 more expected"):
        answer["Body"].read()


def test_an_answer_without_a_body_is_cut_before_its_first_byte(
    server: Sandbox, faults: Faults, bucket: str
):
    faults.strike("s3/DeleteObject", "cut", times=2)
    s3 = server.client("s3")

    assert seen(lambda: s3.delete_object(Bucket=bucket, Key="k")) == (0, "ConnectionClosedError")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def wait_until(look: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, f"waited {seconds} s"
        time.sleep(0.02)


def test_a_stalled_call_is_done_and_its_caller_waits_until_the_fault_is_forgotten(
    server: Sandbox, faults: Faults, bucket: str
):
    faults.strike("s3/PutObject", "stall", times=2)
    s3, outcomes = server.client("s3"), []
    caller = threading.Thread(
        target=lambda: outcomes.append(
            seen(lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"1"))
        )
    )
    caller.start()
    wait_until(lambda: faults.struck == 1)

    assert server.client("s3").get_object(Bucket=bucket, Key="new")["Body"].read() == b"1"
    assert (outcomes, caller.is_alive()) == ([], True)
    faults.forget()
    caller.join(20)
    assert outcomes == [(200, "")]  # the connection broke, and the client asked again


CLIENT = """
import boto3
s3 = boto3.client("s3", endpoint_url="{url}", region_name="us-east-1", aws_access_key_id="{key}", aws_secret_access_key="{secret}")
for number in range(5):
    s3.put_object(Bucket="{bucket}", Key=f"n{{number}}", Body=b"")
"""


def test_a_client_can_be_killed_between_its_third_call_and_the_answer(
    server: Sandbox, faults: Faults, bucket: str
):
    faults.strike("s3/PutObject", "stall", after=2)
    keys = server.start_keys
    script = CLIENT.format(
        url=server.url, bucket=bucket, key=keys.access_key_id, secret=keys.secret_access_key
    )
    client = subprocess.Popen([sys.executable, "-c", script])
    wait_until(lambda: faults.struck == 1)
    client.kill()
    client.wait()

    written = [
        found["Key"] for found in server.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    ]
    assert written == ["k", "n0", "n1", "n2"]


@pytest.fixture
def own_process() -> Iterator[Server]:
    """A server in a process of its own, as `up` starts it."""
    server = Server(find_free_port())
    subprocess.run(
        [sys.executable, "-m", "sandbox", "up", "--port", str(server.port)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    yield server
    server.stop()


def test_a_server_that_holds_a_call_shuts_down_at_once(own_process: Server):
    sandbox = Sandbox.find(own_process.port, own_process.log)
    Faults(sandbox).strike("sts/GetCallerIdentity", "stall")
    threading.Thread(
        target=lambda: seen(lambda: sandbox.client("sts").get_caller_identity()), daemon=True
    ).start()
    wait_until(lambda: Faults(sandbox).struck == 1)
    process = own_process.find_pid()

    assert process is not None
    os.kill(process, signal.SIGTERM)
    wait_until(lambda: own_process.find_pid() is None, seconds=3)


def test_a_rule_strikes_the_calls_that_it_counts_and_no_others(
    server: Sandbox, faults: Faults, bucket: str
):
    faults.strike(
        "s3/GetObjectTagging",
        "refuse",
        after=2,
        times=1,
        code="NotNow",
        status=409,
        message="later",
    )
    s3 = server.client("s3")
    outcomes = [seen(lambda: s3.get_object_tagging(Bucket=bucket, Key="k")) for _ in range(4)]

    assert outcomes == [(200, ""), (200, ""), (409, "NotNow"), (200, "")]
    assert faults.struck == 1


def test_a_rule_for_one_principal_leaves_the_others_alone(
    server: Sandbox, faults: Faults, bucket: str
):
    name, keys = make_user(server, {"Action": "s3:*", "Resource": "*"})
    faults.strike("s3/*", "throttle", principal=name)

    assert seen(lambda: server.client("s3", keys).list_buckets()) == (503, "SlowDown")
    assert seen(lambda: server.client("s3").list_buckets()) == (200, "")


def test_one_rule_is_forgotten_and_the_other_stays(server: Sandbox, faults: Faults):
    faults.strike("sts/GetCallerIdentity", "error")
    reported = faults.strike("s3/ListBuckets", "error")
    first, second = (rule["number"] for rule in reported["rules"])
    left = faults.forget(first)

    assert [rule["number"] for rule in left["rules"]] == [second]
    assert seen(lambda: server.client("sts").get_caller_identity()) == (200, "")
    assert seen(lambda: server.client("s3").list_buckets()) == (500, "InternalError")


def test_a_condition_that_fails_on_request_writes_nothing(server: Sandbox, faults: Faults):
    table, dynamodb = make_table(server), server.client("dynamodb")
    item = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    put = {"Put": {"TableName": table, "Item": item}}
    faults.strike("dynamodb/*", "conditional")

    assert seen(lambda: dynamodb.put_item(TableName=table, Item=item)) == (
        400,
        "ConditionalCheckFailedException",
    )
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(TransactItems=[put, put | {}])
    assert [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]] == [
        "ConditionalCheckFailed",
        "None",
    ]
    assert dynamodb.scan(TableName=table)["Items"] == []


MISFITS = [
    ("s3/GetObjekt", "lost", {}, "s3 has no operation 'GetObjekt'; did you mean GetObject?"),
    ("dynamo/PutItem", "lost", {}, "botocore has no service 'dynamo'; did you mean dynamodb?"),
    ("s3/GetObject", "lots", {}, "a fault has no kind 'lots'; did you mean lost?"),
    ("s3/GetObject", "lost", {"time": 1}, "a rule has no part 'time'; did you mean times?"),
    ("s3/GetObject", "lost", {"times": 0}, "`times` is how many calls are struck, 1 or more or null, not 0"),
    ("s3/GetObject", "lost", {"after": -1}, "`after` is how many calls pass first, 0 or more, not -1"),
    ("s3/GetObject", "refuse", {"code": "No"}, "`refuse` needs a code, a status from 400 to 599 and a message; no other kind takes them"),
    ("s3/GetObject", "conditional", {}, "conditional is for dynamodb/PutItem, UpdateItem, DeleteItem, TransactWriteItems only, not for s3/GetObject"),
    ("s3control/ListAccessGrants", "invalid-grantee", {}, "invalid-grantee is for s3control/CreateAccessGrant only, not for s3control/ListAccessGrants"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "kind", "more", "why"), MISFITS, ids=[row[3][:40] for row in MISFITS]
)
def test_a_rule_that_could_never_strike_is_refused(
    faults: Faults, what: str, kind: str, more: dict[str, Any], why: str
):
    assert faults.strike(what, kind, **more) == {"error": why}
    assert faults.struck == 0


@dataclass(frozen=True)
class Grants:
    """A location over a bucket, and a role to grant its folders to."""

    control: Any
    location: str
    role: str

    def create(self, folder: str) -> dict[str, Any]:
        place = {
            "AccessGrantsLocationId": self.location,
            "AccessGrantsLocationConfiguration": {"S3SubPrefix": f"{folder}/*"},
        }
        grantee = {"GranteeType": "IAM", "GranteeIdentifier": self.role}
        return dict(
            self.control.create_access_grant(
                AccountId=ACCOUNT, Grantee=grantee, Permission="READ", **place
            )
        )

    def delete(self, grant: dict[str, Any]) -> Any:
        return self.control.delete_access_grant(
            AccountId=ACCOUNT, AccessGrantId=grant["AccessGrantId"]
        )

    def delete_location(self) -> Any:
        return self.control.delete_access_grants_location(
            AccountId=ACCOUNT, AccessGrantsLocationId=self.location
        )

    def folders(self) -> list[str]:
        """The folders of the grants that a list shows."""
        shown = self.control.list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]
        return [
            grant["AccessGrantsLocationConfiguration"]["S3SubPrefix"].removesuffix("/*")
            for grant in shown
        ]


@pytest.fixture
def grants(server: Sandbox, faults: Faults, bucket: str) -> Iterator[Grants]:
    trust = policy_document(
        {"Principal": {"Service": "access-grants.s3.amazonaws.com"}, "Action": ["sts:AssumeRole"]}
    )
    role = server.client("iam").create_role(
        RoleName=unique_name("role"), AssumeRolePolicyDocument=trust
    )["Role"]["Arn"]
    control = server.client("s3control")
    control.create_access_grants_instance(AccountId=ACCOUNT)
    place = {"LocationScope": f"s3://{bucket}/", "IAMRoleArn": role}
    made = control.create_access_grants_location(AccountId=ACCOUNT, **place)
    yield Grants(control, made["AccessGrantsLocationId"], role)
    reset_sandbox(server)


def test_a_create_whose_answer_is_lost_is_a_conflict_when_it_is_tried_again(
    faults: Faults, grants: Grants
):
    faults.strike("s3control/CreateAccessGrant", "lost", times=1)

    assert seen(lambda: grants.create("UserA")) == (409, "AccessGrantAlreadyExists")
    assert grants.folders() == ["UserA"]


def test_a_list_that_is_cut_is_never_taken_for_a_whole_one(faults: Faults, grants: Grants):
    grants.create("UserA")
    faults.strike("s3control/ListAccessGrants", "cut")

    with pytest.raises(ResponseParserError):
        grants.folders()


def test_half_an_answer_in_json_is_an_empty_one_to_botocore(server: Sandbox, faults: Faults):
    table = make_table(server)
    server.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "a"}, "sk": {"S": "b"}})
    faults.strike("dynamodb/Scan", "cut")
    answer = server.client("dynamodb").scan(TableName=table)

    assert (answer["ResponseMetadata"]["HTTPStatusCode"], "Items" in answer) == (200, False)


def test_slow_iam_makes_a_grantee_unknown_for_a_while(faults: Faults, grants: Grants):
    faults.strike("s3control/CreateAccessGrant", "invalid-grantee", times=1)

    with pytest.raises(ClientError, match="Invalid Grantee in the request"):
        grants.create("UserA")
    assert grants.create("UserA")["GrantScope"].endswith("/UserA/*")


def test_a_list_may_show_what_was(faults: Faults, grants: Grants):
    grants.delete(grants.create("UserA"))
    grants.create("UserB")

    assert grants.folders() == ["UserB"]
    faults.switch(stale_changes=2)
    assert grants.folders() == ["UserA"]
    faults.switch(stale_changes=0, stale_seconds=3600)
    assert grants.folders() == []


def test_a_location_may_seem_full_after_its_last_grant_has_gone(faults: Faults, grants: Grants):
    faults.switch(late_deletes=2)
    grants.delete(grants.create("UserA"))

    full = (400, "AccessGrantsLocationNotEmptyError")
    assert [seen(grants.delete_location) for _ in range(3)] == [full, full, (200, "")]


def test_a_quota_shrinks_while_the_server_runs_and_is_itself_again_when_faults_are_forgotten(
    faults: Faults, grants: Grants
):
    assert faults.switch(grants_quota=1)["switches"] == {"grants_quota": 1}
    grants.create("UserA")

    assert seen(lambda: grants.create("UserB")) == (409, "AccessGrantsQuotaExceededError")
    assert faults.forget()["switches"] == {}
    assert seen(lambda: grants.create("UserB")) == (200, "")


def test_an_unknown_switch_is_refused_with_the_nearest_name(faults: Faults):
    assert "did you mean grants_quota?" in faults.switch(grants_qota=1)["error"]


def test_reset_forgets_faults_too(server: Sandbox, faults: Faults):
    faults.strike("sts/GetCallerIdentity", "error")
    faults.switch(grants_quota=1)
    reset_sandbox(server)

    assert call_control(server, "faults") == {"rules": [], "switches": {}}


def test_the_verb_shows_rules_and_how_often_each_struck(server: Sandbox, faults: Faults):
    faults.strike("sts/GetCallerIdentity", "error", after=1, times=1)
    server.client("sts").get_caller_identity()
    faults.switch(longest_page=2)
    command = [sys.executable, "-m", "sandbox", "faults", "--port", str(server.port)]
    said = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert said[0].endswith("error: sts/GetCallerIdentity by * (after 1, 1)  struck 0")
    assert said[1] == "longest_page=2"
