"""The third part of the story: new data starts its Spark job, with nothing but granted credentials."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.cast import Cast
from demo.desk import ROOT
from demo.stage import eventually, expect, say, step

JOBS = "policy/abalone.yaml"
INPUT = "UserA/abalone.csv"
TRESPASS = """\
version: 1
jobs:
  - name: trespass                     # userB's role would like to compute on userA's data
    run: abalone
    as: {{role: "{role}"}}
    on: s3://{{data_bucket}}/UserA/abalone.csv
    output: s3://{{data_bucket}}/UserB/taken/
"""
BROKEN = ["M,0.455", "female,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21,9", "F,half,0.42,0.135,0.677,0.2565,0.1415,0.21,9"]
PATIENCE = 180.0  # seconds for a run that takes twenty where all is well


def tell(cast: Cast, data: Path | None) -> None:
    """Each chapter's upload is a change of the one before."""
    rows = (data or next((ROOT / "functions/load_dataset").glob("*.csv"))).read_text().splitlines()
    starts_by_itself(cast, rows)
    the_articles_script(cast)
    same_again(cast, rows)
    changed = rows[1:]
    before = anew(cast, changed)
    broken_lines(cast, [*changed, *BROKEN], before)
    trespass(cast, [*rows, *BROKEN])
    cast.delete_policy(JOBS)


def starts_by_itself(cast: Cast, rows: list[str]) -> None:
    with step(f"A data steward drops {JOBS}, and userA's new data is uploaded"):
        say((ROOT / JOBS).read_text())
        cast.put_policy(JOBS, (ROOT / JOBS).read_bytes())
        _upload(cast, rows)
        name = _completed(cast, "its job starts by itself, and completes", set())
        expect("features to train and to validate with stand in UserA/output", ["train", "validation"], _parts(cast))
        say(cast.desk.grantor("jobs", name))


def the_articles_script(cast: Cast) -> None:
    with step("The article's validation script, as userA and as userB"):
        said = _validate(cast, "userA")
        say(said.stdout.strip())
        expect("userA sees the first five rows of both", (0, 12), (said.returncode, len(_figures(said.stdout))))
        refused = _validate(cast, "userB")
        expect("userB is refused", True, refused.returncode == 1 and refused.stderr.startswith("AccessDenied"))
        say(refused.stderr.strip())


def same_again(cast: Cast, rows: list[str]) -> None:
    with step("The same data is uploaded again"):
        before, seen = _names(cast), len(list(_looks(cast)))
        _upload(cast, rows)
        eventually("it is looked at", True, lambda: len(list(_looks(cast))) > seen)
        say(list(_looks(cast))[-1])
        expect("nothing starts", before, _names(cast))


def anew(cast: Cast, rows: list[str]) -> str:
    with step("Changed data is uploaded"):
        known = _names(cast)
        _upload(cast, rows)
        name = _completed(cast, "a new run starts and completes", known)
        say(_outcome(cast, name))
        return name


def broken_lines(cast: Cast, rows: list[str], before: str) -> None:
    with step(f"Data with {len(BROKEN)} broken lines is uploaded"):
        say("\n".join(BROKEN))
        known = _names(cast)
        _upload(cast, rows)
        name = _completed(cast, "the rest is processed", known)
        say(_outcome(cast, name))
        new = set(_kept(cast, name)) - set(_kept(cast, before))
        expect("the broken lines are kept, each with its reason", sorted(BROKEN), sorted(new))


def trespass(cast: Cast, rows: list[str]) -> None:
    with step("userB's role would run the same job on userA's data"):
        role = cast.desk.client("iam").get_role(RoleName="sagemaker-userb-role")["Role"]["Arn"]
        say(TRESPASS.format(role=role))
        cast.put_policy("policy/trespass.yaml", TRESPASS.format(role=role).encode())
        known = _names(cast)
        _upload(cast, rows)
        mine = _completed(cast, "userA's own job goes on as ever", known)
        eventually("the preflight says no, and no machine is paid for", True, lambda: "trespass" in _refusals(cast))
        expect("no job of that name has been made", known | {mine}, _names(cast))
        say(_refusals(cast))
        _by_hand(cast, mine, role)
        cast.delete_policy("policy/trespass.yaml")


def _by_hand(cast: Cast, model: str, role: str) -> None:
    """The same processing job again, as another role and past the preflight: somebody with the right to start jobs does it by hand."""
    described, name = _described(cast, model), "trespass-by-hand"
    taken = (
        "AppSpecification",
        "ProcessingInputs",
        "ProcessingOutputConfig",
        "ProcessingResources",
        "StoppingCondition",
        "RoleArn",
    )
    asked = json.dumps({part: described[part] for part in taken} | {"ProcessingJobName": name})
    asked = (
        asked.replace(described["RoleArn"], role).replace("sagemaker-usera-role", role.rpartition("/")[2]).replace(model, name)
    )
    begun = time.time()
    cast.desk.client("sagemaker").create_processing_job(**json.loads(asked.replace("UserA/output", "UserB/taken")))
    eventually("without it the job fails", "Failed", lambda: _status(cast, name), PATIENCE)
    say(_described(cast, name)["FailureReason"])
    expect("with the exit code of a denied access", True, _described(cast, name)["FailureReason"].endswith("exit code: 10"))
    expect("and has read nothing", [], _reads(cast, begun))


def _upload(cast: Cast, rows: list[str]) -> None:
    cast.desk.client("s3").put_object(Bucket=cast.data, Key=INPUT, Body="".join(f"{row}\n" for row in rows).encode())


def _completed(cast: Cast, what: str, known: set[str]) -> str:
    """The name of the job that has come since, once it is over and that is recorded."""
    eventually(what, ["Completed"], lambda: [_status(cast, name) for name in _names(cast) - known], PATIENCE)
    [name] = _names(cast) - known
    eventually("which is recorded", True, lambda: _recorded(cast, name))
    return name


def _names(cast: Cast) -> set[str]:
    listed = cast.desk.client("sagemaker").list_processing_jobs(NameContains="grantor-", MaxResults=100)
    return {job["ProcessingJobName"] for job in listed["ProcessingJobSummaries"]}


def _described(cast: Cast, name: str) -> dict[str, Any]:
    return dict(cast.desk.client("sagemaker").describe_processing_job(ProcessingJobName=name))


def _status(cast: Cast, name: str) -> str:
    return str(_described(cast, name)["ProcessingJobStatus"])


def _recorded(cast: Cast, name: str) -> bool:
    told = json.loads(cast.desk.grantor("jobs", "--json"))
    return any(run["name"] == name and run["ended"] for run in told["runs"])


def _outcome(cast: Cast, name: str) -> str:
    """The sentence in which `grantor jobs` says what came of the run."""
    lines = cast.desk.grantor("jobs", name).splitlines()
    return next(line.partition(" ")[2].strip() for line in lines if line.startswith("outcome"))


def _parts(cast: Cast) -> list[str]:
    keys = [item["Key"] for item in cast.desk.client("s3").list_objects_v2(Bucket=cast.data, Prefix="UserA/output/")["Contents"]]
    return sorted(part for part in ("train", "validation") if f"UserA/output/{part}/part-00000" in keys)


def _kept(cast: Cast, name: str) -> Iterator[str]:
    """The lines in quarantine of a run."""
    run = _described(cast, name)["AppSpecification"]["ContainerArguments"]
    folder = f"UserA/output/runs/{run[run.index('--run_id') + 1]}/quarantine/"
    s3 = cast.desk.client("s3")
    for item in s3.list_objects_v2(Bucket=cast.data, Prefix=folder).get("Contents", []):
        for line in s3.get_object(Bucket=cast.data, Key=item["Key"])["Body"].read().decode().splitlines():
            yield line.partition("\t")[2]


def _validate(cast: Cast, who: str) -> subprocess.CompletedProcess[str]:
    environment = cast.desk.notebook(who).environment | {"DATA_BUCKET": cast.data, "FOLDER": "UserA"}
    return cast.desk.script("examples/studio/validate.py", environment)


def _figures(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line and not line.startswith("s3://")]


def _looks(cast: Cast) -> Iterator[str]:
    for record in cast.logged(cast.outputs["StartSparkJob"]):
        if record.get("message") == "looked at":
            yield "; ".join(record["came"])


def _refusals(cast: Cast) -> str:
    """What waits for a grant, as `grantor jobs` says it."""
    waiting = json.loads(cast.desk.grantor("jobs", "--json"))["waiting"]
    return "\n".join(one["why"] for one in waiting)


def _reads(cast: Cast, since: float) -> list[str]:
    """What of the data bucket was read since, by whoever is not the administrator."""
    with urllib.request.urlopen(f"{cast.desk.url}/_sandbox/calls?record=1") as answer:  # noqa: S310  -- our own desk
        record = json.load(answer)
    return [
        f"{call['principal']} {call['operation']} {call['resource']}"
        for call in record
        if call["service"] == "s3"
        and call["time"] >= since
        and call["principal"] != "root"
        and call["status"] < 400
        and str(call["resource"]).startswith(f"arn:aws:s3:::{cast.data}")
    ]
