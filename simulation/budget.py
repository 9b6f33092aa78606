"""What runs take and give unasked within a day, and which approvals let them do more.

An approval is a licence for exactly what its person was shown, until the plan is closed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from simulation.estate import DATA, DELETES, HOUR, NEW_GRANTS, OTHER_ACCOUNT
from simulation.mirror import LedgerWrite, Mirror, MirroredEntry, Written, parse_entry
from simulation.reality import CLOCK_TOLERANCE, GrantKey, Reality

Require = Callable[[str, bool, Callable[[], str]], None]
DAY_SECONDS = 23 * HOUR  # the guard remembers whole hours
WHOLE_BUCKET = f"s3://{DATA}/*"


@dataclass(frozen=True)
class Licence:
    """An approval: the plan's hash and nonce, who gave it, and what that person was shown."""

    hash: str
    nonce: str
    user: str
    deletes: frozenset[GrantKey]
    creates: frozenset[GrantKey]
    brought: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Budget:
    """Counts in one world."""

    mirror: Mirror
    reality: Reality
    require: Require
    licences: list[Licence] = field(default_factory=list)
    given: list[Licence] = field(default_factory=list)  # those whose decision was written
    losses: list[float] = field(default_factory=list)
    gifts: dict[str, list[float]] = field(default_factory=dict)  # by file

    def activate(self, user: str, plan_hash: str) -> None:
        """A decision was written: the licence is in force."""
        self.given += [
            one
            for one in self.licences
            if (one.user, one.hash) == (user, plan_hash) and one not in self.given
        ]

    def close(self, plan_hash: str) -> None:
        """A plan was closed: its licences are void."""
        self.licences = [one for one in self.licences if one.hash != plan_hash]

    def note_mark(self, entry: MirroredEntry, now: float, position: int) -> None:
        """A run marks a grant that is to be deleted."""
        if all(self.is_over(one, entry.key, now, position) for one in entry.reasons):
            return
        if any(entry.key in one.deletes for one in self.licences):
            self.losses.clear()
            return
        self.losses = [at for at in self.losses if at > now - DAY_SECONDS] + [now]
        lost = len(self.losses)
        self.require("losses-asked", lost <= DELETES, lambda: f"{entry.key} is loss {lost}")

    def note_intent(self, entry: MirroredEntry, now: float) -> None:
        """A run records a grant that is to be made, and that the ledger did not have."""
        key = entry.key
        if any(key in one.creates for one in self.licences):
            self.gifts.clear()
            return
        is_foreign = f":{OTHER_ACCOUNT}:" in key.grantee
        self.require("strangers-asked", not is_foreign, lambda: f"{key} is made unasked")
        is_whole = key.scope == WHOLE_BUCKET
        self.require("whole-bucket-asked", not is_whole, lambda: f"{key} is made unasked")
        for file in sorted({one.file for one in entry.reasons}):
            times = [at for at in self.gifts.get(file, []) if at > now - DAY_SECONDS] + [now]
            self.gifts[file] = times
            self.require(
                "gifts-asked",
                len(times) <= NEW_GRANTS,
                lambda file=file, times=times: f"{file} gives {len(times)}",  # type: ignore[misc]
            )

    def is_over(self, reason: Written, key: GrantKey, now: float, position: int) -> bool:
        """Whether the reason has ended whatever the files say: nobody is asked then."""
        if reason.until and datetime.fromisoformat(reason.until).timestamp() <= (
            now + CLOCK_TOLERANCE
        ):
            return True
        window = self.reality.list_since(position)
        if any(key.grantee in one.perhaps_suspended for one in window):
            return True
        names = [one.partition("/")[2] for one in reason.subjects if one.startswith("profile ")]
        roles = {one.profiles.get(name) for one in window for name in names}
        return bool(roles - {key.grantee, None})


def find_marks(writes: list[LedgerWrite]) -> list[MirroredEntry]:
    """The grants that a call marks as leaving, and that were not before."""
    found = []
    for write in writes:
        entry, before = parse_entry(write.item), parse_entry(write.before)
        if entry and entry.state == "leaving" and (not before or before.state != "leaving"):
            found.append(entry)
    return found
