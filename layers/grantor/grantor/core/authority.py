"""For which reasons a run can speak: only those whose every cause it has read, and that nothing holds back.

the reason has ended                                    it goes, whoever looks
the run's focus does not see it                         it stays
its rule, or its rule for its subject, is held          it stays, and the plan says why it waits
its policy file could not be read                       it stays
an additive file gave it                                it stays, until the file says authoritative
else                                                    it stands if it is wanted, and goes if not
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from grantor.core.facts import Held
from grantor.core.focus import Focus
from grantor.core.reason import Reason
from grantor.core.rule import Mode


@dataclass(frozen=True)
class Authority:
    """What one run has read: its focus, what is held, and the mode of each policy file that is there (None: gone, proven so)."""

    now: datetime  # aware, UTC
    focus: Focus
    files: Mapping[str, Mode | None]
    held: Mapping[str, tuple[Held, ...]] = field(default_factory=dict)  # by rule

    @classmethod
    def over(cls, now: datetime, focus: Focus, files: Mapping[str, Mode | None], held: Iterable[Held] = ()) -> "Authority":
        """With what is held, put in order for looking it up."""
        by_rule: dict[str, tuple[Held, ...]] = {}
        for one in sorted(held):
            by_rule[one.rule] = (*by_rule.get(one.rule, ()), one)
        return cls(now, focus, files, by_rule)

    def ended(self, reason: Reason) -> bool:
        """Whether its time is over."""
        return reason.until is not None and reason.until <= self.now

    def speaks_for(self, reason: Reason) -> bool:
        """Whether the reason goes when it is not wanted."""
        if self.ended(reason):
            return True
        if not self.focus.sees(reason) or reason.file not in self.files or self.why_held(reason):
            return False
        return not reason.additive or self.files[reason.file] is Mode.AUTHORITATIVE

    def why_held(self, reason: Reason) -> str:
        """Why the reason waits, as far as something holds it; "" if nothing does."""
        return next((held.why for held in self.held.get(reason.rule, ()) if held.holds(reason)), "")
