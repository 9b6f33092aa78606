"""An inventory as `grantor inventory` saves it: all that questions about access are answered from,
in one document (docs/json.md), read again without AWS.

Grants are rows of texts and numbers. A hundred thousand of them become objects only as they are
needed, and policy files are parsed when somebody asks what a rule says.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, overload

from grantor.core.access.access_index import spell_bucket
from grantor.core.access.answers import AccessSnapshot, RuleSource, find_sources
from grantor.core.access.explain import AccessEvidence, FileFault
from grantor.core.data_buckets import NO_BUCKETS, ConnectedBuckets
from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Permission,
    Reason,
    State,
    sort_reasons,
)
from grantor.core.planning.bounds import Bounds, parse_bounds
from grantor.core.planning.rendering import Home
from grantor.core.planning.required_reads import (
    count_needed_folders,
    list_directory_names,
    list_levels,
    list_suspended_names,
)
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy, Rule, Suspension
from grantor.core.snapshot import Authority, Focus, Inventory, Snapshot, WantedGrants

NOT_SAVED = "the saved inventory does not have it; save another one while rules ask for it"


class InventoryUnreadable(ValueError):
    """A part of a saved inventory that this version cannot read; the text is a sentence."""


@dataclass(frozen=True)
class SavedFile:
    """A policy file, or the bounds file, in the version that is in force."""

    file: str
    version: str
    text: str


@dataclass(frozen=True)
class SavedGrants:
    """The grants that exist and those that a run is creating, as rows: the number of the grantee,
    permission, scope, application, id ("" if it does not exist yet), state ("" if it is unmanaged),
    and as in the ledger since, the numbers of its reasons, tried and refusal.

    A reason is a row, too: the number of its rule, subjects, until (ISO 8601, or "") and additive.
    """

    grantees: Sequence[Grantee] = ()
    rules: Sequence[str] = ()
    reasons: Sequence[Sequence[Any]] = ()
    rows: Sequence[Sequence[Any]] = ()

    @classmethod
    def collect(
        cls, entries: Mapping[Grant, LedgerEntry], actual: Mapping[Grant, str]
    ) -> "SavedGrants":
        """Those of a snapshot, in the order in which the service lists them."""
        grantees: dict[Grantee, int] = {}
        rules: dict[str, int] = {}
        reasons: dict[Reason, int] = {}
        rows = []
        for grant in dict.fromkeys([*actual, *entries]):
            entry = entries.get(grant)
            because = sort_reasons(entry.reasons) if entry else ()
            rows.append((
                grantees.setdefault(grant.grantee, len(grantees)), str(grant.permission),
                grant.scope, grant.application, actual.get(grant, ""),
                str(entry.state) if entry else "", entry.since if entry else "",
                [reasons.setdefault(one, len(reasons)) for one in because],
                entry.tried if entry else "", entry.refusal if entry else "",
            ))  # fmt: skip
        because_rows = [
            (
                rules.setdefault(one.rule, len(rules)), list(one.subjects),
                one.until.isoformat() if one.until else "", one.additive,
            )
            for one in reasons
        ]  # fmt: skip
        return cls(tuple(grantees), tuple(rules), because_rows, rows)

    def narrow_to_place(self, target: str) -> "SavedGrants":
        """Only the grants that may reach a part of the target."""
        start = spell_bucket(target).removesuffix("*")
        bare = start.removesuffix("/")  # also of a location that is granted as a whole

        def is_near(row: Sequence[Any]) -> bool:
            scope: str = row[2]
            return scope.startswith(bare) or start.startswith(scope.removesuffix("*"))

        return replace(self, rows=list(filter(is_near, self.rows)))

    def narrow_to_grantees(self, grantees: Container[Grantee]) -> "SavedGrants":
        """Only the grants of these."""
        theirs = {number for number, one in enumerate(self.grantees) if one in grantees}
        return replace(self, rows=[row for row in self.rows if row[0] in theirs])

    @cached_property
    def grants(self) -> Sequence[Grant]:
        """The grant of each row."""
        grantees, permissions = self.grantees, {str(one): one for one in Permission}
        return [Grant(grantees[row[0]], permissions[row[1]], row[2], row[3]) for row in self.rows]

    @cached_property
    def actual(self) -> Mapping[Grant, str]:
        """The grants that exist, each with its id."""
        return {grant: row[4] for grant, row in zip(self.grants, self.rows, strict=True) if row[4]}

    @cached_property
    def entries(self) -> Mapping[Grant, LedgerEntry]:
        """What the ledger says of them."""
        return SavedEntries(self)

    def make_entry(self, grant: Grant, row: Sequence[Any]) -> LedgerEntry:
        """The ledger's entry of a row that has one."""
        _, _, _, _, grant_id, state, since, reasons, tried, refusal = row
        because = frozenset(self._make_reason(*self.reasons[number]) for number in reasons)
        return LedgerEntry(grant, State(state), because, grant_id, since, "", tried, refusal)

    def _make_reason(self, rule: int, subjects: list[str], until: str, additive: bool) -> Reason:
        end = datetime.fromisoformat(until) if until else None
        return Reason(self.rules[rule], tuple(subjects), end, additive)


class SavedEntries(Mapping[Grant, LedgerEntry]):
    """The ledger's entries of saved grants; each is made when it is asked for."""

    def __init__(self, saved: SavedGrants) -> None:
        self._saved = saved
        pairs = zip(saved.grants, saved.rows, strict=True)
        self._rows = {grant: row for grant, row in pairs if row[5]}

    def __getitem__(self, grant: Grant) -> LedgerEntry:
        return self._saved.make_entry(grant, self._rows[grant])

    def __iter__(self) -> Iterator[Grant]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True)
class SavedInventory:
    """What was true when an inventory was saved; `inventory.now` is that moment.

    `suspensions` are those in force whose file could not be read, `faults` the files that are not
    in force as they stand.
    """

    stack: str
    home: Home
    region: str
    data_bucket: str
    inventory: Inventory
    files: Sequence[SavedFile] = ()
    bounds_file: SavedFile | None = None
    buckets: ConnectedBuckets = NO_BUCKETS
    suspensions: Sequence[Suspension] = ()
    faults: tuple[FileFault, ...] = ()
    grants: SavedGrants = field(default_factory=SavedGrants)

    @cached_property
    def policies(self) -> tuple[Policy, ...]:
        """The policies in force. Raises InventoryUnreadable if this version cannot parse one."""
        kept = (Policy(one.file, (), suspensions=(one,)) for one in self.suspensions)
        return (*map(self._parse, self.files), *kept)

    @cached_property
    def bounds(self) -> Bounds:
        """The bounds in force. Raises InventoryUnreadable if this version cannot parse them."""
        account, file = self.home.account, self.bounds_file
        if file is None:
            return Bounds.build_default(account, self.data_bucket, self.buckets)
        body = file.text.encode()
        found = parse_bounds(file.file, body, account, self.data_bucket, self.buckets)
        if isinstance(found, Bounds):
            return found
        raise InventoryUnreadable(f"{found[0]}")

    def parse_file(self, name: str) -> Policy | None:
        """The policy of one file; None if it is not among those in force."""
        found = next((file for file in self.files if file.file == name), None)
        return self._parse(found) if found else None

    def _parse(self, file: SavedFile) -> Policy:
        found = parse_policy(file.file, file.text.encode(), self.data_bucket)
        if isinstance(found, Policy):
            return found
        raise InventoryUnreadable(f"{found[0]}")

    def find_inventory(self, policies: Iterable[Policy]) -> Inventory:
        """The inventory for these policies instead. What they need and nobody has saved could not
        be read: nothing follows from its absence.
        """
        policies, known = tuple(policies), self.inventory
        rules = tuple(rule for policy in policies for rule in policy.rules)
        levels = {*count_needed_folders(rules), *list_levels(rules, known.profiles)}
        asked = self._list_names(self.policies)
        missing = [f"folders {base}" for base in levels - known.folders.keys()]
        missing += [
            f"directory {kind} {name}"
            for kind, name in self._list_names(policies) - asked - known.directory.keys()
        ]
        return replace(known, unread={**dict.fromkeys(sorted(missing), NOT_SAVED), **known.unread})

    def _list_names(self, policies: Iterable[Policy]) -> frozenset[tuple[str, str]]:
        listed = tuple(policies)
        rules = [rule for policy in listed for rule in policy.rules]
        suspensions = [one for policy in listed for one in policy.suspensions]
        names = list_directory_names(rules, self.inventory.folders)
        return names | list_suspended_names(suspensions)

    def to_snapshot(self) -> AccessSnapshot:
        """What questions are answered from, as it was when it was saved."""
        authority = Authority.build(self.inventory.now, Focus(), {})
        grants, inventory = self.grants, self.inventory
        snapshot = Snapshot(
            inventory, WantedGrants(), grants.entries, grants.actual, frozenset(), authority
        )
        bounds = self.bounds
        evidence = AccessEvidence(LazyPolicies(self), inventory, bounds, self.faults)
        return AccessSnapshot(snapshot, evidence, LazySources(self), self.home, inventory.now)


class LazyPolicies(Sequence[Policy]):
    """The policies of a saved inventory, parsed when somebody looks at one."""

    def __init__(self, saved: SavedInventory) -> None:
        self._saved = saved

    @overload
    def __getitem__(self, index: int) -> Policy: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Policy]: ...
    def __getitem__(self, index: int | slice) -> Policy | Sequence[Policy]:
        return self._saved.policies[index]

    def __len__(self) -> int:
        return len(self._saved.policies)


class LazySources(Mapping[str, RuleSource]):
    """Where the rules of a saved inventory stand; only the files of those asked for are parsed."""

    def __init__(self, saved: SavedInventory) -> None:
        self._saved = saved
        self._versions = {file.file: file.version for file in saved.files}
        self._found: dict[str, Mapping[str, RuleSource]] = {}

    def __getitem__(self, rule: str) -> RuleSource:
        file = rule.partition("#")[0]
        if file not in self._found:
            policy = self._saved.parse_file(file)
            rules: Sequence[Rule] = policy.rules if policy else ()
            self._found[file] = find_sources(rules, self._versions)
        return self._found[file][rule]

    def __iter__(self) -> Iterator[str]:
        return (rule.id for policy in self._saved.policies for rule in policy.rules)

    def __len__(self) -> int:
        return sum(1 for _ in self)
