"""The report on a small record: its counts, and what is missing, needless, impossible or stale."""

import json
from pathlib import Path
from typing import Any

from iam_audit.audit_report import AuditReport, build_report
from iam_audit.judge import judge_requests
from iam_audit.permissions import read_holders
from iam_audit.reasons import load_reasons
from iam_audit.recording import read_record

HERE = Path(__file__).parent
REASONS = "refusals: {UserARole: {s3:GetObject: its own role has no right to data}}"
LINES = [json.loads(line) for line in (HERE / "small.jsonl").read_text().splitlines()]
GRANT = "arn:aws:s3:us-east-1:000000000000:access-grants/default/grant/*"


def report_on(
    tmp_path: Path, lines: list[Any], template: str, reasons: str = REASONS
) -> AuditReport:
    (tmp_path / "template.yaml").write_text(template)
    there = read_holders((tmp_path / "template.yaml",))
    record = read_record(map(json.dumps, lines), there)
    return build_report(record, judge_requests(record), there, load_reasons(reasons))


def read_template() -> str:
    return (HERE / "small.yaml").read_text()


def copy_record() -> list[Any]:
    """The record, as a copy to change."""
    return json.loads(json.dumps(LINES))


def test_what_was_recorded_is_enough_and_needed(tmp_path: Path):
    made = report_on(tmp_path, LINES, read_template())

    assert made.faults == ()
    assert made.summary == (
        "5 calls judged (1 refused on purpose), 0 denied, 0 unused permissions without a reason, 0 with one"
    )


def test_a_permission_that_is_taken_away_denies_a_call_of_its_role(tmp_path: Path):
    lines = copy_record()
    del lines[0]["documents"]["reconcile"]["Statement"][0]
    made = report_on(tmp_path, lines, read_template())

    [said] = made.denied
    assert said.startswith(
        "ReconcileGrantsRole: s3:GetObject: ImplicitlyDenied, though the sandbox allowed it (2 times, first on "
    )
    assert said.endswith(
        "arn:aws:s3:::policies/policy/article.yaml by grantor-ReconcileGrantsRole-701C83D728C26)"
    )


def test_a_permission_that_nobody_uses_is_named_with_its_role(tmp_path: Path):
    more = read_template().replace("Action: s3:GetObject,", "Action: [s3:GetObject, s3:PutObject],")
    lines = copy_record()
    lines[0]["documents"]["reconcile"]["Statement"][0]["Action"] = ["s3:GetObject", "s3:PutObject"]
    made = report_on(tmp_path, lines, more)

    assert made.unexplained == (
        "ReconcileGrantsRole ReadPolicyFiles: s3:PutObject on ${PolicyBucket.Arn}/policy/*: no recorded call used it",
    )


def test_a_reason_excuses_it(tmp_path: Path):
    more = read_template().replace("Action: s3:GetObject,", "Action: [s3:GetObject, s3:PutObject],")
    why = f"{REASONS}\nunused: {{ReconcileGrantsRole: {{ReadPolicyFiles: {{s3:PutObject: one day}}}}}}"
    made = report_on(tmp_path, LINES, more, why)

    assert made.faults == ()
    assert [f"{permission.action}: {said}" for permission, said in made.unused.items()] == [
        "s3:PutObject: one day"
    ]


def test_a_reason_that_nothing_needs_is_stale(tmp_path: Path):
    why = f"{REASONS}\nunused: {{ReconcileGrantsRole: {{ReadPolicyFiles: {{s3:GetObject: it is used}}}}}}"
    made = report_on(tmp_path, LINES, read_template(), why)

    assert made.stale == (
        "iam_audit/reasons.yaml has a reason that nothing needs: unused ReconcileGrantsRole ReadPolicyFiles s3:GetObject",
    )


def test_an_action_on_a_resource_that_it_does_not_have_is_reported(tmp_path: Path):
    wrong = read_template().replace("access-grants/default\n", "access-grants/default/grant/*\n")
    lines = copy_record()
    lines[1]["documents"]["ask-access-grants"]["Statement"][0]["Resource"] = GRANT
    made = report_on(tmp_path, lines, wrong)

    assert [said.partition(" on ")[0] for said in made.mismatched] == [
        "UserARole ask-access-grants: s3:GetDataAccess"
    ]
    assert made.mismatched[0].endswith("/grant/*: AWS knows no such resource for this action")


def test_an_action_on_everything_that_could_be_narrower_is_reported(tmp_path: Path):
    wide = read_template().replace("${PolicyBucket.Arn}/policy/*", "*")
    lines = copy_record()
    lines[0]["documents"]["reconcile"]["Statement"][0]["Resource"] = "*"
    made = report_on(tmp_path, lines, wide)

    assert made.broad == (
        "ReconcileGrantsRole ReadPolicyFiles: s3:GetObject on *: AWS knows narrower resources for this action",
    )


def test_a_call_on_a_resource_that_its_action_does_not_have_is_denied(tmp_path: Path):
    lines = copy_record()
    lines[6]["resource"] = GRANT.replace("*", "f6a45d8c")
    made = report_on(tmp_path, lines, read_template())

    assert made.denied[0].startswith("UserARole: s3:GetDataAccess: Error: no.resource.types")


def test_a_grant_without_the_stacks_tag_cannot_be_revoked(tmp_path: Path):
    lines = copy_record()
    lines[5]["keys"]["aws:resourcetag/grantor:stack"] = "another"
    made = report_on(tmp_path, lines, read_template())

    assert made.denied[0].startswith(
        "ReconcileGrantsRole: s3:DeleteAccessGrant: ImplicitlyDenied, though the sandbox allowed it"
    )


def test_a_condition_on_a_key_that_the_request_cannot_have_allows_nothing(tmp_path: Path):
    lines = copy_record()
    lines[0]["documents"]["reconcile"]["Statement"][0]["Condition"] = {
        "StringEquals": {"s3:AccessGrantScope": "s3://policies/*"}
    }
    lines[3]["keys"]["s3:accessgrantscope"] = lines[4]["keys"]["s3:accessgrantscope"] = (
        "s3://policies/*"
    )
    made = report_on(tmp_path, lines, read_template())

    assert made.denied[0].startswith("ReconcileGrantsRole: s3:GetObject: ImplicitlyDenied")


def test_an_unintended_refusal_is_reported(tmp_path: Path):
    made = report_on(tmp_path, LINES, read_template(), "{}")

    assert made.denied[0].startswith(
        "UserARole: s3:GetObject: refused, and no reason says that it should be"
    )


def test_a_call_that_the_sandbox_refuses_and_the_policies_allow_is_reported(tmp_path: Path):
    lines = copy_record()
    lines[6]["allowed"] = False
    made = report_on(tmp_path, lines, read_template())

    assert made.denied[0].startswith(
        "UserARole: s3:GetDataAccess: refused by the sandbox, though the policies allow it"
    )
