"""Records whole runs, and reads what was recorded.

A record is JSON lines, as the sandbox writes them for each decision of IAM (SANDBOX_JUDGEMENTS), or
what was kept of a run. There `times` says how often a call came, and the first line, a summary, is
skipped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iam_audit.permissions import ROOT, PolicyHolder

RECORD_FOLDER = ROOT / "build/iam-audit"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-n", "2")
RUNS = {
    "demo": (sys.executable, "-m", "demo"),
    "scenarios": (sys.executable, "-m", "iam_audit.scenarios"),
    "cli": (*PYTEST, "tests/cli"),
    "teardown": (
        *PYTEST,
        "tests/teardown/test_delete.py",
        "-k",
        "first_attempt or slow_app or job",
    ),
}


@dataclass(frozen=True)
class RecordedRequest:
    """One request, by a role of the stack or by a person with its managed policies.

    `holder` names the role or the managed policies.
    """

    holder: str
    role: str
    action: str
    resource: str
    keys: str  # JSON: the condition keys
    policies: str  # digest of the policies that it was judged by
    limits: str  # JSON: the statements of each session policy
    allowed: bool

    def __str__(self) -> str:
        return f"{self.holder} ({self.role}): {self.action} on {self.resource}"


@dataclass(frozen=True)
class RequestRecord:
    """Requests with how often each came, and the policies that they were judged by.

    `others` counts the requests by roles with a policy that is not the stack's.
    """

    requests: Counter[RecordedRequest]
    documents: Mapping[str, Mapping[str, Any]]  # by digest: policy documents by name
    others: int


class IncompleteRecordError(ValueError):
    """A line of the record names policies that the record does not contain."""


def record_runs(folder: Path) -> None:
    """Make each run, and have its servers write their decisions below the folder.

    Raises CalledProcessError for a run that fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for name, command in RUNS.items():
        print(f"recording: {name}", flush=True)
        environment = os.environ | {"SANDBOX_JUDGEMENTS": str(folder / name)}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)


def read_record(lines: Iterable[str], holders: Mapping[str, PolicyHolder]) -> RequestRecord:
    """The record of these lines, of one or several servers. Raises IncompleteRecordError."""
    documents: dict[str, Any] = {}
    requests: Counter[RecordedRequest] = Counter()
    others = 0
    for line in map(json.loads, lines):
        if "summary" in line:
            continue
        if "digest" in line:
            documents[line["digest"]] = line["documents"]
            continue
        digest, role = line["policies"], line["role"]
        if digest not in documents:
            raise IncompleteRecordError(f"the record lacks the policies {digest} of {role}")
        names = {find_holder(role, policy, holders) for policy in documents[digest]}
        if names and "" not in names:
            own = find_holder(role, "", holders)  # a role of the stack, whatever it has attached
            holder = own or "+".join(sorted(names))
            request = _build_request(line, holder, documents[digest])
            requests[request] += line.get("times", 1)
        else:  # the role also has a policy of somebody else's
            others += 1
    return RequestRecord(requests, documents, others)


def find_holder(role: str, policy: str, holders: Mapping[str, PolicyHolder]) -> str:
    """The logical id of the role or managed policy that a deployed policy belongs to.

    Returns "" if it is not the stack's.
    """
    deployed = policy.rpartition("/")[2] if policy.startswith("arn:") else role
    matching = (holder.name for holder in holders.values() if _matches_holder(deployed, holder))
    return next(matching, "")


def _matches_holder(deployed: str, holder: PolicyHolder) -> bool:
    if holder.deployed:  # a name from the template, perhaps with parameters in it
        pattern = ".+".join(map(re.escape, re.split(r"\$\{[^}]*\}", holder.deployed)))
        return re.fullmatch(pattern, deployed) is not None
    return re.fullmatch(rf".+-{holder.name}-[0-9A-Za-z]+", deployed) is not None


def _build_request(
    line: dict[str, Any], holder: str, documents: Mapping[str, Any]
) -> RecordedRequest:
    # A key that no policy names decides nothing, and would make equal requests differ.
    policies = json.dumps([documents, line["limits"]]).lower()
    keys = {
        key: _to_strings(value)
        for key, value in line["keys"].items()
        if key.lower() in policies or key == "aws:PrincipalArn"
    }
    return RecordedRequest(
        holder=holder,
        role=line["role"],
        action=line["action"],
        resource=line["resource"],
        keys=json.dumps(keys, sort_keys=True),
        policies=line["policies"],
        limits=json.dumps(line["limits"], sort_keys=True),
        allowed=line["allowed"],
    )


def _to_strings(value: Any) -> Any:
    return [str(it) for it in value] if isinstance(value, list) else str(value)
