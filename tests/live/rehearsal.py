"""`make live ACCOUNT=sandbox`: the very same run, on a sandbox of its own with Grantor deployed in it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from demo.__main__ import free_port
from demo.desk import Desk
from demo.stage import Unmet, step
from demo.story import deploy
from tests.live.account import LIVE

ROOT = Path(__file__).parents[2]


def main(words: Sequence[str]) -> int:
    """What the run ends with."""
    with step("A small AWS on the desk starts"):
        desk = Desk.up(free_port())
    try:
        deploy(desk, None)
        environment = os.environ | desk.environment | {LIVE: desk.account}
        return subprocess.run([sys.executable, "-m", "tests.live", *words], cwd=ROOT, env=environment, check=False).returncode
    except Unmet as unmet:
        print(f"\n✗ NOT AS EXPECTED: {unmet}", file=sys.stderr)
        return 1
    finally:
        desk.down()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
