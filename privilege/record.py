"""Whole runs, recorded: the demo, people at the command line with the stack's managed policies, and a stack that people have lived in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from privilege.permissions import ROOT

FOLDER = ROOT / "build/rights"
TESTS = (sys.executable, "-m", "pytest", "-q", "-n", "2")
RUNS = {
    "demo": (sys.executable, "-m", "demo"),
    "scenes": (sys.executable, "-m", "privilege.scenes"),
    "cli": (*TESTS, "tests/cli"),
    "leaving": (*TESTS, "tests/leaving/test_delete.py", "-k", "one_go or slowly or job"),
}


def record(folder: Path) -> None:
    """Make each run, and let its servers write what they judge below the folder; CalledProcessError for a run that fails."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, command in RUNS.items():
        print(f"recording: {name}", flush=True)
        subprocess.run(command, cwd=ROOT, env=os.environ | {"SANDBOX_JUDGEMENTS": str(folder / name)}, check=True)
