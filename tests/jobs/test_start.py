"""New data starts its job, once; whatever rings twice, late or out of order starts nothing twice and loses nothing."""

import pytest

from grantor.jobs.handler import ring
from tests.estate import ARTICLE, DATA
from tests.jobs.place import JOB, OPERATIONS, Place, ended, ticked, uploaded

SUMMARY = {"outcome": "done", "rows": {"in": 4177, "train": 3339, "validation": 836, "quarantine": 2}, "quarantine": {"range": 2}}


def test_an_upload_starts_one_job_as_its_owner_with_nothing_but_the_operations_bucket_in_its_request(place: Place) -> None:
    assert place.ring(place.put("UserA/abalone.csv")) == []

    (name,) = place.running()
    told = place.estate.client("sagemaker").describe_processing_job(ProcessingJobName=name)
    uris = [one["S3Input"]["S3Uri"] for one in told["ProcessingInputs"]]
    assert told["RoleArn"] == place.estate.role("role-userA")
    assert all(uri.startswith(f"s3://{OPERATIONS}/code/c0dec0de") for uri in uris)
    assert place.called() == []


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (uploaded("elsewhere/abalone.csv"), f"s3://{DATA}/elsewhere/abalone.csv: no job of the policy files in force is for it"),
        (ticked(), "whatever waits: nothing is to be done"),
        (ended("another-job"), "nothing of ours: nothing is to be done"),
    ],
    ids=["an upload of no job", "the clock", "somebody else's job"],
)
def test_whoever_rings_by_hand_for_nothing_reads_so(place: Place, event: dict, said: str) -> None:
    assert ring(place.jobs(), event, None) == {"came": [said]}


def test_the_jobs_code_and_its_configuration_stand_where_the_request_says(place: Place) -> None:
    place.ring(place.put("UserA/abalone.csv"))

    listed = place.estate.client("s3").list_objects_v2(Bucket=OPERATIONS)["Contents"]
    code = "code/" + "c0de" * 8
    assert [one["Key"] for one in listed] == [
        f"{code}/conf/{DATA}/configuration.json", f"{code}/preprocess.py", f"{code}/py-files/abalone.zip"
    ]  # fmt: skip
    body = place.estate.client("s3").get_object(Bucket=OPERATIONS, Key=f"{code}/conf/{DATA}/configuration.json")["Body"].read()
    assert b'"bucket.data.on"' in body


def test_each_owner_has_a_job_of_their_own(place: Place) -> None:
    place.ring(place.put("UserA/abalone.csv"), place.put("UserB/abalone.csv"))

    assert {run.label for run in place.runs()} == {"abalone for userA", "abalone for userB"}
    assert len(place.running()) == 2


@pytest.mark.parametrize("key", ["UserA/else.csv", "UserA/output/train/part-00000", "Product/abalone.csv", "UserC/abalone.csv"])
def test_an_upload_that_no_job_waits_for_starts_none_and_is_not_remembered(place: Place, key: str) -> None:
    assert place.ring(place.put(key)) == []

    assert (place.listed(), place.runs(), place.waiting()) == ({}, [], [])


def test_doubled_events_start_one_job_in_one_batch_or_in_many(place: Place) -> None:
    event = place.put("UserA/abalone.csv")
    for _ in range(3):
        assert place.ring(event, event) == []

    assert len(place.listed()) == len(place.runs()) == 1


def test_the_same_content_put_again_starts_nothing_while_its_run_goes_on_nor_after_it(place: Place) -> None:
    place.ring(place.put("UserA/abalone.csv"))
    (name,) = place.running()
    place.ring(place.put("UserA/abalone.csv"))
    place.ring(place.ends(name, 0, SUMMARY))
    place.ring(place.put("UserA/abalone.csv"))

    assert list(place.listed().values()) == ["Completed"]


def test_what_came_of_a_run_is_written_down_and_told(place: Place) -> None:
    place.ring(place.put("UserA/abalone.csv"))
    place.ring(place.ends(place.running()[0], 0, SUMMARY))

    (run,) = place.runs()
    assert (run.status, run.sentence) == ("Completed", "abalone for userA: 4,177 rows in, 2 in quarantine (range: 2)")
    assert (dict(run.rows)["train"], run.input, run.attempt) == (3339, "s3://data/UserA/abalone.csv", 1)
    assert (place.called(), place.waiting()) == ([], [])


def test_an_event_of_a_run_that_was_settled_long_ago_changes_nothing(place: Place) -> None:
    place.ring(place.put("UserA/abalone.csv"))
    over = place.ends(place.running()[0], 12)
    place.ring(over)
    before, _ = place.runs(), place.called()
    place.ring(over, over, uploaded("UserA/abalone.csv"))

    assert place.runs() == before
    assert (place.running(), place.called()) == ([], [])


def test_of_a_thousand_uploads_of_one_key_while_a_job_runs_the_last_is_processed_when_it_ends(place: Place) -> None:
    jobs = place.jobs()
    place.ring(place.put("UserA/abalone.csv", b"first"), jobs=jobs)
    (first,) = place.running()
    events = [uploaded("UserA/abalone.csv") for _ in range(1_000)]
    place.put("UserA/abalone.csv", b"last")
    for at in range(0, 1_000, 100):
        assert place.ring(*events[at : at + 100], jobs=jobs) == []

    assert place.running() == [first]
    place.ring(place.ends(first))
    (second,) = place.running()
    place.ring(place.ends(second))
    assert (place.running(), len(place.runs()), len(place.listed())) == ([], 2, 2)


def test_content_that_comes_back_is_processed_again_so_that_the_output_follows_it(place: Place) -> None:
    for body in (b"one", b"two", b"one"):
        place.ring(place.put("UserA/abalone.csv", body))
        place.ring(place.ends(place.running()[0]))

    assert [run.attempt for run in place.runs()] in ([2, 1, 1], [2, 1, 1][::-1])
    assert sorted(place.listed().values()) == ["Completed"] * 3


def test_reordered_events_end_in_the_latest_state(place: Place) -> None:
    first = place.put("UserA/abalone.csv", b"one")
    second = place.put("UserA/abalone.csv", b"two")
    place.ring(second)
    (name,) = place.running()
    place.ring(first)
    place.ring(place.ends(name))
    place.ring(first, second)

    assert len(place.listed()) == 1


@pytest.mark.parametrize(
    "folder", ["user a", "100%", "a+b", "a%20b"], ids=["a space", "a percent sign", "a plus", "looks encoded"]
)
def test_a_key_is_taken_as_it_is(place: Place, folder: str) -> None:
    role = place.estate.profile("odd")
    job = JOB.replace("{profile.folder}", folder).replace("{each_profile: {domain: Product-Domain}}", f"{{role: {role}}}")
    job = (
        job.replace("on: s3", 'on: "s3')
        .replace(".csv\n", '.csv"\n')
        .replace("output: s3", 'output: "s3')
        .replace("output/\n", 'output/"\n')
    )
    rule = f'  - name: odd\n    to: {{role: {role}}}\n    on: "s3://{{data_bucket}}/{folder}/*"\n    allow: READWRITE\n'
    place.estate.policy("article", ARTICLE + rule + job)
    place.estate.run()

    place.ring(place.put(f"{folder}/abalone.csv"))
    (name,) = place.running()
    told = place.estate.client("sagemaker").describe_processing_job(ProcessingJobName=name)["AppSpecification"][
        "ContainerArguments"
    ]
    assert told[told.index("--s3_input_key_prefix") + 1] == f"{folder}/abalone.csv"


def test_data_that_was_deleted_before_anybody_looked_starts_nothing(place: Place) -> None:
    event = place.put("UserA/abalone.csv")
    place.estate.client("s3").delete_object(Bucket=DATA, Key="UserA/abalone.csv")

    assert place.ring(event) == []
    assert (place.listed(), place.waiting()) == ({}, [])


def test_a_version_that_was_deleted_meanwhile_leaves_the_one_before_it_to_be_processed(place: Place) -> None:
    s3 = place.estate.client("s3")
    older = s3.put_object(Bucket=DATA, Key="UserA/abalone.csv", Body=b"older")["VersionId"]
    newer = s3.put_object(Bucket=DATA, Key="UserA/abalone.csv", Body=b"newer")["VersionId"]
    s3.delete_object(Bucket=DATA, Key="UserA/abalone.csv", VersionId=newer)
    place.ring(uploaded("UserA/abalone.csv"))

    assert [run.version for run in place.runs()] == [older]


def test_a_processing_job_of_somebody_else_is_none_of_our_business(place: Place) -> None:
    name = "grantor-abalone-0123456789abcdef0123-a1"
    place.play(name, "exit 1")

    assert place.ring(ended(name), ended("my-own-job")) == []
    assert (place.runs(), place.called()) == ([], [])
