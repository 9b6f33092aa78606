"""Reads policy files: as they are now and, if one is wrong or not approved yet, its last accepted
version.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError, error_code, error_message
from grantor.aws.run_store import AcceptedVersion
from grantor.aws.s3 import FileTooLarge, PolicyFile, PolicyFiles
from grantor.core.diagnostics import Problem
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Mode, Policy, Rule
from grantor.settings import MAX_CACHED_POLICIES

# A warm environment reads the same bodies in every run; parsing would take most of its time.
_parse_cached = lru_cache(MAX_CACHED_POLICIES)(parse_policy)


@dataclass(frozen=True)
class PolicySet:
    """All policy files. A run follows `policies`; `changed` were not accepted before."""

    policies: Mapping[str, Policy]
    modes: Mapping[str, Mode | None]  # of each file that was read; None: accepted once, now deleted
    changed: Mapping[str, PolicyFile] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)  # of the files in `policies`
    problems: tuple[Problem, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)  # file -> why

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules that a run follows."""
        return tuple(rule for policy in self.policies.values() for rule in policy.rules)

    @property
    def deleted(self) -> tuple[str, ...]:
        """The files that were accepted once and are deleted, as S3 confirms."""
        return tuple(sorted(file for file, mode in self.modes.items() if mode is None))

    @property
    def is_new(self) -> bool:
        """Whether following these policies would accept anything that was not accepted before."""
        return bool(self.changed or self.deleted)


def read_policies(
    files: PolicyFiles, accepted: Mapping[str, AcceptedVersion], data_bucket: str
) -> PolicySet:
    """Read every policy file as it is now, and a wrong one as it was last accepted.

    Costs a list, and a read for each file that has changed since the last run of this process.
    """
    reader = _PolicyReader(files, accepted, data_bucket)
    listed = files.list_files()
    files.prefetch_files(listed)
    for key in sorted(listed):
        reader.read_current(key)
    for key in sorted(accepted.keys() - listed.keys()):
        reader.check_missing(key)
    return reader.build_set()


def read_accepted_policies(
    current: PolicySet,
    files: PolicyFiles,
    accepted: Mapping[str, AcceptedVersion],
    data_bucket: str,
) -> PolicySet:
    """Read the same files as they were last accepted: what runs follow while new versions wait for
    an approval.
    """
    reader = _PolicyReader(files, accepted, data_bucket)
    unchanged = current.policies.keys() - current.changed.keys()
    reader.policies = {key: current.policies[key] for key in sorted(unchanged)}
    reader.modes = {key: current.modes[key] for key in reader.policies}
    reader.versions = {key: current.versions[key] for key in reader.policies}
    reader.unread = dict(current.unread)
    for key in sorted({*current.changed, *current.deleted} & accepted.keys()):
        reader.read_accepted(key)
    return replace(reader.build_set(), problems=current.problems, changed={})


@dataclass
class _PolicyReader:
    files: PolicyFiles
    accepted: Mapping[str, AcceptedVersion]
    data_bucket: str
    policies: dict[str, Policy] = field(default_factory=dict)
    modes: dict[str, Mode | None] = field(default_factory=dict)
    changed: dict[str, PolicyFile] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    def read_current(self, key: str) -> None:
        """Read the file as it is; if it is wrong, as it was accepted."""
        try:
            file = self._try_read(key, lambda: self.files.read_file(key))
        except FileTooLarge as large:
            why, remedy = "it is not read at all", "split it into several files"
            self._add_problems(key, (Problem(key, 1, 1, str(large), why, remedy),))
            return
        if not file:
            return
        policy = _parse_cached(key, file.body, self.data_bucket)
        if isinstance(policy, Policy):
            self._add_policy(key, policy, file)
            self._note_change(key, file)
        elif policy:
            self._add_problems(key, policy)

    def check_missing(self, key: str) -> None:
        """A file that was accepted once and is not listed is deleted only if S3 confirms it."""
        is_deleted = self._try_read(key, lambda: self.files.is_deleted(key))
        if is_deleted:
            self.modes[key] = None
        elif is_deleted is False:
            self.unread[key] = "it exists, but the list of the policy files does not have it"

    def read_accepted(self, key: str) -> None:
        """Read the file as it was last accepted, if it ever was."""
        if key not in self.accepted:
            return
        version = self.accepted[key].version
        file = self._try_read(key, lambda: self.files.read_file(key, version))
        if not file:
            return
        policy = _parse_cached(key, file.body, self.data_bucket)
        if isinstance(policy, Policy):
            self._add_policy(key, policy, file)
        elif policy:
            what = policy[0].what
            self.unread[key] = f"its accepted version {version} is no longer a valid policy: {what}"

    def build_set(self) -> PolicySet:
        """What was read."""
        problems = tuple(sorted(self.problems))
        return PolicySet(
            self.policies, self.modes, self.changed, self.versions, problems, self.unread
        )

    def _add_problems(self, key: str, problems: tuple[Problem, ...]) -> None:
        self.problems += problems
        self.read_accepted(key)

    def _add_policy(self, key: str, policy: Policy, file: PolicyFile) -> None:
        self.policies[key], self.modes[key], self.versions[key] = policy, policy.mode, file.version

    def _note_change(self, key: str, file: PolicyFile) -> None:
        """The same content uploaded again is a new version, and the old one may expire."""
        accepted = self.accepted.get(key)
        if not accepted or (accepted.version, accepted.etag) != (file.version, file.etag):
            self.changed[key] = file

    def _try_read[T](self, key: str, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except ClientError as error:
            self.unread[key] = f"{error_code(error)}: {error_message(error)}"
        except RetryableError as error:
            self.unread[key] = str(error)
        return None
