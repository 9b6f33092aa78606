"""What must hold of every moment of a change, of the moment after a kill, and of the end: each
broken promise is one sentence.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.crash.auditor import Auditor, Row, Table, Version, row

ACTIONS = {"READ": ("READ",), "WRITE": ("WRITE",), "READWRITE": ("READ", "WRITE")}
Right = tuple[str, str, str]  # whose, to READ or to WRITE, which object


@dataclass(frozen=True)
class Promise:
    """What one change promises: it began with these grants, some of them foreign, and with these
    policy files in force.
    """

    old: Mapping[str, Row]
    new: frozenset[Row]
    foreign: Mapping[str, Mapping[str, str]]  # tags by id
    files: Mapping[str, Version]
    then: Mapping[str, Version]  # the files in force in the end

    @classmethod
    def now(cls, auditor: Auditor, new: Iterable[str], then: Mapping[str, Version]) -> "Promise":
        """The promise of a change that begins now."""
        old = auditor.grants()
        foreign = {each: auditor.tags(each) for each in old.keys() - auditor.ours(old)}
        return cls(old, frozenset(map(row, new)), foreign, auditor.table().accepted, then)

    def broken_now(self, seen: Mapping[str, Row]) -> Iterator[str]:
        """At any moment: nobody is without a right that stays, nobody has more than old and new
        together, foreign grants stand.
        """
        old, now = set(self.old.values()), set(seen.values())
        yield from (
            f"{grant} was neither there nor wanted" for grant in sorted(now - old - self.new)
        )
        objects = {_inside(grant.scope) for grant in old | self.new}
        stays = rights(old, objects) & rights(self.new, objects)
        yield from (
            f"{who} could not {action} {key} meanwhile"
            for who, action, key in sorted(stays - rights(now, objects))
        )
        yield from (
            f"foreign grant {self.old[each]} was taken away"
            for each in sorted(self.foreign.keys() - seen.keys())
        )

    def broken_after_a_kill(self, auditor: Auditor) -> Iterator[str]:
        """Right after a kill: the ledger knows whatever is ours, and of the policy files all new
        versions are in force, or none.
        """
        seen, table = auditor.grants(), auditor.table()
        yield from self.broken_now(seen)
        known = table.ledger.keys()
        yield from (
            f"{seen[each]} is ours, and the ledger does not know it"
            for each in auditor.ours(seen)
            if seen[each] not in known
        )
        if table.accepted not in (self.files, self.then):
            yield f"policy versions were accepted in part: {table.accepted}"

    def broken_in_the_end(self, auditor: Auditor) -> Iterator[str]:
        """After one ordinary run: all is as wanted, managed, accepted, and no trigger is pending."""
        seen, table = auditor.grants(), auditor.table()
        now = set(seen.values())
        yield from (f"{grant} is missing" for grant in sorted(self.new - now))
        yield from (f"{grant} is still there" for grant in sorted(now - self.new))
        yield from _unmanaged(seen, auditor.ours(seen), table)
        if self.then != table.accepted:
            yield f"in force is {table.accepted}, not {self.then}"
        lease = {name: table.lease[name] for name in ("holder", "pending", "current")}
        if any(lease.values()):
            yield f"the lease was not let go of: {lease}"
        if any(auditor.tags(each) != tags for each, tags in self.foreign.items() if each in seen):
            yield "a foreign grant has other tags"


def rights(grants: Iterable[Row], objects: Collection[str]) -> set[Right]:
    """Who may do what with which of these objects."""
    return {
        (grant.role, action, key)
        for grant in grants
        for action in ACTIONS[grant.permission]
        for key in objects
        if _covers(grant.scope, key)
    }


def _covers(scope: str, key: str) -> bool:
    return key.startswith(scope[:-1]) if scope.endswith("*") else key == scope


def _inside(scope: str) -> str:
    """An object that the scope covers, and a narrower one does not."""
    return f"{scope[:-1]}any" if scope.endswith("*") else scope


def _unmanaged(seen: Mapping[str, Row], ours: Collection[str], table: Table) -> Iterator[str]:
    written = {
        (entry.get("id", ""), grant, entry["state"]) for grant, entry in table.ledger.items()
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
