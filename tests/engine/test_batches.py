"""What the queue brings: one answer for a batch, and only what failed comes again."""

import json
from typing import Any

import pytest

from grantor.reconcile.handler import handle
from tests.estate import ARTICLE, Estate

CLOCK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def received(estate: Estate, *bodies: str) -> dict[str, Any]:
    """The messages, sent and received as Lambda does: a batch as it brings them to the function."""
    sqs, queue = estate.client("sqs"), estate.names.event_queue
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
            {"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"], "attributes": message["Attributes"]}
            for message in found
        ]
    }  # fmt: skip


def again(answer: dict[str, Any], batch: dict[str, Any]) -> set[str]:
    """The bodies of the messages that are to come again."""
    failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    return {record["body"] for record in batch["Records"] if record["messageId"] in failed}


def test_a_batch_is_one_run_and_none_of_its_messages_comes_again(estate: Estate) -> None:
    estate.policy("article", ARTICLE)
    batch = received(estate, *[json.dumps(CLOCK)] * 3)
    estate.forget_calls()

    assert again(handle(estate.world(), batch, None), batch) == set()
    assert (estate.calls()["ListAccessGrants"], len(estate.grants())) == (1, 4)


@pytest.mark.parametrize("body", ["no event", "{", "[1]", '"text"'])
def test_a_message_that_is_no_event_comes_again_and_the_others_are_answered(
    estate: Estate, body: str
) -> None:
    estate.policy("article", ARTICLE)
    batch = received(estate, body, json.dumps(CLOCK))

    assert again(handle(estate.world(), batch, None), batch) == {body}
    assert len(estate.grants()) == 4


def test_when_the_grants_cannot_be_read_the_whole_batch_comes_again_and_sooner_than_its_time_is_over(
    estate: Estate,
) -> None:
    batch = received(estate, json.dumps(CLOCK), json.dumps(CLOCK))
    denied = {"kind": "refuse", "code": "AccessDenied", "status": 403, "message": "no"}
    estate.faults({"service": "s3control", "operation": "ListAccessGrants", **denied})
    estate.forget_calls()

    assert len(handle(estate.world(), batch, None)["batchItemFailures"]) == 2
    assert estate.calls("sqs") == {"ChangeMessageVisibility": 2}
