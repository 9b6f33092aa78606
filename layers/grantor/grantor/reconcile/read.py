"""Reads the snapshot of a run: inventory, ledger and grants.

ListAccessGrants is eventually consistent: it may show grants that are gone, and lack grants that
exist. So every grant on which list and ledger disagree is looked up by id:

listed                         question to S3 Access Grants
under another id than ours     does it exist, and do its tags say that we created it?
not at all, and not wanted     does the grant of the ledger exist? If its entry were removed while
                               it exists, nothing would ever delete the grant.

Nothing else needs a call. A wanted grant that is not listed is found when it is created.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from botocore.exceptions import ClientError

from grantor.aws.access_grants import OWNER, AccessGrants
from grantor.aws.clients import CONNECTION_ERRORS, map_concurrently
from grantor.aws.identity_center import DirectoryIds
from grantor.aws.services import Services
from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Pair,
    iam_grantee,
    parse_profile_subject,
    prefix_subject,
    profile_subject,
)
from grantor.core.planning.expand import EVERYTHING, expand_rules
from grantor.core.planning.lint import report_principals
from grantor.core.planning.plan import find_doubtful
from grantor.core.planning.profile_conflicts import (
    find_neighbours,
    find_rivals,
    gives_own_folder,
    needs_tags,
)
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
from grantor.core.rules import Mode, ProfileQuery, Rule, Suspension
from grantor.core.snapshot import Authority, Focus, Inventory, Profile, Snapshot, WantedGrants
from grantor.reconcile.policies import PolicySet
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


def read_everything(
    services: Services, policies: PolicySet, now: datetime, pairs: Iterable[Pair]
) -> Inventory:
    """Everything that the policies need, except locations. For `pairs` see read_all_profiles."""
    found = read_all_profiles(services, list_queries(policies.rules), now, pairs)
    return _read_folders(services, policies.rules, found, policies.suspensions)


def read_focused(
    services: Services,
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
    reader = _ProfileReader(services, list_queries(followed), focus, also, rivals)
    found = replace(reader.read_inventory(now), locations=services.grants.list_locations())
    return _read_folders(services, followed, found, suspensions, focus)


def read_all_profiles(
    services: Services, queries: Sequence[ProfileQuery], now: datetime, pairs: Iterable[Pair] = ()
) -> Inventory:
    """Every profile, for rules or jobs with these queries.

    `pairs` are those of earlier runs: each profile in them that no list contains is read singly
    once more.
    """
    domains = services.studio.list_domains()
    read = services.studio.list_profiles(domains, needs_tags(queries), services.known_profiles)
    services.known_profiles.clear()
    services.known_profiles.update(read.known)
    listed = {profile.subject: profile for profile in read.profiles}
    missing = [pair for pair in pairs if parse_profile_subject(pair[0]) and pair[0] not in listed]
    unsure = [pair for pair in missing if f"domain {_get_domain(pair[0])}" in read.unread]
    for subject in sorted({subject for subject, _ in missing} - {subject for subject, _ in unsure}):
        listed |= _read_profile(services, domains, subject, queries)
    return Inventory(
        now,
        profiles=_sort_profiles(listed.values()),
        domains=frozenset(domains),
        sharing=_group_by_role(listed.values(), unsure),
        unread=read.unread,
    )


def read_some_profiles(
    services: Services,
    queries: Sequence[ProfileQuery],
    focus: Focus,
    now: datetime,
    also: Iterable[str] = (),
) -> Inventory:
    """The profiles in focus and their neighbours, and those of the subjects `also`. Raises
    ClientError or RetryableError if one cannot be read.
    """
    return _ProfileReader(services, queries, focus, frozenset(also), ()).read_inventory(now)


class _ProfileReader:
    """Reads the profiles of a focused run, and those that share a role or a folder with them."""

    def __init__(
        self,
        services: Services,
        queries: Sequence[ProfileQuery],
        focus: Focus,
        also: frozenset[str],
        rivals: Sequence[ProfileQuery],
    ) -> None:
        self.services, self.queries, self.also, self.rivals = services, queries, also, rivals
        self.subjects = [one for one in focus.subjects if parse_profile_subject(one)]
        self.has_folders = len(self.subjects) < len(focus.subjects)
        needs_domains = self.subjects or queries or also
        self.domains = services.studio.list_domains() if needs_domains else {}
        self.found: dict[str, Profile] = {}
        self.unread: dict[str, str] = {}

    def read_inventory(self, now: datetime) -> Inventory:
        self._read_profiles([*self.subjects, *map(_swap_capital, self.subjects), *self.also])
        roles = sorted({profile.role for profile in self.found.values()})
        pairs_of = self.services.ledger.read_grantee
        for _, subjects in map_concurrently(pairs_of, [iam_grantee(role) for role in roles]):
            self._read_profiles(subjects)
        self._read_domains()
        self._read_profiles(find_neighbours(self.queries, self._build_inventory(now)))
        self._read_rivals()
        return self._build_inventory(now)

    def _read_rivals(self) -> None:
        """Read who may have a folder of a profile in focus, by the rules of any domain."""
        named = find_rivals(self.rivals, list(self.found.values()))
        others = sorted(one for one in named if self.domains.get(_get_domain(one)))
        self._read_profiles(others)

    def _build_inventory(self, now: datetime) -> Inventory:
        profiles = _sort_profiles(self.found.values())
        return Inventory(
            now,
            profiles=profiles,
            domains=frozenset(self.domains),
            sharing=_group_by_role(profiles),
            unread=self.unread,
        )

    def _read_profiles(self, subjects: Iterable[str]) -> None:
        new = sorted(set(filter(parse_profile_subject, subjects)) - self.found.keys())

        def read(subject: str) -> dict[str, Profile]:
            asked = [*self.queries, *self.rivals]  # a rival may be one by its tags
            return _read_profile(self.services, self.domains, subject, asked)

        for found in map_concurrently(read, new):
            self.found |= found
        for domain in map(_get_domain, new):
            if self.domains.get(domain) == "":
                self.unread[f"domain {domain}"] = "two domains have this name"

    def _read_domains(self) -> None:
        """Read whole domains if all names matter: a rule gives a folder to all, or its scope ends
        inside a name.
        """
        names = {
            query.selector.domain
            for query in self.queries
            if (self.has_folders and query.follows_folders) or query.ends_inside_name
        } | {rival.selector.domain for rival in self.rivals if rival.ends_inside_name}
        domains = {name: self.domains[name] for name in names & self.domains.keys()}
        known = self.services.known_profiles
        read = self.services.studio.list_profiles(domains, needs_tags(self.queries), known)
        known.update(read.known)
        self.unread |= read.unread
        self.found |= {profile.subject: profile for profile in read.profiles}


def _read_profile(
    services: Services, domains: Mapping[str, str], subject: str, queries: Sequence[ProfileQuery]
) -> dict[str, Profile]:
    """The profile by its subject, if it exists."""
    domain, name = parse_profile_subject(subject) or ("", "")
    if not domains.get(domain):
        return {}
    found = services.studio.read_profile(domain, domains[domain], name, needs_tags(queries))
    return {subject: found} if found else {}


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


def _group_by_role(
    profiles: Iterable[Profile], pairs: Iterable[Pair] = ()
) -> dict[str, frozenset[str]]:
    """Which profiles run as which role, by what was read and by these pairs of earlier runs."""
    found: dict[str, set[str]] = defaultdict(set)
    for profile in profiles:
        found[profile.role].add(profile.subject)
    for subject, grantee in pairs:
        found[grantee.identifier].add(subject)
    return {role: frozenset(subjects) for role, subjects in found.items()}


def _sort_profiles(profiles: Iterable[Profile]) -> tuple[Profile, ...]:
    return tuple(sorted(profiles, key=lambda profile: profile.subject))


def _get_domain(subject: str) -> str:
    return (parse_profile_subject(subject) or ("", ""))[0]


def _swap_capital(subject: str) -> str:
    """The only other name that has the same folder: its first letter has the other case."""
    domain, name = parse_profile_subject(subject) or ("", "")
    return profile_subject(domain, name[:1].swapcase() + name[1:])


def read_snapshot(services: Services, policies: PolicySet, focus: Focus, now: datetime) -> Snapshot:
    """Everything that a plan follows from, besides the policy files.

    Costs calls of S3 Access Grants for the locations, for the grants (a page for each 1,000, or one
    list for each grantee in focus if these are few), and one for each grant on which list and
    ledger disagree. Raises ClientError or RetryableError if ledger, grants or locations cannot be
    read completely.
    """
    return _SnapshotReader(services, policies, focus).read_at(now)


@dataclass(frozen=True)
class _SnapshotReader:
    services: Services
    policies: PolicySet
    focus: Focus

    def read_at(self, now: datetime) -> Snapshot:
        return self._read_all(now) if self.focus.everything else self._read_focused(now)

    def _read_all(self, now: datetime) -> Snapshot:
        entries, pairs = self.services.ledger.read_all()
        grants = self.services.grants
        principals, kinds = self.services.principals, list_principal_kinds(self.policies.rules)
        with ThreadPoolExecutor(3) as executor:
            locations = executor.submit(grants.list_locations)
            known = executor.submit(principals.read_principals, kinds)
            listed = executor.submit(grants.list_grants, known={entry.id for entry in entries})
            inventory = read_everything(self.services, self.policies, now, pairs)
        inventory = replace(inventory, locations=locations.result(), principals=known.result())
        wanted = self._expand(inventory)
        return replace(self._settle(inventory, wanted, entries, listed.result()), pairs=pairs)

    def _read_focused(self, now: datetime) -> Snapshot:
        rules, suspensions = self.policies.rules, self.policies.suspensions
        inventory = read_focused(self.services, rules, self.focus, now, suspensions)
        wanted = self._expand(inventory)
        recorded = map_concurrently(self.services.ledger.find_grantees, self.focus.subjects)
        grantees = {grant.grantee for grant in wanted.grants}.union(*recorded)
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
        every = self.services.ledger.iterate_entries()
        entries = [entry for entry in every if entry.grant.grantee in grantees]
        listed = self.services.grants.list_grants(known={entry.id for entry in entries})
        return entries, {
            grant: grant_id for grant, grant_id in listed.items() if grant.grantee in grantees
        }

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
