"""`make demo-churn`: other data than the article's, from a contract to features.

Customers go through the job `churn`, which is a contract and no program, and orders through the job
`orders`, whose program is a function of Spark. Exits with 0, or with 1 and the expectation that did
not hold.
"""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

from demo import article, job_runs
from demo.spark_installation import SparkInstallation
from harness.deployment import Deployment, deploy_stack
from harness.session import ROOT, SandboxSession
from harness.steps import (
    ExpectationError,
    expect,
    print_lines,
    print_part,
    run_steps,
    step,
)
from sandbox.testing.running import find_free_port

POLICY = "examples/jobs/policy.yaml"
CONTRACT = "spark_jobs/churn/contract.yaml"
SCRIPT = "spark_jobs/orders/transform.py"
CUSTOMERS, ORDERS = 1_000, 2_000  # rows
SHOWN_ROWS = 3
BROKEN_LINES = [
    "C9000001,2020-01-01,gold,Graz,yes,70,19.90,1393.00,0,,no",
    "C9000002,31.01.2020,basic,Graz,yes,70,19.90,1393.00,0,,no",
    'C9000003,2020-01-01,basic,"Graz,yes,70,19.90,1393.00,0,,no',
]
REASONS = {"plan not basic, plus or pro": 1, "signup not a date": 1, "quotes not valid": 1}


def main() -> int:
    """Run the walk-through in a sandbox of its own."""
    return run_steps(lambda: run_walk_through(find_free_port()))


def run_walk_through(port: int) -> None:
    """Deploy, then run both jobs. Raises ExpectationError at the first that does not hold."""
    with step("A sandbox starts: AWS on this machine"):
        session = SandboxSession.start(port)
    try:
        with SparkInstallation() as spark:
            spark.start()
            deployment = deploy_stack(session, None)
            article.create_grants(deployment)
            spark.wait()
            _show_jobs(deployment)
    finally:
        session.stop()


def _show_jobs(deployment: Deployment) -> None:
    print_part("A contract: customers, and who of them leaves")
    put_policy(deployment)
    customers = _generate("generate_churn.py", CUSTOMERS)
    compute_features(deployment, customers)
    refuse_broken_lines(deployment, customers)
    print_part("A script: what each customer has ordered")
    run_script(deployment, _generate("generate_orders.py", ORDERS))


def put_policy(deployment: Deployment) -> None:
    """Show the contract, and put the policy file with both jobs."""
    with step(f"The contract, {CONTRACT}, and the policy file, {POLICY}"):
        print_lines((ROOT / CONTRACT).read_text())
        print_lines()
        print_lines((ROOT / POLICY).read_text())
        deployment.put_policy("policy/jobs.yaml", (ROOT / POLICY).read_bytes())


def compute_features(deployment: Deployment, customers: list[str]) -> None:
    """New customers become features, in sets for training and validation."""
    with step(f"{len(customers) - 1:,} customers arrive in userA's folder"):
        print_lines("\n".join(customers[: SHOWN_ROWS + 1]))
        _upload(deployment, "churn.csv", customers)
        name = job_runs.wait_for_run(deployment, "the job computes features of them", set())
        print_lines(job_runs.read_outcome(deployment, name))
        manifest = _read_manifest(deployment, "churn")
        rows = manifest["rows"]
        expect(
            "every customer is in one of two sets", CUSTOMERS, rows["train"] + rows["validation"]
        )
        train = _read_split(deployment, "churn", "train")
        print_lines("\n".join(train[:SHOWN_ROWS]))


def refuse_broken_lines(deployment: Deployment, customers: list[str]) -> None:
    """Lines that break the contract go into quarantine, each with its reason."""
    with step(f"{len(BROKEN_LINES)} more customers arrive, whose lines break the contract"):
        print_lines("\n".join(BROKEN_LINES))
        known = job_runs.list_runs(deployment)
        _upload(deployment, "churn.csv", [*customers, *BROKEN_LINES])
        name = job_runs.wait_for_run(deployment, "the rest is processed", known)
        print_lines(job_runs.read_outcome(deployment, name))
        refused = _read_split(deployment, "churn", "quarantine")
        reasons = Counter(line.partition("\t")[0] for line in refused)
        expect("the broken lines are kept, each with its reason", REASONS, dict(reasons))


def run_script(deployment: Deployment, orders: list[str]) -> None:
    """Orders, as lines of JSON, go through a function of Spark."""
    with step(f"The script, {SCRIPT}, and {ORDERS:,} orders"):
        print_lines((ROOT / SCRIPT).read_text())
        print_lines()
        print_lines("\n".join(orders[:SHOWN_ROWS]))
        known = job_runs.list_runs(deployment)
        _upload(deployment, "orders.jsonl", orders)
        name = job_runs.wait_for_run(deployment, "the job runs the script on them", known)
        print_lines(job_runs.read_outcome(deployment, name))
        made = [json.loads(line) for line in _read_split(deployment, "orders", "data")]
        few = [row["customer_id"] for row in made if row["orders"] < 3]  # min_orders
        expect("only customers with three orders or more are there", [], few)
        ordered = sorted(made, key=lambda row: str(row["customer_id"]))
        print_lines("\n".join(json.dumps(row) for row in ordered[:SHOWN_ROWS]))


def _generate(script: str, count: int) -> list[str]:
    """The lines that an example's generator writes; the same each time."""
    command = [sys.executable, str(ROOT / "examples/jobs" / script), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def _upload(deployment: Deployment, name: str, lines: list[str]) -> None:
    body = "".join(f"{line}\n" for line in lines).encode()
    s3 = deployment.session.client("s3")
    s3.put_object(Bucket=deployment.data_bucket, Key=f"UserA/{name}", Body=body)


def _read_manifest(deployment: Deployment, folder: str) -> dict[str, Any]:
    latest = json.loads(_read(deployment, f"UserA/{folder}/LATEST.json"))
    manifest = _read(deployment, f"UserA/{folder}/runs/{latest['run_id']}/_manifest.json")
    return dict(json.loads(manifest))


def _read_split(deployment: Deployment, folder: str, split: str) -> list[str]:
    """The lines of one set of the newest run."""
    manifest = _read_manifest(deployment, folder)
    run = f"UserA/{folder}/runs/{manifest['run_id']}/"
    paths = sorted(file["path"] for file in manifest["files"] if file["split"] == split)
    return [line for path in paths for line in _read(deployment, run + path).splitlines()]


def _read(deployment: Deployment, key: str) -> str:
    s3 = deployment.session.client("s3")
    return str(s3.get_object(Bucket=deployment.data_bucket, Key=key)["Body"].read().decode())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ExpectationError as error:
        sys.exit(str(error))
