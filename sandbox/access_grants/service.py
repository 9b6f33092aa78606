"""S3 Access Grants of one account and Region: requests in, answers out, as values. No web and no emulator here."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.access_grants.errors import Refused, refused
from sandbox.access_grants.model import Model
from sandbox.access_grants.scope import join
from sandbox.access_grants.state import Instance
from sandbox.access_grants.switches import Switches
from sandbox.access_grants.world import Caller, World

Request = dict[str, Any]
Operation = Callable[["AccessGrants", Request, Caller], dict[str, Any]]
OPERATIONS: dict[str, Operation] = {}


def operation(do: Operation) -> Operation:
    """Register an operation under its AWS name: `create_access_grant` is CreateAccessGrant."""
    OPERATIONS["".join(word.capitalize() for word in do.__name__.split("_"))] = do
    return do


@dataclass
class AccessGrants:
    """The service. `clock` gives aware UTC datetimes; `model` is the published one; `switches` answer what AWS leaves open."""

    account: str
    region: str
    world: World
    clock: Callable[[], datetime]
    model: Model
    switches: Switches = field(default_factory=Switches)
    instance: Instance | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:{self.region}:{self.account}:access-grants/default"

    def call(self, name: str, request: Request, caller: Caller) -> dict[str, Any]:
        """Do one operation for the caller, or raise Refused as AWS would: authorisation, then the request, then the state."""
        do = OPERATIONS.get(name)
        if do is None:
            raise Refused("NotImplemented", 501, f"{name} is not an operation of S3 Access Grants")
        self._authorise(name, request, caller)
        if not re.fullmatch(r"\d{12}", str(request.get("AccountId", ""))):
            raise refused("InvalidRequest", why="AccountId must be 12 digits")
        if request["AccountId"] != self.account:
            raise refused("AccessDenied", why="Access Denied")
        self.model.check(name, request, self.switches.bad_value_code)
        return do(self, request, caller)

    def existing(self) -> Instance:
        """The instance; AccessGrantsInstanceNotExistsError where there is none."""
        if self.instance is None:
            raise refused("AccessGrantsInstanceNotExistsError")
        return self.instance

    def demand(self, caller: Caller, action: str, resource: str, context: Mapping[str, str] | None = None) -> None:
        """AccessDenied unless the caller's policies allow the action."""
        if not self.world.allowed(caller, action, resource, context or {}):
            why = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
            raise refused("AccessDenied", why=why)

    def _authorise(self, name: str, request: Request, caller: Caller) -> None:
        for resource, context in self._resources(name, request):
            self.demand(caller, f"s3:{name}", resource, context)

    def _resources(self, name: str, request: Request) -> list[tuple[str, dict[str, str]]]:
        """The resource that an operation is judged on, with its condition keys (service authorization reference)."""
        context = {f"aws:RequestTag/{tag.get('Key')}": str(tag.get("Value")) for tag in request.get("Tags") or []}
        if name.endswith(("TagResource", "TagsForResource")):
            arn = str(request.get("ResourceArn", ""))
            return [(arn, context | self._tagged(arn))]
        if name.endswith("AccessGrantsInstances"):
            return [("*", context)]
        if name in ("CreateAccessGrant", "GetAccessGrant", "DeleteAccessGrant"):
            return [self._grant(name, request, context)]
        if name.endswith("AccessGrantsLocation"):
            return [self._location(request, context)]
        return [(self.arn, context | self._tagged(self.arn))]

    def _grant(self, name: str, request: Request, context: dict[str, str]) -> tuple[str, dict[str, str]]:
        if name == "CreateAccessGrant":
            arn = f"{self.arn}/location/{request.get('AccessGrantsLocationId')}"
            return arn, context | {"s3:AccessGrantScope": self._wanted_scope(request)}
        grant = self.instance.grants.get(str(request.get("AccessGrantId"))) if self.instance else None
        arn = f"{self.arn}/grant/{request.get('AccessGrantId')}"
        return arn, context | self._tagged(arn) | ({"s3:AccessGrantScope": grant.scope} if grant else {})

    def _location(self, request: Request, context: dict[str, str]) -> tuple[str, dict[str, str]]:
        known = self.instance.locations.get(str(request.get("AccessGrantsLocationId"))) if self.instance else None
        arn = f"{self.arn}/location/{request.get('AccessGrantsLocationId', '*')}"
        scope = known.scope if known else str(request.get("LocationScope", ""))
        return arn, context | self._tagged(arn) | {"s3:AccessGrantsLocationScope": scope}

    def _wanted_scope(self, request: Request) -> str:
        location = self.instance.locations.get(str(request.get("AccessGrantsLocationId"))) if self.instance else None
        sub_prefix = (request.get("AccessGrantsLocationConfiguration") or {}).get("S3SubPrefix") or ""
        return join(location.scope, sub_prefix) if location else sub_prefix

    def _tagged(self, arn: str) -> dict[str, str]:
        tags = self.instance.tags.get(arn, {}) if self.instance else {}
        return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
