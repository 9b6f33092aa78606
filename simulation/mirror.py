"""What exists, as the calls tell it: grants with their owners, the ledger, the lease.

The promises look at this, never at what the product believes.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulation.doubles.gate import Call
from simulation.estate import STACK
from simulation.reality import GrantKey
from simulation.scheduler import Process

OWNER, RULES = "grantor:stack", "grantor:rules"
LEASE = ("lease", "lease")
AUTHOR = "author "  # before a file's key, in the partition key
Item = Mapping[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True)
class MirroredGrant:
    """A grant that exists: whose tag it carries, and which process made it."""

    key: GrantKey
    owner: str
    maker: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is managed by the stack."""
        return self.owner == STACK


@dataclass(frozen=True)
class Written:
    """A reason in the ledger."""

    rule: str
    subjects: tuple[str, ...]
    until: str
    additive: bool

    @property
    def file(self) -> str:
        """The policy file of the rule."""
        return self.rule.partition("#")[0]


@dataclass(frozen=True)
class MirroredEntry:
    """An entry of the ledger."""

    key: GrantKey
    state: str
    id: str
    reasons: tuple[Written, ...]


@dataclass(frozen=True)
class LedgerWrite:
    """One item that a call has written (None: deleted), and what was there before."""

    key: Key
    item: Item | None
    before: Item | None


def parse_entry(item: Item | None) -> MirroredEntry | None:
    """The entry of an item; None if it is none."""
    if item is None or "state" not in item:
        return None
    grantee = item["pk"]["S"].partition(" ")[2]
    permission = item["sk"]["S"].partition(" ")[0]
    key = GrantKey(grantee, permission, item["scope"]["S"])
    written = item["reasons"]
    packed = written["S"] if "S" in written else zlib.decompress(written["B"]).decode()
    reasons = tuple(_parse_reason(*one) for one in json.loads(packed))
    return MirroredEntry(key, item["state"]["S"], item.get("id", {}).get("S", ""), reasons)


def _parse_reason(
    rule: str, subjects: Iterable[str] = (), until: str | None = None, additive: bool = False
) -> Written:
    return Written(rule, tuple(subjects), until or "", additive)


@dataclass(frozen=True)
class Author:
    """Who wrote a version of a policy file, as the table knows since `at`."""

    at: float
    file: str
    version: str
    principal: str


@dataclass
class Mirror:
    """The state of the account, from the calls that had an effect."""

    grants: dict[str, MirroredGrant] = field(default_factory=dict)
    items: dict[Key, Item] = field(default_factory=dict)
    lease_process: Process | None = None
    leases: int = 0  # that were acquired
    authors: list[Author] = field(default_factory=list)
    expiry: dict[str, float] = field(default_factory=dict)  # of each process's lease

    @property
    def entries(self) -> dict[GrantKey, MirroredEntry]:
        """The ledger."""
        return {one.key: one for one in map(parse_entry, self.items.values()) if one}

    def find_entry(self, key: GrantKey) -> MirroredEntry | None:
        """The ledger's entry of a grant."""
        item = self.items.get((f"IAM {key.grantee}", f"{key.permission} {key.scope}"))
        return parse_entry(item)

    def list_writes(self, call: Call) -> list[LedgerWrite]:
        """What a call has written to the table; the mirror has it afterwards."""
        found = []
        for key, item in _list_written(call):
            found.append(LedgerWrite(key, item, self.items.get(key)))
            if item is None:
                self.items.pop(key, None)
            else:
                self.items[key] = item
            if key[0].startswith(AUTHOR) and item is not None:
                self._note_author(call.at, key[0].removeprefix(AUTHOR), item)
            if key == LEASE and item is not None:
                self._note_lease(call.process, item, found[-1].before)
        return found

    def _note_author(self, at: float, file: str, item: Item) -> None:
        version, principal = item["version"]["S"], item["principal"]["S"]
        self.authors.append(Author(at, file, version, principal))

    def _note_lease(self, process: Process, item: Item, before: Item | None) -> None:
        holder = item["holder"]["S"]
        if not holder:
            self.lease_process = None
        elif before is None or before["token"]["N"] != item["token"]["N"]:
            self.lease_process = process
            self.leases += 1
        if self.lease_process is process:
            self.expiry[process.name] = float(item["expires"]["N"])


def _list_written(call: Call) -> Iterator[tuple[Key, Item | None]]:
    request = call.request
    if call.operation == "PutItem":
        yield _find_key(request["Item"]), request["Item"]
    elif call.operation == "DeleteItem":
        yield _find_key(request["Key"]), None
    elif call.operation == "TransactWriteItems":
        for action in request["TransactItems"]:
            for kind, what in action.items():
                if kind in ("Put", "Delete"):
                    item = what.get("Item")
                    yield _find_key(item or what["Key"]), item


def _find_key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]
