"""What a run of `make rights` comes to: one file beside the templates, so that anyone can judge it again in seconds.

Calls are alike where the same permissions of the same holder allowed the same action, or nothing did. Of those the file has the first, with how
often they came, what allowed it, and the policies that it was judged by. So its figures are those of the whole run.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from privilege.judge import Judged
from privilege.permissions import ROOT, Holder, Permission
from privilege.recorded import Asked, Record
from privilege.verdict import allowing, written_of

FILE = ROOT / "privilege/record.jsonl"


@dataclass(frozen=True)
class Kept:
    """The run's result in a line; how many permissions it used (holder, statement and action).

    How many calls a statement allowed, by holder and name; how many were refused, by holder and action.
    """

    summary: str
    used: int
    allowed: Mapping[tuple[str, str], int]
    refused: Mapping[tuple[str, str], int]


def keep(record: Record, judged: Judged, holders: Mapping[str, Holder], summary: str) -> Iterator[str]:
    """The lines of the file."""
    yield json.dumps({"summary": summary})
    alike = _alike(record, allowing(record, judged, holders))
    for digest in sorted({first.policies for first, _, _ in alike}):
        yield json.dumps({"digest": digest, "documents": record.documents[digest]})
    for first, times, by in alike:
        yield json.dumps(_line(first, times, by))


def load(path: Path = FILE) -> Kept:
    """What stands in the file."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    allowed: Counter[tuple[str, str]] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    calls = [line for line in lines if "times" in line]
    for line in calls:
        for holder, statement in {(holder, statement) for holder, statement, _ in line["by"]}:
            allowed[holder, statement] += line["times"]
        if not line["allowed"]:
            refused[line["holder"], line["action"]] += line["times"]
    used = {(holder, statement, line["action"]) for line in calls for holder, statement, _ in line["by"]}
    return Kept(lines[0]["summary"], len(used), allowed, refused)


def today(record: Record, holders: Mapping[str, Holder]) -> Record:
    """The record with the actions that the templates give to each statement now; a statement that they no longer have is gone.

    Resources and conditions are those that were deployed when it was recorded.
    """
    roles = {asked.policies: asked.role for asked in record.asked}
    documents = {
        digest: {name: _today(roles.get(digest, ""), name, policy, holders) for name, policy in policies.items()}
        for digest, policies in record.documents.items()
    }
    return replace(record, documents=documents)


def _today(role: str, policy: str, document: Mapping[str, Any], holders: Mapping[str, Holder]) -> Mapping[str, Any]:
    kept = []
    for statement in document["Statement"]:
        written = written_of(role, policy, statement, holders)
        if written and written.effect == statement["Effect"]:
            kept.append(statement | {"Action": list(written.actions)})
    return {**document, "Statement": kept}


def _alike(record: Record, by: Mapping[Asked, frozenset[Permission]]) -> list[tuple[Asked, int, frozenset[Permission]]]:
    """One for all calls that are alike, of as few policies as can be, in an order that is the same each time."""
    groups: dict[tuple[Any, ...], list[Asked]] = {}
    for asked in record.asked:
        groups.setdefault((asked.holder, asked.action, asked.allowed, tuple(sorted(by[asked]))), []).append(asked)
    wanted = Counter(digest for group in groups.values() for digest in {asked.policies for asked in group})
    chosen = [
        (key, min(group, key=lambda asked: (-wanted[asked.policies], str(asked), asked.keys))) for key, group in groups.items()
    ]
    return [
        (first, sum(record.asked[asked] for asked in groups[key]), by[first])
        for key, first in sorted(chosen, key=lambda it: it[0])
    ]


def _line(asked: Asked, times: int, by: Iterable[Permission]) -> dict[str, Any]:
    """The call as the sandbox records calls, and what is known of it."""
    keys, limits = json.loads(asked.keys), json.loads(asked.limits)
    said = {
        "role": asked.role,
        "action": asked.action,
        "resource": asked.resource,
        "keys": keys,
        "limits": limits,
        "allowed": asked.allowed,
    }
    known = {"times": times, "holder": asked.holder, "by": sorted([it.holder, it.statement, it.resource] for it in by)}
    return said | {"policies": asked.policies} | known
