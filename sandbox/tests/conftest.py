"""Fixtures of all tests of the sandbox, which are those that it offers to others."""

from pathlib import Path

from sandbox.testing.fixtures import server, start_sandbox

__all__ = ["ROOT", "server", "start_sandbox"]

ROOT = Path(__file__).parents[
    2
]  # of the repository, whose locks and documents the tests compare with
