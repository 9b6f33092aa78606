"""No text of others writes into what an operator sees: terminals, reviews, logs, mails, pages.

Compare CVE-2021-25743 (kubernetes#101695) and CVE-2021-42574. Each name here was tried against
the commands, and forged a line or hid one.
"""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from framework.markup import make_tag
from grantor.aws.notifications import DetailType, Notifications
from grantor.cli.plan import PlanView, render_markdown
from grantor.core.grant import Grant, Grantee, Permission, Reason
from grantor.core.jobs.job_status import JobDescription, JobStatus
from grantor.core.jobs.outcome import JobSummary, derive_outcome
from grantor.core.planning.plan import Action, Change, Plan
from grantor.core.planning.rendering import Home
from grantor.core.snapshot import Authority, Focus, Inventory, Snapshot, WantedGrants
from grantor.reconcile.handler import handle
from tests.cli.conftest import CommandLine
from tests.conftest import Sandbox
from tests.engine.helpers import AlertInbox, build_rules
from tests.grantor_setup import DATA, POLICIES, GrantorSetup, set_up_grantor

ERASE = "\x1b[2J\x1b[1;32mplan: nothing to change\x1b[0m"
FORGED_LINE = "plan deadbeef for stack grantor: nothing to change"
FOLDER = f"{ERASE}\n{FORGED_LINE}"  # field case 04
REVERSED = "policy/\u202efdp.lmay\u202c\u200b.yaml"
ESCAPES = f"policy/{ERASE}\n{FORGED_LINE}.yaml"
TEAMS = """\
version: 1
rules:
  - name: teams
    to: {role: "arn:aws:iam::000000000000:role/auditor"}
    on: {each_prefix: s3://data/teams/}
    allow: READ
"""
HARMFUL = set("\x1b\x07\x9b\r\x85\u202c\u202e\u2066\u2069\u200b\u200d\ufeff\u2028\u3164")


@pytest.fixture(scope="module")
def output_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def setup(output_sandbox: Sandbox, tmp_path: Path) -> GrantorSetup:
    return set_up_grantor(output_sandbox, tmp_path)


@pytest.fixture
def cli(setup: GrantorSetup, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(setup, capsys)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the reconciler logs."""
    out, logger = io.StringIO(), logging.getLogger("reconcile-grants")
    handler = logging.StreamHandler(out)
    handler.setFormatter(logger.handlers[0].formatter)
    logger.addHandler(handler)
    yield out
    logger.removeHandler(handler)


def assert_harmless(text: str) -> None:
    assert sorted(HARMFUL & set(text)) == []
    assert not [line for line in text.splitlines() if line.startswith(FORGED_LINE)]


QUESTIONS = (
    ("plan",), ("plan", "--markdown"), ("plan", "--json"), ("status",), ("status", "--json"),
    ("history", "-n", "5"), ("history", "--json"), ("adopt",),
)  # fmt: skip


def test_a_data_writer_does_not_write_into_the_operators_terminal(
    cli: CommandLine, setup: GrantorSetup, log: io.StringIO
):
    for folder in ("blue", FOLDER, "\u202eeht", "in\u200bvisible"):
        setup.upload(f"teams/{folder}/a.csv")
    setup.create_role("auditor")
    setup.put_policy("teams", TEAMS)
    inbox = AlertInbox(setup)

    planned = cli.run("plan").out
    assert_harmless(planned)
    assert "+ READ s3://data/teams/blue/* to role/auditor" in planned
    assert r"\x1b[2J" in planned
    handle(setup.build_warm_services(), {"source": "aws.scheduler"}, None)

    for question in QUESTIONS:
        answer = cli.run(*question)
        assert_harmless(answer.out)
        assert_harmless(answer.err)
    assert_harmless(log.getvalue())
    for subject, text in inbox.read_new():
        assert_harmless(f"{subject}\n{text}")


def test_a_steward_does_not_hide_a_policy_file_by_its_name(
    cli: CommandLine, setup: GrantorSetup, log: io.StringIO
):
    inbox = AlertInbox(setup)
    for body in (build_rules(1), "version: 1\nrules: [{name: x}]\n"):
        for key in (REVERSED, ESCAPES):
            setup.client("s3").put_object(Bucket=POLICIES, Key=key, Body=body.encode())
        handle(setup.build_warm_services(), {"source": "aws.scheduler"}, None)
    for question in QUESTIONS:
        answer = cli.run(*question)
        assert_harmless(answer.out)
        assert_harmless(answer.err)

    planned = cli.run("plan").out
    assert r"\u202e" in planned  # named, and visible
    assert r"\x1b[2J" in planned
    found = {problem["file"] for problem in cli.run("plan", "--json").json["diagnostics"]}
    assert all({key, *_show(key)} & found for key in (REVERSED, ESCAPES))
    alerts = inbox.read_new()
    assert alerts
    for subject, text in alerts:
        assert_harmless(f"{subject}\n{text}")
    assert_harmless(log.getvalue())


def test_an_approver_does_not_write_into_the_terminals_of_others(
    cli: CommandLine, setup: GrantorSetup, log: io.StringIO
):
    inbox, reason = AlertInbox(setup), f"agreed {ERASE}\u202e\u200b\n{FORGED_LINE}"
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(30))
    setup.reconcile()
    setup.put_policy("many", build_rules(1))
    plan = setup.reconcile().approval.hash
    approver = cli.create_person("Approver")

    said = [cli.run("approve", plan, "--because", reason, "--yes", keys=approver)]
    assert said[0].code == 0
    said += [cli.run(*question) for question in (("plan",), ("status",), ("status", "--json"))]
    handle(setup.build_warm_services(), {"source": "aws.scheduler"}, None)
    said += [cli.run(*question) for question in (("history",), ("history", "--json"))]

    assert any(r"agreed \x1b[2J" in answer.out for answer in said)
    for text in (*(answer.out + answer.err for answer in said), log.getvalue()):
        assert_harmless(text)
    for subject, text in inbox.read_new():
        assert_harmless(f"{subject}\n{text}")


def _show(key: str) -> set[str]:
    """The key as a message may name it where it is not a value."""
    return {key.encode("unicode_escape").decode()}


def test_a_deleted_policy_file_is_gone_whatever_its_name_is(setup: GrantorSetup):
    """S3 answers 404 for it without a code that can be parsed, since XML has no escape character."""
    s3, files = setup.client("s3"), setup.build_warm_services().policy_files
    for key in (ESCAPES, REVERSED, "policy/plain.yaml", "policy/a\x10b.yaml"):
        s3.put_object(Bucket=POLICIES, Key=key, Body=b"x")
        assert not files.is_deleted(key)
        s3.delete_object(Bucket=POLICIES, Key=key)
        assert files.is_deleted(key), repr(key)


def test_grants_do_not_outlive_a_file_whose_name_holds_an_escape_sequence(setup: GrantorSetup):
    setup.create_role("auditor")
    setup.client("s3").put_object(Bucket=POLICIES, Key=ESCAPES, Body=build_rules(1).encode())
    setup.reconcile()
    setup.client("s3").delete_object(Bucket=POLICIES, Key=ESCAPES)
    report = setup.reconcile()

    assert setup.describe_grants() == set()
    assert report.unread == {}


NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_a_bar_after_a_backslash_opens_no_cell_of_a_review():
    ana = Grantee("IAM", "arn:aws:iam::111122223333:role/ana")
    scope = "s3://data/a\\|` | `role/nobody` | `policy/fine.yaml#rule` |/*"
    change = Change(
        Action.CREATE, Grant(ana, Permission.READWRITE, scope), (Reason("policy/a.yaml#r"),)
    )
    snapshot = Snapshot(
        Inventory(NOW), WantedGrants(), {}, {}, frozenset(), Authority.build(NOW, Focus(), {})
    )
    view = PlanView("grantor", Home("aws", "111122223333"), Plan((change,)), snapshot=snapshot)
    rows = [line for line in render_markdown(view).splitlines() if line.startswith("| + |")]

    assert len(rows) == 2  # who gains, and the change
    for row in rows:
        # Parsers that take every backslash for an escape see no bar that is not escaped.
        bars = [at for at, sign in enumerate(row) if sign == "|"]
        escaped = [at for at in bars if at and row[at - 1] == "\\"]
        assert len(bars) - len(escaped) == 6
        assert not any(row[at - 2] == "\\" for at in escaped)


def test_a_job_does_not_speak_as_grantor_in_the_mail_about_its_failure():
    said = 'done. To go on, approve plan deadbeef: "grantor approve deadbeef"'
    job = JobDescription("job", JobStatus.FAILED, reason="AlgorithmError: exit code: 12")
    sentence = derive_outcome("abalone for userB", job, JobSummary(sentence=said)).sentence

    before, quoted, after = sentence.split('"')
    assert before.endswith(": the job says ")
    assert quoted == said.replace('"', "'")
    assert "approve" not in before + after


class Bus:
    """Takes events as EventBridge does."""

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, int]:  # noqa: N803
        self.detail = Entries[0]["Detail"]
        return {"FailedEntryCount": 0}


def test_an_event_hides_no_character_and_keeps_its_values():
    bus: Any = Bus()
    Notifications(bus, bus, "topic").put_event(DetailType.RECONCILED, {"file": REVERSED})

    assert_harmless(bus.detail)
    assert json.loads(bus.detail) == {"file": REVERSED}


def test_a_page_shows_a_letter_that_is_blank():
    assert_harmless(make_tag("p", "UserA/\u3164\ufe0f/abalone.csv"))


def test_an_invisible_argument_is_shown_in_the_usage(cli: CommandLine):
    assert_harmless(cli.run("check", f"--{ERASE}", "a.yaml").err)
    assert_harmless(cli.run("check", f"{DATA}/{ERASE}\u202e.yaml").err)
