"""What the rules are expanded over: profiles, folders, directory, locations, as they were read, and what could not be read.

Unread is never empty: what is missing here because nobody could read it is named in `unread`, and nothing is concluded from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from grantor.core.location import Location
from grantor.core.reason import Reason, profile_subject


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
