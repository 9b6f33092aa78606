"""Clients: none before it is needed, each once, all able to wait for a throttled service."""

import subprocess
import sys
from functools import cached_property

import pytest

from grantor.aws.clients import Clients
from tests.conftest import ROOT

NAMES = sorted(name for name, word in vars(Clients).items() if isinstance(word, cached_property) and name != "session")


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    return Clients()


@pytest.mark.parametrize("name", NAMES)
def test_each_is_made_once_in_the_region_of_the_environment_and_waits_when_throttled(clients: Clients, name: str):
    made = getattr(clients, name)

    assert getattr(clients, name) is made
    assert made.meta.region_name == "eu-central-1"
    assert made.meta.service_model.service_name == name.replace("_", "-")
    assert (made.meta.config.retries["mode"], made.meta.config.connect_timeout) == ("adaptive", 3)


def test_importing_it_makes_nothing():
    script = "import grantor.aws.clients as c, boto3; assert boto3.DEFAULT_SESSION is None; assert not vars(c.Clients())"

    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, env={"PYTHONPATH": "layers/grantor"})
