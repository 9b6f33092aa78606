"""`make test-live ACCOUNT=sandbox`: the same run on a new sandbox with Grantor deployed in it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.deployment import STACK, deploy_stack
from harness.session import SandboxSession
from harness.steps import ExpectationError, step, wait_until
from sandbox.testing.inventory import list_everything
from sandbox.testing.running import find_free_port
from tests.live.account import LIVE
from tests.live.workspace import format_policy

ROOT = Path(__file__).parents[2]
# SageMaker's own log group, shared by all jobs of an account, stays.
LOGS = {"logs log_groups: /aws/sagemaker/ProcessingJobs"}
RIGHTS = Path(__file__).parent / "rights.json"


def main(words: Sequence[str]) -> int:
    """Return the run's exit code."""
    with step("A sandbox starts: AWS on this machine"):
        session = SandboxSession.start(find_free_port())
    try:
        engineer = f"arn:aws:iam::{session.account}:role/engineer"
        deploy_stack(
            session,
            parameters={
                "Stewards": engineer,
                "DataAdministrators": engineer,
                "OperationsAccess": "any",  # the scenario removes the traces of its jobs
            },
        )
        environment = os.environ | _engineer(session).environment | {LIVE: session.account}
        before = list_everything(session.client, session.account)
        command = [sys.executable, "-m", "tests.live", "--stack", STACK, *words]
        ended = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        nothing: list[str] = []
        wait_until(
            "and nothing is left in any service",
            nothing,
            lambda: sorted(list_everything(session.client, session.account) - before - LOGS),
        )
        return ended  # noqa: TRY300
    except ExpectationError as unmet:
        print(f"\n✗ NOT AS EXPECTED: {unmet}", file=sys.stderr)
        return 1
    finally:
        session.stop()


def _engineer(session: SandboxSession) -> SandboxSession:
    """A session with exactly the permissions that docs/live.md asks for."""
    iam, root = session.client("iam"), f"arn:aws:iam::{session.account}:root"
    trust = format_policy({"Principal": {"AWS": root}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName="engineer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="engineer", PolicyName="live", PolicyDocument=RIGHTS.read_text())
    given = session.client("sts").assume_role(
        RoleArn=role, RoleSessionName="eva", DurationSeconds=3600
    )
    return session.with_credentials(given["Credentials"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
