"""What is written down of a grant that is ours: in which state it is, its id, and why it is there."""

from dataclasses import dataclass, replace
from enum import StrEnum

from grantor.core.grant import Grant
from grantor.core.reason import Reason


class State(StrEnum):
    """A grant's life in the ledger: written down before it is made, confirmed after, marked before it is taken away, forgotten last."""

    INTENDED = "intended"
    LIVE = "live"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of the ledger. `id` is the service's, "" until it is confirmed; `since` and `run` tell of the last change."""

    grant: Grant
    state: State
    reasons: frozenset[Reason]
    id: str = ""
    since: str = ""  # ISO 8601, UTC
    run: str = ""

    def because(self, reasons: frozenset[Reason]) -> "Entry":
        """The same grant with other reasons."""
        return replace(self, reasons=reasons)

    def becomes(self, state: State, grant_id: str | None = None) -> "Entry":
        """The same grant in another state."""
        return replace(self, state=state, id=self.id if grant_id is None else grant_id)
