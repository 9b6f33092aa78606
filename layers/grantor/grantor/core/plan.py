"""A set of changes as a value: it prints the same lines in the log, the command line, a pull request and the golden tests.

There is no call that changes a grant, so create and delete are all. Creates come first: nobody whose right only moves
from one grant to another is without it for a moment, and nobody ever has more than old and new together.
"""

import hashlib
from dataclasses import dataclass

from grantor.core.entry import Entry
from grantor.core.grant import Grant
from grantor.core.reason import Reason


@dataclass(frozen=True, slots=True)
class Change:
    """One grant to be made, because of `reasons`, or taken away, because these no longer stand; `id` names it in the service.

    A delete is `agreed` when an earlier run began it, or all its reasons have ended: no guard asks about it again.
    """

    grant: Grant
    reasons: tuple[Reason, ...]
    id: str = ""
    agreed: bool = False


@dataclass(frozen=True)
class Wait:
    """A grant that is left as it is until something can be judged again, and why."""

    grant: Grant
    why: str

    def __str__(self) -> str:
        return f"= {self.grant} waits: {self.why}"


@dataclass(frozen=True)
class Plan:
    """What to do, in this order: what the ledger is to be told, creates, deletes; and what is only reported."""

    create: tuple[Change, ...] = ()
    delete: tuple[Change, ...] = ()
    write: tuple[Entry, ...] = ()  # ledger entries to be written as they stand here; no call to Access Grants
    forget: tuple[Grant, ...] = ()
    foreign: tuple[Grant, ...] = ()  # somebody else's, and no rule wants them
    served: tuple[Grant, ...] = ()  # somebody else's, and a rule wants just that
    waits: tuple[Wait, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to change, in the service or in the ledger."""
        return not (self.create or self.delete or self.write or self.forget)

    def lines(self) -> list[str]:
        """One sentence a change, in the order in which they are made."""
        return [created(change) for change in self.create] + [deleted(change) for change in self.delete]

    def __str__(self) -> str:
        return "\n".join(self.lines()) or "nothing to change"

    @property
    def hash(self) -> str:
        """16 hex digits that stand for exactly these changes; an approval names them."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()[:16]


def created(change: Change) -> str:
    """The sentence of a create.

    >>> from grantor.core.grant import Grantee, Permission
    >>> grant = Grant(Grantee("IAM", "arn:aws:iam::111122223333:role/ana"), Permission.READ, "s3://data/Product/*")
    >>> print(created(Change(grant, (Reason("policy/a.yaml#team"),))))
    + READ s3://data/Product/* to role/ana, because policy/a.yaml#team
    """
    return f"+ {change.grant}, because {' and '.join(map(str, change.reasons))}"


def deleted(change: Change) -> str:
    """The sentence of a delete: why it was there, which no longer holds.

    >>> from grantor.core.grant import Grantee, Permission
    >>> grant = Grant(Grantee("IAM", "arn:aws:iam::111122223333:role/ana"), Permission.READ, "s3://data/Product/*")
    >>> print(deleted(Change(grant, (Reason("policy/a.yaml#team"),))))
    - READ s3://data/Product/* to role/ana, no longer because policy/a.yaml#team
    """
    return f"- {change.grant}, no longer because {' and '.join(map(str, change.reasons)) or 'of any rule'}"
