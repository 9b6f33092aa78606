"""Which runs are recorded and for how long, and that concurrent launchers start one job."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT
from tests.grantor_setup import DATA, LEDGER, POLICIES
from tests.jobs.launcher import OPERATIONS, LauncherSetup, upload_event

KEY = "UserA/abalone.csv"
# As in the template.
PARTITIONS = ["job input", "job name", "job run", "job waiting", "job alert", "job near miss"]


def read_expiry_times(launcher: LauncherSetup) -> dict[str, datetime | None]:
    """When the record of each run goes, by its name; None: it stays."""
    items = launcher.setup.client("dynamodb").scan(TableName=LEDGER)["Items"]
    runs = [item for item in items if item["pk"]["S"] == "job run"]
    return {
        item["sk"]["S"].partition(" ")[2]: datetime.fromtimestamp(int(item["ttl"]["N"]), UTC)
        if "ttl" in item
        else None
        for item in runs
    }


def test_the_last_run_of_each_input_is_kept_forever_and_others_for_ninety_days(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload(KEY, b"one"), launcher.upload("UserB/abalone.csv"))
    (first,) = [run.name for run in launcher.list_runs() if run.label == "abalone for userA"]
    launcher.deliver(launcher.end_job(first))
    assert set(read_expiry_times(launcher).values()) == {None}

    launcher.deliver(launcher.upload(KEY, b"two"))
    ends = read_expiry_times(launcher)
    going = [name for name, end in ends.items() if end]
    assert going == [first]
    assert abs(ends[first] - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)


def test_runs_are_listed_newest_first(launcher: LauncherSetup) -> None:
    for number in range(3):
        launcher.deliver(
            launcher.upload(KEY, b"%d" % number), jobs=launcher.build_jobs_later(number * 60)
        )
        launcher.deliver(
            launcher.end_job(launcher.list_running()[0]),
            jobs=launcher.build_jobs_later(number * 60),
        )

    starts = [run.at for run in launcher.list_runs()]
    assert starts == sorted(starts, reverse=True)
    assert len(set(starts)) == 3


def test_eight_launchers_at_once_start_one_job(launcher: LauncherSetup) -> None:
    event = launcher.upload(KEY)
    keys = launcher.setup.sandbox.root_keys
    launchers = [launcher.build_jobs(keys) for _ in range(8)]
    launcher.deliver_at_once(event, upload_event(KEY), launchers=launchers)

    assert (len(launcher.list_statuses()), len(launcher.list_runs())) == (1, 1)


def test_the_launcher_needs_the_partitions_of_jobs_and_the_code_and_nothing_else_to_write(
    launcher: LauncherSetup,
) -> None:
    iam = launcher.setup.client("iam")
    iam.create_user(UserName="launcher")
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{LEDGER}"
    keys = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": PARTITIONS}}
    statements = [
        {"Action": ["dynamodb:GetItem", "dynamodb:Query"], "Resource": table},
        {
            "Action": ["dynamodb:PutItem", "dynamodb:DeleteItem"],
            "Resource": table,
            "Condition": keys,
        },
        {
            "Action": ["s3:PutObject", "s3:GetObject"],
            "Resource": f"arn:aws:s3:::{OPERATIONS}/code/*",
        },
        {
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{OPERATIONS}",
            "Condition": {"StringLike": {"s3:prefix": "code/*"}},
        },
        {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{OPERATIONS}/runs/*/summary.json"},
        {"Action": "s3:ListBucketVersions", "Resource": f"arn:aws:s3:::{DATA}"},
        {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": f"arn:aws:s3:::{POLICIES}*"},
        {
            "Action": [
                *("sagemaker:*", "sqs:*", "events:*", "sns:*", "iam:PassRole", "ssm:GetParameter"),
                "s3:ListAccessGrants*",
            ],
            "Resource": "*",
        },
    ]
    iam.put_user_policy(
        UserName="launcher", PolicyName="own", PolicyDocument=policy_document(*statements)
    )
    made = iam.create_access_key(UserName="launcher")["AccessKey"]
    jobs = launcher.build_jobs(
        {"AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]}
    )

    assert launcher.deliver(launcher.upload(KEY), jobs=jobs) == []
    assert launcher.deliver(launcher.end_job(launcher.list_running()[0], 12), jobs=jobs) == []
    assert [run.status for run in launcher.list_runs()] == ["Failed"]
    with pytest.raises(ClientError, match="AccessDenied"):
        jobs.services.table.put_item({"pk": "approval", "sk": "x"})
