"""Fixtures of every test: a sandbox for each worker, and clients for it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from sandbox.process import REGION
from sandbox.testing.fixtures import server, start_sandbox
from sandbox.testing.running import ACCOUNT, Sandbox
from sandbox.testing.running import find_free_port as free_port
from sandbox.testing.running import make_session as session

__all__ = [
    "ACCOUNT",
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
