"""From the id of an event the log leads to the run that answered it, and from there to the grant;
also when another run does the work.
"""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from grantor.reconcile.handler import handle
from tests.conftest import ACCOUNT
from tests.engine.watch import rules
from tests.estate import Estate

EVENT = {
    "id": "4f0f6a0b",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "policies"}, "object": {"key": "policy/many.yaml"}},
}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the function logs from here on."""
    out, logger = io.StringIO(), logging.getLogger("reconcile-grants")
    handler = logging.StreamHandler(out)
    handler.setFormatter(logger.handlers[0].formatter)
    logger.addHandler(handler)
    yield out
    logger.removeHandler(handler)


def lines(log: io.StringIO, message: str) -> list[dict[str, object]]:
    return [
        line for line in map(json.loads, log.getvalue().splitlines()) if line["message"] == message
    ]


def test_the_run_that_answered_an_event_is_the_one_that_signed_the_grant(
    estate: Estate, log: io.StringIO
):
    estate.role("auditor")
    estate.policy("many", rules(1))

    (summary,) = handle(estate.warm(), EVENT, None)["runs"]

    control, (made,) = estate.client("s3control"), estate.actual().values()
    arn = control.get_access_grant(AccountId=ACCOUNT, AccessGrantId=made)["AccessGrantArn"]
    tags = {
        tag["Key"]: tag["Value"]
        for tag in control.list_tags_for_resource(AccountId=ACCOUNT, ResourceArn=arn)["Tags"]
    }
    (answered,) = lines(log, "runs finished")
    assert (answered["events"], answered["runs"]) == (["4f0f6a0b"], [summary["run_id"]])
    assert (
        [done["run_id"] for done in lines(log, "run finished")]
        == [tags["grantor:run"]]
        == [summary["run_id"]]
    )


def test_the_next_event_is_not_logged_under_the_run_before_it(estate: Estate, log: io.StringIO):
    handle(estate.warm(), EVENT, None)
    handle(estate.warm(), EVENT, None)

    assert ["run_id" in received for received in lines(log, "events received")] == [False, False]


def test_an_event_that_another_run_answers_names_who_that_is(estate: Estate, log: io.StringIO):
    world = estate.warm()
    lease = world.lease_store.acquire("function of-the-other 1", {}, world.clock(), 60)

    assert handle(estate.warm(), EVENT, None)["runs"] == []

    (left,) = lines(log, "another run holds the lease and takes over these triggers")
    assert lease is not None
    assert (left["events"], left["lease_holder"]) == (["4f0f6a0b"], "function of-the-other 1")
