"""What the command line imports: nothing that only Lambda has, and boto3 only where AWS is used."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

CLI = ROOT / "layers/grantor/grantor/cli"
MODULES = sorted(f"grantor.cli.{path.stem}" for path in CLI.glob("*.py") if path.stem != "__init__")
WITHOUT_BOTO3 = {
    f"grantor.cli.{name}"
    for name in ("check", "commands", "completion", "main", "output", "session")
}


def import_with_blocked(module: str, *blocked: str) -> None:
    """Import the module in a process that has none of the blocked packages."""
    script = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); import {module}"
    environment = {"PYTHONPATH": str(CLI.parent.parent)}
    subprocess.run([sys.executable, "-S", "-c", with_packages(script)], env=environment, check=True)


def with_packages(script: str) -> str:
    """Let a process without `site` find the installed packages, and none of their start-up files."""
    paths = [path for path in sys.path if path.endswith("site-packages")]
    return f"import sys; sys.path += {paths!r}; {script}"


@pytest.mark.parametrize("module", MODULES)
def test_no_module_of_the_command_line_imports_what_only_lambda_has(module: str):
    import_with_blocked(module, "aws_lambda_powertools")


@pytest.mark.parametrize("module", sorted(WITHOUT_BOTO3))
def test_a_command_that_needs_no_aws_does_not_import_boto3(module: str):
    import_with_blocked(module, "boto3", "botocore")
