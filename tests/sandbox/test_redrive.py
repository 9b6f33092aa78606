"""What lies in a dead letter queue goes back to where it came from, when an operator says so."""

import json

import pytest

from tests.conftest import Sandbox
from tests.sandbox.desk import own


def arn_of(server: Sandbox, url: str) -> str:
    told = server.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(told["Attributes"]["QueueArn"])


def test_dead_letters_go_back_to_their_queue_as_new_messages(server: Sandbox):
    sqs = server.client("sqs")
    dead = sqs.create_queue(QueueName=own("dead"))["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn_of(server, dead), "maxReceiveCount": 1})
    queue = sqs.create_queue(QueueName=own("queue"), Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})["QueueUrl"]
    sent = sqs.send_message(QueueUrl=queue, MessageBody="a bell")["MessageId"]
    sqs.receive_message(QueueUrl=queue)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)

    assert sqs.start_message_move_task(SourceArn=arn_of(server, dead))["TaskHandle"]

    (back,) = sqs.receive_message(QueueUrl=queue, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert back["MessageId"] != sent
    assert (back["Body"], back["Attributes"]["ApproximateReceiveCount"]) == ("a bell", "1")
    assert "Messages" not in sqs.receive_message(QueueUrl=dead)


def test_a_queue_that_holds_no_dead_letters_is_no_source(server: Sandbox):
    sqs = server.client("sqs")
    queue = sqs.create_queue(QueueName=own("queue"))["QueueUrl"]

    with pytest.raises(sqs.exceptions.ClientError, match="must be configured as a Dead Letter Queue"):
        sqs.start_message_move_task(SourceArn=arn_of(server, queue))


def test_a_queue_that_is_not_there_is_said_to_be_missing(server: Sandbox):
    sqs = server.client("sqs")

    with pytest.raises(sqs.exceptions.ResourceNotFoundException):
        sqs.start_message_move_task(SourceArn="arn:aws:sqs:us-east-1:000000000000:nowhere")
