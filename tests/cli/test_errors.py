"""An error is one sentence: what failed and what to do. Standard output stays clean."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grantor.cli.session import CommandError, choose_stack
from sandbox.testing.helpers import call_control
from tests.cli.command_process import read_environment, start_grantor, wait_until
from tests.cli.conftest import CommandLine
from tests.conftest import ROOT
from tests.grantor_setup import ARTICLE_POLICY, LEDGER, GrantorSetup

GRANTOR = ROOT / ".venv/bin/grantor"
NOBODY = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"AWS_REGION": "us-east-1"}, "no AWS credentials: "),
        (KEYS, "no Region: set AWS_REGION"),
        (
            {"AWS_PROFILE": "nobody"},
            "The config profile (nobody) could not be found: aws configure list-profiles",
        ),
    ],
    ids=["no credentials", "no Region", "no such profile"],
)
def test_missing_configuration_is_named(environment: dict[str, str], said: str):
    done = subprocess.run(
        [GRANTOR, "status"], env=NOBODY | environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"grantor status: {said}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredToken", "your credentials have expired (ExpiredToken): sign in again"),
        (
            "InvalidClientTokenId",
            "AWS does not know your credentials (InvalidClientTokenId: said the test): check AWS_PROFILE",
        ),
        ("ValidationError", "AWS refuses DescribeStacks: ValidationError: said the test"),
    ],
)
def test_expired_and_unknown_credentials_have_different_messages(
    cli: CommandLine, setup: GrantorSetup, code: str, said: str
):
    refusal = {"kind": "refuse", "code": code, "status": 400, "message": "said the test"}
    setup.set_faults({"service": "cloudformation", "operation": "DescribeStacks", **refusal})
    answered = cli.run("plan")
    setup.set_faults()

    assert (answered.code, answered.out) == (1, "")
    assert answered.err.startswith(f"grantor plan: {said}")


def test_a_missing_stack_is_named_with_its_region_and_account(cli: CommandLine):
    answered = cli.run("plan", "--stack", "nobody")

    assert (answered.code, answered.out) == (1, "")
    assert answered.err == (
        "grantor plan: stack nobody does not exist in us-east-1 of account 000000000000: "
        "name another with --stack or GRANTOR_STACK, or check AWS_REGION and AWS_PROFILE\n"
    )


def test_a_reader_who_names_a_wrong_stack_or_region_learns_which(cli: CommandLine):
    answered = cli.run("plan", "--stack", "grantr", keys=cli.create_person("Reader"))

    assert (answered.code, answered.out) == (1, "")
    assert answered.err == (
        "grantor plan: you may not cloudformation:DescribeStacks on stack grantr in us-east-1 of "
        "account 000000000000: name another with --stack or GRANTOR_STACK, or check AWS_REGION and "
        "AWS_PROFILE; if these are right, grantor plan needs the stack's managed policy Reader, "
        "whose ARN is among its outputs\n"
    )


def test_a_stack_of_another_application_is_refused(cli: CommandLine, setup: GrantorSetup):
    topic = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    cloud = setup.client("cloudformation")
    cloud.create_stack(StackName="else", TemplateBody=topic)
    cloud.get_waiter("stack_create_complete").wait(StackName="else", WaiterConfig={"Delay": 1})
    answered = cli.run("plan", "--stack", "else")

    assert (
        answered.err
        == "grantor plan: stack else has no output AlertTopic: it is not a stack of Grantor, or an older version of it; deploy it again\n"
    )


@pytest.mark.parametrize(
    ("words", "policies", "said"),
    [
        (
            ["plan"],
            ["Approver"],
            "grantor plan needs the stack's managed policy Reader, whose ARN is among its outputs",
        ),
        (
            ["status"],
            [],
            "grantor status needs the stack's managed policy Reader, whose ARN is among its outputs",
        ),
        (
            ["approve", "abc", "--because", "x"],
            [],
            "grantor approve needs the stack's managed policy Approver, whose ARN is among its outputs",
        ),
        (
            ["apply"],
            ["Reader"],
            "needs the stack's managed policies Reader and BreakGlass, whose ARNs are among its outputs",
        ),
        (
            ["rebuild"],
            ["Reader"],
            "needs the stack's managed policies Reader and BreakGlass, whose ARNs are among its outputs",
        ),
        (
            ["redrive"],
            ["Reader"],
            "needs the stack's managed policies Reader and BreakGlass, whose ARNs are among its outputs",
        ),
        (
            ["adopt", "--all-wanted"],
            ["Reader"],
            "needs the stack's managed policies Reader and BreakGlass, whose ARNs are ",
        ),
        (
            ["apply"],
            ["Reader", "BreakGlass", "Steward"],
            "whatever else allows it; the stack's managed policy Steward does",
        ),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_denied_command_names_the_action_and_the_policy_that_allows_it(
    cli: CommandLine, words: list[str], policies: list[str], said: str
):
    answered = cli.run(*words, keys=cli.create_person(*policies))

    assert (answered.code, answered.out, said in answered.err) == (1, "", True)
    assert answered.err.startswith(f"grantor {words[0]}: you may not ")


def test_a_temporary_refusal_says_to_try_again(cli: CommandLine, setup: GrantorSetup):
    services = setup.build_services()
    fault = {
        "service": "dynamodb",
        "operation": "Query",
        "kind": "refuse",
        "code": "OperationAborted",
    }
    setup.set_faults({**fault, "status": 400, "message": "busy"})
    answered = cli.run("history")
    setup.set_faults()

    assert (answered.code, answered.err) == (
        1,
        "grantor history: AWS cannot do this now: OperationAborted: busy; try again in a moment\n",
    )
    assert services.run_store.list_runs(1) == ()


def test_a_report_that_cannot_be_published_is_an_error_and_no_log_enters_the_output(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    refusal = {"kind": "refuse", "code": "AccessDenied", "status": 400, "message": "said the test"}
    setup.set_faults({"service": "events", "operation": "PutEvents", **refusal})
    answered = cli.run("apply", "--json")
    setup.set_faults()

    assert (answered.code, answered.json["runs"][0]["counts"]["created"]) == (0, 4)
    assert (
        answered.err
        == "grantor apply: it is done, but its report could not be published everywhere: AccessDenied: said the test\n"
    )


def test_ctrl_c_while_reading_exits_at_once_without_output(cli: CommandLine, setup: GrantorSetup):
    setup.set_faults({"service": "s3control", "operation": "ListAccessGrants", "kind": "stall"})
    with start_grantor(setup, "plan") as process:
        wait_until(lambda: call_control(setup.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    setup.set_faults()

    assert (process.returncode, out, err) == (130, "", "")


def test_a_defect_keeps_its_traceback(cli: CommandLine, setup: GrantorSetup):
    setup.client("dynamodb").put_item(
        TableName=LEDGER, Item={"pk": {"S": "run"}, "sk": {"S": "x y"}, "document": {"S": "{"}}
    )

    with pytest.raises(ValueError, match="Expecting property name"):
        cli.run("history")


C = '[default.global.parameters]\nstack_name = "c"\n'
D = '[default.deploy.parameters]\nstack_name = "d"\n'


@pytest.mark.parametrize(
    ("asked", "variable", "config", "name"),
    [
        ("a", "b", C, "a"),
        (None, "b", C, "b"),
        (None, "", C, "c"),
        (None, "", C + D, "d"),
        (None, "", "version = 0.1\n", "grantor"),
    ],
    ids=[
        "--stack",
        "GRANTOR_STACK",
        "samconfig.toml",
        "what sam deploy takes first",
        "no name in it",
    ],
)
def test_the_stack_is_chosen_in_order_of_precedence(
    folder: Path, asked: str | None, variable: str, config: str, name: str
):
    os.environ["GRANTOR_STACK"] = variable
    (folder / "samconfig.toml").write_text(config)

    assert choose_stack(asked, folder) == name


def test_the_default_stack_is_grantor(folder: Path):
    assert choose_stack(None, folder) == "grantor"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and no variable that names a stack."""
    monkeypatch.setenv("GRANTOR_STACK", "")
    return tmp_path


def test_an_unreadable_samconfig_is_an_error(tmp_path: Path):
    (tmp_path / "samconfig.toml").write_text("[default")

    with pytest.raises(
        CommandError, match=r"samconfig\.toml cannot be read: .*; name the stack with --stack"
    ):
        choose_stack(None, tmp_path)


@pytest.mark.parametrize(
    ("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_changes_are_coloured_on_a_terminal_only(
    setup: GrantorSetup, cli: CommandLine, variables: dict[str, str], coloured: bool
):
    setup.put_policy("article", ARTICLE_POLICY)
    environment = {
        name: value
        for name, value in read_environment(setup).items()
        if name not in ("NO_COLOR", "TERM")
    }
    ours, theirs = pty.openpty()
    subprocess.run([GRANTOR, "plan"], stdout=theirs, env=environment | variables, check=True)
    os.close(theirs)
    printed = os.read(ours, 100_000).decode()
    os.close(ours)

    assert ("\x1b[32m+ READWRITE s3://data/Product/* to role/role-userA" in printed) is coloured
    assert ("\x1b" in printed) is coloured


def test_the_printed_environment_of_the_sandbox_is_enough(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    done = subprocess.run(
        [GRANTOR, "plan"], env=read_environment(setup), capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == (cli.run("plan").out, "")


def test_the_function_does_not_import_the_command_line():
    script = "import sys, grantor.reconcile.handler; print(any(name.startswith('grantor.cli') for name in sys.modules))"
    environment = {"PYTHONPATH": str(ROOT / "layers/grantor")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"
