"""pytest fixtures that start the sandbox.

Use them with `pytest_plugins = ["sandbox.testing.fixtures"]` in a conftest.py.
"""

from collections.abc import Callable, Iterator

import pytest

from sandbox.testing.running import Sandbox, start_server


@pytest.fixture(scope="session")
def start_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sandbox]]:
    """Start servers on free ports, and stop them all at the end."""
    running: list[Callable[[], None]] = []

    def start(port: int | None = None) -> Sandbox:
        sandbox, stop = start_server(tmp_path_factory.mktemp("sandbox"), port)
        running.append(stop)
        return sandbox

    yield start
    for stop in running:
        stop()


@pytest.fixture(scope="session")
def server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Return one server for this worker's session.

    A test cleans up what it makes, or uses unique names.
    """
    return start_sandbox()
