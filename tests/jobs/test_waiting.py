"""What can't be started yet waits, says so to whom it concerns, and is started as soon as it can be."""

from typing import Any

import pytest

from grantor.core.jobs.decide import QUIET
from tests.estate import ACCOUNT, ARTICLE
from tests.jobs.place import JOB, Place, again, carry, granted, ticked, uploaded

KEY = "UserA/abalone.csv"
QUOTA = (
    "The account-level service limit 'ml.m5.xlarge for processing job usage' is 0 Instances, with current utilization of 0 Instances "
    "and a request delta of 2 Instances."
)
LIMITED = {
    "service": "sagemaker",
    "operation": "CreateProcessingJob",
    "kind": "refuse",
    "code": "ResourceLimitExceeded",
    "status": 400,
}


def job_for(role: str) -> str:
    """A job for a role that is no profile's."""
    return f"""\
jobs:
  - name: abalone
    run: abalone
    as: {{role: {role}}}
    on: s3://{{data_bucket}}/Shared/abalone.csv
    output: s3://{{data_bucket}}/Shared/output/
"""


def rule_for(role: str) -> str:
    return f"  - name: shared\n    to: {{role: {role}}}\n    on: s3://{{data_bucket}}/Shared/*\n    allow: READWRITE\n"


def test_a_missing_grant_is_told_once_with_the_rule_that_would_give_it_and_no_cluster_is_paid_for(place: Place) -> None:
    role = place.estate.role("role-etl")
    place.estate.policy("article", ARTICLE + job_for(role))
    event = place.put("Shared/abalone.csv")
    for _ in range(3):
        assert place.ring(event, event) == []

    (said,) = place.called()
    assert "role/role-etl holds no READ on s3://data/Shared/abalone.csv" in said
    assert f'to: {{role: {role}}}\n    on: "s3://data/Shared/*"\n    allow: READ\n' in said
    assert f'to: {{role: {role}}}\n    on: "s3://data/Shared/output/*"\n    allow: READWRITE' in said
    assert (place.listed(), place.sent(), len(place.waiting())) == ({}, 0, 1)


def test_data_that_waits_for_a_grant_is_processed_when_the_grant_comes(place: Place) -> None:
    role = place.estate.role("role-etl")
    place.estate.policy("article", ARTICLE + job_for(role))
    place.ring(place.put("Shared/abalone.csv"))
    place.estate.policy("article", ARTICLE + rule_for(role) + job_for(role))
    place.estate.run()
    assert place.listed() == {}

    place.ring(granted())
    assert [run.label for run in place.runs()] == ["abalone for role-etl"]
    place.ring(place.ends(place.running()[0]))
    assert place.waiting() == []


@pytest.mark.parametrize("rings", [granted, ticked], ids=["a run of the reconciler", "the clock"])
def test_of_many_uploads_that_wait_each_gets_a_message_of_its_own(place: Place, rings: Any) -> None:
    role = place.estate.role("role-etl")
    place.estate.policy(
        "article", ARTICLE + "jobs:\n" + "".join(job_for(role).removeprefix("jobs:\n").replace("Shared", f"S{n}").replace("abalone\n    run", f"a{n}\n    run") for n in range(12))
    )  # fmt: skip
    place.ring(*(place.put(f"S{n}/abalone.csv") for n in range(12)))
    assert len(place.waiting()) == 12

    place.ring(rings())
    assert place.sent() == 7


def test_the_job_of_a_profile_that_is_seconds_old_waits_for_its_grants_and_starts(place: Place) -> None:
    place.estate.profile("userC")
    event = place.put("UserC/abalone.csv")
    assert place.ring(event, event) == []
    assert (place.listed(), place.sent(), place.called()) == ({}, 1, [])

    place.ring(again("UserC/abalone.csv", 1))
    assert (place.listed(), place.sent()) == ({}, 1)
    place.estate.run()
    place.ring(again("UserC/abalone.csv", 2))
    assert [run.label for run in place.runs()] == ["abalone for userC"]


def test_an_upload_that_waits_has_one_message_on_its_way_however_often_it_rings(place: Place) -> None:
    place.estate.profile("userC")
    event = place.put("UserC/abalone.csv")
    for _ in range(5):
        place.ring(event)
    assert place.sent() == 1

    place.ring(again("UserC/abalone.csv", 1))
    place.ring(again("UserC/abalone.csv", 1), event)  # the first of them comes late, and is doubled
    assert place.sent() == 1


def test_what_has_waited_for_a_quarter_of_an_hour_is_told_to_a_person(place: Place) -> None:
    place.estate.profile("userC")
    place.ring(place.put("UserC/abalone.csv"))
    place.ring(again("UserC/abalone.csv", 1), jobs=place.later(1_000))

    (said,) = place.called()
    assert "has waited for 17 minutes" in said
    assert "does not hold" in said


def test_a_quota_is_named_to_a_person_once_and_the_upload_tries_again_by_itself(place: Place) -> None:
    place.faults(LIMITED | {"message": QUOTA})
    event = place.put(KEY)
    assert place.ring(event) == []
    assert place.ring(again(KEY, 1), jobs=place.jobs()) == []

    (said,) = place.called()
    assert "ml.m5.xlarge for processing job usage" in said
    assert (place.sent(), place.runs()) == (2, [])
    place.faults()
    place.ring(again(KEY, 2))
    assert [run.attempt for run in place.runs()] == [1]


def test_a_busy_sagemaker_makes_an_upload_wait_and_starts_one_job(place: Place) -> None:
    place.faults({"service": "sagemaker", "operation": "CreateProcessingJob", "kind": "refuse", "code": "ThrottlingException", "status": 400, "message": "Rate exceeded"})  # fmt: skip
    event = place.put(KEY)
    assert place.ring(event, jobs=place.jobs()) == []
    place.faults()
    assert (place.sent(), place.called()) == (1, [])

    place.ring(again(KEY, 1), jobs=place.later(100))
    assert len(place.running()) == 1


def test_a_role_that_may_not_be_passed_is_refused_by_the_policys_place_in_its_file(place: Place) -> None:
    place.roles = frozenset((f"arn:aws:iam::{ACCOUNT}:role/other-*",))
    assert place.ring(place.put(KEY)) == []

    (said,) = place.called()
    assert said.startswith("policy/article.yaml:12:5: job abalone for profile Product-Domain/userA: ")
    assert "JobRoles" in said
    assert place.listed() == {}


@pytest.mark.parametrize(
    ("action", "words"), [("iam:PassRole", "may not pass"), ("sagemaker:AddTags", "may not tag"), ("sagemaker:CreateProcessingJob", "may not start")]
)  # fmt: skip
def test_a_right_that_the_launcher_lacks_is_named(place: Place, action: str, words: str) -> None:
    message = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/x/y is not authorized to perform: {action} on resource: *"
    place.faults({**LIMITED, "code": "AccessDeniedException", "message": message})
    place.ring(place.put(KEY))

    (said,) = place.called()
    assert words in said
    assert [one.due for one in place.waiting()] == [0.0]
    place.faults()
    place.ring(ticked())
    assert len(place.running()) == 1


def test_a_job_that_was_denied_is_tried_again_when_grants_change_and_three_times_at_most(place: Place) -> None:
    place.ring(place.put(KEY))
    for _ in range(2):
        place.ring(place.ends(place.running()[0], 10, {"outcome": "failed", "exit": 10, "sentence": "denied"}))
        place.ring(ticked())
        assert place.running() == []
        place.ring(granted())
    place.ring(place.ends(place.running()[0], 10), granted(), granted())

    assert (place.running(), sorted(run.attempt for run in place.runs())) == ([], [1, 2, 3])
    assert any("given up after 3 attempts" in said for said in place.called())


def test_a_job_that_failed_inside_is_tried_again_by_itself_three_times_and_then_given_up(place: Place) -> None:
    place.ring(place.put(KEY))
    for _ in range(3):
        place.ring(place.ends(place.running()[0], 20))

    assert (place.running(), len(place.runs())) == ([], 3)
    assert any("given up after 3 attempts" in said for said in place.called())
    place.ring(place.put(KEY))
    assert len(place.running()) == 1


@pytest.mark.parametrize(
    ("code", "word"), [(11, "input"), (12, "contract"), (13, "quarantine"), (14, "capability")], ids=["input", "contract", "quarantine", "capability"]
)  # fmt: skip
def test_a_job_whose_data_is_bad_waits_for_other_data(place: Place, code: int, word: str) -> None:
    place.ring(place.put(KEY, b"bad"))
    place.ring(place.ends(place.running()[0], code))
    place.ring(uploaded(KEY), ticked(), granted())
    (said,) = place.called()
    assert (place.running(), word in said) == ([], True)

    place.ring(place.put(KEY, b"good"), jobs=place.later(QUIET))
    assert len(place.running()) == 1


def test_data_that_was_replaced_while_its_job_ran_is_nobodys_business(place: Place) -> None:
    place.ring(place.put(KEY, b"first"))
    (first,) = place.running()
    place.put(KEY, b"second")
    place.ring(place.ends(first, 11), jobs=place.later(QUIET))

    assert (len(place.running()), place.called()) == (1, [])


def test_a_job_that_somebody_stopped_stays_stopped_until_the_data_is_put_again(place: Place) -> None:
    place.ring(place.put(KEY))
    (name,) = place.running()
    place.ring(place.stops(name))
    place.ring(uploaded(KEY), ticked())
    assert (place.running(), place.runs()[0].status) == ([], "Stopped")
    assert any("was stopped" in said for said in place.called())

    place.ring(place.put(KEY))
    assert [run.attempt for run in place.runs() if run.status == "InProgress"] == [2]


def test_new_code_processes_what_the_old_code_had_failed_on(place: Place) -> None:
    place.ring(place.put(KEY))
    place.ring(place.ends(place.running()[0], 12))
    place.ring(ticked())
    assert place.running() == []

    carry(place.carried, "beef" * 8)
    place.ring(ticked())
    assert len(place.running()) == 1


def test_a_key_that_is_too_long_for_sagemaker_is_said_to_be(place: Place) -> None:
    folder = "f" * 250
    role = place.estate.role("role-etl")
    place.estate.policy("article", ARTICLE + rule_for(role).replace("Shared", folder) + job_for(role).replace("Shared", folder))
    place.estate.run()
    place.ring(place.put(f"{folder}/abalone.csv"))

    assert place.listed() == {}
    assert any("256" in said for said in place.called())


def test_an_input_that_is_not_there_yet_is_waited_for(place: Place) -> None:
    job = JOB.replace("abalone.csv\n", "_READY\n    input: s3://{data_bucket}/{profile.folder}/abalone.csv\n")
    place.estate.policy("article", ARTICLE + job)
    place.estate.run()
    place.ring(place.put("UserA/_READY", b""))
    (said,) = place.called()
    assert "s3://data/UserA/abalone.csv" in said

    place.put(KEY)
    place.ring(ticked())
    assert len(place.running()) == 1


def test_while_policy_files_can_not_be_read_no_upload_is_lost(place: Place) -> None:
    event = place.put(KEY)
    place.faults(
        {"service": "s3", "operation": "GetObject", "kind": "refuse", "code": "AccessDenied", "status": 403, "message": "no"}
    )
    assert place.ring(event, jobs=place.jobs()) == [event]
    place.faults()

    assert place.ring(event) == []
    assert len(place.running()) == 1


def test_a_message_that_is_no_event_comes_again_and_the_others_are_answered(place: Place) -> None:
    event: Any = place.put(KEY)
    bad: Any = [1]

    assert place.ring(bad, event) == [bad]
    assert len(place.running()) == 1


def test_a_job_whose_policy_is_gone_waits_no_more(place: Place) -> None:
    place.estate.profile("userC")
    place.ring(place.put("UserC/abalone.csv"))
    place.estate.policy("article", ARTICLE)
    place.ring(ticked())

    assert place.waiting() == []
