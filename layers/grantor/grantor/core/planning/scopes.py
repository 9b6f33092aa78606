"""The scopes that a rule or job stands for: with its variables filled in, its exceptions taken out,
and below a location. And why there is none for now: rejected, not read, or no usable name.

S3 Access Grants cannot deny, so a scope with exceptions becomes positive prefixes. At each folder
from the scope's own down to the one that an exception lies in, every folder that does not lead to
an exception is granted by its name. For s3://b/* except s3://b/UserA/private/*, with the folders
that exist:

    s3://b/         Product, UserA, UserB      s3://b/Product/* and s3://b/UserB/*
    s3://b/UserA/   models, private            s3://b/UserA/models/*

Two limits follow. A folder gets its grant once it is seen, not before. And single objects directly
at these levels (s3://b/readme.txt, s3://b/UserA/notes.txt) are not granted: one grant for each
would soon be thousands.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType

from grantor.core.diagnostics import (
    Fault,
    Notice,
    Problem,
    is_invisible,
    join_some,
    join_words,
    quote_text,
)
from grantor.core.grant import Location, find_folder
from grantor.core.rules import Job, Rule, Suspension
from grantor.core.snapshot import Hold, Profile
from grantor.limits import MAX_SCOPE_CHARACTERS
from grantor.settings import MAX_GRANTS_PER_GRANTEE, MAX_LISTED_LOCATIONS, MAX_LISTED_NAMES

VARIABLE = re.compile(r"\{([^{}]*)\}")
NOT_NAMES = ("", ".", "..")
# What S3 or IAM reads as more than a letter: the end of a name, a wildcard, the start of a policy
# variable. With a $ at the end, the next name could complete it.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
PATTERN = re.compile(r"[/*?]|\$\{|\$\Z")
NAME_FORM = (
    "it must be one name without /, *, ?, ${ and characters that no editor shows, "
    "without $ at its end, and not . or .."
)


class RuleRejected(Exception):
    """AWS would do something other than the rule says. `about` names what to look at, if not the
    subject.

    This is for the rule's owner to fix, unless whoever writes data can cause it, and the rule is on
    hold: its grants stay as they are.
    """

    def __init__(self, fault: Fault, about: str = "", *, warns: bool = False) -> None:
        super().__init__(fault.what)
        self.fault, self.about, self.warns = fault, about, warns


class NotRead(Exception):
    """Too little could be read to conclude anything; the text says what and why.

    This is nobody's mistake, and the rule is on hold.
    """


class UnusableName(RuleRejected):
    """A name that data, a profile or a tag supplies is missing, or can be no part of a scope.

    Then the rule gives nothing for it. That is a warning, and nothing is on hold: whoever writes
    data or tags must neither stop a rule nor keep a grant.
    """


class RuleOutcomes:
    """Collects rejections, holds, warnings and notices while rules are expanded, each once."""

    def __init__(self) -> None:
        self.on_hold: set[Hold] = set()
        self.rejected: set[Problem] = set()
        self.warnings: set[Problem] = set()
        self.notices: set[Notice] = set()

    def collect(self, rule: Rule, subject: str = "") -> "_Collecting":
        """A context that records RuleRejected and NotRead (the rule is on hold, for `subject` if
        given) and UnusableName.
        """
        return _Collecting(self, rule, subject)

    def warn(self, rule: Rule | Suspension, fault: Fault, about: str = "") -> None:
        """Record what is worth a look and changes nothing."""
        self.warnings.add(locate_fault(rule, fault, about))

    def notify(self, rule: Rule, fault: Fault, about: str) -> None:
        """Record what whoever writes data into a folder should know."""
        self.notices.add(Notice(about, rule.id, *fault))

    def note_unusable(self, rule: Rule, fault: Fault, subject: str) -> None:
        """Tell whoever has chosen a name: of a folder, or of a profile or tag."""
        folder = find_folder(subject)
        if folder:
            self.notify(rule, fault, folder)
        else:
            self.warn(rule, fault, subject)

    def reject(self, rule: Rule | Job | Suspension, fault: Fault) -> None:
        """Record what the rule's owner must fix; nothing is on hold."""
        self.rejected.add(locate_fault(rule, fault))


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
        if isinstance(error, UnusableName):
            self.outcomes.note_unusable(self.rule, error.fault, self.subject)
            return True
        if isinstance(error, RuleRejected):
            problem = locate_fault(self.rule, error.fault, error.about or self.subject)
            (self.outcomes.warnings if error.warns else self.outcomes.rejected).add(problem)
        elif not isinstance(error, NotRead):
            return False
        self.outcomes.on_hold.add(Hold(self.rule.id, self.subject, str(error)))
        return True


def locate_fault(rule: Rule | Job | Suspension, fault: Fault, about: str = "") -> Problem:
    """A fault at the place of a rule, job or suspension in its file.

    `about` may be a folder's name; one that would break a line of the report appears in quotes.
    """
    whom = f" for {about if about.isprintable() else quote_text(about)}" if about else ""
    what = f"{rule.title}{whom}: {fault.what}"
    owner = "" if isinstance(rule, Suspension) else rule.owner
    return Problem(rule.file, rule.line, rule.column, what, fault.why, fault.remedy, owner)


def is_usable_name(name: str) -> bool:
    """Whether a name that others supply can be part of a scope: letters, never a pattern.

    >>> [is_usable_name(name) for name in ("UserA", "User?", "${aws:username}", "a$", "Ana\u202e")]
    [True, False, False, False, False]
    """
    if name in NOT_NAMES or PATTERN.search(name):
        return False
    return (name.isascii() and name.isprintable()) or not any(map(is_invisible, name))


def explain_unusable(names: Sequence[str]) -> Fault:
    """Why folders with these names get nothing, for whoever has made them."""
    more = [f"{len(names) - MAX_LISTED_NAMES:,} others"] if len(names) > MAX_LISTED_NAMES else []
    listed = join_words([*map(quote_text, names[:MAX_LISTED_NAMES]), *more], "and")
    called = "folder" if len(names) == 1 else "folders"
    what = f"nothing is granted for the {called} {listed}"
    return Fault(what, f"a folder's name cannot be used as it is: {NAME_FORM}", "rename it")


def fill_variables(text: str, values: Mapping[str, str]) -> str:
    """`text` with its variables filled in, in one pass: a value that looks like a variable stays as
    it is.

    Raises UnusableName if a variable has no value, or one that is not a single name.

    >>> fill_variables("s3://data/{profile.folder}/*", {"profile.folder": "UserA"})
    's3://data/UserA/*'
    """
    return VARIABLE.sub(lambda found: _find_value(found[1], values), text) if "{" in text else text


def profile_values(profile: Profile) -> dict[str, str]:
    """The values of a profile's variables.

    >>> profile_values(Profile("Lab", "ana", "role/a", None, (("x", "1"),)))
    {'domain.name': 'Lab', 'profile.name': 'ana', 'profile.folder': 'Ana', 'profile.tags.x': '1'}
    """
    tags = {f"profile.tags.{key}": value for key, value in profile.tags}
    own = {"profile.name": profile.name, "profile.folder": profile.folder}
    return {"domain.name": profile.domain} | own | tags


def prefix_values(name: str) -> dict[str, str]:
    """The value of a folder's variable.

    >>> prefix_values("blue")
    {'prefix.name': 'blue'}
    """
    return {"prefix.name": name}


def _find_value(name: str, values: Mapping[str, str]) -> str:
    value = values.get(name)
    if value is None:
        fault = Fault(
            f"{{{name}}} has no value", "nothing can stand in its place", _suggest_value(name)
        )
        raise UnusableName(fault)
    if not is_usable_name(value):
        remedy = "choose another name, or leave the variable out"
        raise UnusableName(Fault(f"{{{name}}} is {quote_text(value)}", NAME_FORM, remedy))
    return value


def _suggest_value(name: str) -> str:
    key = name.removeprefix("profile.tags.")
    if key == name:
        return "use a variable that is known here"
    return f"give the profile a tag {key}, or leave the variable out"


def find_levels(scope: str, excepts: Iterable[str]) -> frozenset[str]:
    """The folders that must be listed, because the folders in them decide what is granted.

    An exception that is not below the scope adds none.

    >>> sorted(find_levels("s3://b/*", ["s3://b/UserA/private/*", "s3://b/UserA/private/more/*"]))
    ['s3://b/', 's3://b/UserA/']
    """
    below = [excepted for excepted in excepts if _lies_below(scope, excepted)]
    excluded = _list_excluded(below)
    return frozenset(
        level for excepted in below for level in _walk_down(scope[:-1], excepted, excluded)
    )


def find_closed_folders(scope: str, excepts: Iterable[str]) -> frozenset[str]:
    """The folders that are never granted as a whole: the exceptions, and the levels above them."""
    listed = tuple(excepts)
    return find_levels(scope, listed) | _list_excluded(listed)


def list_open_folders(
    scope: str, excepts: tuple[str, ...], folders: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, str]]:
    """What is granted in place of `scope`, as (level, name of the folder directly below it).

    Raises RuleRejected if prefixes cannot express it: a scope or an exception ends inside a name,
    an exception is not below the scope, or it takes more than MAX_GRANTS_PER_GRANTEE grants.
    """
    _check_exceptions(scope, excepts)
    closed = find_closed_folders(scope, excepts)
    names = (
        (level, name) for level in find_levels(scope, excepts) for name in folders.get(level, ())
    )
    found = [(level, name) for level, name in names if f"{level}{name}/" not in closed]
    if len(found) > MAX_GRANTS_PER_GRANTEE:
        what = f"{scope} without its exceptions takes {len(found)} grants"
        why = (
            "each folder that is not excepted needs one, "
            f"and a rule may need at most {MAX_GRANTS_PER_GRANTEE} for one grantee"
        )
        remedy = "put the excepted objects into a folder of their own, or list the folders to grant"
        raise RuleRejected(Fault(what, why, remedy))
    return found


def _check_exceptions(scope: str, excepts: tuple[str, ...]) -> None:
    for text in (scope, *excepts):
        if not text.endswith("/*") and (text == scope or text.endswith("*")):
            what = f"{text} is not a folder, and the rule has exceptions"
            why = "exceptions are implemented by granting whole folders"
            raise RuleRejected(Fault(what, why, "write a scope that ends in /*"))
    for excepted in excepts:
        if not _lies_below(scope, excepted):
            why = "an exception removes a part of the scope, not all of it and nothing outside it"
            what = f"the exception {excepted} is not below {scope}"
            raise RuleRejected(Fault(what, why, "name a folder below the scope"))


def _lies_below(scope: str, excepted: str) -> bool:
    return scope.endswith("/*") and excepted != scope and excepted.startswith(scope[:-1])


def _list_excluded(excepts: Iterable[str]) -> frozenset[str]:
    return frozenset(excepted[:-1] for excepted in excepts if excepted.endswith("/*"))


def _walk_down(stem: str, excepted: str, excluded: frozenset[str]) -> Iterator[str]:
    """The folders from `stem` to the one that the exception lies in, or to another exception on the
    way.
    """
    yield stem
    for name in excepted.removeprefix(stem).removesuffix("/*").split("/")[:-1]:
        stem += f"{name}/"
        if stem in excluded:
            return
        yield stem


class LocationCheck:
    """Checks scopes against the registered locations; cheap, because it sees each of very many
    grants.
    """

    def __init__(self, locations: Iterable[Location]) -> None:
        self._roots = tuple(sorted({location.root for location in locations}))

    def check_scope(self, scope: str) -> None:
        """Raise RuleRejected if S3 Access Grants would not accept the scope."""
        if len(scope) > MAX_SCOPE_CHARACTERS:
            what = f"{quote_text(scope)} has {len(scope):,} characters"
            why = f"S3 Access Grants accepts at most {MAX_SCOPE_CHARACTERS:,}"
            raise RuleRejected(Fault(what, why, "shorten the names in it"))
        if not scope.startswith(self._roots):
            raise RuleRejected(self._explain_misplaced(scope))

    def _explain_misplaced(self, scope: str) -> Fault:
        below = [
            root for root in self._roots if scope.endswith("*") and root.startswith(scope[:-1])
        ]
        if below:
            what = f"{quote_text(scope)} is wider than every location"
            why = "a grant cannot reach beyond its location"
            some = join_some(below, MAX_LISTED_LOCATIONS, "or")
            remedy = f"write a scope below {some}, or register a location for all of it"
            return Fault(what, why, remedy)
        known = join_some(self._roots, MAX_LISTED_LOCATIONS, "or") or "none"
        what = f"{quote_text(scope)} is outside every location"
        why = f"a grant is created in a registered location, and the instance has {known}"
        return Fault(what, why, "write a scope below a location, or register one there")
