"""Whatever a text of others holds, no output has a raw control, bidirectional or invisible
character, and no value makes a line of its own.

The values are arbitrary in every field that a policy author, a data writer, a job, an approver or
AWS fills; new fields are filled without a change here.
"""

import io
import json
import logging
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from check import summarize_file
from framework import formatting
from framework.lines import split_lines
from framework.report import render_page
from grantor.aws.job_store import JobRun, WaitingUpload
from grantor.aws.notifications import DetailType, Notifications, dump_log
from grantor.aws.run_store import RunRecord
from grantor.cli.changing import describe_run, render_report
from grantor.cli.commands import COMMANDS
from grantor.cli.errors import explain_error
from grantor.cli.jobs import JobDetails, _format_jobs
from grantor.cli.main import build_parser
from grantor.cli.output import Output, Progress, print_error, print_traceback
from grantor.cli.plan import PlanView, render_markdown
from grantor.core.diagnostics import Problem
from grantor.core.grant import LedgerEntry, State
from grantor.core.jobs.job_status import JobDescription, JobStatus
from grantor.core.jobs.outcome import derive_outcome, parse_summary
from grantor.core.jobs.unreported import NearMiss
from grantor.core.planning.plan import Action, Change, Plan
from grantor.core.planning.rendering import Home
from grantor.core.snapshot import Authority, Focus, Inventory, Snapshot, WantedGrants
from grantor.jobs import follow_up
from grantor.reconcile import handler
from grantor.reconcile.report import Report, render_problems
from tests.abalone import CONTRACT
from tests.arbitrary_values import build_values, hostile_texts, timestamps
from tests.job_report import manifests
from tests.job_report.reading import read

HOME = Home("aws", "111122223333")
# Written out here a second time: no test of an output may depend on the function that it tests.
INVISIBLE = {
    *(chr(code) for code in (*range(32), *range(0x7F, 0xA0), 0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF)),
    *(chr(code) for code in (*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070))),
    *(chr(code) for code in (0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0xFFF9, 0xFFFB)),
    *(chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xD800, 0xF900), *range(0xE0000, 0xE01F0))),
}  # fmt: skip
FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def assert_safe(text: str, lines: int | None = None) -> None:
    """Nothing in the text is invisible, except the ends of its lines, of which there are so many."""
    assert sorted(INVISIBLE & set(text) - {"\n"}) == []
    if lines is not None:
        assert text.count("\n") == lines, text


def capture(write: Callable[[], object]) -> str:
    """What is written to standard output and standard error."""
    written = io.StringIO()
    with redirect_stdout(written), redirect_stderr(written):
        write()
    return written.getvalue()


def assert_lines_safe(lines: Iterable[str]) -> None:
    """Each item becomes one line, and nothing in it is invisible."""
    listed = list(lines)
    assert_safe(capture(lambda: Output().print_lines(listed)), len(listed))


def assert_json_safe(value: Any) -> None:
    written = capture(lambda: Output(as_json=True).print_json(value))
    assert_safe(written)
    assert json.loads(written) == json.loads(json.dumps(value))


def changes_of(action: Action) -> st.SearchStrategy[tuple[Change, ...]]:
    change = build_values(Change, action=st.just(action), approved_at=timestamps)
    return st.lists(change, min_size=1, max_size=2).map(tuple)


NOW = datetime(2026, 11, 30, tzinfo=UTC)
plans = build_values(
    Plan,
    create=changes_of(Action.CREATE),
    delete=changes_of(Action.DELETE),
    update=changes_of(Action.UPDATE),
)
some_rules = st.lists(hostile_texts, min_size=1, max_size=2).map(tuple)
reports: st.SearchStrategy[Report] = build_values(Report, approved_at=timestamps, rules=some_rules)
runs: st.SearchStrategy[JobRun] = build_values(
    JobRun, at=timestamps, ended=timestamps, status=st.sampled_from([*JobStatus]).map(str)
)


@FEW
@given(plans, reports)
def test_a_plan(plan: Plan, report: Report):
    view = PlanView("grantor", HOME, plan, plan, report=report)

    assert_lines_safe(view.lines())
    assert_json_safe(view.to_json())


@FEW
@given(plans, reports)
def test_a_plan_as_markdown(plan: Plan, report: Report):
    view = PlanView("grantor", HOME, plan, report=report, snapshot=build_snapshot(plan))
    made = render_markdown(view)
    rows = [line for line in made.split("\n") if line.startswith(("| + ", "| - ", "| ~ "))]

    assert_safe(capture(lambda: Output().print_lines(made.split("\n"))))
    assert_safe(made)
    assert len(rows) >= len(plan.changes)
    # As parsers of Markdown part the cells: a bar does not, if an odd number of backslashes is
    # before it, and in other parsers if a backslash is.
    assert {len(split_cells(row, pairs=pairs)) for row in rows for pairs in (True, False)} == {7}


def build_snapshot(plan: Plan) -> Snapshot:
    """What exists: the grants that the plan deletes, and profiles for their roles."""
    grants = [one.grant for one in plan.delete]
    entries = {one: LedgerEntry(one, State.LIVE, frozenset(), "id") for one in grants}
    inventory = Inventory(
        NOW, sharing={one.grantee.identifier: frozenset([one.scope]) for one in grants}
    )
    authority = Authority.build(NOW, Focus(), {})
    return Snapshot(
        inventory, WantedGrants(), entries, dict.fromkeys(grants, "id"), frozenset(), authority
    )


def split_cells(row: str, *, pairs: bool) -> list[str]:
    cells, escaped = [""], False
    for sign in row:
        if sign == "|" and not escaped:
            cells.append("")
        else:
            cells[-1] += sign
        escaped = sign == "\\" and not (pairs and escaped)
    return cells


@FEW
@given(reports)
def test_a_run_and_its_place_in_the_history(report: Report):
    document = report.to_document("grantor")

    assert_lines_safe(render_report(report, HOME, "grantor"))
    assert_json_safe(document)
    assert_lines_safe([describe_run(RunRecord(report.timestamp, report.run_id, document))])


@FEW
@given(
    st.lists(runs, max_size=2),
    st.lists(build_values(WaitingUpload), max_size=2),
    st.lists(build_values(NearMiss), max_size=2),
)
def test_jobs(found: list[JobRun], waiting: list[WaitingUpload], missed: list[NearMiss]):
    now = datetime(2026, 11, 24, tzinfo=UTC)

    assert_lines_safe(_format_jobs(waiting, [(0.0, one) for one in missed], found, now))
    for run in found:
        assert_lines_safe(JobDetails(run, found, (), "eu-west-1", now).lines())


@dataclass
class Recorder:
    """Takes mails and events as the clients of SNS and EventBridge do."""

    mail: dict[str, str]
    event: str = ""

    def publish(self, **given: str) -> None:
        self.mail = given

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, int]:  # noqa: N803
        self.event = Entries[0]["Detail"]
        return {"FailedEntryCount": 0}


@FEW
@given(reports, hostile_texts)
def test_an_alert_and_an_event(report: Report, stack: str):
    sent: Any = Recorder({})
    notifications = Notifications(sent, sent, "topic")
    lines = render_problems(report, HOME, stack)
    document = report.to_document(stack)

    notifications.send_alert(f"Grantor {stack}", lines)
    notifications.put_event(DetailType.RECONCILED, document)

    assert_safe(sent.mail["Message"], max(0, len(lines) - 1))
    assert sent.mail["Subject"].isascii()
    assert sent.mail["Subject"].isprintable()
    assert_safe(sent.event, 0)
    assert json.loads(sent.event) == json.loads(json.dumps(document))


@dataclass
class Names:
    stack_name: str
    home: Home = HOME


@dataclass
class Named:
    names: Names


@FEW
@given(reports, hostile_texts)
def test_the_log_of_a_run(report: Report, stack: str):
    out, logger = io.StringIO(), logging.getLogger("reconcile-grants")
    log = logging.StreamHandler(out)
    log.setFormatter(logger.handlers[0].formatter)
    logger.addHandler(log)
    # pytest would keep the raw records, which xdist cannot send if they hold half a surrogate.
    propagates, logger.propagate = logger.propagate, False
    services: Any = Named(Names(stack))
    try:
        capture(lambda: handler._log_run(services, report))
    finally:
        logger.removeHandler(log)
        logger.propagate = propagates
        handler.logger.remove_keys(["run_id"])

    assert_safe(out.getvalue())
    for line in out.getvalue().splitlines():
        assert_safe(json.loads(line)["message"], 0)


@FEW
@given(
    st.dictionaries(st.sampled_from(["sentence", "outcome", "drift"]), hostile_texts),
    hostile_texts,
    hostile_texts,
)
def test_the_outcome_of_a_job(summary: dict[str, str], message: str, label: str):
    job = JobDescription("job", JobStatus.FAILED, reason=message, message=message)
    outcome = derive_outcome(label, job, parse_summary(json.dumps(summary).encode()))
    sent: Any = Recorder({})

    Notifications(sent, sent, "topic").send_alert(label, follow_up.list_lines(outcome.sentence))

    _, *more = sent.mail["Message"].split("\n")
    assert_safe(sent.mail["Message"])
    assert all(line.startswith("  ") for line in more)
    assert_safe(dump_log({"message": outcome.sentence, "job": label}), 0)


@FEW
@given(hostile_texts, hostile_texts)
def test_an_error(text: str, other: str):
    answer: Any = {"Error": {"Code": text, "Message": other}}
    denied: Any = {
        "Error": {
            "Code": "AccessDenied",
            "Message": f"not authorized to perform: s3:GetObject on resource: {text}",
        }
    }

    for response in (answer, denied):
        said = explain_error(ClientError(response, "GetObject"), COMMANDS[0])
        assert_safe(capture(lambda said=said: print_error(f"grantor: {said}")), 1)
    assert_safe(capture(lambda: print_traceback(ValueError, ValueError(text), None)), 1)
    problem = Problem(text, 1, 1, other, text, other)
    assert_lines_safe([str(problem)])


@FEW
@given(hostile_texts)
def test_a_wrong_argument(text: str):
    def parse() -> None:
        with suppress(SystemExit):  # what holds a space is taken for the name of a file
            build_parser().parse_args(["check", "a", f"--wrong{text}", text])

    assert_safe(capture(parse))


@FEW
@given(hostile_texts, st.dictionaries(hostile_texts, st.integers(1, 9), max_size=3))
def test_the_report_page_of_a_job(text: str, quarantine: dict[str, int]):
    place = {"bucket": text, "key": text, "version": text, "etag": text}
    manifest = manifests.manifest(quarantine=quarantine, drift=[text], job=text, run_id=text)
    manifest["input"] |= place
    manifest |= {"output": text, "access": {"mode": text, "why": text, "grants": [text]}}
    page = render_page(manifest, manifests.manifest(run_id=text))
    plain = render_page(manifests.manifest(drift=["x"]), manifests.manifest())

    assert_safe(page)
    elements = [{one.name for one in read(made).all()} for made in (page, plain)]
    assert elements[0] <= elements[1] | {"ul", "li"}


@FEW
@given(hostile_texts)
def test_the_check_of_a_data_file(text: str):
    lines = list(split_lines(text.encode(errors="surrogatepass")))
    found = summarize_file(lines, CONTRACT, 5)

    for line in found:
        assert_safe(capture(lambda line=line: formatting.print_line(line)), 1)


class Terminal(io.StringIO):
    """A standard error that is a terminal, and what is on its screen."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """The lines as a person sees them: \\r\\x1b[K erases the one that the cursor is in."""
        return [line.rpartition("\r\x1b[K")[2] for line in self.getvalue().split("\n")]


def test_a_progress_line_is_erased_before_any_other_output():
    terminal = Terminal()
    with (
        redirect_stdout(terminal),
        redirect_stderr(terminal),
        Progress("changing \x1bgrants") as task,
    ):
        task._show()
        assert terminal.screen == [r"changing \x1bgrants …"]
        Output().print_line("run 20261130T100000Z: 1 grant created")
        assert terminal.screen == ["run 20261130T100000Z: 1 grant created", ""]
        task.step()
        task._show()
        print_error("it failed")
        task._show()

    assert terminal.screen == ["run 20261130T100000Z: 1 grant created", "it failed", ""]
