"""What `sam build` says where python3.12 is a shim of pyenv and no version 3.12 is selected."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

# What pyenv's shim prints, and how it exits.
SHIM = """#!/bin/sh
echo "pyenv: python3.12: command not found" >&2
echo >&2
echo "The \\`python3.12' command exists in these Python versions:" >&2
echo "  3.12.3" >&2
exit 127
"""
TARGETS = {
    "layers/grantor": "build-GrantorLayer",
    "functions/start_spark_job": "build-StartSparkJob",
}


@pytest.mark.parametrize("folder", TARGETS)
def test_a_build_without_a_python_says_which_and_what_to_do(folder: str, tmp_path: Path):
    shim = tmp_path / "python3.12"
    shim.write_text(SHIM)
    shim.chmod(0o755)
    (tmp_path / "made").mkdir()
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    built = subprocess.run(
        ["make", "-C", ROOT / folder, TARGETS[folder], f"ARTIFACTS_DIR={tmp_path / 'made'}"],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode != 0
    assert "python3.12 does not run: pyenv: python3.12: command not found." in built.stderr
    assert "pyenv local 3.12" in built.stderr
