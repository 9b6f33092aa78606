"""Tests of policy files as values: questions about access, each with the answer that is expected,
and the inventory that they are asked over.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from grantor.core.grant import Permission

STEPS_OF_A_NO = 8  # how often rules are expanded to say why they do not give something


class Question(StrEnum):
    """What a test asks, named as its key."""

    CAN = "can"
    CANNOT = "cannot"
    WHO = "who"
    REACH = "reach"


@dataclass(frozen=True)
class GivenProfile:
    """A Studio profile of a test's inventory. Without a role it has one that nobody shares."""

    domain: str
    name: str
    role: str = ""  # ARN
    tags: tuple[tuple[str, str], ...] = ()  # keys and values, sorted
    created: datetime | None = None  # aware, UTC


@dataclass(frozen=True)
class Given:
    """The inventory of tests: all that exists, as far as they are concerned."""

    profiles: tuple[GivenProfile, ...] = ()
    users: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of the directory, each with its groups
    groups: tuple[str, ...] = ()  # of the directory
    folders: tuple[str, ...] = ()  # s3://bucket/folder/, each with a slash at its end

    @property
    def size(self) -> int:
        """How many times a rule is expanded at most; not less than once."""
        return max(len(self.profiles) * max(len(self.folders), 1), len(self.folders), 1)

    def find_groups(self, user: str) -> tuple[str, ...]:
        """The groups of a user of the directory; none if nobody knows the user."""
        return next((groups for name, groups in self.users if name == user), ())


@dataclass(frozen=True)
class Expectation:
    """One question and its expected answer.

    `exactly` are the names of principals (of `who`) or PERMISSION SCOPE (of `reach`); `because` are
    rules, as NAME or FILE#NAME. Without `at`, no end has been reached.
    """

    file: str
    question: Question
    who: str = ""  # as `grantor can` takes it; empty for `who`
    permission: Permission | None = None  # None for any
    place: str = ""  # s3://…; empty for `reach`
    exactly: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    at: datetime | None = None  # aware, UTC
    application: str = ""  # ARN of the one that the session has come through
    name: str = ""
    line: int = 1
    column: int = 1

    @property
    def text(self) -> str:
        """The question as it is written.

        >>> Expectation("a.yaml", Question.CAN, "D/ana", Permission.READ, "s3://b/a.csv").text
        'can D/ana READ s3://b/a.csv'
        """
        parts = (self.question, self.who, self.permission or "", self.place)
        return " ".join(str(part) for part in parts if part)


@dataclass(frozen=True)
class PolicyTests:
    """The tests of one file. `given` is None if the file says nothing about what exists."""

    file: str
    expectations: tuple[Expectation, ...] = ()
    given: Given | None = None

    def count_steps(self, rules: int) -> int:
        """How many grants are worked out at most, all tests together. `because` beside `cannot`
        asks the rules again without each of their restrictions.
        """
        times = len({one.at for one in self.expectations})
        asked = (one for one in self.expectations if one.question is Question.CANNOT)
        again = STEPS_OF_A_NO * sum(bool(one.because) for one in asked)
        return (times + again) * (self.given or Given()).size * rules
