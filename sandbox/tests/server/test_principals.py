"""Whom a policy sees, and what it says to whom it refuses."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import call_control, policy_document, unique_name
from sandbox.testing.running import ACCOUNT, Sandbox

Statement = dict[str, Any]


class Person:
    """A role with a path and a tag, a session of it, and a bucket."""

    def __init__(self, sandbox: Sandbox, *statements: Statement, **tags: str) -> None:
        self.sandbox, self.name, self.bucket = sandbox, unique_name("role"), unique_name("bucket")
        self.arn = f"arn:aws:iam::{ACCOUNT}:role/team/{self.name}"
        trust = policy_document({"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
        iam = sandbox.shared("iam")
        iam.create_role(
            RoleName=self.name,
            Path="/team/",
            AssumeRolePolicyDocument=trust,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        if statements:
            self.allow(*statements)
        sandbox.shared("s3").create_bucket(Bucket=self.bucket)
        self.on = f"arn:aws:s3:::{self.bucket}/*"

    def allow(self, *statements: Statement, version: str = "2012-10-17") -> None:
        document = json.loads(policy_document(*statements)) | {"Version": version}
        self.sandbox.shared("iam").put_role_policy(
            RoleName=self.name, PolicyName="own", PolicyDocument=json.dumps(document)
        )

    def sign_in(self, **asked: Any) -> Any:
        session = self.sandbox.shared("sts").assume_role(
            RoleArn=self.arn, RoleSessionName="ana", **asked
        )
        return self.sandbox.client("s3", session["Credentials"])

    def guard_bucket(self, *statements: Statement) -> None:
        self.sandbox.shared("s3").put_bucket_policy(
            Bucket=self.bucket, Policy=policy_document(*statements)
        )


def puts(s3: Any, bucket: str, key: str = "a") -> str:
    """What became of a put: "done", or the message of the refusal."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    except ClientError as refused:
        return str(refused.response["Error"]["Message"])
    return "done"


@pytest.fixture
def person(server: Sandbox) -> Callable[..., Person]:
    return lambda *statements, **tags: Person(server, *statements, **tags)


EVERYTHING = {"Action": "s3:*", "Resource": "*"}


@pytest.mark.parametrize("operator", ["StringEquals", "ArnEquals", "ArnLike"])
def test_the_principal_arn_of_a_session_is_that_of_its_role_with_the_path(
    person: Callable[..., Person], operator: str
) -> None:
    ana = person()
    ana.allow(EVERYTHING | {"Condition": {operator: {"aws:PrincipalArn": ana.arn}}})

    assert puts(ana.sign_in(), ana.bucket) == "done"


def test_a_bucket_policy_spares_the_role_that_it_names(person: Callable[..., Person]) -> None:
    ana, ben = person(EVERYTHING), person(EVERYTHING)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": ana.on}
    ana.guard_bucket(deny | {"Condition": {"ArnNotLike": {"aws:PrincipalArn": ana.arn}}})

    assert puts(ana.sign_in(), ana.bucket) == "done"
    assert "explicit deny in a resource-based policy" in puts(ben.sign_in(), ana.bucket)


def test_a_bucket_policy_can_refuse_whatever_is_not_a_conditional_write(
    person: Callable[..., Person],
) -> None:
    ana = person(EVERYTHING)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": ana.on}
    ana.guard_bucket(deny | {"Condition": {"Null": {"s3:if-none-match": "true"}}})
    s3 = ana.sign_in()

    assert "explicit deny in a resource-based policy" in puts(s3, ana.bucket)
    s3.put_object(Bucket=ana.bucket, Key="a", Body=b"x", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=ana.bucket, Key="a", Body=b"y", IfNoneMatch="*")
    with pytest.raises(ClientError, match="explicit deny"):
        s3.copy_object(Bucket=ana.bucket, Key="b", CopySource=f"{ana.bucket}/a")


def test_a_session_policy_sees_the_role(person: Callable[..., Person]) -> None:
    ana = person(EVERYTHING)
    own = EVERYTHING | {"Condition": {"ArnEquals": {"aws:PrincipalArn": ana.arn}}}

    assert puts(ana.sign_in(Policy=policy_document(own)), ana.bucket) == "done"


def test_the_user_id_of_a_session_is_its_roles_id_and_its_name(
    person: Callable[..., Person], server: Sandbox
) -> None:
    ana = person()
    role_id = server.shared("iam").get_role(RoleName=ana.name)["Role"]["RoleId"]
    ana.allow(EVERYTHING | {"Condition": {"StringEquals": {"aws:userid": f"{role_id}:ana"}}})

    assert role_id.startswith("AROA")
    assert puts(ana.sign_in(), ana.bucket) == "done"


def test_a_session_that_is_older_than_a_policy_says_is_refused(
    person: Callable[..., Person],
) -> None:
    ana, now = person(EVERYTHING), datetime.now(UTC)
    s3 = ana.sign_in()

    def end_before(when: datetime) -> None:
        older = {"DateLessThan": {"aws:TokenIssueTime": when.strftime("%Y-%m-%dT%H:%M:%SZ")}}
        ana.allow(EVERYTHING, EVERYTHING | {"Effect": "Deny", "Condition": older})

    end_before(now - timedelta(minutes=1))
    before = puts(s3, ana.bucket)
    end_before(now + timedelta(minutes=1))

    assert before == "done"
    assert "explicit deny in an identity-based policy" in puts(s3, ana.bucket)


@pytest.mark.parametrize(
    ("tags", "key", "allowed"),
    [
        ({"grantor:role": "ana"}, "ana/a", True),
        ({"grantor:role": "ana"}, "ben/a", False),
        ({"grantor:role": "ana"}, "untagged/a", False),
        ({}, "untagged/a", True),
        ({}, "ana/a", False),
    ],
)
def test_a_variable_is_the_tag_of_the_role_or_its_default(
    person: Callable[..., Person], tags: dict[str, str], key: str, allowed: bool
) -> None:
    ana = person(**tags)
    folder = "arn:aws:s3:::*/${aws:PrincipalTag/grantor:role, 'untagged'}/*"
    ana.allow({"Action": "s3:PutObject", "Resource": folder})

    assert (puts(ana.sign_in(), ana.bucket, key) == "done") is allowed


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_statement_with_a_variable_of_no_value_does_not_match(
    person: Callable[..., Person], effect: str
) -> None:
    ana = person()
    vague = {"Effect": effect, "Action": "s3:PutObject", "Resource": "*${aws:PrincipalTag/team}*"}
    ana.allow(*([] if effect == "Allow" else [EVERYTHING]), vague)

    assert (puts(ana.sign_in(), ana.bucket) == "done") is (effect == "Deny")


def test_a_variable_stands_in_a_condition_and_in_a_bucket_policy(
    person: Callable[..., Person],
) -> None:
    ana, ben = person(EVERYTHING, team="red"), person(EVERYTHING, team="red")
    own = {"StringNotEquals": {"aws:userid": "${aws:userid}"}}
    foreign = {"StringNotLike": {"aws:PrincipalArn": "*role/team/${aws:PrincipalTag/role, '-'}"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": ana.on}
    ana.guard_bucket(deny | {"Condition": own})
    ben.guard_bucket(deny | {"Resource": ben.on, "Condition": foreign})

    assert puts(ana.sign_in(), ana.bucket) == "done"
    assert "explicit deny" in puts(ben.sign_in(), ben.bucket)


def test_a_value_never_widens_a_pattern(person: Callable[..., Person]) -> None:
    ana = person()
    ana.allow({"Action": "s3:PutObject", "Resource": "arn:aws:s3:::*/${*}/${aws:userid, 'x'}${?}"})
    user_id = ana.sandbox.shared("iam").get_role(RoleName=ana.name)["Role"]["RoleId"] + ":ana"
    s3 = ana.sign_in()

    assert puts(s3, ana.bucket, f"*/{user_id}?") == "done"
    assert puts(s3, ana.bucket, f"b/{user_id}?") != "done"
    assert puts(s3, ana.bucket, f"*/{user_id}c") != "done"


def test_an_old_policy_has_no_variables(person: Callable[..., Person]) -> None:
    ana = person(team="red")
    ana.allow(
        {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::*/${aws:PrincipalTag/team}"},
        version="2008-10-17",
    )

    assert puts(ana.sign_in(), ana.bucket, "red") != "done"


def test_a_refusal_by_the_session_policy_names_it_and_the_resource(
    person: Callable[..., Person],
) -> None:
    ana = person(EVERYTHING)
    only_b = {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{ana.bucket}/b"}
    deny_c = EVERYTHING | {"Effect": "Deny"}
    who = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{ana.name}/ana is not authorized to perform: "
    asked = f's3:PutObject on resource: "arn:aws:s3:::{ana.bucket}/a" '

    assert puts(ana.sign_in(Policy=policy_document(only_b)), ana.bucket) == (
        f"{who}{asked}because no session policy allows the s3:PutObject action"
    )
    assert puts(ana.sign_in(Policy=policy_document(only_b, deny_c)), ana.bucket) == (
        f"{who}{asked}with an explicit deny in a session policy"
    )
    ana.allow({"Action": "s3:GetObject", "Resource": "*"})
    assert puts(ana.sign_in(), ana.bucket) == (
        f"{who}{asked}because no identity-based policy allows the s3:PutObject action"
    )


def test_root_meets_a_deny_where_the_switch_says_so(
    person: Callable[..., Person], start_sandbox: Callable[..., Sandbox]
) -> None:
    sandbox = start_sandbox()
    ana, s3 = Person(sandbox, EVERYTHING), sandbox.client("s3")
    ana.guard_bucket(
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [ana.on, ana.on[:-2]]}
    )
    assert puts(s3, ana.bucket) == "done"

    call_control(sandbox, "faults", "POST", {"switches": {"root_meets_denies": True}})

    assert puts(s3, ana.bucket).endswith("with an explicit deny in a resource-based policy")
    s3.delete_bucket_policy(Bucket=ana.bucket)  # always root's
    assert puts(s3, ana.bucket) == "done"
