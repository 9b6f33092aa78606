"""What a run tells: one event that rules can match, and a message to whoever must act."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from grantor.aws.clients import NotYet
from grantor.aws.notifications import Kind, Notices
from tests.aws.conftest import answering, counted, refusing
from tests.conftest import Sandbox
from tests.sandbox.desk import own
from tests.sandbox.ears import make_ear


class Room:
    """Somebody who listens to the bus, and somebody who is called through a topic."""

    def __init__(self, server: Sandbox) -> None:
        self.me = own("me")
        pattern = {"source": ["grantor"], "detail": {"run": [self.me]}}
        self.ear = make_ear(server, EventPattern=json.dumps(pattern))
        self.events, self.sns = server.client("events"), server.client("sns")
        self.topic = self.sns.create_topic(Name=own("topic"))["TopicArn"]
        self.called = make_ear(server, EventPattern=json.dumps({"source": [self.me]}))
        self.called.let(Condition={"ArnEquals": {"aws:SourceArn": self.topic}}, Principal={"Service": "sns.amazonaws.com"})
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=self.called.queue_arn)
        self.notices = Notices(self.events, self.sns, self.topic)


@pytest.fixture
def room(server: Sandbox) -> Room:
    return Room(server)


@pytest.mark.parametrize("kind", Kind)
def test_one_event_tells_what_a_run_did(room: Room, kind: Kind):
    calls = counted(room.events)
    room.notices.tell(kind, {"run": room.me, "done": ["+ READ s3://data/größe/* to role/ana"]})
    [event] = room.ear.heard(1)

    assert (event["source"], event["detail-type"]) == ("grantor", str(kind))
    assert event["detail"] == {"run": room.me, "done": ["+ READ s3://data/größe/* to role/ana"]}
    assert calls == {"PutEvents": 1}


def test_an_event_that_would_be_too_large_is_cut_and_says_so(room: Room):
    done = [f"+ READ s3://data/größe/{n}/* to role/ana" for n in range(20_000)]
    room.notices.tell(Kind.RECONCILED, {"run": room.me, "done": done, "refused": ["one"]})
    [event] = room.ear.heard(1)

    assert event["detail"]["done"] == done[:5000]
    assert event["detail"]["left_out"] == {"done": 15_000}
    assert event["detail"]["refused"] == ["one"]


def test_an_event_that_has_no_list_to_cut_is_a_mistake(room: Room):
    with pytest.raises(ValueError, match="more than 250,000 bytes"):
        room.notices.tell(Kind.RECONCILED, {"run": "x" * 300_000})


def test_an_event_that_the_bus_did_not_take_is_told_again_later(room: Room):
    entries = [{"ErrorCode": "InternalFailure", "ErrorMessage": "later"}]
    answering(room.events, "PutEvents", refusing("", 200, FailedEntryCount=1, Entries=entries))

    with pytest.raises(NotYet, match="InternalFailure: later"):
        room.notices.tell(Kind.RECONCILED, {})


def test_a_person_is_called_with_a_subject_and_a_text(room: Room):
    room.notices.call("Grantor: plan abc needs approval", "It takes away 30 of 100 grants.")
    [message] = room.called.heard(1)

    assert (message["Subject"], message["Message"]) == ("Grantor: plan abc needs approval", "It takes away 30 of 100 grants.")


SUBJECTS = {
    "of another script": ("Größe: 3 grants", "Gr??e: 3 grants"),
    "of several lines": ("one\n  two\tthree", "one two three"),
    "that is too long": ("x" * 101, "x" * 97 + "..."),
    "that just fits": ("x" * 100, "x" * 100),
}


@pytest.mark.parametrize(("subject", "told"), SUBJECTS.values(), ids=SUBJECTS.keys())
def test_a_subject_becomes_what_sns_takes(room: Room, subject: str, told: str):
    asked: list[dict[str, Any]] = []
    room.sns.meta.events.register("provide-client-params.sns.Publish", lambda params, **_: asked.append(params))
    room.notices.call(subject, "text")

    assert asked[0]["Subject"] == told


def test_a_text_that_is_too_long_ends_with_how_much_is_missing(room: Room):
    asked: list[dict[str, Any]] = []
    room.sns.meta.events.register("provide-client-params.sns.Publish", lambda params, **_: asked.append(params))
    room.notices.call("subject", "\n".join(f"- READ s3://data/größe/{n}/*" for n in range(20_000)))

    assert len(asked[0]["Message"].encode()) <= 262_144
    assert asked[0]["Message"].endswith("more lines, cut for size")


def test_a_topic_that_is_not_there_is_no_matter_of_time(room: Room):
    with pytest.raises(ClientError, match="NotFound"):
        Notices(room.events, room.sns, f"{room.topic}-gone").call("subject", "text")
