"""What a run must read for some rules, which rules a focus concerns, and what the ledger remembers
for the next run; decided without reading anything.

Domains come first, then their profiles. Profiles name the folders that must be listed; folders name
whom to look up in the directory.
"""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

from grantor.core.grant import (
    Grant,
    Grantee,
    Identity,
    LedgerEntry,
    Pair,
    iam_grantee,
    parse_profile_subject,
    prefix_subject,
    profile_subject,
)
from grantor.core.planning.grantees import is_directory_id, matches_name
from grantor.core.planning.plan import Plan
from grantor.core.planning.scopes import (
    VARIABLE,
    RuleRejected,
    fill_variables,
    find_closed_folders,
    find_levels,
    prefix_values,
    profile_values,
)
from grantor.core.rules import (
    DirectoryName,
    IamPrincipal,
    ProfileName,
    ProfileQuery,
    ProfileSelector,
    Rule,
    Suspension,
)
from grantor.core.snapshot import EVERYTHING, Focus, Profile, Snapshot
from grantor.settings import MAX_PREFIX_FOLDERS

PREFIX = prefix_subject("")


def list_queries(rules: Iterable[Rule]) -> tuple[ProfileQuery, ...]:
    """What the rules need to know about profiles."""
    return tuple(query for rule in rules if (query := rule.profile_query))


def count_needed_folders(rules: Iterable[Rule]) -> dict[str, int]:
    """How many folders of each base must be listed, to know them all or to know that there are too
    many.
    """
    found: dict[str, int] = {}
    for rule in rules:
        if base := rule.each_prefix:
            found[base] = max(found.get(base, 0), (rule.at_most or MAX_PREFIX_FOLDERS) + 1)
    return found


def list_levels(rules: Iterable[Rule], profiles: Iterable[Profile]) -> frozenset[str]:
    """The folders that must be listed because of exceptions.

    Every run lists them completely, because the number of grants decides about all of them.
    """
    everyone = tuple(profiles)
    return frozenset(
        level
        for rule in rules
        for on, excepted in _fill_exceptions(rule, everyone)
        for level in find_levels(on, excepted)
    )


def list_directory_names(
    rules: Iterable[Rule], folders: Mapping[str, Iterable[str]]
) -> frozenset[tuple[str, str]]:
    """The users and groups to look up in the directory, as kind and name; those given by id are not
    among them.
    """
    names = (name for rule in rules for name in _list_members(rule, folders))
    return frozenset((kind, who) for kind, who in names if not is_directory_id(who))


def list_suspended_profiles(suspensions: Iterable[Suspension]) -> frozenset[str]:
    """The suspended profiles, as subjects: whatever a run looks at, it must know their roles."""
    named = (one.who for one in suspensions if isinstance(one.who, ProfileName))
    return frozenset(profile_subject(who.domain, who.name) for who in named)


def list_suspended_names(suspensions: Iterable[Suspension]) -> frozenset[tuple[str, str]]:
    """The suspended users and groups to look up in the directory, as list_directory_names."""
    named = (one.who for one in suspensions if isinstance(one.who, DirectoryName))
    return frozenset((who.kind, who.who) for who in named if not is_directory_id(who.who))


def list_principal_kinds(rules: Iterable[Rule]) -> frozenset[str]:
    """The kinds of IAM principals, role and user, that a run over everything lists: those that the
    rules may give grants to. Profiles run as roles.
    """
    names = [rule.to for rule in rules if not isinstance(rule.to, DirectoryName)]
    users = any(isinstance(to, IamPrincipal) and ":user/" in to.arn for to in names)
    return frozenset(("role", "user") if users else ("role",) if names else ())


def needs_association(rules: Iterable[Rule]) -> bool:
    """Whether a rule names somebody of Identity Center, so that the instance must know it."""
    return any(isinstance(rule.to, DirectoryName) for rule in rules)


def filter_rules(rules: Iterable[Rule], focus: Focus) -> tuple[Rule, ...]:
    """The rules that can have a reason that the focus includes."""
    if focus.everything:
        return tuple(rules)
    profiles = [who for who in map(parse_profile_subject, focus.subjects) if who]
    folders = [one.removeprefix(PREFIX) for one in focus.subjects if one.startswith(PREFIX)]
    return tuple(
        rule
        for rule in rules
        if _selects_any(rule, profiles) or any(_follows(rule, folder) for folder in folders)
    )


def find_upload_subjects(rules: Iterable[Rule], key: str) -> tuple[str, ...]:
    """The folders that an upload touches and that a rule follows, as subjects; empty if no rule
    does.

    `key` is s3://bucket/key, or a folder with a slash at its end.
    """
    below_bucket = list(re.finditer("/", key))[3:]  # the first three belong to s3:// and the bucket
    folders = [key[: slash.end()] for slash in below_bucket]
    listed = tuple(rules)
    followed = (folder for folder in folders if any(_follows(rule, folder) for rule in listed))
    return tuple(map(prefix_subject, followed))


def parent_folder(folder: str) -> str:
    """The folder that contains a folder, both with a slash at their end.

    >>> parent_folder("s3://data/teams/blue/")
    's3://data/teams/'
    """
    return folder[: folder.rfind("/", 0, -1) + 1]


def resolve_focus(
    targets: Iterable[str], rules: Sequence[Rule], domains: Callable[[], Mapping[str, str]]
) -> Focus | None:
    """The focus of some triggers' targets; None if no rule follows any of them.

    `domains` gives the id of each Studio domain by its name, and is called only for a profile. A
    domain of an unknown id may have been deleted just now, which concerns everyone who was in it.
    """
    listed = tuple(targets)
    any_profile = any(map(_parse_profile, listed))
    names = {domain_id: name for name, domain_id in domains().items()} if any_profile else {}
    subjects = {subject for target in listed for subject in _list_subjects(target, rules, names)}
    return Focus.build(subjects) if subjects else None


def _list_subjects(target: str, rules: Sequence[Rule], names: Mapping[str, str]) -> tuple[str, ...]:
    if target.startswith("data "):
        return find_upload_subjects(rules, target.removeprefix("data "))
    domain_id, name = _parse_profile(target) or ("", "")
    if domain_id not in names:
        return (EVERYTHING,)
    return (profile_subject(names[domain_id], name),)


def _parse_profile(target: str) -> tuple[str, str] | None:
    found = parse_profile_subject(target)
    return found if found and all(found) else None


def _fill_exceptions(
    rule: Rule, profiles: Iterable[Profile]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The scope and the exceptions of a rule that has some, for each profile if each has
    its own.
    """
    if not rule.excepts:
        return
    if not (isinstance(rule.to, ProfileSelector) and rule.to.each):
        yield rule.on, rule.excepts
        return
    for profile in profiles:
        if matches_name(rule.to, profile.domain, profile.name):
            values = profile_values(profile)
            try:
                on, *excepted = (fill_variables(text, values) for text in rule.texts)
            except RuleRejected:
                continue
            yield on, tuple(excepted)


def _list_members(rule: Rule, folders: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    if not isinstance(rule.to, DirectoryName):
        return
    if "{" not in rule.to.who:
        yield rule.to.kind, rule.to.who
        return
    for name in folders.get(rule.each_prefix, ()):
        try:
            yield rule.to.kind, fill_variables(rule.to.who, prefix_values(name))
        except RuleRejected:
            continue


def _selects_any(rule: Rule, profiles: Iterable[tuple[str, str]]) -> bool:
    if not isinstance(rule.to, ProfileSelector):
        return False
    return any(matches_name(rule.to, *who) for who in profiles)


def _follows(rule: Rule, folder: str) -> bool:
    """Whether the rule may give something for this folder: it lies directly below one that the rule
    looks into.
    """
    above = parent_folder(folder)
    if rule.each_prefix == above:
        return True
    if not rule.excepts or folder in find_closed_folders(rule.on, rule.excepts):
        return False
    return any(_matches_level(level, above) for level in find_levels(rule.on, rule.excepts))


def _matches_level(level: str, folder: str) -> bool:
    """Whether the folder may be the level, with some values for its variables."""
    if "{" not in level:
        return level == folder
    return bool(re.fullmatch("[^/]+".join(map(re.escape, VARIABLE.split(level)[::2])), folder))


def find_identities(
    snapshot: Snapshot, owned: Iterable[LedgerEntry], undone: Container[Grantee]
) -> dict[Grantee, Identity | None]:
    """What has changed of who the grantees of wanted and `owned` grants are; None for those that
    need not be remembered.

    A role that was made again is the one that its grants are for, once all of them were made again:
    none of its changes is `undone`.
    """
    recorded, ids = snapshot.identities, snapshot.inventory.principals.ids
    wanted = {grant.grantee for grant in snapshot.wanted.grants}
    needed = wanted.union(entry.grant.grantee for entry in owned)
    found: dict[Grantee, Identity | None] = {}
    if snapshot.is_complete:
        found |= dict.fromkeys(recorded.keys() - needed)
    for grantee in needed:
        known, seen = recorded.get(grantee), ids.get(grantee.identifier)
        is_renewed = grantee in snapshot.authority.renewed and grantee not in undone
        if seen:
            granted = known.granted if known and not is_renewed else seen
            found[grantee] = Identity(granted, seen)
    return {grantee: one for grantee, one in found.items() if one != recorded.get(grantee, "")}


def find_stale_pairs(snapshot: Snapshot, plan: Plan, removed: Container[Grant]) -> frozenset[Pair]:
    """The pairs of the ledger that serve nothing once the plan is applied and these grants are
    removed from the ledger.

    A pair is stale when no grant has its subject as a reason, and no profile runs as its role.
    """
    reasons = {
        grant: entry.reasons for grant, entry in snapshot.entries.items() if grant not in removed
    }
    reasons |= {change.grant: frozenset(change.reasons) for change in plan.update}
    for change in plan.create:
        reasons[change.grant] = reasons.get(change.grant, frozenset()).union(change.reasons)
    used = {
        (subject, grant.grantee)
        for grant, those in reasons.items()
        for reason in those
        for subject in reason.subjects
    }
    running = {
        (subject, iam_grantee(role))
        for role, subjects in snapshot.inventory.sharing.items()
        for subject in subjects
    }
    return snapshot.pairs - used - running
