"""`python -m sandbox`: its commands, and the ways in which they can fail."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from sandbox.process import Server
from sandbox.testing.helpers import FUNCTION_TEMPLATE
from sandbox.testing.running import ACCOUNT, Sandbox, find_free_port
from tests.conftest import ROOT

Run = subprocess.CompletedProcess[str]
Say = Callable[..., Run]


def said(*words: str) -> Run:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def port() -> Iterator[str]:
    chosen = str(find_free_port())
    yield chosen
    said("down", "--port", chosen)


def started(port: str) -> Sandbox:
    """The sandbox that `up` started on this port."""
    return Sandbox.find(int(port), Path())


def pid(port: str) -> int:
    return int((Server(int(port)).folder / "pid").read_text())


def variables(port: str, *words: str) -> dict[str, str]:
    return dict(json.loads(said("env", "--json", "--port", port, *words).stdout))


def test_up_twice_is_one_sandbox_and_down_twice_is_none(port: str):
    assert "answers" in said("up", "--port", port).stdout
    assert "runs already" in said("up", "--port", port).stdout
    assert "stopped" in said("down", "--port", port).stdout
    assert "nothing was running" in said("down", "--port", port).stdout
    assert said("env", "--port", port).returncode == 1


def test_a_port_that_is_taken_is_named_with_what_to_do(port: str):
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(port)))
        other.listen()
        refused = said("up", "--port", port)

    assert refused.returncode == 1
    assert refused.stderr == (
        f"sandbox: port {port} is taken by another program; stop that one, or choose another: up "
        f"--port {int(port) + 1}\n"
    )


def test_a_sandbox_that_was_killed_starts_again_empty(port: str):
    said("up", "--port", port)
    started(port).client("s3").create_bucket(Bucket="mine")
    os.kill(pid(port), signal.SIGKILL)

    refused = said("events", "--port", port)
    assert (refused.returncode, "start one: python -m sandbox up" in refused.stderr) == (1, True)
    assert "answers" in said("up", "--port", port).stdout
    assert started(port).client("s3").list_buckets()["Buckets"] == []


def test_an_unknown_switch_is_refused_with_the_nearest_name(port: str):
    refused = said("up", "--port", port, "--switch", "grants_qota=4")

    assert refused.returncode == 1
    assert "did you mean grants_quota?" in refused.stderr


def test_a_switch_that_is_set_decides(port: str):
    said("up", "--port", port, "--switch", "association_keeps_instance=false")
    control = started(port).client("s3control")
    center = started(port).client("sso-admin").list_instances()["Instances"][0]["InstanceArn"]
    control.create_access_grants_instance(AccountId=ACCOUNT, IdentityCenterArn=center)

    control.delete_access_grants_instance(AccountId=ACCOUNT)


def test_it_listens_on_loopback_only_and_on_one_port(port: str):
    said("up", "--port", port)
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    own = {line[1] for line in listening if line[3] == "0A" and line[9] in inodes(pid(port))}

    assert own == {f"0100007F:{int(port):04X}"}


def inodes(process: int) -> set[str]:
    """The sockets of the process."""
    links = [link_of(link) for link in (Path("/proc") / str(process) / "fd").iterdir()]
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def link_of(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # it was closed while we looked
        return ""


def test_reset_forgets_everything(port: str):
    said("up", "--port", port)
    sandbox = started(port)
    sandbox.client("s3").create_bucket(Bucket="mine")
    sandbox.client("s3control").create_access_grants_instance(AccountId=ACCOUNT)

    assert said("reset", "--port", port).returncode == 0
    assert sandbox.client("s3").list_buckets()["Buckets"] == []
    with pytest.raises(ClientError, match="AccessGrantsInstanceNotExists"):
        sandbox.client("s3control").get_access_grants_instance(AccountId=ACCOUNT)


def test_env_makes_unmodified_boto3_reach_s3_control(server: Sandbox):
    script = (
        "import boto3\n"
        "account = boto3.client('sts').get_caller_identity()['Account']\n"
        "print(boto3.client('s3control').list_access_grants_instances(AccountId=account)['ResponseMetadata']['HTTPStatusCode'])\n"
    )
    environment = {"PATH": os.environ["PATH"]} | variables(str(server.port))

    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "200\n"


@pytest.fixture
def internet() -> Iterator[socket.socket]:
    """A proxy for https that answers nothing: whoever connects wants to leave the machine."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.1)
        yield listening


def run_aws(server: Sandbox, internet: socket.socket, *words: str, **more: str) -> Run:
    """Run the AWS CLI with what `env` prints; its https would go through this proxy."""
    environment = {"PATH": os.environ["PATH"]} | variables(str(server.port)) | more
    environment["HTTPS_PROXY"] = f"http://127.0.0.1:{internet.getsockname()[1]}"
    command = [Path(sys.executable).parent / "aws", *words, "--cli-connect-timeout", "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    with pytest.raises(TimeoutError):  # nobody has connected
        internet.accept()
    return done


def test_the_aws_cli_empties_a_queue_in_us_east_1_without_leaving_the_machine(
    server: Sandbox, internet: socket.socket
):
    sqs = server.client("sqs")
    queue = sqs.create_queue(QueueName="letters")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="dead")

    done = run_aws(server, internet, "sqs", "purge-queue", "--queue-url", queue)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_another_service_for_which_the_cli_has_addresses_stays_on_the_machine_in_any_region(
    server: Sandbox, internet: socket.socket
):
    done = run_aws(server, internet, "emr", "list-clusters", AWS_DEFAULT_REGION="us-west-2")
    assert done.returncode == 0


def test_clients_trust_no_authority_that_could_vouch_for_aws(server: Sandbox):
    trusted = ssl.create_default_context(cafile=variables(str(server.port))["AWS_CA_BUNDLE"])

    (authority,) = trusted.get_ca_certs()
    assert "No authority" in str(authority["subject"])


def test_the_search_path_keeps_what_was_on_it(server: Sandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["mine", "yours"]))
    once = variables(str(server.port))["PYTHONPATH"]
    monkeypatch.setenv("PYTHONPATH", once)

    assert once.split(os.pathsep)[:2] == ["mine", "yours"]
    assert variables(str(server.port))["PYTHONPATH"] == once


def test_env_as_a_profile_that_does_not_exist_says_so(server: Sandbox):
    refused = said("env", "--as", "nobody", "--port", str(server.port))

    assert (refused.returncode, refused.stderr) == (
        1,
        "sandbox: no Studio profile is named nobody\n",
    )


def test_fire_schedules_names_the_rules_when_none_fits(server: Sandbox):
    refused = said("fire-schedules", "no-such-rule", "--port", str(server.port))

    assert refused.returncode == 1
    assert "no enabled schedule rule is named no-such-rule; there are:" in refused.stderr


SLOW = (
    FUNCTION_TEMPLATE
    + """  First: {Type: AWS::S3::Bucket, Properties: {BucketName: first}}
  Wait: {Type: Custom::NeverAnswered, DependsOn: First, Properties: {ServiceToken: !GetAtt Function.Arn}}
"""
)


def test_killed_in_the_middle_of_a_deploy_it_starts_again_and_deploys(port: str):
    said("up", "--port", port)
    started(port).client("cloudformation").create_stack(
        StackName="half", TemplateBody=SLOW, Capabilities=["CAPABILITY_IAM"]
    )
    assert settled(port, "half", 10) == "CREATE_IN_PROGRESS"
    assert [b["Name"] for b in started(port).client("s3").list_buckets()["Buckets"]] == ["first"]
    os.kill(pid(port), signal.SIGKILL)

    assert said("up", "--port", port).returncode == 0
    cloud = started(port).client("cloudformation")
    cloud.create_stack(
        StackName="whole", TemplateBody='{"Resources": {"First": {"Type": "AWS::S3::Bucket"}}}'
    )
    assert settled(port, "whole", 100) == "CREATE_COMPLETE"
    assert [stack["StackName"] for stack in cloud.describe_stacks()["Stacks"]] == ["whole"]


def settled(port: str, stack: str, tenths: int) -> str:
    """The stack's status when it has settled, or after so many tenths of a second."""
    cloud = started(port).client("cloudformation")
    for _ in range(tenths):
        status = str(cloud.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        if not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(0.1)
    return status
