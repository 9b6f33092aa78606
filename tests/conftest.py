"""What every test may ask for: a running sandbox of its own worker, and clients that speak to it as anyone would."""

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

# Helpers of tests that say with pytest's own words what they saw; whoever imports them first.
pytest.register_assert_rewrite("tests.engine.watch", "tests.engine.change")

# A busy machine makes no test fail: examples are counted, never timed.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

ROOT = Path(__file__).parent.parent
