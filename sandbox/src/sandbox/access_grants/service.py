"""S3 Access Grants of one account and Region: requests in, answers out, as values.

There is no web server and no emulator here. What the service needs to know of its account, an
adapter answers (Account).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sandbox.access_grants.errors import AccessGrantsError, documented_error
from sandbox.access_grants.protocol import GrantsModel
from sandbox.access_grants.scopes import join_scope
from sandbox.access_grants.state import Instance
from sandbox.switches import GrantSwitches

GRANTS_PRINCIPAL = "access-grants.s3.amazonaws.com"
# Who says for whom a session acts.
CONTEXT_PROVIDER = "arn:aws:iam::aws:contextProvider/IdentityCenter"
GrantsRequest = dict[str, Any]


@dataclass(frozen=True)
class DirectoryIdentity:
    """The person on whose behalf a session acts, as IAM Identity Center knows them.

    `grantees` are the user and the groups that they are in now, each as type and id;
    `application` is the one that they signed in to, `center` the ARN of the Identity Center.
    """

    center: str
    application: str
    grantees: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Caller:
    """Who calls: the account, and the ARN of a user, a role or the account's root.

    A role's ARN has its path and no session. `directory` is whom a session acts for, if it has an
    identity context.
    """

    arn: str
    account: str
    directory: DirectoryIdentity | None = None


@dataclass(frozen=True)
class Role:
    """An IAM role, as far as vending needs it: its longest session, in seconds."""

    arn: str
    longest: int


class Account(Protocol):
    """The account that the instance belongs to."""

    def is_allowed(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str]
    ) -> bool:
        """Return whether the caller's policies allow the action."""

    def find_principal_id(self, principal: str) -> str | None:
        """Return the unique id of the role or user with this ARN; None if it does not exist.

        A principal of another account is assumed to exist.
        """

    def find_role(self, arn: str) -> Role | None:
        """Return the role, or None."""

    def is_trusted_by(self, arn: str, action: str, context: Mapping[str, Any]) -> bool:
        """Return whether the role lets the Access Grants service do this, as in sts:AssumeRole."""

    def has_bucket(self, name: str) -> bool:
        """Return whether this account has this bucket in this Region."""

    def has_grantee(self, kind: str, identifier: str) -> bool:
        """Return whether IAM Identity Center has this DIRECTORY_USER or DIRECTORY_GROUP."""

    def has_identity_center(self, arn: str) -> bool:
        """Return whether this IAM Identity Center instance exists."""

    def find_identity_store(self) -> str:
        """Return the ARN of the store that IAM Identity Center keeps its users and groups in."""

    def start_vended_session(
        self,
        role: Role,
        session: str,
        policy: dict[str, Any],
        until: datetime,
        context: Mapping[str, str],
    ) -> dict[str, str]:
        """Return a session of the role under `policy`.

        It has AccessKeyId, SecretAccessKey and SessionToken.
        """


GrantsOperation = Callable[["AccessGrants", GrantsRequest, Caller], dict[str, Any]]
GRANTS_OPERATIONS: dict[str, GrantsOperation] = {}


def grants_operation(do: GrantsOperation) -> GrantsOperation:
    """Register an operation under its AWS name: `create_access_grant` is CreateAccessGrant."""
    GRANTS_OPERATIONS["".join(word.capitalize() for word in do.__name__.split("_"))] = do
    return do


@dataclass
class AccessGrants:
    """The service.

    `clock` returns aware UTC datetimes, `model` is the published one, and `switches` decide
    what AWS's documents leave open.
    """

    account: str
    region: str
    environment: Account
    clock: Callable[[], datetime]
    model: GrantsModel
    switches: GrantSwitches = field(default_factory=GrantSwitches)
    instance: Instance | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:{self.region}:{self.account}:access-grants/default"

    def call(self, name: str, request: GrantsRequest, caller: Caller) -> dict[str, Any]:
        """Carry out one operation for the caller.

        Raises AccessGrantsError as AWS would: authorization is checked first, then the
        request, then the state.
        """
        do = GRANTS_OPERATIONS.get(name)
        if do is None:
            raise AccessGrantsError(
                "NotImplemented", 501, f"{name} is not an operation of S3 Access Grants"
            )
        self._authorize_call(name, request, caller)
        if not re.fullmatch(r"\d{12}", str(request.get("AccountId", ""))):
            raise documented_error("InvalidRequest", why="AccountId must be 12 digits")
        if request["AccountId"] != self.account:
            raise documented_error("AccessDenied", why="Access Denied")
        self.model.check_request(name, request, self.switches.bad_value_code)
        return do(self, request, caller)

    def is_trusted_by(self, role: str, action: str) -> bool:
        """Return whether the role lets this instance do this, as in sts:AssumeRole."""
        context: dict[str, Any] = {"aws:SourceAccount": self.account, "aws:SourceArn": self.arn}
        if action == "sts:SetContext":
            context["sts:RequestContextProviders"] = [CONTEXT_PROVIDER]
        return self.environment.is_trusted_by(role, action, context)

    def require_instance(self) -> Instance:
        """Return the instance. Raises AccessGrantsInstanceNotExistsError if there is none."""
        if self.instance is None:
            raise documented_error("AccessGrantsInstanceNotExistsError")
        return self.instance

    def require_permission(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str] | None = None
    ) -> None:
        """Raise AccessDenied unless the caller's policies allow the action."""
        if not self.environment.is_allowed(caller, action, resource, context or {}):
            why = (
                f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
            )
            raise documented_error("AccessDenied", why=why)

    def _authorize_call(self, name: str, request: GrantsRequest, caller: Caller) -> None:
        for resource, context in self._list_resources(name, request):
            self.require_permission(caller, f"s3:{name}", resource, context)

    def _list_resources(
        self, name: str, request: GrantsRequest
    ) -> list[tuple[str, dict[str, str]]]:
        """Return the resource that an operation is authorized on, with its condition keys.

        Source: AWS, service authorization reference.
        """
        context = {
            f"aws:RequestTag/{tag.get('Key')}": str(tag.get("Value"))
            for tag in request.get("Tags") or []
        }
        if name.endswith(("TagResource", "TagsForResource")):
            arn = str(request.get("ResourceArn", ""))
            return [(arn, context | self._list_tag_keys(arn))]
        if name.endswith("AccessGrantsInstances"):
            return [("*", context)]
        if name in ("CreateAccessGrant", "GetAccessGrant", "DeleteAccessGrant"):
            return [self._describe_grant_resource(name, request, context)]
        if name.endswith("AccessGrantsLocation"):
            return [self._describe_location_resource(request, context)]
        return [(self.arn, context | self._list_tag_keys(self.arn))]

    def _describe_grant_resource(
        self, name: str, request: GrantsRequest, context: dict[str, str]
    ) -> tuple[str, dict[str, str]]:
        if name == "CreateAccessGrant":
            arn = f"{self.arn}/location/{request.get('AccessGrantsLocationId')}"
            return arn, context | {"s3:AccessGrantScope": self._find_wanted_scope(request)}
        grant = (
            self.instance.grants.get(str(request.get("AccessGrantId"))) if self.instance else None
        )
        arn = f"{self.arn}/grant/{request.get('AccessGrantId')}"
        return arn, context | self._list_tag_keys(arn) | (
            {"s3:AccessGrantScope": grant.scope} if grant else {}
        )

    def _describe_location_resource(
        self, request: GrantsRequest, context: dict[str, str]
    ) -> tuple[str, dict[str, str]]:
        known = (
            self.instance.locations.get(str(request.get("AccessGrantsLocationId")))
            if self.instance
            else None
        )
        arn = f"{self.arn}/location/{request.get('AccessGrantsLocationId', '*')}"
        scope = known.scope if known else str(request.get("LocationScope", ""))
        return arn, context | self._list_tag_keys(arn) | {"s3:AccessGrantsLocationScope": scope}

    def _find_wanted_scope(self, request: GrantsRequest) -> str:
        location = (
            self.instance.locations.get(str(request.get("AccessGrantsLocationId")))
            if self.instance
            else None
        )
        sub_prefix = (request.get("AccessGrantsLocationConfiguration") or {}).get(
            "S3SubPrefix"
        ) or ""
        return join_scope(location.scope, sub_prefix) if location else sub_prefix

    def _list_tag_keys(self, arn: str) -> dict[str, str]:
        tags = self.instance.tags.get(arn, {}) if self.instance else {}
        return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
