"""A grant as a value: its identity is all of it, because S3 Access Grants has no call that changes one."""

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """What a grant allows; WRITE includes deleting (AWS: "S3 Access Grants get data", table of actions)."""

    READ = "READ"
    WRITE = "WRITE"
    READWRITE = "READWRITE"


@dataclass(frozen=True, order=True, slots=True)
class Grantee:
    """Who holds a grant: `kind` as the service names it (IAM, DIRECTORY_USER, DIRECTORY_GROUP) and its ARN or id.

    >>> print(Grantee("IAM", "arn:aws:iam::111122223333:role/studio/ana"))
    role/studio/ana
    """

    kind: str
    identifier: str

    def __str__(self) -> str:
        return self.identifier.rpartition(":")[2] if self.kind == "IAM" else f"{self.kind.lower()} {self.identifier}"


@dataclass(frozen=True, order=True, slots=True)
class Grant:
    """One right: this grantee may do this on every key that the scope covers.

    >>> print(Grant(Grantee("IAM", "arn:aws:iam::111122223333:role/ana"), Permission.READ, "s3://data/Product/*"))
    READ s3://data/Product/* to role/ana
    """

    grantee: Grantee
    permission: Permission
    scope: str
    application: str = ""

    def order(self) -> tuple[str, str, str, str, str]:
        """The key by which grants are sorted wherever a person sees them; much faster than comparing them field by field."""
        return self.grantee.kind, self.grantee.identifier, self.scope, self.permission, self.application

    def overlaps(self, other: "Grant") -> bool:
        """Whether both give the same grantee something in the same place: one scope begins with the other."""
        one, two = sorted((self.scope.removesuffix("*"), other.scope.removesuffix("*")))
        return self.grantee == other.grantee and two.startswith(one)

    def __str__(self) -> str:
        through = f" through {self.application}" if self.application else ""
        return f"{self.permission} {self.scope} to {self.grantee}{through}"
