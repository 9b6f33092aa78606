"""What a run publishes: one event that event rules can match, and alerts to people who must act."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError
from grantor.aws.notifications import DetailType, Notifications
from sandbox.testing.helpers import make_listener, unique_name
from tests.aws.conftest import count_calls, refuse_with, replace_answers
from tests.conftest import Sandbox


class Listeners:
    """Somebody who listens to the bus, and somebody who is called through a topic."""

    def __init__(self, server: Sandbox) -> None:
        self.me = unique_name("me")
        pattern = {"source": ["grantor"], "detail": {"run_id": [self.me]}}
        self.ear = make_listener(server, EventPattern=json.dumps(pattern))
        self.events, self.sns = server.client("events"), server.client("sns")
        self.topic = self.sns.create_topic(Name=unique_name("topic"))["TopicArn"]
        self.called = make_listener(server, EventPattern=json.dumps({"source": [self.me]}))
        self.called.set_queue_policy(
            Condition={"ArnEquals": {"aws:SourceArn": self.topic}},
            Principal={"Service": "sns.amazonaws.com"},
        )
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=self.called.queue_arn)
        self.notices = Notifications(self.events, self.sns, self.topic)


@pytest.fixture
def listeners(server: Sandbox) -> Listeners:
    return Listeners(server)


@pytest.mark.parametrize("kind", DetailType)
def test_one_event_reports_what_a_run_did(listeners: Listeners, kind: DetailType):
    calls = count_calls(listeners.events)
    listeners.notices.put_event(
        kind, {"run_id": listeners.me, "changes": ["+ READ s3://data/größe/* to role/ana"]}
    )
    [event] = listeners.ear.receive_events(1)

    assert (event["source"], event["detail-type"]) == ("grantor", str(kind))
    assert event["detail"] == {
        "run_id": listeners.me,
        "changes": ["+ READ s3://data/größe/* to role/ana"],
    }
    assert calls == {"PutEvents": 1}


def test_an_event_that_is_too_large_is_shortened_and_marked_so(listeners: Listeners):
    done = [f"+ READ s3://data/größe/{n}/* to role/ana" for n in range(20_000)]
    listeners.notices.put_event(
        DetailType.RECONCILED, {"run_id": listeners.me, "changes": done, "unread": ["one"]}
    )
    [event] = listeners.ear.receive_events(1)

    assert event["detail"]["changes"] == done[:5000]
    assert event["detail"]["truncated"] == {"changes": 15_000}
    assert event["detail"]["unread"] == ["one"]


def test_an_oversized_event_without_a_list_to_shorten_is_an_error(listeners: Listeners):
    with pytest.raises(ValueError, match="more than 250,000 bytes"):
        listeners.notices.put_event(DetailType.RECONCILED, {"run_id": "x" * 300_000})


def test_an_event_that_the_bus_rejects_is_sent_again_later(listeners: Listeners):
    entries = [{"ErrorCode": "InternalFailure", "ErrorMessage": "later"}]
    replace_answers(
        listeners.events, "PutEvents", refuse_with("", 200, FailedEntryCount=1, Entries=entries)
    )

    with pytest.raises(RetryableError, match="InternalFailure: later"):
        listeners.notices.put_event(DetailType.RECONCILED, {})


def test_an_alert_has_a_subject_and_a_text(listeners: Listeners):
    listeners.notices.send_alert(
        "Grantor: plan abc needs approval", ["It takes away 30 of 100 grants.", "a\nb"]
    )
    [message] = listeners.called.receive_events(1)

    assert (message["Subject"], message["Message"]) == (
        "Grantor: plan abc needs approval",
        "It takes away 30 of 100 grants.\na\\nb",
    )


SUBJECTS = {
    "of another script": ("Größe: 3 grants", "Gr??e: 3 grants"),
    "of several lines": ("one\n  two\tthree", r"one\n two\tthree"),
    "that is too long": ("x" * 101, "x" * 97 + "..."),
    "that just fits": ("x" * 100, "x" * 100),
}


@pytest.mark.parametrize(("subject", "sent"), SUBJECTS.values(), ids=SUBJECTS.keys())
def test_a_subject_is_changed_to_what_sns_accepts(listeners: Listeners, subject: str, sent: str):
    asked: list[dict[str, Any]] = []
    listeners.sns.meta.events.register(
        "provide-client-params.sns.Publish", lambda params, **_: asked.append(params)
    )
    listeners.notices.send_alert(subject, ["text"])

    assert asked[0]["Subject"] == sent


def test_a_text_that_is_too_long_ends_with_how_much_is_missing(listeners: Listeners):
    asked: list[dict[str, Any]] = []
    listeners.sns.meta.events.register(
        "provide-client-params.sns.Publish", lambda params, **_: asked.append(params)
    )
    listeners.notices.send_alert(
        "subject", [f"- READ s3://data/größe/{n}/*" for n in range(20_000)]
    )

    assert len(asked[0]["Message"].encode()) <= 262_144
    assert asked[0]["Message"].endswith("more lines, cut for size")


def test_a_missing_topic_is_a_permanent_error(listeners: Listeners):
    with pytest.raises(ClientError, match="NotFound"):
        Notifications(listeners.events, listeners.sns, f"{listeners.topic}-gone").send_alert(
            "subject", ["text"]
        )
