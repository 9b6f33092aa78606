"""The log leads from the id of an event to the run that handled it, and from there to the grant,
also when another run did the work.
"""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from grantor.reconcile.handler import handle
from tests.conftest import ACCOUNT
from tests.engine.helpers import build_rules
from tests.grantor_setup import GrantorSetup

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


def read_log_lines(log: io.StringIO, message: str) -> list[dict[str, object]]:
    return [
        line for line in map(json.loads, log.getvalue().splitlines()) if line["message"] == message
    ]


def test_the_run_that_the_log_names_for_an_event_is_the_one_in_the_grants_tag(
    setup: GrantorSetup, log: io.StringIO
):
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(1))

    (summary,) = handle(setup.build_warm_services(), EVENT, None)["runs"]

    control, (made,) = setup.client("s3control"), setup.list_grants().values()
    arn = control.get_access_grant(AccountId=ACCOUNT, AccessGrantId=made)["AccessGrantArn"]
    tags = {
        tag["Key"]: tag["Value"]
        for tag in control.list_tags_for_resource(AccountId=ACCOUNT, ResourceArn=arn)["Tags"]
    }
    (answered,) = read_log_lines(log, "runs finished")
    assert (answered["events"], answered["runs"]) == (["4f0f6a0b"], [summary["run_id"]])
    assert (
        [done["run_id"] for done in read_log_lines(log, "run finished")]
        == [tags["grantor:run"]]
        == [summary["run_id"]]
    )


def test_the_next_event_is_not_logged_under_the_run_before_it(
    setup: GrantorSetup, log: io.StringIO
):
    handle(setup.build_warm_services(), EVENT, None)
    handle(setup.build_warm_services(), EVENT, None)

    assert ["run_id" in received for received in read_log_lines(log, "events received")] == [
        False,
        False,
    ]


def test_an_event_that_another_run_handles_is_logged_with_that_runs_lease_holder(
    setup: GrantorSetup, log: io.StringIO
):
    services = setup.build_warm_services()
    lease = services.lease_store.acquire("function of-the-other 1", {}, services.clock(), 60)

    assert handle(setup.build_warm_services(), EVENT, None)["runs"] == []

    (left,) = read_log_lines(log, "another run holds the lease and takes over these triggers")
    assert lease is not None
    assert (left["events"], left["lease_holder"]) == (["4f0f6a0b"], "function of-the-other 1")
