"""Compares a judged record with the templates and the reasons.

It finds calls that are denied, permissions that no call used, and those of them without a reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iam_audit.judge import Judgement, Verdict, as_list
from iam_audit.permissions import Permission, PolicyHolder, Statement
from iam_audit.reasons import ReasonRow, Reasons
from iam_audit.recording import RecordedRequest, RequestRecord, find_holder

DeployedStatement = dict[str, Any]
Holders = Mapping[str, PolicyHolder]


LEFT_OUT = "else ${AWS::NoValue}"  # how a resource ends that a condition may leave out


@dataclass(frozen=True)
class AuditReport:
    """The counts, and a sentence for each fault."""

    calls: int
    different: int
    refusals: int  # on purpose; the others are among the denied
    denied: tuple[str, ...]
    mismatched: tuple[str, ...]
    broad: tuple[str, ...]
    unexplained: tuple[str, ...]
    stale: tuple[str, ...]
    unused: Mapping[Permission, str]  # with their reasons, which are empty for the unexplained

    @property
    def faults(self) -> tuple[str, ...]:
        """Every sentence."""
        return (
            *self.denied,
            *self.mismatched,
            *self.broad,
            *self.unexplained,
            *self.stale,
        )

    @property
    def summary(self) -> str:
        """The result in one line."""
        unexplained = len(self.unexplained) + len(self.mismatched)
        return (
            f"{self.calls:,} calls judged ({self.refusals:,} refused on purpose), "
            f"{len(self.denied)} denied, {unexplained} unused permissions without a reason, "
            f"{len(self.unused)} with one"
        )


def build_report(
    record: RequestRecord, judged: Judgement, holders: Holders, reasons: Reasons
) -> AuditReport:
    """Compare the verdicts with the templates and the reasons."""
    needed: set[ReasonRow] = set()
    denied = _describe_denied(record, judged, reasons, needed)
    mismatched = find_mismatched(record, judged, holders)
    given = sorted(_list_permissions(holders))
    broad = [it for it in given if it.resource == "*" and it.action in judged.narrower]
    unused = _explain_unused(record, judged, holders, reasons, needed)
    return AuditReport(
        calls=sum(record.requests.values()),
        different=len(record.requests),
        refusals=sum(times for it, times in record.requests.items() if not it.allowed),
        denied=tuple(denied),
        mismatched=tuple(
            f"{it}: {_explain_mismatch(it, judged)}"
            for it in sorted(mismatched)
            if not reasons.find_reason("mismatched", it, needed)
        ),
        broad=tuple(
            f"{it}: AWS knows narrower resources for this action"
            for it in broad
            if not reasons.find_reason("broad", it, needed)
        ),
        unexplained=tuple(
            f"{it}: no recorded call used it"
            for it, why in unused.items()
            if not why and it not in mismatched
        ),
        stale=tuple(
            f"iam_audit/reasons.yaml has a reason that nothing needs: {' '.join(it)}"
            for it in sorted(reasons.list_rows() - needed)
        ),
        unused=unused,
    )


def _explain_unused(
    record: RequestRecord,
    judged: Judgement,
    holders: Holders,
    reasons: Reasons,
    needed: set[ReasonRow],
) -> dict[Permission, str]:
    """The permissions that no call used, each with its reason or ""."""
    mismatched = find_mismatched(record, judged, holders)
    incidental = _find_incidental_pairs(record, judged, holders)
    used = find_used(record, judged, holders)
    unused = sorted(set(_list_permissions(holders)) - used - incidental)
    return {
        it: reasons.find_reason("mismatched" if it in mismatched else "unused", it, needed)
        for it in unused
    }


def find_used(record: RequestRecord, judged: Judgement, holders: Holders) -> set[Permission]:
    """The permissions by which some call was allowed."""
    return {it for used in find_allowing(record, judged, holders).values() for it in used}


def find_allowing(
    record: RequestRecord, judged: Judgement, holders: Holders
) -> dict[RecordedRequest, frozenset[Permission]]:
    """The permissions by which each call was allowed; none for a refused one."""
    return {
        request: frozenset(_find_allowing_statements(record, request, verdict, holders))
        for request, verdict in judged.verdicts.items()
    }


def _find_allowing_statements(
    record: RequestRecord, request: RecordedRequest, verdict: Verdict, holders: Holders
) -> Iterator[Permission]:
    if verdict.verdict != "Allowed" or not request.allowed:
        return
    for policy, index, resources in verdict.statements:
        statement = record.documents[request.policies][policy]["Statement"][index]
        if written := find_statement(request.role, policy, statement, holders):
            for resource in resources:
                yield _build_permission(written, statement, request.action, resource)


def find_mismatched(record: RequestRecord, judged: Judgement, holders: Holders) -> set[Permission]:
    """Permissions without effect.

    Their action fits no resource of the statement, or their resource fits no action of it.
    """
    return {it for it, alone in _find_unfit_pairs(record, judged, holders) if alone}


def _find_incidental_pairs(
    record: RequestRecord, judged: Judgement, holders: Holders
) -> set[Permission]:
    """Unfit pairs in a statement in which both the action and the resource fit another one."""
    return {it for it, alone in _find_unfit_pairs(record, judged, holders) if not alone}


def _find_unfit_pairs(
    record: RequestRecord, judged: Judgement, holders: Holders
) -> Iterator[tuple[Permission, bool]]:
    for role, policy, statement in _list_statements(record):
        written = find_statement(role, policy, statement, holders)
        if written is None:
            continue
        actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
        fits = {(a, r) for a in actions for r in resources if r in (judged.fitting[a] or ())}
        fit_actions, fit_resources = {a for a, _ in fits}, {r for _, r in fits}
        for action in actions:
            for resource in resources:
                alone = action not in fit_actions or resource not in fit_resources
                if (action, resource) not in fits:
                    yield _build_permission(written, statement, action, resource), alone


def _list_statements(record: RequestRecord) -> Iterator[tuple[str, str, DeployedStatement]]:
    roles = {request.policies: request.role for request in record.requests}
    for digest, documents in record.documents.items():
        for policy, document in documents.items():
            for statement in document["Statement"]:
                if digest in roles and statement["Effect"] == "Allow":
                    yield roles[digest], policy, statement


def find_statement(
    role: str, policy: str, statement: DeployedStatement, holders: Holders
) -> Statement | None:
    """The template's statement behind a deployed one; None if it is not the stack's."""
    holder = holders.get(find_holder(role, policy, holders))
    name = statement.get("Sid", policy)
    return next((it for it in holder.statements if it.name == name), None) if holder else None


def _build_permission(
    written: Statement, deployed: DeployedStatement, action: str, resource: str
) -> Permission:
    resources, named = as_list(deployed["Resource"]), written.resources
    if len(resources) != len(named):  # without those that a condition leaves out
        named = tuple(it for it in named if not it.endswith(LEFT_OUT)) or named
    # A list that a function of the template makes is one resource there.
    index = resources.index(resource) if len(resources) == len(named) else 0
    return Permission(written.holder, written.name, action, named[index])


def _list_permissions(holders: Holders) -> Iterator[Permission]:
    for holder in holders.values():
        for statement in holder.statements:
            yield from statement.list_permissions()


def _describe_denied(
    record: RequestRecord, judged: Judgement, reasons: Reasons, needed: set[ReasonRow]
) -> Iterator[str]:
    """One sentence for all calls that are alike, with an example."""
    alike: dict[tuple[str, str, str], list[RecordedRequest]] = {}
    for request in sorted(record.requests, key=str):
        if fault := _find_fault(request, judged.verdicts[request], reasons, needed):
            alike.setdefault((request.holder, request.action, fault), []).append(request)
    for (holder, action, fault), requests in alike.items():
        times, first = sum(record.requests[it] for it in requests), requests[0]
        example = f"{times} times, first on {first.resource} by {first.role}"
        yield f"{holder}: {action}: {fault} ({example})"


def _find_fault(
    request: RecordedRequest, verdict: Verdict, reasons: Reasons, needed: set[ReasonRow]
) -> str:
    """What is wrong with a call; "" if both allowed it, or both refused it with a reason."""
    allowed = verdict.verdict == "Allowed"
    if request.allowed and not allowed:
        why = f"{verdict.verdict}{': ' if verdict.why else ''}{verdict.why}"
        return f"{why}, though the sandbox allowed it"
    if request.allowed or reasons.find_refusal(request.holder, request.action, needed, "temporary"):
        return ""
    if allowed:
        return "refused by the sandbox, though the policies allow it"
    intended = reasons.find_refusal(request.holder, request.action, needed)
    return "" if intended else "refused, and no reason says that it should be"


def _explain_mismatch(permission: Permission, judged: Judgement) -> str:
    if judged.fitting.get(permission.action) is None:
        return "AWS knows no such action"
    return "AWS knows no such resource for this action"
