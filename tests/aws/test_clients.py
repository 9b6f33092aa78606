"""Clients: each is created once, at first use, and slows down when its service throttles."""

import subprocess
import sys
from functools import cached_property
from typing import Any

import pytest
from botocore.exceptions import IncompleteReadError

from grantor.aws.clients import TRANSIENT_CODES, Clients
from sandbox.testing.helpers import call_control
from tests.conftest import ROOT, Sandbox

NAMES = sorted(
    name
    for name, member in vars(Clients).items()
    if isinstance(member, cached_property) and name != "session"
)

# Whose words are not their services' names
SERVICES = {"functions": "lambda", "processing": "sagemaker", "quotas": "service-quotas"}
LAUNCH_CLIENTS = {"processing"}  # gives up early
GLOBAL_CLIENTS = {"iam"}  # botocore gives these a Region of their own


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    return Clients()


@pytest.mark.parametrize("name", NAMES)
def test_each_client_is_created_once_in_the_region_of_the_environment_and_retries_when_throttled(
    clients: Clients, name: str
):
    made = getattr(clients, name)

    assert getattr(clients, name) is made
    region = "aws-global" if name in GLOBAL_CLIENTS else "eu-central-1"
    assert made.meta.region_name == region
    assert made.meta.service_model.service_name == SERVICES.get(name, name.replace("_", "-"))
    mode = "standard" if name in LAUNCH_CLIENTS else "adaptive"
    assert (made.meta.config.retries["mode"], made.meta.config.connect_timeout) == (mode, 3)


def test_importing_the_module_creates_no_client():
    script = (
        "import grantor.aws.clients as c, boto3; assert boto3.DEFAULT_SESSION is None; "
        "assert vars(c.Clients()) == {'_region': None, '_profile': None}"
    )

    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=ROOT, env={"PYTHONPATH": "layers/grantor"}
    )


@pytest.mark.parametrize("cut", ["ListDomains", "ListUserProfiles"])
def test_a_truncated_json_response_is_an_error_and_not_an_empty_list(
    server: Sandbox, clients: Clients, cut: str
):
    """botocore reads `{"Domains": [{"Doma` as an answer with no members, status 200."""
    keys = server.start_keys
    sagemaker: Any = clients.session.create_client(
        "sagemaker",
        endpoint_url=server.url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
    )
    rule = {"service": "sagemaker", "operation": cut, "kind": "cut", "times": 1}
    call_control(server, "faults", "POST", {"rules": [rule]})

    with pytest.raises(IncompleteReadError):
        sagemaker.list_domains() if cut == "ListDomains" else sagemaker.list_user_profiles()


@pytest.mark.parametrize("code", ["SlowDown", "ThrottlingException", "RequestTimeout"])
def test_the_transient_codes_include_those_that_botocore_retries(code: str) -> None:
    assert code in TRANSIENT_CODES
