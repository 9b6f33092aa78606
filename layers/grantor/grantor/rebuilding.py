"""A lost ledger is written anew, from the grants and their tags. Nothing is made, nothing is taken away.

The tags tell which rules a grant was made for, not for whom: the next run over everything puts that right. A rule whose file is no
longer there is still a reason, until S3 says of the file that it is gone; so nothing goes without the guard.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import batched

from botocore.exceptions import ClientError

from grantor.aws.errors import NotYet
from grantor.aws.grant_tags import OWNER, Told, fitting, told
from grantor.aws.lease import Lease
from grantor.aws.records import Accepted
from grantor.core.entry import Entry, State
from grantor.core.grant import Grant
from grantor.core.policy.file import read
from grantor.core.reason import Reason
from grantor.core.rule import Mode, Policy
from grantor.intake import Intake, intake
from grantor.report import Report
from grantor.world import World

AT_ONCE = 8  # grants whose tags are read side by side
TOGETHER = 90  # entries between two looks at whether to go on: as many as one transaction writes
NOBODY = ("policy/unknown.yaml", "unknown")  # the rule of a grant whose tags name none
Tagged = tuple[Grant, str, Mapping[str, str]]


@dataclass
class Rebuilding:
    """Rebuilds the ledger for the holder of a lease; `go_on` is asked before each 90 grants."""

    world: World
    lease: Lease
    report: Report
    go_on: Callable[[], bool]
    looked: int = 0  # at how many grants
    others: int = 0  # that carry no tag of this stack
    _gone: dict[str, str] = field(default_factory=dict)  # files that are not listed, with a version that was in force
    _modes: dict[str, Mode | None] = field(default_factory=dict)  # of those that can't be read as they are now

    @property
    def gone(self) -> list[str]:
        """The policy files that grants name and no list has."""
        return sorted(self._gone)

    def all(self) -> None:
        """Every grant that carries this stack's tag and that the ledger does not know. A list, and a call for each grant.

        Raises NotYet or ClientError where something can't be read; what was written until then is right.
        """
        known = {entry.id for entry in self.world.ledger.entries()}
        for together in batched(self.world.grants.each(), TOGETHER):
            if not self.go_on():
                self.report.cut_short = True
                return
            self._write([tagged for tagged in self._tagged(together) if tagged[1] not in known])
        self._ask_for_the_gone()

    def _tagged(self, grants: Sequence[tuple[Grant, str]]) -> Iterator[Tagged]:
        """Those of them that are ours."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            tags = list(pool.map(lambda one: self.world.grants.tags(one[1]), grants))
        self.looked += len(grants)
        for (grant, grant_id), found in zip(grants, tags, strict=True):
            if found and found.get(OWNER) == self.world.names.stack:
                yield grant, grant_id, found
            else:
                self.others += 1

    def _write(self, found: Sequence[Tagged]) -> None:
        entries = [self._entry(grant, grant_id, told(tags)) for grant, grant_id, tags in found]
        self.world.ledger.under(self.lease).confirm(entries)
        for entry in entries:
            rules = " and ".join(sorted(reason.rule for reason in entry.reasons))
            self.report.done.append(f"~ {entry.grant} is known again, because {rules}")

    def _entry(self, grant: Grant, grant_id: str, tags: Told) -> Entry:
        reasons = frozenset(self._reason(file, name, tags) for file, name in tags.rules or [NOBODY])
        return Entry(grant, State.LIVE, reasons, grant_id, run=tags.run)

    def _reason(self, file: str, name: str, tags: Told) -> Reason:
        key = self._keys.get(file, file)
        if key not in self._keys.values():
            self._gone.setdefault(key, tags.policy)
        return Reason(f"{key}#{name}", (), tags.until, additive=self._mode(key, tags.policy) is Mode.ADDITIVE)

    def _mode(self, key: str, version: str) -> Mode | None:
        """The file's mode as it is now, else as it was in the version that a tag names."""
        if key in self._files.modes:
            return self._files.modes[key]
        if key not in self._modes:
            self._modes[key] = self._mode_then(key, version)
        return self._modes[key]

    def _mode_then(self, key: str, version: str) -> Mode | None:
        try:
            body = self.world.files.read(key, version).body if version else b""
        except (ClientError, NotYet):
            return None
        policy = read(key, body, self.world.names.data_bucket)
        return policy.mode if isinstance(policy, Policy) else None

    def _ask_for_the_gone(self) -> None:
        """Let the next run ask S3 for each file that grants name and no list has: as if it had been accepted, since it was once."""
        at, run = self.report.at, self.report.run
        self.world.records.accept(self.lease, {key: Accepted(version, "", at, run) for key, version in self._gone.items()})

    @cached_property
    def _files(self) -> Intake:
        return intake(self.world.files, {}, self.world.names.data_bucket)

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        """The files that there are, by how a tag writes them."""
        return {fitting(key): key for key in self.world.files.listed()}
