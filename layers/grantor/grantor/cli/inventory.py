"""grantor inventory: save what questions about access are answered from, to ask without AWS."""

from collections.abc import Iterator
from dataclasses import replace

from grantor.aws.services import EarlyReads, Services
from grantor.cli.output import Progress
from grantor.cli.session import CommandError, Session
from grantor.cli.sources import find_file_faults, read_live
from grantor.core.access.inventory_document import encode_inventory
from grantor.core.access.saved_inventory import SavedFile, SavedGrants, SavedInventory
from grantor.core.grant import Permission
from grantor.core.planning.bounds import BOUNDS_FILE
from grantor.core.rules import ProfileSelector, Rule
from grantor.core.snapshot import Inventory, Snapshot
from grantor.reconcile.policies import PolicySet
from grantor.reconcile.read import read_inventory

# Rules of other files may ask for any tag of any profile.
EVERY_TAG = Rule(
    "", "every-tag", ProfileSelector(("*",), except_tags=((("", ""),),)), "s3://", Permission.READ
)


def run_inventory(session: Session) -> int:
    """Print the inventory as one line of JSON; exits with 0.

    Costs what plan does, and a call for each profile, for its tags.
    """
    services = session.services
    policies, snapshot = read_live(services)
    if unread := policies.unread.get(BOUNDS_FILE):
        raise CommandError(f"{BOUNDS_FILE} cannot be read: {unread}; try again in a moment")
    with Progress("reading tags and policy files"):
        inventory = _read_everything(services, policies, snapshot)
        saved = _collect(session, policies, replace(snapshot, inventory=inventory))
    session.output.print_document(encode_inventory(saved))
    return 0


def _read_everything(services: Services, policies: PolicySet, snapshot: Snapshot) -> Inventory:
    """The inventory of a moment ago with all tags, and the Identity Center of the instance."""
    rules, known = (*policies.rules, EVERY_TAG), snapshot.inventory
    with EarlyReads(services) as early:
        inventory = read_inventory(early, rules, policies.suspensions, known.now)
    center = services.grants.read_identity_center()
    return replace(inventory, identity_center=center, reviews=known.reviews)


def _collect(session: Session, policies: PolicySet, snapshot: Snapshot) -> SavedInventory:
    services, names = session.services, session.services.names
    _, buckets = services.policy_store.read_state(services.clock())
    theirs = {
        grant
        for grant, entry in snapshot.entries.items()
        if snapshot.actual.get(grant, entry.id) != entry.id and grant not in snapshot.ours
    }
    entries = {one: entry for one, entry in snapshot.entries.items() if one not in theirs}
    return SavedInventory(
        names.stack_name,
        names.home,
        session.clients.region,
        names.data_bucket,
        snapshot.inventory,
        tuple(_read_files(services, policies)),
        _read_bounds(services, policies),
        buckets,
        tuple(one for policy in policies.kept for one in policy.suspensions),
        find_file_faults(policies),
        SavedGrants.collect(entries, snapshot.actual),
    )


def _read_files(services: Services, policies: PolicySet) -> Iterator[SavedFile]:
    """The policy files in the versions that are in force; most are in memory."""
    for key, version in sorted(policies.versions.items()):
        yield _read_file(services, policies, key, version)


def _read_bounds(services: Services, policies: PolicySet) -> SavedFile | None:
    """The bounds file in force; None if there is none, so that the defaults hold."""
    accepted = policies.accepted.get(BOUNDS_FILE)
    is_wrong = any(problem.file == BOUNDS_FILE for problem in policies.problems)
    if services.policy_files.has_bounds and not is_wrong:
        return _read_file(services, policies, BOUNDS_FILE, "")
    if accepted is None or BOUNDS_FILE in policies.deleted:
        return None
    return _read_file(services, policies, BOUNDS_FILE, accepted.version)


def _read_file(services: Services, policies: PolicySet, key: str, version: str) -> SavedFile:
    """A file in a version, by default as it is."""
    is_replaced = any(problem.file == key for problem in policies.problems)
    read = services.policy_files.read_file
    file = read(key, version) if is_replaced or key in policies.unread else read(key)
    return SavedFile(key, file.version, file.body.decode())
