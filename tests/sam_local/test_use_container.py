"""`sam build --use-container` makes the same bytes as a build with the machine's own Python."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.clients.sam import copy_sources
from tests.clients.test_artifacts import hash_files
from tests.conftest import ROOT

IMAGE = "public.ecr.aws/sam/build-python3.12:latest-x86_64"
# podman's answer if a container ends while its files are being read.
CONTAINER_ENDED = "/ns/mnt: no such file or directory"
pytestmark = pytest.mark.timeout(600)


def build(folder: Path, engine: dict[str, str], *options: str) -> dict[str, str]:
    """Hash of each file of a build, by its path."""
    environment = (
        os.environ
        | engine
        | {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"}
    )
    command = [ROOT / ".tools/sam/bin/sam", "build", *options]
    sources = copy_sources(folder)
    for _ in range(8):
        done = subprocess.run(
            command, cwd=sources, env=environment, capture_output=True, text=True, check=False
        )
        if CONTAINER_ENDED not in done.stderr:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    return hash_files(folder / ".aws-sam/build")


def test_a_build_in_a_container_is_equal_in_every_byte(engine, tmp_path):
    asked = subprocess.run(
        ["docker", "image", "inspect", IMAGE],
        env=os.environ | engine,
        capture_output=True,
        check=False,
    )
    if asked.returncode:
        pytest.skip(
            f"the engine has no image {IMAGE}: docker pull it, where a registry can be reached"
        )

    inside = build(tmp_path / "inside", engine, "--use-container", "--skip-pull-image")

    assert inside == build(tmp_path / "outside", engine)
