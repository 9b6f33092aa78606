"""The AWS CLI in us-east-1, where it has addresses of its own for some services."""

import json

from tests.conftest import ACCOUNT
from tests.s3_clients.conftest import ClientShell, Person

CONTROL = ("aws", "s3control")


def test_a_queue_is_made_filled_and_purged(root: ClientShell) -> None:
    assert root.variables["AWS_DEFAULT_REGION"] == "us-east-1"
    made = json.loads(root.read("aws", "sqs", "create-queue", "--queue-name", "letters"))
    queue = ("--queue-url", made["QueueUrl"])
    root.read("aws", "sqs", "send-message", *queue, "--message-body", "dead")
    root.read("aws", "sqs", "purge-queue", *queue)
    assert root.read("aws", "sqs", "receive-message", *queue) == ""


def test_a_caller_gets_credentials_and_uses_them_below_the_prefix(person: Person) -> None:
    caller = person.shell.with_keys(person.scenario.aws.session(person.scenario.user))
    target = ("--target", "s3://data/UserA/*", "--permission", "READWRITE")
    vended = json.loads(caller.read(*CONTROL, "get-data-access", "--account-id", ACCOUNT, *target))
    shell = person.shell.with_keys(vended["Credentials"])
    (shell.home / "in.csv").write_text("M,0.455\n")
    shell.read("aws", "s3", "cp", "in.csv", "s3://data/UserA/in.csv")
    shell.read("aws", "s3", "mv", "s3://data/UserA/in.csv", "s3://data/UserA/sub/out.csv")
    listed = shell.read("aws", "s3", "ls", "--recursive", "s3://data/UserA/")
    assert [line.split()[-1] for line in listed.splitlines()] == ["UserA/sub/out.csv"]
    assert "AccessDenied" in shell.run("aws", "s3", "ls", "s3://data/UserB/").stderr
    shell.read("aws", "s3", "rm", "--recursive", "s3://data/UserA/")
    assert person.list_keys() == ["UserB/secret.csv"]


def test_grants_are_listed(person: Person, root: ClientShell) -> None:
    listed = json.loads(root.read(*CONTROL, "list-access-grants", "--account-id", ACCOUNT))
    scopes = [grant["GrantScope"] for grant in listed["AccessGrantsList"]]
    assert scopes == [f"s3://{person.scenario.bucket}/UserA/*"]
