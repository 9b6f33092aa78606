"""Why a rule gets no grants, as a whole or for someone or somewhere: it is refused, or what it follows from was not read."""

from types import TracebackType

from grantor.core.facts import Held
from grantor.core.job import Job
from grantor.core.problem import Fault, Problem, shown
from grantor.core.rule import Rule


class Refused(Exception):
    """The service would do something else than the rule's reader thinks; `about` is what a person looks at, if not the subject."""

    def __init__(self, fault: Fault, about: str = "") -> None:
        super().__init__(fault.what)
        self.fault, self.about = fault, about


class Unread(Exception):
    """Nothing can be concluded, and that is nobody's mistake; its text says why."""


class Notes:
    """Collects what is refused, held and warned of while rules are expanded, each thing once."""

    def __init__(self) -> None:
        self.held: set[Held] = set()
        self.refused: set[Problem] = set()
        self.warnings: set[Problem] = set()

    def about(self, rule: Rule, subject: str = "") -> "_About":
        """A context that Refused and Unread end: they are noted, and the rule, or the rule for this subject, is held."""
        return _About(self, rule, subject)

    def warn(self, rule: Rule, fault: Fault) -> None:
        """Note what is worth a look, and changes nothing."""
        self.warnings.add(problem(rule, fault))


class _About:
    def __init__(self, notes: Notes, rule: Rule, subject: str) -> None:
        self.notes, self.rule, self.subject = notes, rule, subject

    def __enter__(self) -> None:
        """Nothing is prepared."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if isinstance(error, Refused):
            self.notes.refused.add(problem(self.rule, error.fault, error.about or self.subject))
        elif not isinstance(error, Unread):
            return False
        self.notes.held.add(Held(self.rule.id, self.subject, str(error)))
        return True


def problem(rule: Rule | Job, fault: Fault, about: str = "") -> Problem:
    """A fault at the place of a rule or job in its file; a folder's name that would break a line of the report is shown in quotes."""
    whom = f" for {about if about.isprintable() else shown(about)}" if about else ""
    return Problem(rule.file, rule.line, rule.column, f"{rule.title}{whom}: {fault.what}", fault.why, fault.remedy)
