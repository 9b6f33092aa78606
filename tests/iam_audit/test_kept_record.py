"""The kept record, judged again with the templates of today; and the proof that this can fail.

`make audit-iam` records whole runs and takes minutes; this takes seconds. It finds at once a
permission that a change gives to somebody who does not use it, or takes from somebody who does.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from iam_audit.audit_report import AuditReport, build_report
from iam_audit.judge import Judgement, as_list, judge_requests
from iam_audit.kept_record import KEPT_FILE, apply_templates, encode_record, load_record
from iam_audit.permissions import TEMPLATES, PolicyHolder, read_holders
from iam_audit.reasons import load_reasons as reasons
from iam_audit.recording import RequestRecord, read_record

LINES = KEPT_FILE.read_text().splitlines()


def judge_record(there: Mapping[str, PolicyHolder]) -> tuple[RequestRecord, Judgement, AuditReport]:
    record = apply_templates(read_record(LINES, there), there)
    verdicts = judge_requests(record)
    return record, verdicts, build_report(record, verdicts, there, reasons())


def list_calls(lines: Iterable[str]) -> list[Any]:
    """The calls of a record, without the policies."""
    return [line for line in map(json.loads, lines) if "times" in line]


def change_template(folder: Path, before: str, after: str) -> dict[str, PolicyHolder]:
    """The holders of the templates with this change of template.yaml."""
    written = TEMPLATES[0].read_text()
    assert before in written
    (folder / "template.yaml").write_text(written.replace(before, after, 1))
    return read_holders((folder / "template.yaml", *TEMPLATES[1:]))


def test_the_templates_of_today_allow_every_recorded_call_and_give_nothing_more():
    there = read_holders()
    record, verdicts, made = judge_record(there)

    assert (made.denied, made.unexplained, made.mismatched, made.broad, made.stale) == (
        (),
        (),
        (),
        (),
        (),
    )
    assert made.summary == load_record().summary
    assert list_calls(encode_record(record, verdicts, there, made.summary)) == list_calls(LINES)


def test_a_permission_that_is_taken_from_a_role_is_missed(tmp_path: Path):
    there = change_template(tmp_path, "                  - dynamodb:Scan\n", "")
    _, _, made = judge_record(there)

    (said,) = made.denied
    assert said.startswith(
        "ReconcileGrantsRole: dynamodb:Scan: ImplicitlyDenied, though the sandbox allowed it ("
    )


def test_a_statement_that_is_taken_from_a_person_is_missed(tmp_path: Path):
    statement = "          - Sid: ReceiveDeadLetters\n            Effect: Allow\n"
    there = change_template(tmp_path, statement, statement.replace("Allow", "Deny"))
    _, _, made = judge_record(there)

    denied = {
        said.partition(": ")[2].partition(":")[0] + ":" + said.split(":")[2] for said in made.denied
    }
    assert denied == {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "                Action: s3:ListBucketVersions\n",
            "                Action: [s3:ListBucketVersions, s3:GetBucketPolicy]\n",
            "StartSparkJobRole ListDataVersions: s3:GetBucketPolicy on ${DataBucket.Arn}: no recorded call used it",
        ),
        (
            "            Action: sqs:SendMessage\n            Resource: !GetAtt EventQueue.Arn\n",
            "            Action: [sqs:SendMessage, sqs:PurgeQueue]\n            Resource: !GetAtt EventQueue.Arn\n",
            "Approver EnqueueEvent: sqs:PurgeQueue on ${EventQueue.Arn}: no recorded call used it",
        ),
        (
            "          - Sid: ListTraces",
            "          - {Sid: More, Effect: Allow, Action: s3:GetBucketPolicy, Resource: !GetAtt DataBucket.Arn}\n          - Sid: ListTraces",
            "Reader More: s3:GetBucketPolicy on ${DataBucket.Arn}: no recorded call used it",
        ),
    ],
    ids=["to a role", "to a person", "by a statement of its own"],
)
def test_a_permission_without_need_is_named(tmp_path: Path, before: str, after: str, said: str):
    _, _, made = judge_record(change_template(tmp_path, before, after))

    assert (made.denied, made.unexplained) == ((), (said,))


def test_each_permission_that_was_used_would_be_missed():
    """Each is removed by itself from the policies of its call, which the simulator then denies."""
    there = read_holders()
    lines = [json.loads(line) for line in LINES[1:]]
    documents = {line["digest"]: line["documents"] for line in lines if "digest" in line}
    lone = [
        line
        for line in lines
        if "by" in line and len({(holder, name) for holder, name, _ in line["by"]}) == 1
    ]
    without = [
        [
            {
                "digest": str(number),
                "documents": remove_action(
                    documents[line["policies"]], line["by"][0][1], line["action"]
                ),
            },
            {**line, "policies": str(number)},
        ]
        for number, line in enumerate(lone)
    ]
    record = read_record((json.dumps(line) for pair in without for line in pair), there)
    verdicts = judge_requests(record).verdicts

    assert (
        len({(holder, name, line["action"]) for line in lone for holder, name, _ in line["by"]})
        == load_record().used
    )
    assert {
        str(asked): verdict.verdict
        for asked, verdict in verdicts.items()
        if verdict.verdict != "ImplicitlyDenied"
    } == {}


def remove_action(policies: dict[str, Any], name: str, action: str) -> dict[str, Any]:
    """The policies without this action in the statement of this name."""
    copy = json.loads(json.dumps(policies))
    for policy, document in copy.items():
        for statement in document["Statement"]:
            if statement.get("Sid", policy) == name:
                statement["Action"] = [one for one in as_list(statement["Action"]) if one != action]
        document["Statement"] = [
            # One that denies may have NotAction in its place.
            statement
            for statement in document["Statement"]
            if statement.get("Action", "NotAction" in statement)
        ]
    return copy
