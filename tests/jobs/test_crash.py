"""Whoever dies in the middle leaves what the next one finds: a claim without a job, a job without a record, an end that nobody told."""

from typing import Any

import pytest

from grantor.core.jobs.decide import CLAIM
from tests.jobs.place import Place, ended, uploaded

DIES = {"kind": "refuse", "code": "AccessDeniedException", "status": 400, "message": "no"}
KEY = "UserA/abalone.csv"


def dies(place: Place, service: str, operation: str, after: int = 0, kind: dict[str, Any] = DIES) -> None:
    """Whoever makes this call dies of it, after so many that go well."""
    place.faults({"service": service, "operation": operation, "after": after, **kind})


@pytest.mark.parametrize("written", [1, 2], ids=["right after the claim", "between pointer and record"])
def test_a_claim_whose_owner_died_before_it_made_the_job_is_taken_over_under_the_same_name(place: Place, written: int) -> None:
    dies(place, "dynamodb", "PutItem", after=written)
    event = place.put(KEY)
    assert place.ring(event) == [event]
    place.faults()
    assert place.listed() == {}

    place.ring(event)
    assert (place.listed(), place.sent()) == ({}, 1)
    place.ring(event, jobs=place.later(CLAIM + 1))
    (name,) = place.running()
    assert [(run.name, run.attempt) for run in place.runs()] == [(name, 1)]


def test_newer_data_does_not_wait_for_a_claim_whose_owner_died(place: Place) -> None:
    dies(place, "dynamodb", "PutItem", after=2)
    place.ring(place.put(KEY, b"older"))
    place.faults()
    place.ring(place.put(KEY, b"newer"), jobs=place.later(CLAIM + 1))

    (name,) = place.running()
    assert place.runs()[0].name == name
    place.ring(place.ends(name))
    assert (place.running(), place.waiting()) == ([], [])


def test_an_owner_who_died_after_the_job_was_made_is_not_missed(place: Place) -> None:
    dies(place, "dynamodb", "PutItem", after=3)
    event = place.put(KEY)
    assert place.ring(event) == [event]
    place.faults()
    (name,) = place.running()

    place.ring(event, event)
    assert place.running() == [name]
    place.ring(place.ends(name, 0, {"rows": {"in": 3}}))
    assert [run.sentence for run in place.runs()] == ["abalone for userA: 3 rows in, 0 in quarantine"]


def test_an_answer_that_was_lost_leaves_one_job(place: Place) -> None:
    place.faults({"service": "sagemaker", "operation": "CreateProcessingJob", "kind": "lost", "times": 1})
    event = place.put(KEY)
    place.ring(event, jobs=place.jobs())
    place.faults()
    place.ring(event)

    assert (len(place.listed()), len(place.runs())) == (1, 1)


@pytest.mark.parametrize(
    ("service", "operation", "after"),
    [("dynamodb", "PutItem", 0), ("dynamodb", "PutItem", 2), ("sns", "Publish", 0), ("s3", "GetObject", 0)],
    ids=["before it was written down", "after a person was called", "before a person was called", "before the summary was read"],
)
def test_an_end_that_was_told_in_part_is_told_whole_by_the_next_one(
    place: Place, service: str, operation: str, after: int
) -> None:
    place.ring(place.put(KEY))
    over = place.ends(place.running()[0], 12, {"outcome": "failed", "exit": 12, "sentence": "the file is empty"})
    dies(place, service, operation, after, DIES | {"code": "InvalidParameter"})
    assert place.ring(over) == [over]
    place.faults()

    assert place.ring(over) == []
    (run,) = place.runs()
    assert (run.status, "the file is empty" in run.sentence) == ("Failed", True)
    assert {said for said in place.called() if "the file is empty" in said} == {run.sentence}


def test_an_end_that_sagemaker_itself_does_not_show_yet_comes_again(place: Place) -> None:
    place.ring(place.put(KEY))
    (name,) = place.running()
    early = ended(name)
    assert place.ring(early) == [early]
    assert place.runs()[0].status == "InProgress"


def test_an_end_of_which_no_event_came_is_found_by_the_next_upload(place: Place) -> None:
    place.ring(place.put(KEY, b"older"))
    (older,) = place.running()
    place.ends(older)
    place.ring(place.put(KEY, b"newer"))

    (newer,) = place.running()
    assert [(run.name, run.status) for run in place.runs()] in (
        [(newer, "InProgress"), (older, "Completed")],
        [(older, "Completed"), (newer, "InProgress")],
    )


def test_a_name_that_is_taken_by_a_run_of_long_ago_is_passed_over(place: Place) -> None:
    place.ring(place.put(KEY))
    (name,) = place.running()
    place.ends(name)
    table = place.estate.client("dynamodb")
    for item in table.scan(TableName="ledger")["Items"]:
        if item["pk"]["S"].startswith("job "):
            table.delete_item(TableName="ledger", Key={"pk": item["pk"], "sk": item["sk"]})

    place.ring(uploaded(KEY), jobs=place.later(3600))
    assert [run.attempt for run in place.runs() if run.status == "InProgress"] == [2]
    assert len(place.running()) == 1
