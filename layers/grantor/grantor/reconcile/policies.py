"""The policy files: what each says now and, where that is wrong or not yet agreed to, what its last accepted version says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from botocore.exceptions import ClientError

from grantor.aws.clients import NotYet, code, message
from grantor.aws.run_store import Accepted
from grantor.aws.s3 import File, PolicyFiles, TooLarge
from grantor.core.diagnostics import Problem
from grantor.core.policy.parser import read
from grantor.core.rules import Mode, Policy, Rule

# A warm environment holds the same bodies from run to run, and reading them again would be most of a run's time.
_once = lru_cache(4096)(read)


@dataclass(frozen=True)
class Intake:
    """All policy files, read. `policies` are to be followed; `changed` are those of them that were not accepted before."""

    policies: Mapping[str, Policy]
    modes: Mapping[str, Mode | None]  # of each file that was read; None: it was accepted once, and is proven gone
    changed: Mapping[str, File] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)  # of the files that are followed
    problems: tuple[Problem, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)  # file → why

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules that are to be followed."""
        return tuple(rule for policy in self.policies.values() for rule in policy.rules)

    @property
    def gone(self) -> tuple[str, ...]:
        """The files that were accepted once and are no longer there."""
        return tuple(sorted(file for file, mode in self.modes.items() if mode is None))

    @property
    def new(self) -> bool:
        """Whether following these policies would adopt anything that was not accepted before."""
        return bool(self.changed or self.gone)


def intake(files: PolicyFiles, accepted: Mapping[str, Accepted], data_bucket: str) -> Intake:
    """Every policy file as it is now; a wrong one as it was when it was last accepted. Costs a list, and a read for each change."""
    reading = _Reading(files, accepted, data_bucket)
    listed = files.listed()
    files.ahead(listed)
    for key in sorted(listed):
        reading.now(key)
    for key in sorted(accepted.keys() - listed.keys()):
        reading.missing(key)
    return reading.done()


def as_accepted(found: Intake, files: PolicyFiles, accepted: Mapping[str, Accepted], data_bucket: str) -> Intake:
    """The same files, each as it was last accepted: what is healed while a new version waits for its approval."""
    reading = _Reading(files, accepted, data_bucket)
    reading.policies = {key: policy for key, policy in found.policies.items() if key not in found.changed}
    reading.modes = {key: mode for key, mode in found.modes.items() if key in reading.policies}
    reading.versions = {key: version for key, version in found.versions.items() if key in reading.policies}
    reading.unread = dict(found.unread)
    for key in sorted({*found.changed, *found.gone} & accepted.keys()):
        reading.then(key)
    return replace(reading.done(), problems=found.problems, changed={})


@dataclass
class _Reading:
    files: PolicyFiles
    accepted: Mapping[str, Accepted]
    data_bucket: str
    policies: dict[str, Policy] = field(default_factory=dict)
    modes: dict[str, Mode | None] = field(default_factory=dict)
    changed: dict[str, File] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    def now(self, key: str) -> None:
        """The file as it is; if it is wrong, as it was accepted."""
        try:
            file = self._read(key, lambda: self.files.read(key))
        except TooLarge as large:
            self._wrong(key, Problem(key, 1, 1, str(large), "it is not read at all", "split it into several files"))
            return
        policy = _once(key, file.body, self.data_bucket) if file else ()
        if file and isinstance(policy, Policy):
            self._take(key, policy, file)
            # The same content put there again is a version of its own, and the older one may expire.
            if key not in self.accepted or self.accepted[key].version != file.version or self.accepted[key].etag != file.etag:
                self.changed[key] = file
        elif not isinstance(policy, Policy) and policy:
            self._wrong(key, *policy)

    def missing(self, key: str) -> None:
        """A file that was accepted once and is not listed: gone only if S3 says so of itself."""
        gone = self._read(key, lambda: self.files.gone(key))
        if gone:
            self.modes[key] = None
        elif gone is False:
            self.unread[key] = "it is there, but the list of the policy files did not have it"

    def then(self, key: str) -> None:
        """The file as it was last accepted, if it ever was."""
        if key not in self.accepted:
            return
        version = self.accepted[key].version
        file = self._read(key, lambda: self.files.read(key, version))
        policy = _once(key, file.body, self.data_bucket) if file else None
        if file and isinstance(policy, Policy):
            self._take(key, policy, file)
        elif not isinstance(policy, Policy) and policy:
            self.unread[key] = f"its accepted version {version} no longer reads as a policy: {policy[0].what}"

    def done(self) -> Intake:
        return Intake(self.policies, self.modes, self.changed, self.versions, tuple(sorted(self.problems)), self.unread)

    def _wrong(self, key: str, *problems: Problem) -> None:
        self.problems += problems
        self.then(key)

    def _take(self, key: str, policy: Policy, file: File) -> None:
        self.policies[key], self.modes[key], self.versions[key] = policy, policy.mode, file.version

    def _read[T](self, key: str, how: Callable[[], T]) -> T | None:
        try:
            return how()
        except (ClientError, NotYet) as wrong:
            self.unread[key] = f"{code(wrong)}: {message(wrong)}" if isinstance(wrong, ClientError) else str(wrong)
        return None
