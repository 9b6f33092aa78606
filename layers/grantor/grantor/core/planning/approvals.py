"""Who may approve a plan, and who has: what people said about it, judged against who wrote the
policy files that it brings into force.

An approval counts if it names the plan's hash and its nonce. The nonce is written by the run that
first computes the plan, stays while the same plan is pending, and goes with it, so an approval is
used once. Who has said it is the caller's id, which IAM binds to the item; everything else in the
item is what the person's own client wrote.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from grantor.core.diagnostics import dump_json
from grantor.core.planning.guard import GuardLimits, Objection, ObjectionKind
from grantor.core.snapshot import TOTAL
from grantor.core.triggers import PolicyWrite
from grantor.settings import APPROVAL_LIFETIME

OBJECTION_SENTENCES = {  # with the objection, the guard's limits, and `count` grants in words
    ObjectionKind.RULE_EMPTIED: "rule {0.about} gave {2} and gives none any more",
    ObjectionKind.FILE_DELETED: "{0.about} is deleted, which takes {2}",
    ObjectionKind.NO_RULES: "the policy files contain no rules",
    ObjectionKind.DOMAIN_EMPTIED: (
        "Studio domain {0.about} has lost all its profiles; it had {0.count}"
    ),
    ObjectionKind.SWAP: "{0.count} grantees lose {0.about}, and {0.of} others get it",
    ObjectionKind.OTHER_ACCOUNT: "it gives {2} to the other account {0.about}",
    ObjectionKind.WHOLE_BUCKET: "it gives {2} for the whole bucket {0.about}",
    ObjectionKind.MANY_NEW_GRANTS: (
        "{0.about} gives {0.count} new grants in 24 hours: more than {1.new_grants}"
    ),
    ObjectionKind.FIRST_WRITES: ("{0.about} gave READ only, and now gives {2} for writing"),
}


@dataclass(frozen=True)
class Decision:
    """What one person said about a pending plan: whether to approve it, and why.

    `user` is the id of the caller (aws:userid), `claimed` the ARN that the client wrote. An
    approval may stand `despite` rejections, which it names by their ids.
    """

    user: str
    nonce: str
    approves: bool
    because: str
    claimed: str = ""
    id: str = ""
    despite: frozenset[str] = frozenset()

    @property
    def who(self) -> str:
        """The person, as both the account and the client name them.

        >>> Decision("AROA1:ana", "n", True, "ok", "arn:aws:sts::1:assumed-role/r/ana").who
        'AROA1:ana (arn:aws:sts::1:assumed-role/r/ana, as the client says)'
        >>> Decision("AROA1:ana", "n", True, "ok").who
        'AROA1:ana'
        """
        return f"{self.user} ({self.claimed}, as the client says)" if self.claimed else self.user

    def to_json(self) -> dict[str, Any]:
        return {"user_id": self.user, "claimed_arn": self.claimed or None, "because": self.because}


@dataclass(frozen=True)
class PendingPlan:
    """A plan that requires an approval, as the last run that computed it recorded it: full hash,
    nonce, when a run first and last computed it (timestamps), causes, counts (docs/json.md).

    `brought` is the digest of the policy versions that it brings into force, `content` that of its
    stored document, which has so many parts (0: too large to be stored), and `noted` has the ids
    of the rejections that the history has.
    """

    hash: str
    nonce: str
    since: str
    at: str
    causes: tuple[str, ...]
    counts: Mapping[str, int]
    brought: str = ""
    content: str = ""
    parts: int = 0
    noted: frozenset[str] = frozenset()

    def count_changes(self) -> int:
        """How many changes the plan has."""
        return sum(self.counts[name] for name in ("to_create", "to_delete", "to_update"))

    def is_current(self, now: datetime) -> bool:
        """Whether a run has computed the plan lately; otherwise its nonce has expired."""
        return now - datetime.fromisoformat(self.at) <= APPROVAL_LIFETIME

    def is_same(self, brought: str, now: datetime) -> bool:
        """Whether a run that computes this hash, and brings these versions into force, goes on with
        this plan and its nonce. A run that brings none goes on with what another has accepted.
        """
        return self.is_current(now) and brought in ("", self.brought)

    def go_on_with(self, known: "PendingPlan | None", now: datetime) -> "PendingPlan":
        """This plan with the nonce of the recorded one, if it is the same."""
        if not known or not known.is_same(self.brought, now):
            return self
        return replace(self, nonce=known.nonce, since=known.since, brought=known.brought)


@dataclass(frozen=True)
class Authors:
    """Who wrote what a plan brings into force, and the files of which nobody knows."""

    writes: tuple[PolicyWrite, ...] = ()
    unknown: tuple[str, ...] = ()

    def find_by(self, user: str) -> PolicyWrite | None:
        """What this caller wrote of it; None if nothing, as far as is known."""
        return next((write for write in self.writes if write.is_by(user)), None)


def digest_versions(brought: Mapping[str, str]) -> str:
    """The digest of the versions that a plan brings into force, by file; "" if it brings none."""
    return (
        hashlib.sha256(dump_json(sorted(brought.items())).encode()).hexdigest() if brought else ""
    )


def decode_versions(policy: Mapping[str, Any]) -> dict[str, str]:
    """The versions that a plan brings into force, from the member `policy` of its document.

    >>> decode_versions({"accepted": [{"file": "a", "version": "v1"}], "deleted": ["b"]})
    {'a': 'v1', 'b': ''}
    """
    new = {one["file"]: one["version"] for one in policy["accepted"]}
    return new | dict.fromkeys(policy["deleted"], "")


def find_authors(
    brought: Mapping[str, str], accepted_at: Mapping[str, str], writes: Iterable[PolicyWrite]
) -> Authors:
    """The authors of the versions that a plan brings into force, by file; "" stands for a deletion.

    Whoever has written a file since its accepted version is an author of the new one, which may
    hold what they wrote. `accepted_at` are timestamps.
    """
    counted = tuple(
        sorted(
            (
                write
                for write in writes
                if write.file in brought
                and (
                    write.version == brought[write.file] != ""
                    or write.at >= accepted_at.get(write.file, "")
                )
            ),
            key=lambda write: (write.file, write.at, write.principal),
        )
    )
    known = {write.file for write in counted if write.version in ("", brought[write.file])}
    return Authors(counted, tuple(sorted(brought.keys() - known)))


def describe_objection(objection: Objection, limits: GuardLimits) -> str:
    """What the guard objects to.

    >>> deletes = Objection(ObjectionKind.MANY_DELETES, "policy/a.yaml", 30, 40)
    >>> print(describe_objection(deletes, GuardLimits()))
    it deletes 30 of 40 grants of policy/a.yaml: more than 20 and more than 25%
    """
    if objection.kind is not ObjectionKind.MANY_DELETES:
        grants = "1 grant" if objection.count == 1 else f"{objection.count} grants"
        return OBJECTION_SENTENCES[objection.kind].format(objection, limits, grants)
    older = " older than 24 hours" if objection.settled else ""
    whose = f" of {objection.about}" if objection.about != TOTAL else ""
    soon = f", {objection.ending} by an end within {limits.end_days} days" * bool(objection.ending)
    before = f" ({objection.recent} in the 24 hours before)" if objection.recent else ""
    grants = f"{objection.count} of {objection.of} grants{older}{whose}{soon}{before}"
    return f"it deletes {grants}: more than {limits.deletes} and more than {limits.share}%"


def encode_objection(objection: Objection) -> dict[str, Any]:
    """What the guard objects to; the numbers are those of ObjectionKind."""
    return {
        "kind": str(objection.kind),
        "about": objection.about or None,
        "count": objection.count,
        "of": objection.of,
        "ending": objection.ending,
        "recent": objection.recent,
        "settled": objection.settled,
    }


@dataclass(frozen=True)
class PlanApproval:
    """Whether a plan requires an approval, why, and what people said; `hash` is the full one of the
    plan. `approved_at` is when the run found the approval (timestamp).
    """

    hash: str = ""
    causes: tuple[str, ...] = ()
    approved_by: str = ""  # the id of the caller, which cannot be forged
    approved_at: str = ""
    claimed_arn: str = ""  # of the approver, as the client wrote it
    because: str = ""
    rejections: tuple[Decision, ...] = ()  # that no approval overrides
    refused: tuple[tuple[Decision, PolicyWrite], ...] = ()  # approvals by authors
    authors: Authors = Authors()
    nonce: str = ""
    objections: tuple[Objection, ...] = ()  # of the guard; `causes` has their sentences

    @property
    def is_pending(self) -> bool:
        """Whether somebody still has to approve the plan."""
        return bool(self.causes) and not self.approved_by

    @property
    def is_rejected(self) -> bool:
        """Whether somebody has rejected the plan, and nobody has approved it in spite of that."""
        return self.is_pending and bool(self.rejections)

    @property
    def key(self) -> list[str]:
        """What is the same in every run that sees this approval, or that it is missing."""
        rejections = sorted(one.id for one in self.rejections)
        refused = sorted(decision.id for decision, _ in self.refused)
        return ["approval", self.hash, self.nonce, self.approved_by, *rejections, *refused]

    def to_json(self) -> dict[str, Any]:
        """The member `approval` of the documents of docs/json.md."""
        refused = [
            {**decision.to_json(), "wrote": write.file, "version": write.version or None}
            for decision, write in self.refused
        ]
        writes = [
            {"file": write.file, "version": write.version or None, "user_id": write.principal}
            for write in self.authors.writes
        ]
        return {
            "required": bool(self.causes),
            "causes": list(self.causes),
            "objections": list(map(encode_objection, self.objections)),
            "hash": self.hash or None,
            "approved_by": self.claimed_arn or self.approved_by or None,
            "approver_id": self.approved_by or None,
            "approved_at": self.approved_at or None,
            "because": self.because or None,
            "rejections": [one.to_json() for one in self.rejections],
            "refused": refused,
            "authors": writes,
            "author_unknown": list(self.authors.unknown),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "PlanApproval":
        """What to_json has written; version 0.2.0 wrote neither reasons nor authors."""
        return cls(
            value["hash"] or "",
            tuple(value["causes"]),
            value.get("approver_id") or value["approved_by"] or "",
            value["approved_at"] or "",
            value["approved_by"] or "",
            value.get("because") or "",
            tuple(_decode_decision(one, approves=False) for one in value.get("rejections", [])),
            tuple(_decode_refused(one) for one in value.get("refused", [])),
            Authors(
                tuple(
                    PolicyWrite(one["file"], one["version"] or "", "", one["user_id"])
                    for one in value.get("authors", [])
                ),
                tuple(value.get("author_unknown", [])),
            ),
            objections=tuple(map(_decode_objection, value.get("objections", []))),
        )


def _decode_objection(value: Mapping[str, Any]) -> Objection:
    kind, about = ObjectionKind(value["kind"]), value["about"] or ""
    return Objection(**{**value, "kind": kind, "about": about})


def _decode_decision(value: Mapping[str, Any], *, approves: bool) -> Decision:
    claimed = value["claimed_arn"] or ""
    return Decision(value["user_id"], "", approves, value["because"], claimed)


def _decode_refused(value: Mapping[str, Any]) -> tuple[Decision, PolicyWrite]:
    decision = _decode_decision(value, approves=True)
    return decision, PolicyWrite(value["wrote"], value["version"] or "", "", decision.user)


def judge_decisions(
    approval: PlanApproval, decisions: Iterable[Decision], authors: Authors, at: str
) -> PlanApproval:
    """The approval with what people said about exactly this plan, as its nonce tells.

    An author's approval does not count. A rejection holds until an approval names it. `at` is the
    timestamp of the run that judges.
    """
    current = sorted(
        (one for one in decisions if one.nonce == approval.nonce != ""), key=lambda one: one.user
    )
    written = [(one, authors.find_by(one.user)) for one in current if one.approves]
    counted = [decision for decision, write in written if write is None]
    overridden = frozenset().union(*(one.despite for one in counted))
    rejections = tuple(one for one in current if not one.approves and one.id not in overridden)
    given = counted[0] if counted and not rejections else None
    return PlanApproval(
        approval.hash,
        approval.causes,
        given.user if given else "",
        at if given else "",
        given.claimed if given else "",
        given.because if given else "",
        rejections,
        tuple((decision, write) for decision, write in written if write is not None),
        authors,
        approval.nonce,
        approval.objections,
    )
