"""One run in a process of its own, as `python -m tests.engine.other_process PORT CONFIG`; it says what became of it in one line.

It can be stopped and killed, which a thread can not.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from grantor.aws.clients import Overtaken
from grantor.reconcile.handler import answer
from tests.conftest import Sandbox
from tests.estate import EVERYTHING, Estate


@dataclass
class Process:
    """A run in another process."""

    started: subprocess.Popen[str]

    def outcome(self) -> str:
        told, _ = self.started.communicate(timeout=60)
        return told.strip()


def main(port: str, config: str) -> str:
    estate = Estate(Sandbox(int(port), Path(config)), Path(config))
    world = estate.world()
    try:
        reports = answer(world, EVERYTHING, world.clock() + 600, [].append)
    except Overtaken:
        return "overtaken"
    return f"done {sum(report.created for report in reports)}" if reports else "went home"


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
