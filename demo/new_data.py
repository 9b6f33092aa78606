"""New data: the same again, changed, broken, and another user's. Each starts the jobs it should."""

import json
import time
import urllib.request
from pathlib import Path

from demo import job_runs
from harness.deployment import JOB_POLICY, Deployment
from harness.steps import expect, print_lines, step, wait_until

FOREIGN_POLICY = """\
version: 1
jobs:
  - name: trespass                     # userB's role would run on userA's data
    run: abalone
    as: {{role: "{role}"}}
    on: s3://{{data_bucket}}/UserA/abalone.csv
    output: s3://{{data_bucket}}/UserB/taken/
"""
BROKEN_LINES = [
    "M,0.455",
    "female,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21,9",
    "F,half,0.42,0.135,0.677,0.2565,0.1415,0.21,9",
]
JOB_PARTS = (
    "AppSpecification",
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "StoppingCondition",
    "RoleArn",
)


def show_uploads(deployment: Deployment, data: Path | None) -> None:
    """All chapters. Each one's upload changes that of the one before; the article's was first."""
    rows = job_runs.read_rows(data)
    upload_same_data(deployment, rows)
    changed = rows[1:]
    before = upload_changed_data(deployment, changed)
    upload_broken_lines(deployment, [*changed, *BROKEN_LINES], before)
    refuse_foreign_job(deployment, [*rows, *BROKEN_LINES])
    deployment.delete_policy(JOB_POLICY)


def upload_same_data(deployment: Deployment, rows: list[str]) -> None:
    """The same content starts no job."""
    with step("The same data is uploaded again"):
        before, seen = job_runs.list_runs(deployment), len(_read_decisions(deployment))
        job_runs.upload_rows(deployment, rows)
        wait_until("it is processed", True, lambda: len(_read_decisions(deployment)) > seen)
        print_lines(_read_decisions(deployment)[-1])
        expect("no job starts", before, job_runs.list_runs(deployment))


def upload_changed_data(deployment: Deployment, rows: list[str]) -> str:
    """Changed content starts a job; its name."""
    with step("Changed data is uploaded"):
        known = job_runs.list_runs(deployment)
        job_runs.upload_rows(deployment, rows)
        name = job_runs.wait_for_run(deployment, "a new run starts and completes", known)
        print_lines(job_runs.read_outcome(deployment, name))
        return name


def upload_broken_lines(deployment: Deployment, rows: list[str], before: str) -> None:
    """Broken lines go into quarantine, and the rest is processed."""
    with step(f"Data with {len(BROKEN_LINES)} broken lines is uploaded"):
        print_lines("\n".join(BROKEN_LINES))
        known = job_runs.list_runs(deployment)
        job_runs.upload_rows(deployment, rows)
        name = job_runs.wait_for_run(deployment, "the rest is processed", known)
        print_lines(job_runs.read_outcome(deployment, name))
        new = set(job_runs.read_quarantine(deployment, name))
        new -= set(job_runs.read_quarantine(deployment, before))
        wanted = sorted(BROKEN_LINES)
        expect("the broken lines are kept, each with its reason", wanted, sorted(new))


def refuse_foreign_job(deployment: Deployment, rows: list[str]) -> None:
    """A job on another user's data starts no machine; started by hand, it reads nothing."""
    with step("userB's role would run the same job on userA's data"):
        iam = deployment.session.client("iam")
        role = iam.get_role(RoleName="grantor-userb-role")["Role"]["Arn"]
        policy = FOREIGN_POLICY.format(role=role)
        print_lines(policy)
        deployment.put_policy("policy/trespass.yaml", policy.encode())
        known = job_runs.list_runs(deployment)
        job_runs.upload_rows(deployment, rows)
        own = job_runs.wait_for_run(deployment, "userA's own job runs as before", known)
        wait_until(
            "the preflight refuses, and no machine is paid for",
            True,
            lambda: "trespass" in _read_refusals(deployment),
        )
        expect("no job of that name exists", known | {own}, job_runs.list_runs(deployment))
        print_lines(_read_refusals(deployment))
        _start_by_hand(deployment, own, role)
        deployment.delete_policy("policy/trespass.yaml")


def _start_by_hand(deployment: Deployment, model: str, role: str) -> None:
    """Start the job `model` again as another role, past the preflight, as an administrator can."""
    described, name = job_runs.describe_run(deployment, model), "trespass-by-hand"
    request = json.dumps(
        {part: described[part] for part in JOB_PARTS} | {"ProcessingJobName": name}
    )
    for old, new in (
        (described["RoleArn"], role),
        ("grantor-usera-role", role.rpartition("/")[2]),
        (model, name),
        ("UserA/output", "UserB/taken"),
    ):
        request = request.replace(old, new)
    begun = time.time()
    deployment.session.client("sagemaker").create_processing_job(**json.loads(request))
    wait_until(
        "without the preflight the job fails",
        "Failed",
        lambda: job_runs.read_status(deployment, name),
        job_runs.RUN_SECONDS,
    )
    reason = str(job_runs.describe_run(deployment, name)["FailureReason"])
    print_lines(reason)
    expect("with the exit code of a denied access", True, reason.endswith("exit code: 10"))
    expect("and has read nothing", [], _list_reads(deployment, begun))


def _read_decisions(deployment: Deployment) -> list[str]:
    """The results that the launcher has logged for each upload."""
    records = deployment.read_log(deployment.outputs["StartSparkJob"])
    return ["; ".join(it["results"]) for it in records if it.get("message") == "upload processed"]


def _read_refusals(deployment: Deployment) -> str:
    """What waits for a grant, as `grantor jobs` prints it."""
    return "\n".join(one["why"] for one in job_runs.read_jobs(deployment)["waiting"])


def _list_reads(deployment: Deployment, since: float) -> list[str]:
    """The calls that have read the data bucket since then, the administrator's left out."""
    url = f"{deployment.session.url}/_sandbox/calls?record=1"
    token = {"Authorization": deployment.session.environment["SANDBOX_TOKEN"]}
    asked = urllib.request.Request(url, headers=token)  # noqa: S310  -- the sandbox's own URL
    with urllib.request.urlopen(asked) as answer:  # noqa: S310  -- the sandbox's own URL
        record = json.load(answer)
    bucket = f"arn:aws:s3:::{deployment.data_bucket}"
    return [
        f"{call['principal']} {call['operation']} {call['resource']}"
        for call in record
        if call["service"] == "s3"
        and call["time"] >= since
        and call["principal"] != "root"
        and call["status"] < 400
        and str(call["resource"]).startswith(bucket)
    ]
