"""Reads the snapshot of a run: inventory, ledger and grants.

ListAccessGrants is eventually consistent: it may show grants that are gone, and lack grants that
exist. So every grant on which list and ledger disagree is looked up by id:

listed                         question to S3 Access Grants
under another id than ours     does it exist, and do its tags say that we created it?
not at all, and not wanted     does the grant of the ledger exist? If its entry were removed while
                               it exists, nothing would ever delete the grant.

Nothing else needs a call. A wanted grant that is not listed is found when it is created.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime

from botocore.exceptions import ClientError

from grantor.aws.access_grants import OWNER, AccessGrants
from grantor.aws.clients import CONNECTION_ERRORS, map_concurrently
from grantor.aws.identity_center import DirectoryIds
from grantor.aws.services import EarlyReads, Services
from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    prefix_subject,
)
from grantor.core.planning.expand import EVERYTHING, expand_rules
from grantor.core.planning.lint import report_principals
from grantor.core.planning.plan import find_doubtful
from grantor.core.planning.profile_conflicts import gives_own_folder
from grantor.core.planning.required_reads import (
    count_needed_folders,
    filter_rules,
    list_directory_names,
    list_levels,
    list_principal_kinds,
    list_queries,
    list_suspended_names,
    list_suspended_profiles,
    needs_association,
)
from grantor.core.rules import Mode, Rule, Suspension
from grantor.core.snapshot import Authority, Focus, Inventory, Snapshot, WantedGrants
from grantor.reconcile.policies import PolicySet
from grantor.reconcile.read_profiles import ProfileReader, list_profiles
from grantor.settings import MAX_GRANTEES_READ_SINGLY


def settle_doubts(
    grants: AccessGrants,
    entries: Mapping[Grant, LedgerEntry],
    wanted: Container[Grant],
    listed: Mapping[Grant, str],
) -> tuple[Mapping[Grant, str], frozenset[Grant]]:
    """The grants that exist, and those of them that are ours under another id than the ledger's.

    Costs a call for each grant on which list and ledger disagree.
    """
    actual, ours, gone = dict(listed), set(), set()
    for grant in find_doubtful(entries, actual):
        tags = grants.read_tags(actual[grant])
        if tags is None:
            del actual[grant]
            gone.add(grant)
        elif tags.get(OWNER) == grants.stack:
            ours.add(grant)
    for grant, entry in entries.items():
        unlisted = entry.id and grant not in actual and (grant not in wanted or grant in gone)
        if unlisted and grants.read_tags(entry.id) is not None:
            actual[grant] = entry.id
    return actual, frozenset(ours)


def read_focused(
    early: EarlyReads,
    rules: Sequence[Rule],
    focus: Focus,
    now: datetime,
    suspensions: Sequence[Suspension] = (),
) -> Inventory:
    """What those of the rules need that the focus concerns, whom suspensions concern, and who may
    have a folder of theirs by any of the rules.

    Raises ClientError or RetryableError if a profile cannot be read.
    """
    followed, also = filter_rules(rules, focus), list_suspended_profiles(suspensions)
    rivals = [query for query in list_queries(rules) if gives_own_folder(query)]
    locations, queries = early.locations, list_queries(followed)
    reader = ProfileReader(early.services, early.read_domains, queries, focus, also, rivals)
    found = replace(reader.read_inventory(now), locations=locations.result())
    return _read_folders(early.services, followed, found, suspensions, focus)


def _select_in_focus(base: str, names: tuple[str, ...], focus: Focus) -> tuple[str, ...]:
    """Those of the folders in `base` that the run looks at."""
    if focus.everything:
        return names
    return tuple(name for name in names if prefix_subject(f"{base}{name}/") in focus.subjects)


def _read_folders(
    services: Services,
    rules: Sequence[Rule],
    inventory: Inventory,
    suspensions: Sequence[Suspension],
    focus: Focus = EVERYTHING,
) -> Inventory:
    """The inventory with the folders that the rules follow, as many as decide, and with the ids of
    directory members that depend on them or are suspended.
    """
    folders, unread = dict(inventory.folders), dict(inventory.unread)
    needed: dict[str, int | None] = {
        **count_needed_folders(rules),
        **dict.fromkeys(list_levels(rules, inventory.profiles)),
    }
    for base, most in sorted(needed.items()):
        try:
            folders[base] = services.folders.list_folders(base, most)
        except (*CONNECTION_ERRORS, ClientError) as error:
            unread[f"folders {base}"] = str(error)
    in_focus = {base: _select_in_focus(base, names, focus) for base, names in folders.items()}
    names = list_directory_names(rules, in_focus) | list_suspended_names(suspensions)
    ids = services.directory.find_ids(names) if names else DirectoryIds()
    center = services.grants.read_identity_center() if needs_association(rules) else None
    unread |= ids.unread
    return replace(
        inventory, folders=folders, directory=ids.found, unread=unread, identity_center=center
    )


Reviews = Future[Mapping[str, datetime]] | None


def _begin_reviews(early: EarlyReads, rules: Iterable[Rule], now: datetime) -> Reviews:
    """Begin to read since when rules count as reviewed, if a rule asks for it."""
    if not any(rule.review for rule in rules):
        return None
    return early.begin(early.services.review_store.read_times, now)


def _add_reviews(inventory: Inventory, reviews: Reviews) -> Inventory:
    return replace(inventory, reviews=reviews.result()) if reviews else inventory


def read_inventory(
    early: EarlyReads, rules: Sequence[Rule], suspensions: Sequence[Suspension], now: datetime
) -> Inventory:
    """What rules and suspensions need of everything that there is. Reads the ledger as well, whose
    pairs name profiles that a list may lack.
    """
    reviews = _begin_reviews(early, rules, now)
    principals = early.list_principals(frozenset(list_principal_kinds(rules)))
    found = list_profiles(early, list_queries(rules), now, early.iterate_pairs())
    inventory = _add_reviews(_read_folders(early.services, rules, found, suspensions), reviews)
    locations = early.locations.result()
    return replace(inventory, locations=locations, principals=principals.result())


def read_snapshot(early: EarlyReads, policies: PolicySet, focus: Focus, now: datetime) -> Snapshot:
    """Everything that a plan follows from, besides the policy files.

    Costs calls of S3 Access Grants for the locations, for the grants (a page for each 1,000, or one
    list for each grantee in focus if these are few), and one for each grant on which list and
    ledger disagree. Raises ClientError or RetryableError if ledger, grants or locations cannot be
    read completely.
    """
    return _SnapshotReader(early, policies, focus).read_at(now)


@dataclass(frozen=True)
class _SnapshotReader:
    early: EarlyReads
    policies: PolicySet
    focus: Focus

    @property
    def services(self) -> Services:
        return self.early.services

    def read_at(self, now: datetime) -> Snapshot:
        return self._read_all(now) if self.focus.everything else self._read_focused(now)

    def _read_all(self, now: datetime) -> Snapshot:
        early, policies = self.early, self.policies
        early.begin_everything()
        inventory = read_inventory(early, policies.rules, policies.suspensions, now)
        entries, pairs = early.ledger.result()
        wanted = self._expand(inventory)
        snapshot = self._settle(inventory, wanted, entries, early.grants.result())
        return replace(snapshot, pairs=pairs)

    def _read_focused(self, now: datetime) -> Snapshot:
        rules, suspensions = self.policies.rules, self.policies.suspensions
        reviews = _begin_reviews(self.early, rules, now)
        find = self.services.ledger.find_grantees
        recorded = [self.early.begin(find, subject) for subject in self.focus.subjects]
        inventory = read_focused(self.early, rules, self.focus, now, suspensions)
        inventory = _add_reviews(inventory, reviews)
        wanted = self._expand(inventory)
        grantees = {grant.grantee for grant in wanted.grants}
        grantees = grantees.union(*(found.result() for found in recorded))
        few = len(grantees) <= MAX_GRANTEES_READ_SINGLY
        entries, listed = self._read_singly(grantees) if few else self._read_together(grantees)
        return self._settle(inventory, wanted, entries, listed)

    def _read_singly(
        self, grantees: Iterable[Grantee]
    ) -> tuple[list[LedgerEntry], Mapping[Grant, str]]:
        """Ledger entries and grants of some grantees, one grantee after the other."""
        ledger, grants = self.services.ledger, self.services.grants

        def read_both(grantee: Grantee) -> tuple[list[LedgerEntry], Mapping[Grant, str]]:
            entries = ledger.read_grantee(grantee)[0]
            return entries, grants.list_grants([grantee], {entry.id for entry in entries})

        both = map_concurrently(read_both, sorted(grantees))
        listed = {grant: grant_id for _, found in both for grant, grant_id in found.items()}
        return [entry for entries, _ in both for entry in entries], listed

    def _read_together(
        self, grantees: Container[Grantee]
    ) -> tuple[list[LedgerEntry], Mapping[Grant, str]]:
        """The same, out of the whole ledger and the whole list of grants."""
        every, listed = self.early.ledger.result()[0], self.early.grants.result()
        entries = [entry for entry in every if entry.grant.grantee in grantees]
        ids = {grant: grant_id for grant, grant_id in listed.items() if grant.grantee in grantees}
        return entries, ids

    def _expand(self, inventory: Inventory) -> WantedGrants:
        policies = self.policies
        return expand_rules(policies.in_force, inventory, self.focus, policies.bounds)

    def _settle(
        self,
        inventory: Inventory,
        wanted: WantedGrants,
        known: Iterable[LedgerEntry],
        listed: Mapping[Grant, str],
    ) -> Snapshot:
        """The snapshot, once list and ledger agree."""
        entries = {entry.grant: entry for entry in known}
        actual, ours = settle_doubts(self.services.grants, entries, wanted.grants, listed)
        modes = self._find_modes(entries.values())
        authority = Authority.build(inventory.now, self.focus, modes, wanted.on_hold)
        identities = dict(self.services.ledger.identities)
        withholds = self.services.names.recreated_roles != "grant"
        authority = authority.know(inventory, wanted.suspended, identities, withholds=withholds)
        wanted = report_principals(wanted, inventory.principals, authority.withheld)
        return Snapshot(inventory, wanted, entries, actual, ours, authority, identities=identities)

    def _find_modes(self, entries: Iterable[LedgerEntry]) -> dict[str, Mode | None]:
        """The mode of every policy file; None for a deleted file that still has grants in the
        ledger.
        """
        named = {reason.file for entry in entries for reason in entry.reasons}
        unknown = named - self.policies.modes.keys() - self.policies.unread.keys()
        deleted = filter(self.services.policy_files.is_deleted, sorted(unknown))
        return {**self.policies.modes, **dict.fromkeys(deleted)}
