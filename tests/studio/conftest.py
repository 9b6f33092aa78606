"""A Python with AWS's SDK in it (`make test-studio` makes it), led to the sandbox as
`python -m sandbox env` leads a shell.
"""

import os
import subprocess
from pathlib import Path

from sandbox.process import Server
from tests.conftest import ROOT, Sandbox
from tests.studio.notebook import article as article  # noqa: PLC0414  -- a fixture

PYTHON = ROOT / ".tools/studio/bin/python"


def run_with_sdk(
    sandbox: Sandbox, folder: Path, program: Path, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program as the account itself."""
    led = Server(sandbox.port).client_variables()
    return subprocess.run(
        [PYTHON, program],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **led},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
