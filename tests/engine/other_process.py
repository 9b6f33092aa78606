"""One run in a process of its own, as `python -m tests.engine.other_process PORT CONFIG`; it says
what became of it in one line.

It can be stopped and killed, which a thread cannot.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from grantor.aws.clients import LeaseLost
from grantor.reconcile.lease import run_until_drained
from tests.conftest import Sandbox
from tests.estate import EVERYTHING, Estate


@dataclass
class Process:
    """A run in another process."""

    started: subprocess.Popen[str]

    def outcome(self) -> str:
        output, _ = self.started.communicate(timeout=60)
        return output.strip()


def main(port: str, config: str) -> str:
    estate = Estate(Sandbox(int(port), Path(config)), Path(config))
    world = estate.world()
    try:
        reports = run_until_drained(world, EVERYTHING, world.clock() + 600, [].append)
    except LeaseLost:
        return "lease lost"
    return f"done {sum(report.created for report in reports)}" if reports else "left to the other"


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
