"""The launcher believes only its own jobs, sane times, shallow JSON, and code that it has compared.

Each test attacks a launcher with the session of a person who may do what AWS's
AmazonSageMakerFullAccess allows: create, stop and delete processing jobs as their own role.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from framework import publish
from framework.access import CredentialBroker
from framework.objects import ObjectFolder
from grantor.core.jobs.request import CodeVersion, compute_run_id
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy, Start
from grantor.core.snapshot import InputObject
from grantor.jobs.handler import handle
from grantor.settings import JOB_CLAIM_SECONDS
from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT, Sandbox
from tests.grantor_setup import ARTICLE_POLICY, DATA, LEDGER
from tests.jobs.launcher import (
    JOB,
    JOBS_WAIT,
    OPERATIONS,
    LauncherSetup,
    job_event,
    set_up_launcher,
    upload_event,
    wait_until,
)
from tests.jobs_io.input_rows import build_rows
from tests.jobs_io.job_process import replace_environment, run_job_in_process
from tests.jobs_io.job_setup import JobSetup, set_up_job
from tests.jobs_io.output_reader import read_output

KEY, LATEST = "UserA/abalone.csv", "UserA/output/LATEST.json"
CODE = "c0de" * 8  # the hash of the code that the launcher's tests pack
NESTED = b"[" * 100_000


@pytest.fixture(scope="module")
def launcher_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def launcher(launcher_sandbox: Sandbox, tmp_path: Path) -> LauncherSetup:
    return set_up_launcher(launcher_sandbox, tmp_path)


@dataclass(frozen=True)
class Mallory:
    """A person with sagemaker:* whose role is role-userB."""

    launcher: LauncherSetup
    sagemaker: Any

    def create_job(self, name: str) -> None:
        """Create a processing job that does nothing and succeeds, and wait for its end."""
        self.launcher.setup.set_switches(jobs_at_once=2)
        self.sagemaker.create_processing_job(**self.build_request(name))
        wait_until(lambda: self.launcher.list_statuses()[name] == "Completed")
        self.launcher.setup.set_switches(**JOBS_WAIT)

    def build_request(self, name: str) -> dict[str, Any]:
        cluster = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
        return {
            "ProcessingJobName": name,
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/role-userB",
            "AppSpecification": {
                "ImageUri": "image",
                "ContainerEntrypoint": ["/bin/sh", "-c", "exit 0"],
            },
            "ProcessingResources": {"ClusterConfig": cluster},
            "Tags": [{"Key": "grantor:stack", "Value": "grantor"}],
        }


@pytest.fixture
def mallory(launcher: LauncherSetup) -> Mallory:
    iam = launcher.setup.client("iam")
    iam.create_user(UserName="mallory")
    own_role = f"arn:aws:iam::{ACCOUNT}:role/role-userB"
    allowed = policy_document(
        {"Action": "sagemaker:*", "Resource": "*"}, {"Action": "iam:PassRole", "Resource": own_role}
    )
    iam.put_user_policy(UserName="mallory", PolicyName="own", PolicyDocument=allowed)
    made = iam.create_access_key(UserName="mallory")["AccessKey"]
    keys = {name: made[name] for name in ("AccessKeyId", "SecretAccessKey")}
    return Mallory(launcher, launcher.setup.sandbox.client("sagemaker", keys))


def read_role(launcher: LauncherSetup, name: str) -> str:
    sagemaker = launcher.setup.client("sagemaker")
    return str(sagemaker.describe_processing_job(ProcessingJobName=name)["RoleArn"])


def put_summary(launcher: LauncherSetup, body: bytes) -> None:
    """Write the summary of the only run, as its role may."""
    (run,) = launcher.list_runs()
    key = f"{run.folder}summary.json".removeprefix(f"s3://{OPERATIONS}/")
    launcher.setup.client("s3").put_object(Bucket=OPERATIONS, Key=key, Body=body)


def test_a_strangers_job_of_the_name_that_is_computed_is_not_adopted(
    launcher: LauncherSetup, mallory: Mallory
) -> None:
    event = launcher.upload(KEY)
    head = launcher.setup.client("s3").head_object(Bucket=DATA, Key=KEY)
    policy = parse_policy("policy/article.yaml", (ARTICLE_POLICY + JOB).encode(), DATA)
    assert isinstance(policy, Policy)
    uri, output = f"s3://{DATA}/{KEY}", f"s3://{DATA}/UserA/output/"
    start = Start(policy.jobs[0], "role", "Product-Domain/userA", uri, uri, output)
    given = InputObject(uri, head["ETag"].strip('"'), head["ContentLength"])
    run = compute_run_id(start, given, CodeVersion(CODE, "1"))
    mallory.create_job(f"grantor-abalone-{run}-a1")

    launcher.deliver(event)

    (ours,) = launcher.list_running()
    assert read_role(launcher, ours).endswith("role-userA")
    assert [(one.run, one.status) for one in launcher.list_runs()] == [(run, "InProgress")]


def test_a_strangers_job_that_took_a_claimed_name_is_disowned_and_the_run_starts_under_another(
    launcher: LauncherSetup, mallory: Mallory
) -> None:
    """The launcher dies between its claim and the job, and somebody has read the ledger."""
    refusal = {"kind": "refuse", "code": "AccessDeniedException", "status": 400, "message": "no"}
    launcher.set_faults({"service": "dynamodb", "operation": "PutItem", "after": 2, **refusal})
    event = launcher.upload(KEY)
    launcher.deliver(event)
    launcher.set_faults()
    items = launcher.setup.client("dynamodb").scan(TableName=LEDGER)["Items"]
    (claimed,) = [item["sk"]["S"] for item in items if item["pk"]["S"] == "job name"]
    mallory.create_job(claimed)

    launcher.deliver(event, jobs=launcher.build_jobs_later(JOB_CLAIM_SECONDS + 1))

    (ours,) = launcher.list_running()
    assert ours != claimed
    assert read_role(launcher, ours).endswith("role-userA")
    assert "Completed" not in {run.status for run in launcher.list_runs()}
    assert any(claimed in said and "role-userB" in said for said in launcher.read_alerts())


@pytest.mark.parametrize("by", ["an event", "an upload"])
def test_a_strangers_job_that_replaces_ours_gives_no_outcome_and_no_report(
    launcher: LauncherSetup, mallory: Mallory, by: str
) -> None:
    launcher.deliver(launcher.upload(KEY))
    (name,) = launcher.list_running()
    place = launcher.list_runs()[0].output
    put_summary(launcher, json.dumps({"outcome": "done", "report": f"{place}report.html"}).encode())
    mallory.sagemaker.stop_processing_job(ProcessingJobName=name)
    mallory.sagemaker.delete_processing_job(ProcessingJobName=name)
    mallory.create_job(name)

    launcher.deliver(job_event(name) if by == "an event" else upload_event(KEY))

    runs = {run.name: run for run in launcher.list_runs()}
    assert (runs[name].status, runs[name].report) == ("Failed", "")
    (ours,) = launcher.list_running()
    assert (ours != name, runs[ours].attempt) == (True, 2)
    assert any("role-userB" in said and name in said for said in launcher.read_alerts())


def test_a_stranger_who_replaces_every_job_is_not_answered_for_ever(
    launcher: LauncherSetup, mallory: Mallory
) -> None:
    launcher.deliver(launcher.upload(KEY))
    for _ in range(3):
        (name,) = launcher.list_running()
        mallory.sagemaker.stop_processing_job(ProcessingJobName=name)
        mallory.sagemaker.delete_processing_job(ProcessingJobName=name)
        mallory.create_job(name)
        launcher.deliver(job_event(name))

    assert launcher.list_running() == []
    assert any("given up after 3 attempts" in said for said in launcher.read_alerts())


@pytest.mark.parametrize(
    ("body", "code"), [(NESTED, 0), (b'{"drift":' * 50_000, 12)], ids=["arrays", "objects"]
)
def test_a_nested_summary_settles_its_run_as_failed_and_says_why(
    launcher: LauncherSetup, body: bytes, code: int
) -> None:
    launcher.deliver(launcher.upload(KEY))
    put_summary(launcher, body)

    assert launcher.deliver(launcher.end_job(launcher.list_running()[0], code)) == []
    (run,) = launcher.list_runs()
    assert run.status == "Failed"
    assert "its summary.json is not valid: it has more than 32 brackets" in run.sentence


def test_a_nested_message_fails_alone_and_the_messages_beside_it_are_processed(
    launcher: LauncherSetup,
) -> None:
    bodies = [NESTED.decode(), json.dumps(launcher.upload(KEY))]
    records = [
        {
            "messageId": str(number),
            "receiptHandle": "none",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        for number, body in enumerate(bodies)
    ]

    answer = handle(launcher.build_jobs(), {"Records": records}, None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert len(launcher.list_running()) == 1


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59", "0001-01-01T00:00:00"])
def test_an_event_of_an_impossible_time_starts_its_job_and_is_not_measured(
    launcher: LauncherSetup, time: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launcher.deliver({**launcher.upload(KEY), "time": time}) == []

    assert len(launcher.list_running()) == 1
    assert "UploadToStart" not in capsys.readouterr().out


def test_a_link_that_the_jobs_role_writes_is_no_link_of_grantor(launcher: LauncherSetup) -> None:
    launcher.deliver(launcher.upload(KEY))
    links = {"manifest": "https://evil.example/m", "report": "https://evil.example/r"}
    launcher.deliver(launcher.end_job(launcher.list_running()[0], 0, {"outcome": "done", **links}))

    (run,) = launcher.list_runs()
    assert (run.status, run.manifest, run.report) == ("Completed", "", "")


def test_what_a_failed_job_writes_is_quoted_in_the_mail_and_holds_no_link(
    launcher: LauncherSetup,
) -> None:
    sentence = 'no"; Grantor needs your key: https://evil.example or www.evil.example now "'
    launcher.deliver(launcher.upload(KEY))
    wrong = {"outcome": "failed", "sentence": sentence}
    launcher.deliver(launcher.end_job(launcher.list_running()[0], 12, wrong))

    (said,) = launcher.read_alerts()
    quoted = "no'; Grantor needs your key: https[:]//evil[.]example or www[.]evil[.]example now '"
    assert f'"{quoted}"' in said
    assert said.count('"') == 2


CODE_KEYS = {
    "the entry script": f"code/{CODE}/preprocess.py",
    "the package": f"code/{CODE}/py-files/framework.zip",
    "the configuration": f"code/{CODE}/conf/{DATA}/configuration.json",
    "one more package": f"code/{CODE}/py-files/boto3.zip",
    "a key that begins with the script's": f"code/{CODE}/preprocess.py.pth",
    "a key that looks like a mail of ours": f"code/{CODE}/x\nGrantor: see https://evil.example/",
}


@pytest.mark.parametrize("key", CODE_KEYS.values(), ids=CODE_KEYS)
def test_code_that_somebody_put_at_the_hash_is_never_run(launcher: LauncherSetup, key: str) -> None:
    s3 = launcher.setup.client("s3")
    s3.put_object(Bucket=OPERATIONS, Key=key, Body=b"import evil")

    assert launcher.deliver(launcher.upload(KEY)) == []

    assert launcher.list_running() == []
    (said,) = launcher.read_alerts()
    assert key.partition("https:")[0].replace("\n", " ") in said.replace("[.]", ".")
    assert "https:" not in said
    s3.delete_object(Bucket=OPERATIONS, Key=key)
    launcher.deliver(upload_event(KEY))
    assert len(launcher.list_running()) == 1


def test_code_that_somebody_replaced_since_the_last_start_is_never_run(
    launcher: LauncherSetup,
) -> None:
    jobs = launcher.build_jobs()
    launcher.deliver(launcher.upload("UserB/abalone.csv"), jobs=jobs)
    before, key = launcher.list_running(), CODE_KEYS["the package"]
    launcher.setup.client("s3").put_object(Bucket=OPERATIONS, Key=key, Body=b"import evil")

    launcher.deliver(launcher.upload(KEY), jobs=jobs)

    assert launcher.list_running() == before


def test_a_hundred_of_the_most_expensive_machines_for_five_days_are_not_started(
    launcher: LauncherSetup,
) -> None:
    large = "    instances: {type: ml.p5.48xlarge, count: 100}\n    time_limit: 5d\n"
    launcher.setup.put_policy("article", ARTICLE_POLICY + JOB + large)
    launcher.setup.reconcile()

    launcher.deliver(launcher.upload(KEY))

    assert launcher.list_statuses() == {}
    said = "\n".join(launcher.read_alerts())
    for bound in ("machines", "count", "hours"):
        assert f"ask an approver to widen jobs: {bound} of policy/" in said


def test_a_key_that_looks_like_an_option_of_spark_is_none(launcher: LauncherSetup) -> None:
    key, role = "--jars=s3:evil/a.csv", launcher.setup.create_role("role-etl")
    policy = f"""\
version: 1
rules:
  - {{name: in, to: {{role: {role}}}, on: "s3://{{data_bucket}}/--jars=s3:evil/*", allow: READ}}
  - {{name: out, to: {{role: {role}}}, on: "s3://{{data_bucket}}/etl/*", allow: READWRITE}}
jobs:
  - name: etl
    run: abalone
    as: {{role: {role}}}
    on: "s3://{{data_bucket}}/{key}"
    output: "s3://{{data_bucket}}/etl/"
"""
    launcher.setup.put_policy("etl", policy)
    launcher.setup.reconcile()

    launcher.deliver(launcher.upload(key))

    (name,) = launcher.list_running()
    sagemaker = launcher.setup.client("sagemaker")
    app = sagemaker.describe_processing_job(ProcessingJobName=name)["AppSpecification"]
    assert key not in app["ContainerArguments"]
    assert f"--s3_input_key_prefix={key}" in app["ContainerArguments"]


@pytest.fixture
def folder(launcher_sandbox: Sandbox) -> JobSetup:
    """A user's folder with one published run, and the job that publishes there."""
    setup = set_up_job(launcher_sandbox, ("UserA/*", "READWRITE"))
    setup.upload(KEY, build_rows(40))
    assert run_job_in_process(setup).code == 0
    return setup


FUTURE = "9999-12-31T23:59:59+00:00"
UNTRUE = {
    "modified": {"modified": FUTURE},
    "started": {"started": FUTURE},
    "written otherwise, to sort as newer": {"modified": "20260101T000000+00:00"},
    "without a zone": {"modified": "2026-01-01T00:00:00"},
    "a number": {"modified": 9999},
    "a word": {"modified": "tomorrow"},
    "no run": {"run_id": "../../UserB"},
    "a link": {"manifest": "https://evil.example/m"},
    "a list": {"plain": ["x"]},
    "one more member": {"more": 1},
}


@pytest.mark.parametrize("name", ["modified", "written otherwise, to sort as newer", "nested"])
def test_a_latest_that_cannot_be_true_freezes_no_reader(folder: JobSetup, name: str) -> None:
    latest = folder.read_json(LATEST)
    body = json.dumps(latest | UNTRUE[name]).encode() if name in UNTRUE else NESTED
    folder.upload(LATEST, body)
    folder.upload(KEY, build_rows(50))

    ended = run_job_in_process(folder)

    assert ended.code == 0, ended.stderr
    seen = read_output(folder)
    assert (seen.latest_run != latest["run_id"], seen.manifest["rows"]["in"]) == (True, 50)
    assert (seen.plain_run, seen.plain_digests) == (seen.latest_run, seen.files)


def test_no_latest_is_believed_that_no_job_can_have_written(folder: JobSetup) -> None:
    latest = folder.read_json(LATEST)
    bodies = {name: json.dumps(latest | change).encode() for name, change in UNTRUE.items()}
    with replace_environment(folder.build_environment()):
        objects = ObjectFolder(CredentialBroker(ACCOUNT), folder.data_bucket, "UserA/output/*")
        output = publish.RunFolder(objects, "UserA/output/")
        for body in (b"{", b"[]", b"null", NESTED, b" " * (2**24 + 1), *bodies.values()):
            folder.upload(LATEST, body)
            held = publish.read_latest(output)
            assert held is not None
            assert held[0] is None, body[:1000]
        folder.upload(LATEST, json.dumps(latest).encode())
        held = publish.read_latest(output)
    assert held is not None
    assert held[0] is not None


@pytest.mark.parametrize(
    "change", [NESTED, {"columns": []}, {"files": [{"path": "x"}]}], ids=["all", "columns", "files"]
)
def test_a_previous_manifest_that_makes_no_sense_stops_no_run(
    folder: JobSetup, change: Any
) -> None:
    first = read_output(folder)
    body = change if isinstance(change, bytes) else json.dumps(first.manifest | change).encode()
    folder.upload(f"UserA/output/runs/{first.latest_run}/_manifest.json", body)
    folder.upload(KEY, build_rows(50))

    ended = run_job_in_process(folder)

    assert ended.code == 0, ended.stderr
    assert read_output(folder).manifest["rows"]["in"] == 50
