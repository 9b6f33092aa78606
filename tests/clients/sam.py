"""SAM CLI, unmodified, in a copy of what the repository ships, against a sandbox."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.clients.terminal import Dialogue, hold_dialogue
from tests.conftest import REGION, ROOT, Sandbox

SHIPPED = ("functions", "layers", "locks", "policy", "spark_jobs", "stacks")
STACK = "grantor"  # as samconfig.toml has it


def copy_sources(into: Path) -> Path:
    """Copy what a deploy needs; return the folder."""
    for name in SHIPPED:
        shutil.copytree(
            ROOT / name, into / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, into)
    return into


@dataclass(frozen=True)
class Sam:
    """SAM CLI in `folder`, with nothing of AWS in its environment but an endpoint, keys and a
    Region.
    """

    sandbox: Sandbox
    folder: Path

    def __call__(self, *words: str | Path, say: str = "") -> str:
        """Run a command with `say` on standard input; return what it prints. It must exit with 0."""
        done = subprocess.run(
            [self.command, *words],
            cwd=self.folder,
            env=self.environment,
            input=say,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run_at_terminal(self, *words: str | Path, **answers: str) -> Dialogue:
        """Run a command at a terminal; answer its questions by their names, else with Enter."""
        return hold_dialogue([self.command, *words], answers, self.folder, self.environment)

    @property
    def command(self) -> Path:
        return ROOT / ".tools/sam/bin/sam"

    @cached_property
    def environment(self) -> Mapping[str, str]:
        given = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "SAM_"))
        }
        # The builders look for python3.12 on PATH, and the project's environment has one.
        given |= {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"}
        given |= {"AWS_ENDPOINT_URL": self.sandbox.url, "AWS_DEFAULT_REGION": REGION}
        keys = self.sandbox.start_keys
        return given | {
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        }

    def list_events(self) -> list[tuple[str, str]]:
        """List resource and status of each of the stack's events, oldest first."""
        pages = (
            self.sandbox.client("cloudformation")
            .get_paginator("describe_stack_events")
            .paginate(StackName=STACK)
        )
        events = [event for page in pages for event in page["StackEvents"]]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]

    def list_physical_ids(self) -> dict[str, str]:
        """List the physical id of each resource by its logical id."""
        listed = self.sandbox.client("cloudformation").describe_stack_resources(StackName=STACK)[
            "StackResources"
        ]
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed
        }
