"""The record of a run: JSON lines as sandbox/server/judgements.py writes them, equal requests as one with how often they came.

Or of what was kept of a run (`times` for how often a call came); its first line, a summary, is passed over.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from privilege.permissions import Holder


@dataclass(frozen=True)
class Asked:
    """One request of one of the stack's roles, and of whoever has its managed policies; `holder` names what it was judged by."""

    holder: str
    role: str
    action: str
    resource: str
    keys: str  # JSON
    policies: str  # digest
    limits: str  # JSON: of each policy of the session the statements
    allowed: bool

    def __str__(self) -> str:
        return f"{self.holder} ({self.role}): {self.action} on {self.resource}"


@dataclass(frozen=True)
class Record:
    """Requests with how often each came, the policies that they were judged by, and how many were of roles with policies that are not the stack's."""

    asked: Counter[Asked]
    documents: Mapping[str, Mapping[str, Any]]  # by digest: policy documents by name
    others: int


class Incomplete(ValueError):
    """A line of the record names policies that stand in none."""


def read(lines: Iterable[str], holders: Mapping[str, Holder]) -> Record:
    """The record of these lines, which may be of several servers; raises Incomplete."""
    documents: dict[str, Any] = {}
    asked: Counter[Asked] = Counter()
    others = 0
    for line in map(json.loads, lines):
        if "summary" in line:
            continue
        if "digest" in line:
            documents[line["digest"]] = line["documents"]
            continue
        if line["policies"] not in documents:
            raise Incomplete(f"the record has no policies {line['policies']}, by which {line['role']} was judged")
        names = {holder_of(line["role"], policy, holders) for policy in documents[line["policies"]]}
        if names and "" not in names:  # who also has a policy of somebody else's is not bound by the stack's
            asked[_asked(line, "+".join(sorted(names)), documents[line["policies"]])] += line.get("times", 1)
        else:
            others += 1
    return Record(asked, documents, others)


def holder_of(role: str, policy: str, holders: Mapping[str, Holder]) -> str:
    """The logical id of the role or managed policy that a policy of a deployed role belongs to; "" if it is none of the stack's."""
    deployed = policy.rpartition("/")[2] if policy.startswith("arn:") else role
    return next((holder.name for holder in holders.values() if _is(deployed, holder)), "")


def _is(deployed: str, holder: Holder) -> bool:
    if holder.deployed:  # its own name, in which parameters may stand
        pattern = ".+".join(map(re.escape, re.split(r"\$\{[^}]*\}", holder.deployed)))
        return re.fullmatch(pattern, deployed) is not None
    return re.fullmatch(rf".+-{holder.name}-[0-9A-Za-z]+", deployed) is not None


def _asked(line: dict[str, Any], holder: str, documents: Mapping[str, Any]) -> Asked:
    # A key that no policy names decides nothing, and would make requests different that are not.
    named = json.dumps([documents, line["limits"]]).lower()
    keys = {key: value for key, value in line["keys"].items() if key.lower() in named or key == "aws:PrincipalArn"}
    told = json.dumps({key: _plain(value) for key, value in keys.items()}, sort_keys=True)
    limits = json.dumps(line["limits"], sort_keys=True)
    return Asked(holder, line["role"], line["action"], line["resource"], told, line["policies"], limits, line["allowed"])


def _plain(value: Any) -> Any:
    return [str(it) for it in value] if isinstance(value, list) else str(value)
