"""The record that stands beside the templates, judged again by what these say today; and the proof that this can fail, on the same way.

`make rights` records whole runs and takes minutes; this takes seconds. What a change gives to somebody who does not use it, or takes from
somebody who does, is found here at once.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from privilege.judge import Judged, judge, listed
from privilege.kept import FILE, keep, load, today
from privilege.permissions import TEMPLATES, Holder, holders
from privilege.reasons import load as reasons
from privilege.recorded import Record, read
from privilege.verdict import Report, report

LINES = FILE.read_text().splitlines()


def judged(there: Mapping[str, Holder]) -> tuple[Record, Judged, Report]:
    record = today(read(LINES, there), there)
    verdicts = judge(record)
    return record, verdicts, report(record, verdicts, there, reasons())


def calls(lines: Iterable[str]) -> list[Any]:
    """The calls that stand there; what is left out are the policies."""
    return [line for line in map(json.loads, lines) if "times" in line]


def changed(folder: Path, before: str, after: str) -> dict[str, Holder]:
    """What the templates would give if this stood in template.yaml."""
    written = TEMPLATES[0].read_text()
    assert before in written
    (folder / "template.yaml").write_text(written.replace(before, after, 1))
    return holders((folder / "template.yaml", *TEMPLATES[1:]))


def test_every_call_that_was_recorded_is_allowed_by_the_templates_of_today_and_needs_all_that_they_give():
    there = holders()
    record, verdicts, made = judged(there)

    assert (made.denied, made.unexplained, made.misfits, made.wide, made.stale) == ((), (), (), (), ())
    assert made.summary == load().summary
    assert calls(keep(record, verdicts, there, made.summary)) == calls(LINES)


def test_a_permission_that_is_taken_from_a_role_is_missed(tmp_path: Path):
    there = changed(tmp_path, "                  - dynamodb:Scan\n", "")
    _, _, made = judged(there)

    (said,) = made.denied
    assert said.startswith("ReconcileGrantsRole: dynamodb:Scan: ImplicitlyDenied, though the sandbox allowed it (")


def test_a_statement_that_is_taken_from_a_person_is_missed(tmp_path: Path):
    statement = "          - Sid: TakeDeadLetters\n            Effect: Allow\n"
    there = changed(tmp_path, statement, statement.replace("Allow", "Deny"))
    _, _, made = judged(there)

    denied = {said.partition(": ")[2].partition(":")[0] + ":" + said.split(":")[2] for said in made.denied}
    assert denied == {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "                Action: s3:ListBucketVersions\n",
            "                Action: [s3:ListBucketVersions, s3:GetBucketPolicy]\n",
            "StartSparkJobRole SeeVersionsOfData: s3:GetBucketPolicy on ${DataBucket.Arn}: no recorded call used it",
        ),
        (
            "            Action: sqs:SendMessage\n            Resource: !GetAtt Bells.Arn\n",
            "            Action: [sqs:SendMessage, sqs:PurgeQueue]\n            Resource: !GetAtt Bells.Arn\n",
            "Approver Ring: sqs:PurgeQueue on ${Bells.Arn}: no recorded call used it",
        ),
        (
            "          - Sid: FindTraces",
            "          - {Sid: More, Effect: Allow, Action: s3:GetBucketPolicy, Resource: !GetAtt DataBucket.Arn}\n          - Sid: FindTraces",
            "Reader More: s3:GetBucketPolicy on ${DataBucket.Arn}: no recorded call used it",
        ),
    ],
    ids=["to a role", "to a person", "by a statement of its own"],
)
def test_a_permission_that_is_given_beyond_need_is_named(tmp_path: Path, before: str, after: str, said: str):
    _, _, made = judged(changed(tmp_path, before, after))

    assert (made.denied, made.unexplained) == ((), (said,))


def test_each_permission_that_was_used_would_be_missed():
    """Each of them is taken away by itself, from the policies that its call was judged by: the second judge then denies that call."""
    there = holders()
    lines = [json.loads(line) for line in LINES[1:]]
    documents = {line["digest"]: line["documents"] for line in lines if "digest" in line}
    lone = [line for line in lines if "by" in line and len({(holder, name) for holder, name, _ in line["by"]}) == 1]
    without = [
        [
            {"digest": str(number), "documents": taken(documents[line["policies"]], line["by"][0][1], line["action"])},
            {**line, "policies": str(number)},
        ]
        for number, line in enumerate(lone)
    ]
    record = read((json.dumps(line) for pair in without for line in pair), there)
    verdicts = judge(record).verdicts

    assert len({(holder, name, line["action"]) for line in lone for holder, name, _ in line["by"]}) == load().used
    assert {str(asked): verdict.verdict for asked, verdict in verdicts.items() if verdict.verdict != "ImplicitlyDenied"} == {}


def taken(policies: dict[str, Any], name: str, action: str) -> dict[str, Any]:
    """The policies, without this action in the statement of this name."""
    copy = json.loads(json.dumps(policies))
    for policy, document in copy.items():
        for statement in document["Statement"]:
            if statement.get("Sid", policy) == name:
                statement["Action"] = [one for one in listed(statement["Action"]) if one != action]
        document["Statement"] = [statement for statement in document["Statement"] if statement["Action"]]
    return copy
