"""A run in a process of its own, which can be stopped and killed, unlike a thread.

`python -m tests.engine.other_process PORT CONFIG` prints the outcome of the run in one line.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from grantor.aws.clients import LeaseLost
from grantor.reconcile.lease import run_until_drained
from tests.conftest import Sandbox
from tests.grantor_setup import EVERYTHING, GrantorSetup


@dataclass
class OtherProcess:
    """A run in another process."""

    process: subprocess.Popen[str]

    def read_outcome(self) -> str:
        output, _ = self.process.communicate(timeout=60)
        return output.strip()


def main(port: str, config: str) -> str:
    setup = GrantorSetup(Sandbox.find(int(port), Path(config)), Path(config))
    services = setup.build_services()
    try:
        reports = run_until_drained(services, EVERYTHING, services.clock() + 600, [].append)
    except LeaseLost:
        return "lease lost"
    return f"done {sum(report.created for report in reports)}" if reports else "left to the other"


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
