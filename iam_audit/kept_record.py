"""What is kept of a run of `make audit-iam`: one file, which can be judged again in seconds.

Calls are alike if the same permissions of the same holder allowed the same action, or if nothing
allowed it. The file has the first of each group, with how often they came, what allowed them, and
the policies that they were judged by. So its counts are those of the whole run.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iam_audit.audit_report import find_allowing, find_statement
from iam_audit.judge import Judgement
from iam_audit.permissions import ROOT, Permission, PolicyHolder
from iam_audit.recording import RecordedRequest, RequestRecord

KEPT_FILE = ROOT / "iam_audit/record.jsonl"

RequestGroup = tuple[RecordedRequest, int, frozenset[Permission]]  # first, times, allowed by


@dataclass(frozen=True)
class KeptRecord:
    """The summary of a run, and how many permissions it used (holder, statement and action).

    `allowed` are the calls by holder and statement, `refused` those by holder and action.
    """

    summary: str
    used: int
    allowed: Mapping[tuple[str, str], int]
    refused: Mapping[tuple[str, str], int]


def encode_record(
    record: RequestRecord,
    judged: Judgement,
    holders: Mapping[str, PolicyHolder],
    summary: str,
) -> Iterator[str]:
    """The lines of the file."""
    yield json.dumps({"summary": summary})
    groups = _group_requests(record, find_allowing(record, judged, holders))
    for digest in sorted({first.policies for first, _, _ in groups}):
        yield json.dumps({"digest": digest, "documents": record.documents[digest]})
    for first, times, allowed_by in groups:
        yield json.dumps(_encode_group(first, times, allowed_by))


def load_record(path: Path = KEPT_FILE) -> KeptRecord:
    """Read the file."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    allowed: Counter[tuple[str, str]] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    used = set()
    for line in lines:
        if "times" not in line:
            continue
        for holder, statement in {(holder, statement) for holder, statement, _ in line["by"]}:
            allowed[holder, statement] += line["times"]
            used.add((holder, statement, line["action"]))
        if not line["allowed"]:
            refused[line["holder"], line["action"]] += line["times"]
    return KeptRecord(lines[0]["summary"], len(used), allowed, refused)


def apply_templates(record: RequestRecord, holders: Mapping[str, PolicyHolder]) -> RequestRecord:
    """The record with the actions that the templates give to each statement now.

    A statement that they no longer have is dropped. Resources, conditions and whole statements that
    deny stay as they were deployed when the run was recorded.
    """
    roles = {request.policies: request.role for request in record.requests}
    documents = {
        digest: {
            name: _update_policy(roles.get(digest, ""), name, policy, holders)
            for name, policy in policies.items()
        }
        for digest, policies in record.documents.items()
    }
    return replace(record, documents=documents)


def _update_policy(
    role: str, policy: str, document: Mapping[str, Any], holders: Mapping[str, PolicyHolder]
) -> Mapping[str, Any]:
    statements = []
    for statement in document["Statement"]:
        written = find_statement(role, policy, statement, holders)
        if written and written.effect == statement["Effect"]:
            allows = written.effect == "Allow"
            statements.append(statement | ({"Action": list(written.actions)} if allows else {}))
    return {**document, "Statement": statements}


def _group_requests(
    record: RequestRecord, allowing: Mapping[RecordedRequest, frozenset[Permission]]
) -> list[RequestGroup]:
    """One entry for all calls that are alike, with few policies and in a fixed order."""
    groups: dict[tuple[Any, ...], list[RecordedRequest]] = {}
    for it in record.requests:
        key = (it.holder, it.action, it.allowed, tuple(sorted(allowing[it])))
        groups.setdefault(key, []).append(it)
    wanted = Counter(
        digest for group in groups.values() for digest in {it.policies for it in group}
    )

    def rank(request: RecordedRequest) -> tuple[int, str, str]:
        return -wanted[request.policies], str(request), request.keys

    chosen = [(key, min(group, key=rank)) for key, group in groups.items()]
    return [
        (first, sum(record.requests[it] for it in groups[key]), allowing[first])
        for key, first in sorted(chosen, key=lambda it: it[0])
    ]


def _encode_group(
    request: RecordedRequest, times: int, allowed_by: Iterable[Permission]
) -> dict[str, Any]:
    """The call as the sandbox records calls, with what is known of its group."""
    return {
        "role": request.role,
        "action": request.action,
        "resource": request.resource,
        "keys": json.loads(request.keys),
        "limits": json.loads(request.limits),
        "allowed": request.allowed,
        "policies": request.policies,
        "times": times,
        "holder": request.holder,
        "by": sorted([it.holder, it.statement, it.resource] for it in allowed_by),
    }
