"""The sides of a comparison: where each is read from, and what both have in common.

A side is a folder, `live`, one file in another version, or a time. All but a time are rules, which
are expanded over one inventory; a time stands for the grants of then.
"""

from argparse import ArgumentTypeError
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from grantor.cli.check import (
    ACCOUNT,
    DATA_BUCKET,
    find_job_types,
    find_policy_files,
    find_policy_root,
    read_policy_file,
)
from grantor.cli.output import format_count
from grantor.cli.question_arguments import parse_time
from grantor.cli.session import CommandError, Session, UsageError
from grantor.core.access.compare_rules import ComparedSide
from grantor.core.access.explain import AccessEvidence
from grantor.core.access.policy_test_text import find_test_problems
from grantor.core.access.saved_inventory import InventoryUnreadable, SavedInventory
from grantor.core.data_buckets import NO_BUCKETS, ConnectedBuckets
from grantor.core.diagnostics import Problem
from grantor.core.planning.bounds import ALL_FILES, BOUNDS_FILE, Bounds, parse_bounds
from grantor.core.planning.rendering import Home
from grantor.core.policy.job_types import JobTypes
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from grantor.core.snapshot import Inventory

LIVE = "live"


@dataclass(frozen=True)
class PlaceNames:
    """What the variables of policy files and bounds stand for."""

    account: str = ACCOUNT
    data_bucket: str = DATA_BUCKET
    buckets: ConnectedBuckets = NO_BUCKETS

    @cached_property
    def job_types(self) -> JobTypes:
        """The job types that policy files can run."""
        return find_job_types()[0]


@dataclass(frozen=True)
class SideRules:
    """The policies of one side; or `past`, the grants of a time."""

    name: str
    policies: tuple[Policy, ...] = ()
    bounds: Bounds | None = None
    past: ComparedSide | None = None

    def expand(self, inventory: Inventory) -> ComparedSide:
        """What the side gives over an inventory."""
        evidence = AccessEvidence(self.policies, inventory, self.bounds)
        return self.past or ComparedSide(self.name, evidence)


class Ground(Protocol):
    """What both sides have in common: the policies in force, the names in files, the inventory."""

    @property
    def home(self) -> Home:
        """The account and the partition of the stack."""

    @property
    def names(self) -> PlaceNames:
        """What variables stand for in files of this stack."""

    @property
    def in_force(self) -> SideRules:
        """The policies that runs follow."""

    def read_inventory(self, policies: Iterable[Policy]) -> Inventory:
        """Read what these policies need."""

    def read_past(self, name: str) -> SideRules:
        """Read the managed grants of @TIME."""

    def read_version(self, key: str, version: str) -> bytes:
        """Read a policy file in a version."""


def read_side(ground: Ground, name: str) -> SideRules:
    """Read what a side names. Raises CommandError or UsageError if that is nothing."""
    if name == LIVE:
        return ground.in_force
    if name.startswith("@"):
        return ground.read_past(name)
    if name.startswith(ALL_FILES) and "@" in name and not Path(name).exists():
        key, _, version = name.rpartition("@")
        policy = parse_file(name, key, ground.read_version(key, version), ground.names)
        others = (one for one in ground.in_force.policies if one.file != key)
        return SideRules(name, (*others, policy), ground.in_force.bounds)
    found = read_folder(name, Path(name), ground.names)
    return found if found.bounds else replace(found, bounds=ground.in_force.bounds)


class StackGround:
    """The policy files, the history and the inventory of a stack."""

    def __init__(self, session: Session) -> None:
        self.session, self.services = session, session.services

    @property
    def home(self) -> Home:
        return self.services.names.home

    @cached_property
    def names(self) -> PlaceNames:
        names = self.services.names
        _, buckets = self.services.policy_store.read_state(self.services.clock())
        return PlaceNames(names.account_id, names.data_bucket, buckets)

    @cached_property
    def in_force(self) -> SideRules:
        """Raises CommandError if a file cannot be read."""
        from grantor.reconcile.policies import read_policies_in_force

        found = read_policies_in_force(self.services)
        if found.unread:
            file, why = min(found.unread.items())
            raise CommandError(f"{file} cannot be read: {why}; try again in a moment")
        return SideRules(LIVE, found.in_force, found.bounds)

    def read_inventory(self, policies: Iterable[Policy]) -> Inventory:
        from grantor.aws.services import EarlyReads
        from grantor.reconcile.read import read_inventory

        listed = tuple(policies)
        rules = [rule for policy in listed for rule in policy.rules]
        suspensions = [one for policy in listed for one in policy.suspensions]
        now = datetime.fromtimestamp(self.services.clock(), UTC)
        with EarlyReads(self.services) as early:
            return read_inventory(early, rules, suspensions, now)

    def read_past(self, name: str) -> SideRules:
        from grantor.cli.past import read_past

        past = read_past(self.session, parse_side_time(name))
        grants = {grant: entry.reasons for grant, entry in past.snapshot.entries.items()}
        return SideRules(name, past=ComparedSide(name, grants=grants))

    def read_version(self, key: str, version: str) -> bytes:
        from botocore.exceptions import ClientError

        try:
            return self.services.policy_files.read_file(key, version).body
        except ClientError as error:
            if error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"):
                raise
            raise CommandError(
                f"{key} has no version {version}: aws s3api list-object-versions lists them"
            ) from error


@dataclass(frozen=True)
class SavedGround:
    """A saved inventory, with the policy files that were in force when it was saved."""

    saved: SavedInventory

    @classmethod
    def read(cls, path: str) -> "SavedGround":
        """Read a saved inventory. Raises CommandError if that is not possible."""
        from grantor.cli.sources import read_saved

        return cls(read_saved(path))

    @property
    def home(self) -> Home:
        return self.saved.home

    @property
    def names(self) -> PlaceNames:
        saved = self.saved
        return PlaceNames(saved.home.account, saved.data_bucket, saved.buckets)

    @cached_property
    def in_force(self) -> SideRules:
        """Raises CommandError if this version cannot parse a saved file."""
        try:
            return SideRules(LIVE, self.saved.policies, self.saved.bounds)
        except InventoryUnreadable as error:
            raise CommandError(f"{error}; save the inventory again") from error

    def read_inventory(self, policies: Iterable[Policy]) -> Inventory:
        return self.saved.find_inventory(policies)

    def read_past(self, name: str) -> SideRules:
        raise UsageError(f"{name}: a saved inventory has no history; leave out --profiles")

    def read_version(self, key: str, version: str) -> bytes:
        raise UsageError(
            f"{key}@{version}: a saved inventory has one version of each file; leave out --profiles"
        )


def parse_side_time(name: str) -> datetime:
    """The time of a side @TIME. Raises UsageError if it is none."""
    try:
        return parse_time(name[1:])
    except (ArgumentTypeError, ValueError) as error:
        raise UsageError(f"{name}: {error}") from error


def read_folder(name: str, folder: Path, names: PlaceNames) -> SideRules:
    """Read the policy files of a folder; of a checkout, which has a folder policy/, those in it and
    its bounds.

    Raises UsageError if there are none, CommandError if one is wrong.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{name}: there is no such folder; a side is a folder, {LIVE}, @TIME, or "
            f"{ALL_FILES}FILE@VERSION"
        )
    root = find_policy_root(folder)
    policies = tuple(
        parse_file(name, f"{ALL_FILES}{key}", read_policy_file(root / key), names)
        for key in (path.relative_to(root).as_posix() for path in find_policy_files(root))
    )
    path = folder / BOUNDS_FILE
    if root is folder or not path.exists():
        return SideRules(name, policies)
    body = read_policy_file(path)
    bounds = parse_bounds(BOUNDS_FILE, body, names.account, names.data_bucket, names.buckets)
    if isinstance(bounds, Bounds):
        return SideRules(name, policies, bounds)
    raise refuse_file(name, bounds)


def parse_file(name: str, key: str, body: bytes, names: PlaceNames) -> Policy:
    """Parse a policy file. Raises CommandError if it is wrong: what it would give is unknown."""
    policy = parse_policy(key, body, names.data_bucket, names.job_types)
    problems = find_test_problems(policy) if isinstance(policy, Policy) else policy
    if isinstance(policy, Policy) and not problems:
        return policy
    raise refuse_file(name, problems)


def refuse_file(name: str, problems: Sequence[Problem]) -> CommandError:
    """Say what is wrong with the policy files of `name`: what they would give is unknown."""
    more = len(problems) - 1
    others = f" (and {format_count(more, 'mistake')} more)" if more else ""
    return CommandError(f"{name}: {problems[0]}{others}")
