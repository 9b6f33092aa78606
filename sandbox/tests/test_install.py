"""Installed by pip into an empty environment, the sandbox runs without its repository.

`pytest -m install` (a minute).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.testing.running import find_free_port
from tests.conftest import ROOT

pytestmark = [pytest.mark.install, pytest.mark.timeout(600)]


def quick_start() -> str:
    """The program in the README."""
    return (ROOT / "sandbox/README.md").read_text().split("```python\n")[1].split("```")[0]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a virtual environment, in which a copy of the project is installed."""
    base = Path(sys.base_prefix) / "bin" / "python3.12"
    subprocess.run([base, "-m", "venv", tmp_path / "venv"], check=True)
    keep = shutil.ignore_patterns("__pycache__", "tests")
    shutil.copytree(ROOT / "sandbox", tmp_path / "sandbox", ignore=keep)
    # pip may need a proxy, certificates and an index of its own.
    given = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    command = [tmp_path / "venv/bin/pip", "install", "-q", tmp_path / "sandbox"]
    subprocess.run(command, check=True, env=given, cwd=tmp_path)
    shutil.rmtree(tmp_path / "sandbox")
    (tmp_path / "quickstart.py").write_text(quick_start())
    return tmp_path


def test_an_installed_sandbox_serves_a_client_that_creates_and_uses_a_grant(installed: Path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(installed / "home")}
    port = str(find_free_port())

    def run(command: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=installed,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "answers" in run(f"venv/bin/python -m sandbox up --port {port}")
    try:
        state = installed / "home/.local/state/grantor-sandbox"
        variables = f'eval "$(venv/bin/python -m sandbox env --port {port})"'
        printed = run(f"{variables}; venv/bin/python quickstart.py")
        calls = run(f"venv/bin/sandbox calls --port {port}")
        assert (printed, (state / port).is_dir()) == ("hello\nAccessDenied\n", True)
        assert "s3control/GetDataAccess" in calls
    finally:
        stopped = run(f"venv/bin/python -m sandbox down --port {port}")
    assert (stopped, list(state.iterdir())) == (f"port {port}: stopped\n", [])
