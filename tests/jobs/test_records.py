"""What is kept of runs, for how long, and that two launchers at once are as good as one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.estate import ACCOUNT, LEDGER
from tests.jobs.place import Place, uploaded
from tests.sandbox.desk import allowing

KEY = "UserA/abalone.csv"
PARTITIONS = ["job input", "job name", "job run", "job waiting", "job said"]  # as in the template


def ends_of(place: Place) -> dict[str, datetime | None]:
    """When the record of each run goes, by its name; None: it stays."""
    items = place.estate.client("dynamodb").scan(TableName=LEDGER)["Items"]
    runs = [item for item in items if item["pk"]["S"] == "job run"]
    return {
        item["sk"]["S"].partition(" ")[2]: datetime.fromtimestamp(int(item["ttl"]["N"]), UTC) if "ttl" in item else None for item in runs
    }  # fmt: skip


def test_the_last_run_of_each_input_is_kept_and_the_others_for_ninety_days(place: Place) -> None:
    place.ring(place.put(KEY, b"one"), place.put("UserB/abalone.csv"))
    (first,) = [run.name for run in place.runs() if run.label == "abalone for userA"]
    place.ring(place.ends(first))
    assert set(ends_of(place).values()) == {None}

    place.ring(place.put(KEY, b"two"))
    ends = ends_of(place)
    going = [name for name, end in ends.items() if end]
    assert going == [first]
    assert abs(ends[first] - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)


def test_runs_are_listed_the_newest_first(place: Place) -> None:
    for number in range(3):
        place.ring(place.put(KEY, b"%d" % number), jobs=place.later(number * 60))
        place.ring(place.ends(place.running()[0]), jobs=place.later(number * 60))

    starts = [run.at for run in place.runs()]
    assert starts == sorted(starts, reverse=True)
    assert len(set(starts)) == 3


def test_eight_launchers_at_once_start_one_job(place: Place) -> None:
    event = place.put(KEY)
    worlds = [place.jobs({"AccessKeyId": "test", "SecretAccessKey": "test"}) for _ in range(8)]
    with ThreadPoolExecutor(8) as together:
        list(together.map(lambda jobs: place.ring(event, uploaded(KEY), jobs=jobs), worlds))

    assert (len(place.listed()), len(place.runs())) == (1, 1)


def test_the_launcher_writes_in_the_partitions_of_jobs_and_nowhere_else(place: Place) -> None:
    iam = place.estate.client("iam")
    iam.create_user(UserName="launcher")
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{LEDGER}"
    keys = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": PARTITIONS}}
    statements = [
        {"Action": ["dynamodb:GetItem", "dynamodb:Query"], "Resource": table},
        {"Action": ["dynamodb:PutItem", "dynamodb:DeleteItem"], "Resource": table, "Condition": keys},
        {"Action": ["s3:*", "sagemaker:*", "sqs:*", "events:*", "sns:*", "iam:PassRole"], "Resource": "*"},
    ]
    iam.put_user_policy(UserName="launcher", PolicyName="own", PolicyDocument=allowing(*statements))
    made = iam.create_access_key(UserName="launcher")["AccessKey"]
    jobs = place.jobs({"AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]})

    assert place.ring(place.put(KEY), jobs=jobs) == []
    assert place.ring(place.ends(place.running()[0], 12), jobs=jobs) == []
    assert [run.status for run in place.runs()] == ["Failed"]
    with pytest.raises(ClientError, match="AccessDenied"):
        jobs.world.table.put({"pk": "approval", "sk": "x"})
