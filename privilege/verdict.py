"""What is to be said of a judged record: calls that are denied, permissions that nobody used, and what of it has no reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from privilege.judge import Judged, Verdict, listed
from privilege.permissions import Holder, Permission, Statement
from privilege.reasons import Reasons, Row
from privilege.recorded import Asked, Record, holder_of

Deployed = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """The figures, and a sentence for each thing that is not as it should be."""

    calls: int
    different: int
    refusals: int  # on purpose; those that are not, are denied
    denied: tuple[str, ...]
    misfits: tuple[str, ...]
    wide: tuple[str, ...]
    unexplained: tuple[str, ...]
    stale: tuple[str, ...]
    unused: Mapping[Permission, str]  # with their reasons, which are empty for the unexplained

    @property
    def good(self) -> bool:
        return not (self.denied or self.misfits or self.wide or self.unexplained or self.stale)

    @property
    def summary(self) -> str:
        """The result in one line."""
        return (
            f"{self.calls:,} calls judged ({self.refusals:,} refused on purpose), {len(self.denied)} denied, "
            f"{len(self.unexplained) + len(self.misfits)} unused permissions without a reason, {len(self.unused)} with one"
        )


def report(record: Record, judged: Judged, holders: Mapping[str, Holder], reasons: Reasons) -> Report:
    """Hold the verdicts against the templates and the reasons."""
    told: set[Row] = set()  # the reasons that were needed
    denied = tuple(_denied(record, judged, reasons, told))
    wrong = misfitting(record, judged, holders)
    misfits = tuple(f"{it}: {_wrong(it, judged)}" for it in sorted(wrong) if not reasons.why("misfits", it, told))
    wide = [it for it in sorted(_given(holders)) if it.resource == "*" and it.action in judged.narrower]
    wide = [it for it in wide if not reasons.why("wide", it, told)]
    void = set(_void(record, judged, holders))
    idle = sorted(set(_given(holders)) - used(record, judged, holders) - void)
    unused = {it: reasons.why("misfits" if it in wrong else "unused", it, told) for it in idle}
    unexplained = tuple(f"{it}: no recorded call used it" for it, why in unused.items() if not why and it not in wrong)
    stale = tuple(f"privilege/reasons.yaml gives a reason that nothing needs: {' '.join(it)}" for it in reasons.rows() - told)
    refusals = sum(count for asked, count in record.asked.items() if not asked.allowed)
    calls = sum(record.asked.values())
    broad = tuple(f"{it}: AWS knows narrower resources for this action" for it in wide)
    return Report(calls, len(record.asked), refusals, denied, misfits, broad, unexplained, tuple(sorted(stale)), unused)


def used(record: Record, judged: Judged, holders: Mapping[str, Holder]) -> set[Permission]:
    """The permissions by which some call was allowed."""
    return {permission for permissions in allowing(record, judged, holders).values() for permission in permissions}


def allowing(record: Record, judged: Judged, holders: Mapping[str, Holder]) -> dict[Asked, frozenset[Permission]]:
    """By which permissions each call was allowed; none for one that was refused."""
    return {asked: frozenset(_allowing(record, asked, verdict, holders)) for asked, verdict in judged.verdicts.items()}


def _allowing(record: Record, asked: Asked, verdict: Verdict, holders: Mapping[str, Holder]) -> Iterator[Permission]:
    if verdict.verdict != "Allowed" or not asked.allowed:
        return
    for policy, index, resources in verdict.statements:
        statement = record.documents[asked.policies][policy]["Statement"][index]
        if written := written_of(asked.role, policy, statement, holders):
            yield from (_permission(written, statement, asked.action, resource) for resource in resources)


def misfitting(record: Record, judged: Judged, holders: Mapping[str, Holder]) -> set[Permission]:
    """What can't mean anything: an action that fits no resource of its statement, a resource that fits no action of it."""
    return {it for it, lone in _unfit(record, judged, holders) if lone}


def _void(record: Record, judged: Judged, holders: Mapping[str, Holder]) -> Iterator[Permission]:
    """Pairs of a statement's actions and resources that only stand beside each other there."""
    return (it for it, lone in _unfit(record, judged, holders) if not lone)


def _unfit(record: Record, judged: Judged, holders: Mapping[str, Holder]) -> Iterator[tuple[Permission, bool]]:
    for role, policy, statement in _statements(record):
        written = written_of(role, policy, statement, holders)
        if written is None:
            continue
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        fits = {(a, r) for a in actions for r in resources if r in (judged.fitting[a] or ())}
        for action in actions:
            for resource in resources:
                lone = not any(a == action for a, _ in fits) or not any(r == resource for _, r in fits)
                if (action, resource) not in fits:
                    yield _permission(written, statement, action, resource), lone


def _statements(record: Record) -> Iterator[tuple[str, str, Deployed]]:
    roles = {asked.policies: asked.role for asked in record.asked}
    for digest, documents in record.documents.items():
        for policy, document in documents.items():
            for statement in document["Statement"]:
                if digest in roles and statement["Effect"] == "Allow":
                    yield roles[digest], policy, statement


def written_of(role: str, policy: str, statement: Deployed, holders: Mapping[str, Holder]) -> Statement | None:
    """The statement of the template that a deployed one is; None if it is none of the stack's."""
    holder = holders.get(holder_of(role, policy, holders))
    name = statement.get("Sid", policy)
    return next((it for it in holder.statements if it.name == name), None) if holder else None


def _permission(written: Statement, deployed: Deployed, action: str, resource: str) -> Permission:
    places = listed(deployed["Resource"])
    # A list that a function of the template makes is one resource there.
    place = places.index(resource) if len(places) == len(written.resources) else 0
    return Permission(written.holder, written.name, action, written.resources[place])


def _given(holders: Mapping[str, Holder]) -> Iterator[Permission]:
    return (it for holder in holders.values() for statement in holder.statements for it in statement.permissions())


def _denied(record: Record, judged: Judged, reasons: Reasons, told: set[Row]) -> list[str]:
    """One sentence for all calls that are alike, with an example."""
    alike: dict[tuple[str, str, str], list[Asked]] = {}
    for asked in sorted(record.asked, key=str):
        if fault := _fault(asked, judged.verdicts[asked], reasons, told):
            alike.setdefault((asked.holder, asked.action, fault), []).append(asked)
    return [
        f"{holder}: {action}: {fault} ({sum(record.asked[it] for it in these)} times, first on {these[0].resource} by {these[0].role})"
        for (holder, action, fault), these in alike.items()
    ]


def _fault(asked: Asked, verdict: Verdict, reasons: Reasons, told: set[Row]) -> str:
    """What is wrong with a call; "" if it was allowed twice, or refused twice and with a reason."""
    allowed = verdict.verdict == "Allowed"
    if asked.allowed and not allowed:
        return f"{verdict.verdict}{': ' if verdict.why else ''}{verdict.why}, though the sandbox allowed it"
    if allowed and not asked.allowed:
        return "refused by the sandbox, though the policies allow it"
    meant = asked.allowed or reasons.refusal(asked.holder, asked.action, told)
    return "" if meant else "refused, and nothing says that it should be"


def _wrong(permission: Permission, judged: Judged) -> str:
    if judged.fitting.get(permission.action) is None:
        return "AWS knows no such action"
    return "AWS knows no such resource for this action"
