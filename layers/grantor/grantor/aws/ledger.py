"""The ledger: which grants are ours, for which reasons, and which subjects stand behind them.

pk                   sk                      what
IAM arn:aws:iam::…   READ s3://data/Ana/*    a grant: its state, id, reasons
IAM arn:aws:iam::…   profile D/ana           a subject behind one of its grants, now or before
IAM arn:aws:iam::…   identity                the unique id of the role that its grants are for
profile D/ana        IAM arn:aws:iam::…      the same pair, to be found by subject
meta                 guard                   what runs have taken and given lately
meta                 history                 what the last checkpoint of the history was about
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, starmap
from typing import Any

from grantor.aws.dynamodb import (
    Action,
    DynamoDBTable,
    Item,
    delete_action,
    merge_actions,
    put_action,
)
from grantor.aws.lease import Lease
from grantor.core.grant import (
    Grant,
    Grantee,
    Identity,
    LedgerEntry,
    Pair,
    Permission,
    Reason,
    State,
    iam_grantee,
)
from grantor.core.snapshot import Tally, Window
from grantor.limits import MAX_SORT_KEY_BYTES
from grantor.settings import MAX_PLAIN_CHARACTERS, TRANSACTION_ITEMS

_Pair = tuple[str, str]  # a subject, and the partition key of a grantee
WINDOW_KEY = ("meta", "guard")


def pack_reasons(reasons: Iterable[Reason]) -> str | bytes:
    """Serialize reasons, sorted, without empty fields, to readable text or to compressed bytes.

    >>> own = Reason("policy/a.yaml#own", ("profile D/ana",))
    >>> pack_reasons([own, Reason("policy/a.yaml#team", additive=True)])
    '[["policy/a.yaml#own",["profile D/ana"]],["policy/a.yaml#team",[],null,true]]'
    """
    return pack_json(sorted(map(_shorten_reason, reasons), key=str))


def unpack_reasons(written: str | bytes) -> frozenset[Reason]:
    """Restore what pack_reasons wrote."""
    return frozenset(_parse_reason(*parts) for parts in unpack_json(written))


def pack_json(value: Any) -> str | bytes:
    """Serialize a value to readable text or, if that is long, to compressed bytes."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= MAX_PLAIN_CHARACTERS else zlib.compress(text.encode())


def unpack_json(written: str | bytes) -> Any:
    """Restore what pack_json wrote."""
    return json.loads(written if isinstance(written, str) else zlib.decompress(written).decode())


def _shorten_reason(reason: Reason) -> list[Any]:
    until = reason.until and reason.until.isoformat()
    parts = [reason.rule, list(reason.subjects), until, reason.additive]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _parse_reason(
    rule: str, subjects: Iterable[str] = (), until: str | None = None, additive: bool = False
) -> Reason:
    end = datetime.fromisoformat(until) if until else None
    return Reason(rule, tuple(subjects), end, additive)


@dataclass(frozen=True)
class Ledger:
    """The ledger of one table.

    It is written only under a lease: `ledger.with_lease(lease).write_intent(…)`.

    Every method that writes costs a transaction per 90 items. It raises LeaseLost if the lease has
    passed to another run; then earlier transactions are written, and later ones are not.

    One that is `joining` keeps what its methods write until `flush`, as long as that fits into one
    transaction. So writes that follow each other without another call between share one.
    """

    table: DynamoDBTable
    lease: Lease | None = None
    paired: set[_Pair] = field(default_factory=set)  # pairs that are known to be written
    # Of the grantees that have been read, who each was when that was last recorded
    identities: dict[Grantee, Identity] = field(default_factory=dict)
    kept: "_KeptWrites | None" = None
    # The items "guard", "history" and "sweep" that the last `read_all` has read besides, if there
    marks: dict[str, Item] = field(default_factory=dict)

    def with_lease(self, lease: Lease) -> "Ledger":
        """The same ledger for the holder of a lease."""
        return replace(self, lease=lease)

    def joining(self, lease: Lease) -> "Ledger":
        """The same ledger for the holder of a lease, who calls `flush` before anything that has to
        come after the writes.
        """
        return replace(self, lease=lease, kept=_KeptWrites())

    def flush(self) -> None:
        """Write what is kept; no call if nothing is."""
        if self.kept and (writes := self.kept.take()).actions:
            self._send(merge_actions(writes.actions), writes.pairs)

    def iterate_entries(self) -> Iterator[LedgerEntry]:
        """Iterate over all our grants.

        Costs a call per megabyte of the whole table, about 2,800 grants.
        """
        self.identities.clear()
        items = map(self._note_identity, self.table.scan_items(["state", "granted"]))
        return (_decode_entry(item) for item in items if "state" in item)

    def read_all(self) -> tuple[list[LedgerEntry], frozenset[Pair]]:
        """Read all our grants, and all pairs of a subject and a grantee.

        Costs as much as iterate_entries.
        """
        entries: list[LedgerEntry] = []
        pairs: set[Pair] = set()
        self.identities.clear()
        self.marks.clear()
        kinds = ["state", "subject", "granted", "history", "hours", "owned"]
        for item in map(self._note_identity, self.table.scan_items(kinds)):
            if "state" in item:
                entries.append(_decode_entry(item))
            elif "subject" in item:
                pairs.add((item["subject"], _parse_grantee(item["pk"])))
                self.paired.add((item["subject"], item["pk"]))
            elif item["pk"] == "meta":
                self.marks[item["sk"]] = item
        return entries, frozenset(pairs)

    def add_pairs(self, sharing: Mapping[str, frozenset[str]]) -> None:
        """Record which profiles run as which role, with or without grants.

        So profiles that share a role are known at once.
        """
        self._write_pairs(
            {
                (subject, _partition_key(iam_grantee(role)))
                for role, subjects in sharing.items()
                for subject in subjects
            }
        )

    def remove_pairs(self, pairs: Iterable[Pair]) -> None:
        """Delete pairs whose subject no longer gives the grantee anything."""
        keys = sorted({(subject, _partition_key(grantee)) for subject, grantee in pairs})
        self.write_actions(
            action
            for subject, grantee in keys
            for action in (
                delete_action(subject, grantee),
                delete_action(grantee, _subject_key(subject)),
            )
        )
        self.paired.difference_update(keys)
        if self.kept:
            self.kept.pairs.difference_update(keys)

    def read_grantee(self, grantee: Grantee) -> tuple[list[LedgerEntry], frozenset[str]]:
        """Read a grantee's grants, and the subjects behind them now or before.

        Costs a call per megabyte, so usually one.
        """
        self.identities.pop(grantee, None)
        found = self.table.query_partition(_partition_key(grantee))
        items = list(map(self._note_identity, found))
        subjects = frozenset(item["subject"] for item in items if "subject" in item)
        return [_decode_entry(item) for item in items if "state" in item], subjects

    def find_grantees(self, subject: str) -> frozenset[Grantee]:
        """Find who holds or held a grant because of a subject. Costs one call."""
        items = self.table.query_partition(subject)
        return frozenset(_parse_grantee(item["sk"]) for item in items)

    def write_intent(self, entries: Iterable[LedgerEntry], window: Window | None = None) -> None:
        """Record grants that are about to be created, and in the transaction of the first of them
        what runs have taken and given lately.

        Before them, the subjects of their reasons.
        """
        self._write_entries(entries, State.INTENDED, window)

    def confirm_entries(self, entries: Iterable[LedgerEntry], window: Window | None = None) -> None:
        """Record grants that exist, with id and reasons; `window` as in write_intent.

        Before them, the subjects of their reasons.
        """
        self._write_entries(entries, State.LIVE, window)

    def mark_leaving(self, entries: Iterable[LedgerEntry], window: Window | None = None) -> None:
        """Record grants that are about to be deleted; `window` as in write_intent."""
        self._write_entries(entries, State.LEAVING, window)

    def forget_grants(self, grants: Iterable[Grant]) -> None:
        """Delete the entries of grants that are gone."""
        self.write_actions(
            [
                delete_action(_partition_key(grant.grantee), _sort_key(grant))
                for grant in set(grants)
            ]
        )

    def record_identities(self, changed: Mapping[Grantee, Identity | None]) -> None:
        """Record who these grantees are; of those with None nothing is known any more."""
        if changed:
            self.write_actions(starmap(_encode_identity, sorted(changed.items())))

    def _note_identity(self, item: Item) -> Item:
        if "granted" in item:
            identity = Identity(item["granted"], item["seen"])
            self.identities[_parse_grantee(item["pk"])] = identity
        return item

    def record_window(self, window: Window) -> None:
        """Record what runs have taken and given lately."""
        self.write_actions([_encode_window(window)])

    def _write_entries(
        self, entries: Iterable[LedgerEntry], state: State, window: Window | None = None
    ) -> None:
        latest = {entry.grant: entry.with_state(state) for entry in entries}
        pairs = {
            (subject, _partition_key(entry.grant.grantee))
            for entry in latest.values()
            for subject in _find_subjects(entry)
        }
        counts = [_encode_window(window)] if window else []
        puts = (put_action(_encode_entry(entry)) for entry in latest.values())
        self._write_pairs(pairs, [*counts, *puts])

    def _write_pairs(self, pairs: AbstractSet[_Pair], then: Sequence[Action] = ()) -> None:
        new = pairs - self.paired
        if new or then:
            actions = chain.from_iterable(map(_pair_actions, sorted(new)))
            self.write_actions([*actions, *then], new)

    def write_actions(
        self, actions: Iterable[Action], pairs: AbstractSet[_Pair] = frozenset()
    ) -> None:
        """Execute these actions in their turn; after them, these pairs are known to be written."""
        if self.kept is None:
            self._send(actions, pairs)
            return
        self.kept.actions += actions
        self.kept.pairs |= pairs
        if len(self.kept.actions) >= TRANSACTION_ITEMS:
            self.flush()

    def _send(self, actions: Iterable[Action], pairs: AbstractSet[_Pair]) -> None:
        if self.lease is None:
            raise RuntimeError("the ledger is written only under a lease: ledger.with_lease(lease)")
        self.table.write_under_lease(self.lease.token, self.lease.holder, actions)
        self.paired.update(pairs)


@dataclass
class _KeptWrites:
    """Actions that wait for `flush`, and the pairs that are known to be written after them."""

    actions: list[Action] = field(default_factory=list)
    pairs: set[_Pair] = field(default_factory=set)

    def take(self) -> "_KeptWrites":
        """What waits; it waits no more."""
        taken = replace(self)
        self.actions, self.pairs = [], set()
        return taken


def _partition_key(grantee: Grantee) -> str:
    return f"{grantee.kind} {grantee.identifier}"


def _parse_grantee(partition: str) -> Grantee:
    kind, _, identifier = partition.partition(" ")
    return Grantee(kind, identifier)


def _sort_key(grant: Grant) -> str:
    through = f" {grant.application}" if grant.application else ""
    key = f"{grant.permission} {grant.scope}{through}"
    # A scope can contain spaces, and so end as if an application followed.
    fits = len(key.encode()) <= MAX_SORT_KEY_BYTES and " arn:" not in grant.scope
    return key if fits else f"{grant.permission} {_hash_parts(grant.scope, grant.application)}"


def _subject_key(subject: str) -> str:
    if len(subject.encode()) <= MAX_SORT_KEY_BYTES:
        return subject
    return f"{subject.partition(' ')[0]} {_hash_parts(subject)}"


def _hash_parts(*parts: str) -> str:
    return f"sha256 {hashlib.sha256(repr(parts).encode()).hexdigest()}"


def _pair_actions(pair: _Pair) -> tuple[Action, Action]:
    subject, grantee = pair
    backwards = {"pk": grantee, "sk": _subject_key(subject), "subject": subject}
    return put_action({"pk": subject, "sk": grantee}), put_action(backwards)


def _find_subjects(entry: LedgerEntry) -> frozenset[str]:
    return frozenset(subject for reason in entry.reasons for subject in reason.subjects)


IDENTITY_KEY = "identity"


def _encode_identity(grantee: Grantee, identity: Identity | None) -> Action:
    key = _partition_key(grantee)
    if identity is None:
        return delete_action(key, IDENTITY_KEY)
    ids = {"granted": identity.granted, "seen": identity.seen}
    return put_action({"pk": key, "sk": IDENTITY_KEY, **ids})


def _encode_window(window: Window) -> Action:
    hours = {
        str(hour): {file: tally.counts for file, tally in sorted(tallies.items())}
        for hour, tallies in sorted(window.hours.items())
    }
    pk, sk = WINDOW_KEY
    return put_action({"pk": pk, "sk": sk, "hours": pack_json(hours)})


def parse_window(item: Item | None) -> Window:
    """The window of its item; an empty one without an item."""
    hours = unpack_json(item["hours"]) if item else {}
    return Window(
        {
            int(hour): {file: Tally(*counts) for file, counts in tallies.items()}
            for hour, tallies in hours.items()
        }
    )


def _encode_entry(entry: LedgerEntry) -> Item:
    grant = entry.grant
    item = {
        "pk": _partition_key(grant.grantee),
        "sk": _sort_key(grant),
        "scope": grant.scope,
        "state": str(entry.state),
        "reasons": pack_reasons(entry.reasons),
    }
    optional = {
        "application": grant.application,
        "id": entry.id,
        "since": entry.since,
        "run": entry.run,
        "tried": entry.tried,
        "refusal": entry.refusal,
    }
    return item | {name: value for name, value in optional.items() if value}


def _decode_entry(item: Item) -> LedgerEntry:
    permission = Permission(item["sk"].partition(" ")[0])
    grantee = _parse_grantee(item["pk"])
    grant = Grant(grantee, permission, item["scope"], item.get("application", ""))
    rest = {name: item.get(name, "") for name in ("id", "since", "run", "tried", "refusal")}
    return LedgerEntry(grant, State(item["state"]), unpack_reasons(item["reasons"]), **rest)
