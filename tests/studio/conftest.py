"""A notebook's Python with AWS's SDK in it (`make test-studio` makes it), led to the sandbox as
`python -m sandbox env` leads a shell.
"""

import os
import subprocess
from pathlib import Path

from sandbox.process import Server
from tests.conftest import ROOT, Sandbox

PYTHON = ROOT / ".tools/studio/bin/python"


def notebook(
    sandbox: Sandbox,
    folder: Path,
    *program: str | Path,
    profile: str = "",
    stdin: str = "",
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run a program as a notebook of the Studio profile would; without one, as the account itself."""
    led = Server(sandbox.port).client_variables(profile or None)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **led, **variables}
    return subprocess.run(
        [PYTHON, *program],
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
