"""What must hold at every moment of a change, right after a kill, and in the end. Each violation
is one sentence.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.crash.aws_state import AwsState, GrantRow, LedgerTable, Version, parse_grant

ACTIONS = {"READ": ("READ",), "WRITE": ("WRITE",), "READWRITE": ("READ", "WRITE")}
Right = tuple[str, str, str]  # whose, to READ or to WRITE, which object


@dataclass(frozen=True)
class Invariants:
    """The invariants of one change, from the grants and accepted policy files before it."""

    old: Mapping[str, GrantRow]
    new: frozenset[GrantRow]
    unmanaged_tags: Mapping[str, Mapping[str, str]]  # tags by id
    files_before: Mapping[str, Version]
    files_after: Mapping[str, Version]  # the files in force in the end

    @classmethod
    def capture(
        cls, auditor: AwsState, new: Iterable[str], then: Mapping[str, Version]
    ) -> "Invariants":
        """Capture the state before a change that starts now."""
        old = auditor.list_grants()
        foreign = {
            each: auditor.read_tags(each) for each in old.keys() - auditor.select_own_ids(old)
        }
        return cls(
            old,
            frozenset(map(parse_grant, new)),
            foreign,
            auditor.read_table().accepted_files,
            then,
        )

    def check_grants(self, seen: Mapping[str, GrantRow]) -> Iterator[str]:
        """Check what holds at any moment.

        Nobody lacks access that they keep, nobody has more than before and after together, and
        unmanaged grants exist.
        """
        old, now = set(self.old.values()), set(seen.values())
        yield from (
            f"{grant} was neither there nor wanted" for grant in sorted(now - old - self.new)
        )
        objects = {_find_object_inside(grant.scope) for grant in old | self.new}
        stays = list_rights(old, objects) & list_rights(self.new, objects)
        yield from (
            f"{who} could not {action} {key} meanwhile"
            for who, action, key in sorted(stays - list_rights(now, objects))
        )
        yield from (
            f"foreign grant {self.old[each]} was taken away"
            for each in sorted(self.unmanaged_tags.keys() - seen.keys())
        )

    def check_after_kill(self, auditor: AwsState) -> Iterator[str]:
        """Check what holds right after a kill.

        The ledger knows every grant of ours, and either all new policy files are accepted or none.
        """
        seen, table = auditor.list_grants(), auditor.read_table()
        yield from self.check_grants(seen)
        known = table.grants.keys()
        yield from (
            f"{seen[each]} is ours, and the ledger does not know it"
            for each in auditor.select_own_ids(seen)
            if seen[each] not in known
        )
        if table.accepted_files not in (self.files_before, self.files_after):
            yield f"policy versions were accepted in part: {table.accepted_files}"

    def check_settled(self, auditor: AwsState) -> Iterator[str]:
        """Check the end: all grants are as wanted and managed, and no trigger is pending."""
        seen, table = auditor.list_grants(), auditor.read_table()
        now = set(seen.values())
        yield from (f"{grant} is missing" for grant in sorted(self.new - now))
        yield from (f"{grant} is still there" for grant in sorted(now - self.new))
        yield from _compare_with_ledger(seen, auditor.select_own_ids(seen), table)
        if self.files_after != table.accepted_files:
            yield f"in force is {table.accepted_files}, not {self.files_after}"
        lease = {name: table.lease[name] for name in ("holder", "pending", "current")}
        if any(lease.values()):
            yield f"the lease was not let go of: {lease}"
        if any(
            auditor.read_tags(each) != tags
            for each, tags in self.unmanaged_tags.items()
            if each in seen
        ):
            yield "a foreign grant has other tags"


def check_history(
    auditor: AwsState, before: Collection[str], older: Collection[str]
) -> Iterator[str]:
    """Check the history in the end: it has the begin and the end of each grant of ours that was
    made or deleted, and of no other. `before` are the ids of those that were there, `older` the
    objects of the history from before.
    """
    there = auditor.list_grants()
    ours, events = auditor.select_own_ids(there), auditor.read_history(older)
    begun = {event["grant_id"] for event in events if event["kind"] in ("made", "found")}
    ended = {event["grant_id"] for event in events if event["kind"] in ("revoked", "gone")}
    yield from (
        f"the history does not say that {there[each]} ({each}) was made"
        for each in sorted(ours - begun - set(before))
    )
    yield from (
        f"the history does not say that the grant {each} is gone"
        for each in sorted((begun | set(before)) - ended - there.keys())
    )
    yield from (
        f"the history says that {there[each]} ({each}) is gone"
        for each in sorted(ended & there.keys())
    )


def list_rights(grants: Iterable[GrantRow], objects: Collection[str]) -> set[Right]:
    """List who may do what with which of these objects."""
    return {
        (grant.role, action, key)
        for grant in grants
        for action in ACTIONS[grant.permission]
        for key in objects
        if _covers(grant.scope, key)
    }


def _covers(scope: str, key: str) -> bool:
    return key.startswith(scope[:-1]) if scope.endswith("*") else key == scope


def _find_object_inside(scope: str) -> str:
    """Return an object that the scope covers and a narrower one does not."""
    return f"{scope[:-1]}any" if scope.endswith("*") else scope


def _compare_with_ledger(
    seen: Mapping[str, GrantRow], ours: Collection[str], table: LedgerTable
) -> Iterator[str]:
    written = {
        (entry.get("id", ""), grant, entry["state"]) for grant, entry in table.grants.items()
    }
    managed = {(each, seen[each], "live") for each in ours}
    yield from (
        f"{grant} ({each}) is ours, and the ledger does not say so"
        for each, grant, _ in sorted(managed - written)
    )
    yield from (
        f"the ledger says {grant} ({each}) is {state}"
        for each, grant, state in sorted(written - managed)
    )
