"""Reads policy files and the bounds file: as they are now and, if one is wrong or not approved yet,
its last accepted version.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError, error_code, error_message
from grantor.aws.policy_store import AcceptedVersion
from grantor.aws.s3 import FileTooLarge, PolicyFile, PolicyFiles
from grantor.aws.services import EarlyReads, Services, StackNames
from grantor.core.data_buckets import NO_BUCKETS, ConnectedBuckets
from grantor.core.diagnostics import Problem, show_text
from grantor.core.planning.bounds import BOUNDS_FILE, Bounds, parse_bounds
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Mode, Policy, Rule, Suspension
from grantor.settings import MAX_CACHED_POLICIES

# A warm environment reads the same bodies in every run; parsing would take most of its time.
_parse_cached = lru_cache(MAX_CACHED_POLICIES)(parse_policy)
_parse_bounds_cached = lru_cache(4)(parse_bounds)


@lru_cache(16)
def _run_tests_cached(policy: Policy) -> tuple[Problem, ...]:
    """What is wrong with a policy because its own tests fail."""
    # Few runs see a new file with tests, and every start of the function would import it.
    from grantor.core.access.policy_test_text import find_test_problems

    return find_test_problems(policy)


@dataclass(frozen=True)
class PolicySet:
    """All policy files, and the bounds file. A run follows `policies`; `changed` were not accepted
    before.
    """

    policies: Mapping[str, Policy]
    modes: Mapping[
        str, Mode | None
    ]  # of each file that was read; None: deleted, or its name is refused
    bounds: Bounds
    changed: Mapping[str, PolicyFile] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)  # of the files in `policies`
    problems: tuple[Problem, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)  # file -> why
    # Suspensions of files that are not in `policies`: of those that cannot be read, as they were
    # accepted; and of new versions that wait for an approval of something else.
    kept: tuple[Policy, ...] = ()
    accepted: Mapping[str, AcceptedVersion] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()  # files that were accepted once and are no longer followed
    ignored: tuple[str, ...] = ()  # keys that the bucket holds besides, and that nobody reads

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules that a run follows."""
        return tuple(rule for policy in self.policies.values() for rule in policy.rules)

    @property
    def suspensions(self) -> tuple[Suspension, ...]:
        """Everybody whom a file suspends."""
        return tuple(one for policy in self.in_force for one in policy.suspensions)

    def find_suspensions(self, file: str) -> tuple[Suspension, ...]:
        """Whom a file suspends; the bounds file suspends nobody."""
        return self.policies[file].suspensions if file in self.policies else ()

    @property
    def accepted_suspensions(self) -> tuple[Suspension, ...]:
        """Those that runs have accepted, whatever the files say now."""
        return tuple(one for each in self.accepted.values() for one in each.suspensions)

    @property
    def new_suspensions(self) -> tuple[Suspension, ...]:
        """Those that no run has accepted yet."""
        known = {
            (file, one.name) for file, each in self.accepted.items() for one in each.suspensions
        }
        changed = (one for one in self.suspensions if one.file in self.changed)
        return tuple(one for one in changed if (one.file, one.name) not in known)

    def recent_suspensions(self, since: datetime) -> tuple[Suspension, ...]:
        """Those in force whose file was accepted after this time."""
        late = {
            file
            for file, each in self.accepted.items()
            if each.at and datetime.fromisoformat(each.at) > since
        }
        new = frozenset(self.new_suspensions)
        return tuple(one for one in self.suspensions if one.file in late and one not in new)

    def add_suspensions(self, suspensions: Iterable[Suspension]) -> "PolicySet":
        """The same with these suspensions in force besides, of whatever version."""
        others = tuple(Policy(one.file, (), suspensions=(one,)) for one in suspensions)
        return replace(self, kept=(*self.kept, *others))

    @property
    def in_force(self) -> tuple[Policy, ...]:
        """The policies that a run follows, and the suspensions of other files."""
        return (*self.policies.values(), *self.kept)

    @property
    def brought(self) -> dict[str, str]:
        """The versions that following these policies would accept, by file; "" for a deletion."""
        new = {key: file.version for key, file in self.changed.items()}
        return new | dict.fromkeys(self.deleted, "")

    @property
    def is_new(self) -> bool:
        """Whether following these policies would accept anything that was not accepted before."""
        return bool(self.changed or self.deleted)


def read_policies_in_force(services: Services) -> PolicySet:
    """Read the policies of a stack, within the bounds of its buckets as they are now.

    Costs what read_policies does, and a call of the ledger.
    """
    with EarlyReads(services) as early:
        return begin_policies(early)()


def begin_policies(early: EarlyReads) -> Callable[[], PolicySet]:
    """Begin to read what read_policies_in_force returns; the callable waits for it."""
    services, files = early.services, early.services.policy_files
    listed = early.begin(_fetch_files, files)
    state = early.begin(services.policy_store.read_state, services.clock())

    def wait() -> PolicySet:
        accepted, buckets = state.result()
        reader = _PolicyReader(files, accepted, services.names, buckets)
        return reader.read_listed(listed.result())

    return wait


def read_policies(
    files: PolicyFiles,
    accepted: Mapping[str, AcceptedVersion],
    names: StackNames,
    buckets: ConnectedBuckets = NO_BUCKETS,
) -> PolicySet:
    """Read every policy file and the bounds file as they are now, and a wrong one as it was last
    accepted. `buckets` are the existing buckets of the stack, in which rules may give something.

    Costs a list, and a read for each file that has changed since the last run of this process.
    """
    return _PolicyReader(files, accepted, names, buckets).read_listed(_fetch_files(files))


def _fetch_files(files: PolicyFiles) -> frozenset[str]:
    """The keys of the policy files, which are in memory then, as far as they can be read."""
    listed = files.list_files().keys()
    shown = filter(_is_shown, listed)
    files.prefetch_files([*shown, BOUNDS_FILE] if files.has_bounds else shown)
    return frozenset(listed)


def _is_shown(key: str) -> bool:
    return show_text(key) == key


def read_accepted_policies(
    current: PolicySet,
    files: PolicyFiles,
    accepted: Mapping[str, AcceptedVersion],
    names: StackNames,
) -> PolicySet:
    """Read the same files as they were last accepted: what runs follow while new versions wait for
    an approval. The bounds are those of now: whoever writes them is asked about approvals anyway.
    """
    reader = _PolicyReader(files, accepted, names)
    unchanged = current.policies.keys() - current.changed.keys()
    reader.policies = {key: current.policies[key] for key in sorted(unchanged)}
    reader.modes = {key: current.modes[key] for key in reader.policies}
    reader.versions = {key: current.versions[key] for key in reader.policies}
    reader.unread = dict(current.unread)
    for key in sorted(({*current.changed, *current.deleted} & accepted.keys()) - {BOUNDS_FILE}):
        reader.read_accepted(key)
    return replace(reader.build_set(current.bounds), problems=current.problems, changed={})


@dataclass
class _PolicyReader:
    files: PolicyFiles
    accepted: Mapping[str, AcceptedVersion]
    names: StackNames
    buckets: ConnectedBuckets = NO_BUCKETS
    policies: dict[str, Policy] = field(default_factory=dict)
    modes: dict[str, Mode | None] = field(default_factory=dict)
    changed: dict[str, PolicyFile] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    def read_listed(self, listed: frozenset[str]) -> PolicySet:
        """Read the listed files, and those that were accepted and are not listed."""
        for key in sorted(listed):
            if _is_shown(key):
                self.read_current(key)
            else:
                self.refuse_name(key)
        for key in sorted(self.accepted.keys() - listed - {BOUNDS_FILE}):
            self.check_missing(key)
        return self.build_set(self.read_bounds())

    def read_current(self, key: str) -> None:
        """Read the file as it is; if it is wrong, as it was accepted."""
        file = self._read_file(key)
        if isinstance(file, Problem):
            self._add_problems(key, (file,))
            return
        if not file:
            return
        policy = _parse_cached(key, file.body, self.names.data_bucket)
        if isinstance(policy, Policy):
            self._follow_tested(key, policy, file)
        elif policy:
            self._add_problems(key, policy)

    def _follow_tested(self, key: str, policy: Policy, file: PolicyFile) -> None:
        """Follow a file whose own tests pass. Of an accepted version they have passed, and they
        depend on nothing besides the file.
        """
        is_new = policy.tests is not None and not self._is_accepted(key, file)
        if failed := _run_tests_cached(policy) if is_new else ():
            self._add_problems(key, failed)
            return
        self._add_policy(key, policy, file)
        self._note_change(key, file)

    def refuse_name(self, key: str) -> None:
        """Do not follow a file whose name nobody can read. Its grants go as those of a deleted
        file.
        """
        shown = show_text(key)
        what = "the file's name has a character that no editor shows"
        why = "a file that reports cannot name is not followed"
        remedy = "delete it, and write its content under another name"
        self.problems.append(Problem(shown, 1, 1, what, why, remedy))
        self.modes[key] = None
        if key in self.accepted:
            self.deleted.append(key)

    def read_bounds(self) -> Bounds | None:
        """The bounds in force; None if too little could be read to know them.

        An approver has written them, so a new version is in force at once; a wrong one never is.
        """
        default = self._build_default()
        if not self.files.has_bounds:
            if BOUNDS_FILE not in self.accepted:
                return default
            self.check_missing(BOUNDS_FILE)
            return default if BOUNDS_FILE in self.modes else self._read_accepted_bounds()
        file = self._read_file(BOUNDS_FILE)
        if not file:
            return self._read_accepted_bounds()
        found = (file,) if isinstance(file, Problem) else self._parse_bounds(file)
        if isinstance(found, Bounds):
            assert isinstance(file, PolicyFile)
            self._note_change(BOUNDS_FILE, file)
            return found
        self.problems += found
        return self._read_accepted_bounds() if BOUNDS_FILE in self.accepted else default

    def _read_accepted_bounds(self) -> Bounds | None:
        """The bounds as they were last accepted; None if they cannot be read."""
        accepted = self.accepted.get(BOUNDS_FILE)
        if not accepted:
            return None
        read = self.files.read_file
        file = self._try_read(BOUNDS_FILE, lambda: read(BOUNDS_FILE, accepted.version))
        found = self._parse_bounds(file) if file else None
        return found if isinstance(found, Bounds) else None

    def _parse_bounds(self, file: PolicyFile) -> Bounds | tuple[Problem, ...]:
        account, data_bucket = self.names.account_id, self.names.data_bucket
        return _parse_bounds_cached(BOUNDS_FILE, file.body, account, data_bucket, self.buckets)

    def _build_default(self) -> Bounds:
        names = self.names
        return Bounds.build_default(names.account_id, names.data_bucket, self.buckets)

    def _read_file(self, key: str) -> PolicyFile | Problem | None:
        """The file as it is; a problem if it is too large, None if it cannot be read."""
        try:
            return self._try_read(key, lambda: self.files.read_file(key))
        except FileTooLarge as large:
            why, remedy = "it is not read at all", "split it into several files"
            return Problem(key, 1, 1, str(large), why, remedy)

    def check_missing(self, key: str) -> None:
        """A file that was accepted once and is not listed is deleted only if S3 confirms it."""
        is_deleted = self._try_read(key, lambda: self.files.is_deleted(key))
        if is_deleted:
            self.modes[key] = None
            self.deleted.append(key)
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
        policy = _parse_cached(key, file.body, self.names.data_bucket)
        if isinstance(policy, Policy):
            self._add_policy(key, policy, file)
        elif policy:
            what = policy[0].what
            self.unread[key] = f"its accepted version {version} is no longer a valid policy: {what}"

    def build_set(self, bounds: Bounds | None) -> PolicySet:
        """What was read. Without known bounds no rule is followed, and none counts as removed."""
        if bounds is None:
            self.unread |= dict.fromkeys(self.policies, "the bounds file could not be read")
            self.policies = {
                key: replace(policy, rules=(), jobs=()) for key, policy in self.policies.items()
            }
            self.modes, self.changed, self.deleted = {}, {}, []
            bounds = self._build_default()
        problems = tuple(sorted(self.problems))
        kept = tuple(
            Policy(key, (), suspensions=self.accepted[key].suspensions)
            for key in sorted(self.unread.keys() & self.accepted.keys() - self.policies.keys())
            if self.accepted[key].suspensions
        )
        return PolicySet(
            self.policies,
            self.modes,
            bounds,
            self.changed,
            self.versions,
            problems,
            self.unread,
            kept,
            self.accepted,
            tuple(sorted(self.deleted)),
            self.files.ignored,
        )

    def _add_problems(self, key: str, problems: tuple[Problem, ...]) -> None:
        self.problems += problems
        self.read_accepted(key)

    def _add_policy(self, key: str, policy: Policy, file: PolicyFile) -> None:
        self.policies[key], self.modes[key], self.versions[key] = policy, policy.mode, file.version

    def _note_change(self, key: str, file: PolicyFile) -> None:
        """The same content uploaded again is a new version, and the old one may expire."""
        if not self._is_accepted(key, file):
            self.changed[key] = file

    def _is_accepted(self, key: str, file: PolicyFile) -> bool:
        accepted = self.accepted.get(key)
        versions = accepted and (accepted.version, accepted.etag)
        return versions == (file.version, file.etag)

    def _try_read[T](self, key: str, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except ClientError as error:
            self.unread[key] = f"{error_code(error)}: {error_message(error)}"
        except RetryableError as error:
            self.unread[key] = str(error)
        return None
