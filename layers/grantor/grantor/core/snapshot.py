"""What the rules are expanded over: profiles, folders, directory, locations, as they were read, and what could not be read.

Unread is never empty: what is missing here because nobody could read it is named in `unread`, and nothing is concluded from it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from grantor.core.diagnostics import Problem
from grantor.core.grant import Grant, Location, Reason, in_order, profile_subject
from grantor.core.rules import Mode


@dataclass(frozen=True, order=True)
class Profile:
    """A Studio user profile: its domain's name, its own, the role that its notebooks run as, when it was made, its tags."""

    domain: str
    name: str
    role: str
    created: datetime | None = None  # aware, UTC
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> str:
        """The profile's folder in the data bucket: its name, the first letter as a capital, as in the article.

        >>> Profile("Product-Domain", "userA", "arn:aws:iam::111122223333:role/a").folder
        'UserA'
        """
        return self.name[:1].upper() + self.name[1:]

    @property
    def subject(self) -> str:
        """How reasons name it."""
        return profile_subject(self.domain, self.name)


@dataclass(frozen=True)
class Facts:
    """All that an expansion looks at. A focused run has only what it touches, and says so by its focus, not here."""

    now: datetime  # aware, UTC
    locations: tuple[Location, ...] = ()
    profiles: tuple[Profile, ...] = ()
    domains: frozenset[str] = frozenset()  # the names of those that exist
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # s3://b/p/ → the names of the folders right below it
    directory: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (kind, name) → id; an unknown name is not in it
    sharing: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # role ARN → the subjects of every profile that runs as it
    unread: Mapping[str, str] = field(default_factory=dict)  # "domain D", "folders s3://b/p/", "directory K NAME" → why


@dataclass(frozen=True, order=True)
class Held:
    """A rule, or a rule for one subject, that this run cannot judge or must refuse: its grants stay exactly as they are."""

    rule: str
    subject: str  # "" holds the whole rule
    why: str

    def holds(self, reason: Reason) -> bool:
        """Whether the reason is one of those that stay."""
        return reason.rule == self.rule and (not self.subject or self.subject in reason.subjects)


@dataclass(frozen=True, repr=False)
class Wanted:
    """Grants in the order of Grant.order; the rest sorted. What is held stays as it is, whatever `grants` says or does not say.

    `refused` is for the owners of the rules to mend, and each of it is held; `warnings` change nothing.
    """

    grants: Mapping[Grant, frozenset[Reason]] = field(default_factory=dict)
    held: tuple[Held, ...] = ()
    refused: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        """The same text for the same value in every process, which sets and mappings do not promise."""
        grants = [(grant, in_order(reasons)) for grant, reasons in self.grants.items()]
        return f"Wanted(grants={grants}, held={self.held}, refused={self.refused}, warnings={self.warnings})"


EVERYTHING = "everything"
MOST = 100  # subjects; a run for more of them reads everything, which then costs less


@dataclass(frozen=True)
class Focus:
    """The subjects that are to be looked at, as reason.py names them; none at all means everything.

    >>> print(Focus.of(["profile D/b", "profile D/a"])), print(Focus.of(["profile D/a", "everything"]))
    profile D/a, profile D/b
    everything
    (None, None)
    """

    subjects: tuple[str, ...] = ()

    @classmethod
    def of(cls, subjects: Iterable[str]) -> "Focus":
        """The focus of all of these together; everything when one of them is, or when there are too many to look at singly."""
        chosen = sorted(set(subjects))
        if EVERYTHING in chosen or len(chosen) > MOST:
            return cls()
        if not chosen:
            raise ValueError("a focus has at least one subject")
        return cls(tuple(chosen))

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.subjects

    def sees(self, reason: Reason) -> bool:
        """Whether a run with this focus reads all that the reason follows from."""
        return self.everything or any(subject in self.subjects for subject in reason.subjects)

    def __str__(self) -> str:
        return ", ".join(self.subjects) or EVERYTHING


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
