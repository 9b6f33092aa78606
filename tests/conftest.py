"""Fixtures of every test: a sandbox for each worker, and clients for it."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from sandbox.process import REGION
from sandbox.testing.fixtures import server, start_sandbox
from sandbox.testing.running import ACCOUNT, Sandbox
from sandbox.testing.running import find_free_port as free_port
from sandbox.testing.running import make_session as session

__all__ = [
    "ACCOUNT",
    "IS_LONG",
    "REGION",
    "ROOT",
    "Sandbox",
    "free_port",
    "server",
    "session",
    "start_sandbox",
]

# Failing assertions in these helpers show their values, like those in tests.
pytest.register_assert_rewrite("tests.engine.helpers", "tests.engine.policy_change")

# No deadline: a busy machine must not make a test fail.
settings.register_profile("grantor", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("grantor")

ROOT = Path(__file__).parent.parent
IS_LONG = os.environ.get("LONG") == "yes"  # as `make test-long` sets it: whole suites, not a part
ONE_WORKER = "tests/attacks/"  # its fixtures deploy once, for the whole folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Schedule as `--dist loadfile` does, with one folder as if it were one file."""
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    class FolderScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return ONE_WORKER if nodeid.startswith(ONE_WORKER) else super()._split_scope(nodeid)

    return FolderScheduling(config, log) if config.getvalue("dist") == "loadfile" else None
