"""`pip install .` in a new environment, as a user has it: no make, no variables of this project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grantor.cli.commands import list_names
from tests.conftest import ROOT

pytestmark = [pytest.mark.install, pytest.mark.timeout(600)]
# Where pip finds packages on this machine is the machine's business.
KEPT = ("PATH", "PIP_CERT", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a new virtual environment that holds the package and its dependencies."""
    folder = tmp_path_factory.mktemp("user")
    run_command(folder, sys.executable, "-m", "venv", "venv")
    run_command(folder, "venv/bin/pip", "install", "--quiet", str(ROOT))
    return folder


def run_command(folder: Path, *command: str) -> str:
    """Run a command with an almost empty environment; return what it printed."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {"HOME": str(folder), "COLUMNS": "80"}
    done = subprocess.run(
        ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *command],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_version_is_that_of_the_package(installed: Path):
    assert run_command(installed, "venv/bin/grantor", "--version") == "grantor 0.2.0\n"


def test_the_dependencies_are_boto3_and_pyyaml_with_what_they_need(installed: Path):
    lines = (
        run_command(installed, "venv/bin/pip", "list", "--format", "freeze").lower().splitlines()
    )
    names = {line.partition("==")[0] for line in lines}

    assert {"boto3", "pyyaml"} <= names
    assert names <= {
        "boto3",
        "botocore",
        "grantor",
        "jmespath",
        "pip",
        "python-dateutil",
        "pyyaml",
        "s3transfer",
        "setuptools",
        "six",
        "urllib3",
    }


def test_the_policy_files_of_the_repository_are_checked(installed: Path):
    printed = run_command(installed, "venv/bin/grantor", "check", str(ROOT / "policy"))

    assert printed.endswith(": no mistakes\n")


@pytest.mark.parametrize("command", ["", *list_names()])
def test_help_fits_80_columns(installed: Path, command: str):
    printed = run_command(installed, "venv/bin/grantor", *command.split(), "--help")

    assert [line for line in printed.splitlines() if len(line) > 80] == []


def test_every_module_of_the_command_line_can_be_imported(installed: Path):
    modules = sorted(path.stem for path in (ROOT / "layers/grantor/grantor/cli").glob("*.py"))
    imports = "; ".join(
        f"import grantor.cli.{module}" for module in modules if module != "__init__"
    )

    assert run_command(installed, "venv/bin/python", "-c", imports) == ""
