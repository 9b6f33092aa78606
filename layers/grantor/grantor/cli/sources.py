"""Where questions about access are answered from: the stack as it is, as it would be with other
policy files, as it was, or an inventory that somebody has saved.

What does not need AWS does not import boto3: an offline question takes a fraction of a second.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grantor.cli.output import Progress
from grantor.cli.session import CommandError, Session, UsageError
from grantor.core.access.answers import (
    AccessSnapshot,
    find_principal,
    find_sources,
    foresee_grants,
)
from grantor.core.access.explain import AccessEvidence, FileFault
from grantor.core.access.inventory_document import parse_inventory
from grantor.core.access.saved_inventory import InventoryUnreadable, SavedInventory
from grantor.core.diagnostics import Fault
from grantor.core.planning.bounds import BOUNDS_FILE
from grantor.core.planning.expand import expand_rules
from grantor.core.snapshot import Authority, Focus, Snapshot

if TYPE_CHECKING:
    from grantor.aws.services import Services
    from grantor.reconcile.policies import PolicySet


def read_state(session: Session) -> AccessSnapshot:
    """Read what a question is answered from, as its arguments say.

    Raises UsageError for arguments that exclude each other, CommandError for what cannot be read.
    """
    given = session.arguments
    folder, saved = getattr(given, "policy", None), getattr(given, "profiles", None)
    if time := getattr(given, "as_of", None):
        return _read_past(session, time, folder, saved)
    if saved:
        with quiet_collector():
            return _foresee_saved(read_saved(saved), folder) if folder else _read_offline(session)
    return _foresee_live(session, folder) if folder else _read_current(session)


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Pause the search for cyclic garbage while a large inventory is read: nearly all of it stays
    until the command ends.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def read_saved(path: str) -> SavedInventory:
    """Read a saved inventory. Raises CommandError if the file is none."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read: {error.strerror}; grantor inventory > {path} writes it"
        ) from error
    found = parse_inventory(content, path)
    if isinstance(found, Fault):
        raise CommandError(found.sentence)
    return found


def read_live(services: "Services") -> "tuple[PolicySet, Snapshot]":
    """Read everything that a run over everything reads. It judges nothing. Raises as read_snapshot
    does.
    """
    from grantor.aws.services import EarlyReads
    from grantor.reconcile.policies import begin_policies
    from grantor.reconcile.read import read_snapshot

    now = datetime.fromtimestamp(services.clock(), UTC)
    with (
        Progress("reading policy files, profiles and grants"),
        quiet_collector(),
        EarlyReads(services) as early,
    ):
        wait_for_policies = begin_policies(early)
        early.begin_everything()
        policies = wait_for_policies()
        return policies, read_snapshot(early, policies, Focus(), now)


def find_file_faults(policies: "PolicySet") -> tuple[FileFault, ...]:
    """The policy files that are not in force as they stand: wrong ones, and those that could not be
    read.
    """
    wrong: dict[str, str] = {}
    for problem in policies.problems:
        wrong.setdefault(problem.file, f"line {problem.line}: {problem.sentence}")
    found = {**wrong, **policies.unread}
    return tuple(
        FileFault(file, why, policies.versions.get(file, ""))
        for file, why in sorted(found.items())
        if file != BOUNDS_FILE
    )


def _read_current(session: Session) -> AccessSnapshot:
    policies, snapshot = read_live(session.services)
    return _build_state(session, policies, snapshot)


def _foresee_live(session: Session, folder: str) -> AccessSnapshot:
    """The stack as it would be with the policy files of a folder."""
    from grantor.cli.check import find_policy_root
    from grantor.cli.compared_sides import refuse_file
    from grantor.cli.local_files import LocalFiles

    services, path = session.services, find_policy_root(_check_folder(folder))
    services.policy_files = LocalFiles(session.clients.s3, services.names.policy_bucket, path)
    policies, snapshot = read_live(services)
    if wrong := [one for one in policies.problems if one.file != BOUNDS_FILE]:
        raise refuse_file(f"--policy {folder}", wrong)
    return _build_state(session, policies, foresee_grants(snapshot))


def _build_state(session: Session, policies: "PolicySet", snapshot: Snapshot) -> AccessSnapshot:
    faults = find_file_faults(policies)
    evidence = AccessEvidence(policies.in_force, snapshot.inventory, policies.bounds, faults)
    sources = find_sources(policies.rules, policies.versions)
    return AccessSnapshot(snapshot, evidence, sources, session.services.names.home)


def _read_past(
    session: Session, time: datetime, folder: str | None, saved: str | None
) -> AccessSnapshot:
    from grantor.cli.past import read_past

    if folder or saved:
        option = "--policy" if folder else "--profiles"
        raise UsageError(f"--as-of and {option} exclude each other: of the past no rules are known")
    state = read_past(session, time)
    return replace(state, home=session.services.names.home, as_of=time, knows_rules=False)


def _read_offline(session: Session) -> AccessSnapshot:
    """A saved inventory, as it was saved. One question needs few of its grants as objects."""
    given = session.arguments
    saved = read_saved(given.profiles)
    grants = saved.grants
    if place := getattr(given, "url", None):
        grants = grants.narrow_to_place(place)
    elif who := getattr(given, "who", None):
        found = find_principal(who, saved.inventory)
        if not isinstance(found, Fault):
            grants = grants.narrow_to_grantees(found.principal.grantees)
    try:
        return replace(saved, grants=grants).to_snapshot()
    except InventoryUnreadable as error:
        raise explain_unreadable(error) from error


def explain_unreadable(error: InventoryUnreadable) -> CommandError:
    """Say that this version cannot read a saved policy file."""
    return CommandError(f"the saved inventory has a file that this version cannot read: {error}")


def _foresee_saved(saved: SavedInventory, folder: str) -> AccessSnapshot:
    """A saved inventory as it would be with the policy files of a folder."""
    from grantor.cli.compared_sides import PlaceNames, read_folder

    names = PlaceNames(saved.home.account, saved.data_bucket, saved.buckets)
    path = _check_folder(folder)
    try:
        rules = read_folder(folder, path, names)
        bounds, inventory = rules.bounds or saved.bounds, saved.find_inventory(rules.policies)
    except InventoryUnreadable as error:
        raise explain_unreadable(error) from error
    entries, actual = saved.grants.entries, saved.grants.actual
    wanted = expand_rules(rules.policies, inventory, bounds=bounds)
    files = {reason.file: None for entry in entries.values() for reason in entry.reasons}
    modes = {**files, **{policy.file: policy.mode for policy in rules.policies}}
    authority = Authority.build(inventory.now, Focus(), modes, wanted.on_hold)
    authority = authority.know(inventory, wanted.suspended, {}, withholds=True)
    snapshot = Snapshot(inventory, wanted, entries, actual, frozenset(), authority)
    evidence = AccessEvidence(rules.policies, inventory, bounds)
    listed = (rule for policy in rules.policies for rule in policy.rules)
    sources = find_sources(listed, {})
    return AccessSnapshot(
        foresee_grants(snapshot), evidence, sources, saved.home, as_of=inventory.now
    )


def _check_folder(given: str) -> Path:
    folder = Path(given)
    if not folder.is_dir():
        raise UsageError(f"--policy {given}: there is no such folder; name one of policy files")
    return folder
