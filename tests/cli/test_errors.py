"""What goes wrong on the way to AWS is one sentence for a person: what, and what to do. And what comes out is clean."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grantor.cli.session import Trouble, stack_name
from tests.cli.conftest import Desk
from tests.cli.processes import environment_of, grantor, until
from tests.conftest import ROOT
from tests.estate import ARTICLE, LEDGER, Estate
from tests.sandbox.desk import ask

GRANTOR = ROOT / ".venv/bin/grantor"
NOBODY = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"AWS_REGION": "us-east-1"}, "no AWS credentials: "),
        (KEYS, "no Region: set AWS_REGION"),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found: aws configure list-profiles"),
    ],
    ids=["no credentials", "no Region", "no such profile"],
)
def test_without_a_way_in_it_says_which_part_is_missing(environment: dict[str, str], said: str):
    done = subprocess.run([GRANTOR, "status"], env=NOBODY | environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"grantor status: {said}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredToken", "your credentials have expired (ExpiredToken): log in again"),
        ("InvalidClientTokenId", "AWS does not know your credentials (InvalidClientTokenId: said the test): look at AWS_PROFILE"),
        ("ValidationError", "AWS refuses DescribeStacks: ValidationError: said the test"),
    ],
)
def test_credentials_that_are_over_or_unknown_are_told_apart(desk: Desk, estate: Estate, code: str, said: str):
    refusal = {"kind": "refuse", "code": code, "status": 400, "message": "said the test"}
    estate.faults({"service": "cloudformation", "operation": "DescribeStacks", **refusal})
    answered = desk.grantor("plan")
    estate.faults()

    assert (answered.code, answered.out) == (1, "")
    assert answered.err.startswith(f"grantor plan: {said}")


def test_a_stack_that_is_not_there_is_named_with_where_it_was_looked_for(desk: Desk):
    answered = desk.grantor("plan", "--stack", "nobody")

    assert (answered.code, answered.out) == (1, "")
    assert answered.err == (
        "grantor plan: there is no stack nobody in us-east-1 of account 000000000000: "
        "name another with --stack or GRANTOR_STACK, or look at AWS_REGION and AWS_PROFILE\n"
    )


def test_a_stack_of_something_else_is_not_taken_for_grantor(desk: Desk, estate: Estate):
    topic = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    cloud = estate.client("cloudformation")
    cloud.create_stack(StackName="else", TemplateBody=topic)
    cloud.get_waiter("stack_create_complete").wait(StackName="else", WaiterConfig={"Delay": 1})
    answered = desk.grantor("plan", "--stack", "else")

    assert answered.err == "grantor plan: stack else has no output Bells: it is not Grantor's, or an older one; deploy it again\n"


@pytest.mark.parametrize(
    ("words", "policies", "said"),
    [
        (["plan"], ["Approver"], "grantor plan needs the stack's managed policy Reader, whose ARN is among its outputs"),
        (["status"], [], "grantor status needs the stack's managed policy Reader, whose ARN is among its outputs"),
        (["approve", "abc"], [], "grantor approve needs the stack's managed policy Approver, whose ARN is among its outputs"),
        (["apply"], ["Reader"], "needs the stack's managed policies Reader and BreakGlass, whose ARNs are among its outputs"),
        (["rebuild"], ["Reader"], "needs the stack's managed policies Reader and BreakGlass, whose ARNs are among its outputs"),
        (["redrive"], ["Reader"], "needs the stack's managed policies Reader and BreakGlass, whose ARNs are among its outputs"),
        (["adopt", "--all-wanted"], ["Reader"], "needs the stack's managed policies Reader and BreakGlass, whose ARNs are "),
        (["apply"], ["Reader", "BreakGlass", "Steward"], "whatever else allows it; the stack's managed policy Steward does"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_who_may_not_is_told_what_and_who_gives_it(desk: Desk, words: list[str], policies: list[str], said: str):
    answered = desk.grantor(*words, keys=desk.person(*policies))

    assert (answered.code, answered.out, said in answered.err) == (1, "", True)
    assert answered.err.startswith(f"grantor {words[0]}: you may not ")


def test_what_aws_can_not_do_now_is_said_to_pass(desk: Desk, estate: Estate):
    world = estate.world()
    fault = {"service": "dynamodb", "operation": "Query", "kind": "refuse", "code": "OperationAborted"}
    estate.faults({**fault, "status": 400, "message": "busy"})
    answered = desk.grantor("history")
    estate.faults()

    assert (answered.code, answered.err) == (
        1,
        "grantor history: AWS can not do this now: OperationAborted: busy; say it again in a moment\n",
    )
    assert world.records.runs(1) == ()


def test_what_can_not_be_told_of_everywhere_is_said_aside_and_no_log_gets_into_the_answer(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    refusal = {"kind": "refuse", "code": "AccessDenied", "status": 400, "message": "said the test"}
    estate.faults({"service": "events", "operation": "PutEvents", **refusal})
    answered = desk.grantor("apply", "--json")
    estate.faults()

    assert (answered.code, answered.json["runs"][0]["created"]) == (0, 4)
    assert answered.err == "grantor apply: it is done, but was not told of everywhere: AccessDenied: said the test\n"


def test_ctrl_c_while_it_reads_ends_it_at_once_and_without_a_word(desk: Desk, estate: Estate):
    estate.faults({"service": "s3control", "operation": "ListAccessGrants", "kind": "stall"})
    with grantor(estate, "plan") as process:
        until(lambda: ask(estate.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    estate.faults()

    assert (process.returncode, out, err) == (130, "", "")


def test_a_defect_is_not_dressed_up(desk: Desk, estate: Estate):
    estate.client("dynamodb").put_item(TableName=LEDGER, Item={"pk": {"S": "run"}, "sk": {"S": "x y"}, "summary": {"S": "{"}})

    with pytest.raises(ValueError, match="Expecting property name"):
        desk.grantor("history")


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
    ids=["--stack", "GRANTOR_STACK", "samconfig.toml", "what sam deploy takes first", "no name in it"],
)
def test_which_stack_is_meant(folder: Path, asked: str | None, variable: str, config: str, name: str):
    os.environ["GRANTOR_STACK"] = variable
    (folder / "samconfig.toml").write_text(config)

    assert stack_name(asked, folder) == name


def test_where_nothing_names_a_stack_it_is_grantor(folder: Path):
    assert stack_name(None, folder) == "grantor"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and no variable that names a stack."""
    monkeypatch.setenv("GRANTOR_STACK", "")
    return tmp_path


def test_a_samconfig_that_can_not_be_read_is_no_reason_to_guess(tmp_path: Path):
    (tmp_path / "samconfig.toml").write_text("[default")

    with pytest.raises(Trouble, match=r"samconfig\.toml can not be read: .*; name the stack with --stack"):
        stack_name(None, tmp_path)


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_changes_are_coloured_on_a_terminal_only(estate: Estate, desk: Desk, variables: dict[str, str], coloured: bool):
    estate.policy("article", ARTICLE)
    environment = {name: value for name, value in environment_of(estate).items() if name not in ("NO_COLOR", "TERM")}
    ours, theirs = pty.openpty()
    subprocess.run([GRANTOR, "plan"], stdout=theirs, env=environment | variables, check=True)
    os.close(theirs)
    printed = os.read(ours, 100_000).decode()
    os.close(ours)

    assert ("\x1b[32m+ READWRITE s3://data/Product/* to role/role-userA" in printed) is coloured
    assert ("\x1b" in printed) is coloured


def test_a_person_with_the_sandboxs_own_environment_gets_the_same(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    done = subprocess.run([GRANTOR, "plan"], env=environment_of(estate), capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == (desk.grantor("plan").out, "")


def test_the_function_never_reads_the_command_line_from_disk():
    script = "import sys, grantor.reconcile.handler; print(any(name.startswith('grantor.cli') for name in sys.modules))"
    environment = {"PYTHONPATH": str(ROOT / "layers/grantor")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
