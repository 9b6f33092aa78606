"""What is to be said of a judged record: calls that are denied, permissions that nobody used, and what of it has no reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from privilege.judge import Judged, listed
from privilege.permissions import Holder, Permission
from privilege.reasons import Reasons
from privilege.recorded import Record, holder_of


@dataclass(frozen=True)
class Report:
    """The figures, and a sentence for each thing that is not as it should be."""

    calls: int
    different: int
    refusals: int
    denied: tuple[str, ...]
    misfits: tuple[str, ...]
    unexplained: tuple[str, ...]
    stale: tuple[str, ...]
    unused: Mapping[Permission, str]  # with their reasons, which are empty for the unexplained

    @property
    def good(self) -> bool:
        return not (self.denied or self.misfits or self.unexplained or self.stale)

    @property
    def summary(self) -> str:
        """The result in one line."""
        return (
            f"{self.calls} calls judged ({self.different} different ones, {self.refusals} of them refused as they should be), "
            f"{len(self.denied)} denied, {len(self.unexplained)} unused permissions without a reason"
        )


def report(record: Record, judged: Judged, holders: Mapping[str, Holder], reasons: Reasons) -> Report:
    """Hold the verdicts against the templates and the reasons."""
    told: set[tuple[str, ...]] = set()  # the reasons that were needed
    denied = tuple(_denied(record, judged, reasons, told))
    wrong = misfitting(record, judged, holders)
    misfits = tuple(f"{it}: {_wrong(it, judged)}" for it in sorted(wrong) if not reasons.why("misfits", it, told))
    void = set(_void(record, judged, holders))
    unused = {it: "" for it in sorted(set(_given(holders)) - used(record, judged, holders) - void)}
    unused = {it: reasons.why("misfits" if it in wrong else "unused", it, told) for it in unused}
    unexplained = tuple(f"{it}: no recorded call used it" for it, why in unused.items() if not why and it not in wrong)
    stale = tuple(f"privilege/reasons.yaml gives a reason that nothing needs: {' '.join(it)}" for it in reasons.rows() - told)
    refusals = sum(not asked.allowed for asked in record.asked)
    calls = sum(record.asked.values())
    return Report(calls, len(record.asked), refusals, denied, misfits, unexplained, tuple(sorted(stale)), unused)


def used(record: Record, judged: Judged, holders: Mapping[str, Holder]) -> set[Permission]:
    """The permissions by which some call was allowed."""
    found = set()
    for asked, verdict in judged.verdicts.items():
        if verdict.verdict == "Allowed" and asked.allowed:
            for policy, index, resources in verdict.statements:
                statement = record.documents[asked.policies][policy]["Statement"][index]
                for resource in resources:
                    found.add(_written(asked.role, policy, statement, asked.action, resource, holders))
    return {it for it in found if it is not None}


def misfitting(record: Record, judged: Judged, holders: Mapping[str, Holder]) -> set[Permission]:
    """What can't mean anything: an action that fits no resource of its statement, a resource that fits no action of it."""
    return {it for it, lone in _unfit(record, judged, holders) if lone}


def _void(record: Record, judged: Judged, holders: Mapping[str, Holder]) -> Iterator[Permission]:
    """Pairs of a statement's actions and resources that only stand beside each other there."""
    return (it for it, lone in _unfit(record, judged, holders) if not lone)


def _unfit(record: Record, judged: Judged, holders: Mapping[str, Holder]) -> Iterator[tuple[Permission, bool]]:
    for role, policy, statement in _statements(record):
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        fits = {(a, r) for a in actions for r in resources if r in (judged.fitting[a] or ())}
        for action in actions:
            for resource in resources:
                lone = not any(a == action for a, _ in fits) or not any(r == resource for _, r in fits)
                given = _written(role, policy, statement, action, resource, holders)
                if (action, resource) not in fits and given is not None:
                    yield given, lone


def _statements(record: Record) -> Iterator[tuple[str, str, dict]]:
    roles = {asked.policies: asked.role for asked in record.asked}
    for digest, documents in record.documents.items():
        for policy, document in documents.items():
            for statement in document["Statement"]:
                if digest in roles and statement["Effect"] == "Allow":
                    yield roles[digest], policy, statement


def _written(
    role: str, policy: str, statement: dict, action: str, resource: str, holders: Mapping[str, Holder]
) -> Permission | None:
    """The permission of the template that a deployed statement's action and resource is; None if it is none of the stack's."""
    holder = holders.get(holder_of(role, policy, holders))
    name = statement.get("Sid", policy)
    written = next((it for it in holder.statements if it.name == name), None) if holder else None
    if holder is None or written is None:
        return None
    places = listed(statement["Resource"])
    # A list that a function of the template makes is one resource there.
    place = places.index(resource) if len(places) == len(written.resources) else 0
    return Permission(holder.name, name, action, written.resources[place])


def _given(holders: Mapping[str, Holder]) -> Iterator[Permission]:
    return (it for holder in holders.values() for statement in holder.statements for it in statement.permissions())


def _denied(record: Record, judged: Judged, reasons: Reasons, told: set[tuple[str, ...]]) -> Iterator[str]:
    for asked, count in sorted(record.asked.items(), key=str):
        verdict = judged.verdicts[asked]
        times = f"{asked}, {count} times" if count > 1 else str(asked)
        if asked.allowed and verdict.verdict != "Allowed":
            yield f"{times}: {verdict.verdict}{': ' if verdict.why else ''}{verdict.why}, though the sandbox allowed it"
        elif not asked.allowed and verdict.verdict == "Allowed":
            yield f"{times}: refused by the sandbox, though its policies allow it"
        elif not asked.allowed and not reasons.refusal(asked.holder, asked.action, told):
            yield f"{times}: refused, and nothing says that it should be"


def _wrong(permission: Permission, judged: Judged) -> str:
    if judged.fitting.get(permission.action) is None:
        return "AWS knows no such action"
    return "AWS knows no such resource for this action"
