"""What the service asks of the world around it; an adapter answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

SERVICE = "access-grants.s3.amazonaws.com"


@dataclass(frozen=True)
class Caller:
    """Who calls: the ARN of a role (path and all, no session), a user or the account's root; and the account."""

    arn: str
    account: str
    directory: tuple[tuple[str, str], ...] = ()  # (DIRECTORY_USER or DIRECTORY_GROUP, id), for sessions that carry an identity

    @property
    def identities(self) -> tuple[tuple[str, str], ...]:
        """Everything that a grant may name and that this caller is."""
        return (("IAM", self.arn), *self.directory)


@dataclass(frozen=True)
class Role:
    """An IAM role as far as vending needs it: its longest session, in seconds."""

    arn: str
    longest: int


class World(Protocol):
    """The account around the instance."""

    def allowed(self, caller: Caller, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether the caller's policies allow the action."""

    def identity(self, principal: str) -> str | None:
        """The unique id of the role or user with this ARN, None if there is none; one of another account is taken on trust."""

    def role(self, arn: str) -> Role | None:
        """The role, or None."""

    def trusts(self, arn: str, context: Mapping[str, str]) -> bool:
        """Whether the role lets the Access Grants service assume it."""

    def bucket(self, name: str) -> bool:
        """Whether this account has this bucket in this Region."""

    def knows(self, kind: str, identifier: str) -> bool:
        """Whether IAM Identity Center has this user (kind DIRECTORY_USER) or group (DIRECTORY_GROUP)."""

    def identity_center(self, arn: str) -> bool:
        """Whether this IAM Identity Center instance exists."""

    def identity_store(self) -> str:
        """The ARN of the store that IAM Identity Center keeps its users and groups in."""

    def vend(
        self, role: Role, session: str, policy: dict[str, Any], until: datetime, context: Mapping[str, str]
    ) -> dict[str, str]:
        """A session of the role under `policy`: AccessKeyId, SecretAccessKey, SessionToken."""
