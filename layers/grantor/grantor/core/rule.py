"""What a policy file says, as values: who may do what where, and until when; job.py has its jobs. How it is written is the matter of policy/."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from grantor.core.grant import Permission
from grantor.core.job import Job
from grantor.core.whom import Directory, Principal, Profiles


class Mode(StrEnum):
    """What becomes of a grant whose last rule is gone: an authoritative file takes it away, an additive one leaves it."""

    AUTHORITATIVE = "authoritative"
    ADDITIVE = "additive"


@dataclass(frozen=True, order=True)
class Rule:
    """One rule. Variables of the file itself are filled in; those of profiles and prefixes still stand in it."""

    file: str
    name: str
    to: Principal | Profiles | Directory
    on: str  # a scope: s3://bucket/*, s3://bucket/prefix/* or, for one object, s3://bucket/key
    allow: Permission
    line: int = 1
    column: int = 1
    each_prefix: str = ""  # s3://bucket/folder/ : one grant for each folder in it, as {prefix.name}
    excepts: tuple[str, ...] = ()  # scopes below `on` that the rule does not mean
    until: datetime | None = None  # aware, UTC
    lasts: timedelta | None = None  # from the profile's creation
    application: str = ""
    shared_role: bool = False  # the rule accepts that a profile's role is shared
    raw_prefix: bool = False  # the rule accepts a scope that ends inside a name

    @property
    def id(self) -> str:
        """How everything else refers to the rule: its file and its name.

        >>> Rule("policy/a.yaml", "own", Principal("arn:aws:iam::111122223333:role/a"), "s3://b/*", Permission.READ).id
        'policy/a.yaml#own'
        """
        return f"{self.file}#{self.name}"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"rule {self.name}"


@dataclass(frozen=True)
class Policy:
    """What one file says; `file` is its key in the policy bucket."""

    file: str
    rules: tuple[Rule, ...]
    mode: Mode = Mode.AUTHORITATIVE
    jobs: tuple[Job, ...] = ()
