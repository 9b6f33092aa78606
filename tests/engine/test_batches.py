"""Batches of the event queue: one run handles a batch, and only failed messages are redelivered."""

import json
from typing import Any

import pytest

from grantor.reconcile.handler import handle
from tests.conftest import ROOT
from tests.grantor_setup import ARTICLE_POLICY, POLICIES, GrantorSetup

CLOCK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def send_and_receive(setup: GrantorSetup, *bodies: str) -> dict[str, Any]:
    """The messages, sent and received as Lambda does: a batch as it brings them to the function."""
    sqs, queue = setup.client("sqs"), setup.names.event_queue
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    found = sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=10,
        VisibilityTimeout=720,
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    )["Messages"]
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for message in found
        ]
    }


def list_failed_bodies(answer: dict[str, Any], batch: dict[str, Any]) -> set[str]:
    """The bodies of the messages that are to come again."""
    failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    return {record["body"] for record in batch["Records"] if record["messageId"] in failed}


def test_a_batch_causes_one_run_and_no_message_is_redelivered(setup: GrantorSetup) -> None:
    setup.put_policy("article", ARTICLE_POLICY)
    batch = send_and_receive(setup, *[json.dumps(CLOCK)] * 3)
    setup.reset_call_counts()

    assert list_failed_bodies(handle(setup.build_services(), batch, None), batch) == set()
    assert (setup.count_calls()["ListAccessGrants"], len(setup.describe_grants())) == (1, 4)


@pytest.mark.parametrize("body", ["no event", "{", "[1]", '"text"'])
def test_a_message_that_is_not_an_event_is_redelivered_and_the_others_are_handled(
    setup: GrantorSetup, body: str
) -> None:
    setup.put_policy("article", ARTICLE_POLICY)
    batch = send_and_receive(setup, body, json.dumps(CLOCK))

    assert list_failed_bodies(handle(setup.build_services(), batch, None), batch) == {body}
    assert len(setup.describe_grants()) == 4


def test_when_grants_cannot_be_read_the_whole_batch_is_redelivered_before_its_visibility_timeout(
    setup: GrantorSetup,
) -> None:
    batch = send_and_receive(setup, json.dumps(CLOCK), json.dumps(CLOCK))
    denied = {"kind": "refuse", "code": "AccessDenied", "status": 403, "message": "no"}
    setup.set_faults({"service": "s3control", "operation": "ListAccessGrants", **denied})
    setup.reset_call_counts()

    assert len(handle(setup.build_services(), batch, None)["batchItemFailures"]) == 2
    assert setup.count_calls("sqs") == {"ChangeMessageVisibility": 2}


def test_who_has_written_a_policy_file_is_recorded_without_a_run(setup: GrantorSetup) -> None:
    text = (ROOT / "events/policy_written.json").read_text()
    batch = send_and_receive(setup, text.replace("grantor-policybucket", POLICIES))
    setup.reset_call_counts()
    answer = handle(setup.build_services(), batch, None)
    (write,) = setup.build_services().run_store.read_writes(["policy/article.yaml"])

    assert (list_failed_bodies(answer, batch), setup.count_calls()) == (set(), {})
    assert (write.principal, write.version) == (
        "AROAEXAMPLESTEWARD001:ana@example.org",
        "3sL4kqtJlcpXroDTDmJrmSpXd3dIbrHY",
    )
