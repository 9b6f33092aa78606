"""Why a rule or job yields nothing for now, as a whole or for one subject: rejected, or not read.

A rejection is for the rule's owner to fix. What could not be read is nobody's mistake. Both put the
rule, or the rule for one subject, on hold: its grants stay as they are.
"""

from types import TracebackType

from grantor.core.diagnostics import Fault, Problem, quote_text
from grantor.core.rules import Job, Rule
from grantor.core.snapshot import Hold


class RuleRejected(Exception):
    """AWS would do something other than the rule says. `about` names what to look at, if not the
    subject.
    """

    def __init__(self, fault: Fault, about: str = "") -> None:
        super().__init__(fault.what)
        self.fault, self.about = fault, about


class NotRead(Exception):
    """Too little could be read to conclude anything; the text says what and why."""


class RuleOutcomes:
    """Collects rejections, holds and warnings while rules are expanded, each once."""

    def __init__(self) -> None:
        self.on_hold: set[Hold] = set()
        self.rejected: set[Problem] = set()
        self.warnings: set[Problem] = set()

    def collect(self, rule: Rule, subject: str = "") -> "_Collecting":
        """A context that records RuleRejected and NotRead: the rule is on hold, for `subject` if
        given.
        """
        return _Collecting(self, rule, subject)

    def warn(self, rule: Rule, fault: Fault) -> None:
        """Record what is worth a look and changes nothing."""
        self.warnings.add(locate_fault(rule, fault))


class _Collecting:
    """A class, because contextmanager costs twice as much and there may be 100,000 subjects."""

    def __init__(self, outcomes: RuleOutcomes, rule: Rule, subject: str) -> None:
        self.outcomes, self.rule, self.subject = outcomes, rule, subject

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, RuleRejected):
            problem = locate_fault(self.rule, error.fault, error.about or self.subject)
            self.outcomes.rejected.add(problem)
        elif not isinstance(error, NotRead):
            return False
        self.outcomes.on_hold.add(Hold(self.rule.id, self.subject, str(error)))
        return True


def locate_fault(rule: Rule | Job, fault: Fault, about: str = "") -> Problem:
    """A fault at the place of a rule or job in its file.

    `about` may be a folder's name; one that would break a line of the report appears in quotes.
    """
    whom = f" for {about if about.isprintable() else quote_text(about)}" if about else ""
    what = f"{rule.title}{whom}: {fault.what}"
    return Problem(rule.file, rule.line, rule.column, what, fault.why, fault.remedy)
