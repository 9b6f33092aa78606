"""Reasons as the ledger keeps them: short text that people can read, and packed bytes where there are very many."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from grantor.aws.dynamodb import Action, Item, Table, deleting, putting
from grantor.aws.lease import Lease
from grantor.core.grant import Entry, Grant, Grantee, Permission, Reason, State

READABLE = 4_000  # characters; longer text is packed, because an item has at most 400 KB


def packed(reasons: Iterable[Reason]) -> str | bytes:
    """The reasons, in an order of their own; what a reason does not have is left out.

    >>> packed([Reason("policy/a.yaml#own", ("profile D/ana",)), Reason("policy/a.yaml#team", additive=True)])
    '[["policy/a.yaml#own",["profile D/ana"]],["policy/a.yaml#team",[],null,true]]'
    """
    text = json.dumps(sorted(map(_short, reasons), key=str), separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= READABLE else zlib.compress(text.encode())


def unpacked(written: str | bytes) -> frozenset[Reason]:
    """The very reasons that were packed."""
    text = written if isinstance(written, str) else zlib.decompress(written).decode()
    return frozenset(_reason(*parts) for parts in json.loads(text))


def _short(reason: Reason) -> list[Any]:
    parts = [reason.rule, list(reason.subjects), reason.until and reason.until.isoformat(), reason.additive]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _reason(rule: str, subjects: Iterable[str] = (), until: str | None = None, additive: bool = False) -> Reason:
    return Reason(rule, tuple(subjects), datetime.fromisoformat(until) if until else None, additive)


Pair = tuple[str, Grantee]  # a subject, and who holds grants because of it
LONGEST = 1024  # bytes of a sort key (DynamoDB); a scope may have 2,000 characters


@dataclass(frozen=True)
class Ledger:
    """The ledger of one table. It is written under a lease only: `ledger.under(lease).intend(…)`.

    Every writing word costs one transaction for each 90 items, and raises Overtaken when the lease has passed to another run;
    then the transactions before that are written, and nothing after.
    """

    table: Table
    lease: Lease | None = None
    paired: set[tuple[str, str]] = field(default_factory=set)  # pairs that were written already

    def under(self, lease: Lease) -> "Ledger":
        """The same ledger, for the holder of a lease."""
        return replace(self, lease=lease)

    def entries(self) -> Iterator[Entry]:
        """Every grant that is ours: a call for each megabyte of the whole table, about 2,800 grants."""
        return map(_entry, self.table.scan(["state"]))

    def everything(self) -> tuple[list[Entry], frozenset[Pair]]:
        """Every grant that is ours, and every subject with who holds or held grants because of it; costs what entries costs."""
        entries: list[Entry] = []
        pairs: set[Pair] = set()
        for item in self.table.scan(["state", "subject"]):
            if "state" in item:
                entries.append(_entry(item))
            else:
                pairs.add((item["subject"], _grantee(item["pk"])))
                self.paired.add((item["subject"], item["pk"]))
        return entries, frozenset(pairs)

    def acquaint(self, sharing: Mapping[str, frozenset[str]]) -> None:
        """Write down which profiles run as which role, whether or not they hold grants: who shares one is then known at once."""
        pairs = {(subject, _partition(Grantee("IAM", role))) for role, subjects in sharing.items() for subject in subjects}
        self._pair(pairs)

    def part(self, pairs: Iterable[Pair]) -> None:
        """Delete subjects of which nothing follows any more for these grantees."""
        parted = {(subject, _partition(grantee)) for subject, grantee in pairs}
        self._do(chain.from_iterable((deleting(s, pk), deleting(pk, _subject_key(s))) for s, pk in sorted(parted)))
        self.paired.difference_update(parted)

    def of(self, grantee: Grantee) -> tuple[list[Entry], frozenset[str]]:
        """The grantee's grants, and the subjects that are or were looked at because of it; a call for each megabyte, so mostly one."""
        items = list(self.table.query(_partition(grantee)))
        subjects = frozenset(item["subject"] for item in items if "subject" in item)
        return [_entry(item) for item in items if "state" in item], subjects

    def grantees(self, subject: str) -> frozenset[Grantee]:
        """Who holds or held a grant because of the subject; one call."""
        return frozenset(_grantee(item["sk"]) for item in self.table.query(subject))

    def intend(self, entries: Iterable[Entry]) -> None:
        """Write down what is about to be made, and before it the subjects of its reasons."""
        self._write(entries, State.INTENDED)

    def confirm(self, entries: Iterable[Entry]) -> None:
        """Write down what stands: its id, its reasons, and before it the subjects of these."""
        self._write(entries, State.LIVE)

    def leave(self, entries: Iterable[Entry]) -> None:
        """Write down what is about to be taken away."""
        self._write(entries, State.LEAVING)

    def forget(self, grants: Iterable[Grant]) -> None:
        """Delete what is written down of grants that are gone."""
        self._do([deleting(_partition(grant.grantee), _sort_key(grant)) for grant in set(grants)])

    def _write(self, entries: Iterable[Entry], state: State) -> None:
        latest = {entry.grant: entry.becomes(state) for entry in entries}
        pairs = {(s, _partition(entry.grant.grantee)) for entry in latest.values() for s in _subjects(entry)}
        self._pair(pairs, [putting(_item(entry)) for entry in latest.values()])

    def _pair(self, pairs: AbstractSet[tuple[str, str]], then: Sequence[Action] = ()) -> None:
        new = pairs - self.paired
        if new or then:
            self._do([*chain.from_iterable(map(_both_ways, sorted(new))), *then])
        self.paired.update(new)

    def _do(self, actions: Iterable[Action]) -> None:
        if self.lease is None:
            raise RuntimeError("the ledger is written under a lease only: ledger.under(lease)")
        self.table.write(self.lease.token, self.lease.holder, actions)


def _partition(grantee: Grantee) -> str:
    return f"{grantee.kind} {grantee.identifier}"


def _grantee(partition: str) -> Grantee:
    kind, _, identifier = partition.partition(" ")
    return Grantee(kind, identifier)


def _sort_key(grant: Grant) -> str:
    through = f" {grant.application}" if grant.application else ""
    key = f"{grant.permission} {grant.scope}{through}"
    # A scope may hold spaces, and so end as if an application followed.
    fits = len(key.encode()) <= LONGEST and " arn:" not in grant.scope
    return key if fits else f"{grant.permission} {_digest(grant.scope, grant.application)}"


def _subject_key(subject: str) -> str:
    return subject if len(subject.encode()) <= LONGEST else f"{subject.partition(' ')[0]} {_digest(subject)}"


def _digest(*parts: str) -> str:
    return f"sha256 {hashlib.sha256(repr(parts).encode()).hexdigest()}"


def _both_ways(pair: tuple[str, str]) -> tuple[Action, Action]:
    subject, grantee = pair
    return putting({"pk": subject, "sk": grantee}), putting({"pk": grantee, "sk": _subject_key(subject), "subject": subject})


def _subjects(entry: Entry) -> frozenset[str]:
    return frozenset(subject for reason in entry.reasons for subject in reason.subjects)


def _item(entry: Entry) -> Item:
    grant = entry.grant
    kept = {"scope": grant.scope, "state": str(entry.state), "reasons": packed(entry.reasons)}
    optional = {"application": grant.application, "id": entry.id, "since": entry.since, "run": entry.run}
    return {"pk": _partition(grant.grantee), "sk": _sort_key(grant), **kept, **{k: v for k, v in optional.items() if v}}


def _entry(item: Item) -> Entry:
    permission = Permission(item["sk"].partition(" ")[0])
    grant = Grant(_grantee(item["pk"]), permission, item["scope"], item.get("application", ""))
    told = {name: item.get(name, "") for name in ("id", "since", "run")}
    return Entry(grant, State(item["state"]), unpacked(item["reasons"]), **told)
