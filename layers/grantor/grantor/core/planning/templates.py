"""Why a rule gets no grants, as a whole or for someone or somewhere: it is refused, or what it follows from was not read."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType

from grantor.core.diagnostics import Fault, Problem, shown
from grantor.core.rules import Job, Rule
from grantor.core.snapshot import Held, Profile


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


VARIABLE = re.compile(r"\{([^{}]*)\}")
OWN = ("{profile.name}", "{profile.folder}")  # no two profiles of a domain are meant to have the same value
TAGS = "{profile.tags."
NO_NAME = ("", ".", "..")
HARMFUL = re.compile(r"[/*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its variables filled in, all in one pass: a value that looks like a variable stays as it is. Raises Refused.

    >>> fill("s3://data/{profile.folder}/*", {"profile.folder": "UserA"})
    's3://data/UserA/*'
    """
    return VARIABLE.sub(lambda found: _value(found[1], values), text) if "{" in text else text


def of_profile(profile: Profile) -> dict[str, str]:
    """What a profile's variables stand for.

    >>> of_profile(Profile("Product-Domain", "userA", "arn:aws:iam::111122223333:role/a", None, (("team", "blue"),)))
    {'profile.name': 'userA', 'profile.folder': 'UserA', 'profile.tags.team': 'blue'}
    """
    tags = {f"profile.tags.{key}": value for key, value in profile.tags}
    return {"profile.name": profile.name, "profile.folder": profile.folder} | tags


def of_prefix(name: str) -> dict[str, str]:
    """What a folder's variable stands for.

    >>> of_prefix("blue")
    {'prefix.name': 'blue'}
    """
    return {"prefix.name": name}


def _value(name: str, values: Mapping[str, str]) -> str:
    value = values.get(name)
    if value is None:
        raise Refused(Fault(f"{{{name}}} has no value", "nothing can stand in its place", _missing(name)))
    if value in NO_NAME or HARMFUL.search(value):
        why = "it must be one name, without slash, * and control characters, and not . or .."
        raise Refused(Fault(f"{{{name}}} is {shown(value)}", why, "choose another name, or leave the variable out"))
    return value


def _missing(name: str) -> str:
    key = name.removeprefix("profile.tags.")
    return "use a variable that is known here" if key == name else f"give the profile a tag {key}, or leave the variable out"


LAST = datetime.max.replace(tzinfo=UTC)  # a longer time ends here


def end(rule: Rule, profile: Profile) -> datetime | None:
    """When the rule ends for this profile; None if never. Raises Unread when that hangs on a time that is not known."""
    if rule.lasts is None:
        return rule.until
    if profile.created is None:
        raise Unread(f"when {profile.subject} was created is not known, and the rule's time runs from then")
    return profile.created + min(rule.lasts, LAST - profile.created)


def over(until: datetime | None, now: datetime) -> bool:
    """Whether an end has come; the moment itself is over.

    >>> over(None, LAST), over(LAST, LAST)
    (False, True)
    """
    return until is not None and until <= now
