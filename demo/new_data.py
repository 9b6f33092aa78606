"""New data: the same again, changed, broken, and somebody else's; each starts just the job that it should."""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from demo import runs
from demo.article import JOBS
from demo.cast import Cast
from demo.stage import eventually, expect, say, step

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


def tell(cast: Cast, data: Path | None) -> None:
    """Each chapter's upload is a change of the one before; the first one's was the article's."""
    rows = runs.rows(data)
    same_again(cast, rows)
    changed = rows[1:]
    before = anew(cast, changed)
    broken_lines(cast, [*changed, *BROKEN], before)
    trespass(cast, [*rows, *BROKEN])
    cast.delete_policy(JOBS)


def same_again(cast: Cast, rows: list[str]) -> None:
    with step("The same data is uploaded again"):
        before, seen = runs.names(cast), len(list(_looks(cast)))
        runs.upload(cast, rows)
        eventually("it is looked at", True, lambda: len(list(_looks(cast))) > seen)
        say(list(_looks(cast))[-1])
        expect("nothing starts", before, runs.names(cast))


def anew(cast: Cast, rows: list[str]) -> str:
    with step("Changed data is uploaded"):
        known = runs.names(cast)
        runs.upload(cast, rows)
        name = runs.completed(cast, "a new run starts and completes", known)
        say(runs.outcome(cast, name))
        return name


def broken_lines(cast: Cast, rows: list[str], before: str) -> None:
    with step(f"Data with {len(BROKEN)} broken lines is uploaded"):
        say("\n".join(BROKEN))
        known = runs.names(cast)
        runs.upload(cast, rows)
        name = runs.completed(cast, "the rest is processed", known)
        say(runs.outcome(cast, name))
        new = set(runs.quarantined(cast, name)) - set(runs.quarantined(cast, before))
        expect("the broken lines are kept, each with its reason", sorted(BROKEN), sorted(new))


def trespass(cast: Cast, rows: list[str]) -> None:
    with step("userB's role would run the same job on userA's data"):
        role = cast.desk.client("iam").get_role(RoleName="sagemaker-userb-role")["Role"]["Arn"]
        say(TRESPASS.format(role=role))
        cast.put_policy("policy/trespass.yaml", TRESPASS.format(role=role).encode())
        known = runs.names(cast)
        runs.upload(cast, rows)
        mine = runs.completed(cast, "userA's own job goes on as ever", known)
        eventually("the preflight says no, and no machine is paid for", True, lambda: "trespass" in _refusals(cast))
        expect("no job of that name has been made", known | {mine}, runs.names(cast))
        say(_refusals(cast))
        _by_hand(cast, mine, role)
        cast.delete_policy("policy/trespass.yaml")


def _by_hand(cast: Cast, model: str, role: str) -> None:
    """The same processing job again, as another role and past the preflight: somebody with the right to start jobs does it by hand."""
    described, name = runs.described(cast, model), "trespass-by-hand"
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
    eventually("without it the job fails", "Failed", lambda: runs.status(cast, name), runs.PATIENCE)
    say(runs.described(cast, name)["FailureReason"])
    expect("with the exit code of a denied access", True, runs.described(cast, name)["FailureReason"].endswith("exit code: 10"))
    expect("and has read nothing", [], _reads(cast, begun))


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
