"""`make live ACCOUNT=sandbox`: the very same run, on a sandbox of its own with Grantor deployed in it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from demo.__main__ import free_port
from demo.cast import STACK
from demo.desk import Desk
from demo.inventory import inventory
from demo.stack import deploy
from demo.stage import Unmet, eventually, step
from tests.live.account import LIVE
from tests.live.ground import document

ROOT = Path(__file__).parents[2]
# One group of logs for the jobs of all who use the account is SageMaker's own, and stays.
LOGS = {"logs log_groups: /aws/sagemaker/ProcessingJobs"}
RIGHTS = Path(__file__).parent / "rights.json"


def main(words: Sequence[str]) -> int:
    """What the run ends with."""
    with step("A small AWS on the desk starts"):
        desk = Desk.up(free_port())
    try:
        deploy(desk, None)
        environment = os.environ | _engineer(desk).environment | {LIVE: desk.account}
        before = inventory(desk.client, desk.account)
        command = [sys.executable, "-m", "tests.live", "--stack", STACK, *words]
        ended = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        eventually("and nothing is left in any service", [], lambda: sorted(inventory(desk.client, desk.account) - before - LOGS))
        return ended  # noqa: TRY300
    except Unmet as unmet:
        print(f"\n✗ NOT AS EXPECTED: {unmet}", file=sys.stderr)
        return 1
    finally:
        desk.down()


def _engineer(desk: Desk) -> Desk:
    """The desk of somebody who may do what docs/live.md asks for and nothing else."""
    iam, root = desk.client("iam"), f"arn:aws:iam::{desk.account}:root"
    trust = document({"Principal": {"AWS": root}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName="engineer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="engineer", PolicyName="live", PolicyDocument=RIGHTS.read_text())
    given = desk.client("sts").assume_role(RoleArn=role, RoleSessionName="eva", DurationSeconds=3600)
    return desk.holding(given["Credentials"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
