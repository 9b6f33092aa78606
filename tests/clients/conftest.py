"""A copy of the repository, built and deployed with SAM CLI: once for each file of tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.testing.inventory import list_everything
from tests.clients.sam import Sam, copy_sources
from tests.clients.terminal import Dialogue
from tests.conftest import ACCOUNT, Sandbox


@pytest.fixture(scope="module")
def sam(start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory) -> Sam:
    return Sam(start_sandbox(), copy_sources(tmp_path_factory.mktemp("grantor")))


@pytest.fixture(scope="module")
def built(sam: Sam) -> Path:
    sam("build")
    return sam.folder / ".aws-sam/build"


@pytest.fixture(scope="module")
def deployed(sam: Sam, built: Path) -> tuple[frozenset[str], Dialogue]:
    """What existed before the stack was deployed, and SAM's questions, all answered by their
    defaults.
    """
    before = list_everything(sam.sandbox.client, ACCOUNT)
    return before, sam.run_at_terminal("deploy", "--guided")
