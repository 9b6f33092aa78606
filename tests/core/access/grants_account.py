"""An account with S3 Access Grants in memory: the sandbox's rules, without a server and IAM."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from grantor.core.access.access_index import AccessAnswer, AccessIndex, Principal
from grantor.core.grant import Grant, Grantee, Permission
from sandbox.access_grants import AccessGrants, AccessGrantsError, Caller, GrantsModel, Role
from sandbox.access_grants.service import DirectoryIdentity

ACCOUNT = "111122223333"
CENTER = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
LOCATION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/location"
MODEL = GrantsModel.read()
NOW = datetime(2026, 11, 30, tzinfo=UTC)


@dataclass
class PermissiveAccount:
    """An account in which everything exists and IAM allows everything."""

    sessions: list[dict[str, Any]] = field(default_factory=list)  # the policies of vended sessions

    def is_allowed(self, *_: Any) -> bool:
        return True

    def find_principal_id(self, principal: str) -> str | None:
        return principal

    def find_role(self, arn: str) -> Role | None:
        return Role(arn, 43_200)

    def is_trusted_by(self, *_: Any) -> bool:
        return True

    def has_bucket(self, name: str) -> bool:
        return bool(name)

    def has_grantee(self, *_: Any) -> bool:
        return True

    def has_identity_center(self, _: str) -> bool:
        return True

    def find_identity_store(self) -> str:
        return f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-1234567890"

    def start_vended_session(
        self, _: Role, __: str, policy: dict[str, Any], *___: Any
    ) -> dict[str, str]:
        self.sessions.append(policy)
        return {"AccessKeyId": "A", "SecretAccessKey": "B", "SessionToken": "C"}


class GrantsAccount:
    """An instance of S3 Access Grants, asked and changed by plain calls."""

    def __init__(self) -> None:
        self.service = AccessGrants(ACCOUNT, "us-east-1", PermissiveAccount(), lambda: NOW, MODEL)
        self.call("CreateAccessGrantsInstance", IdentityCenterArn=CENTER)

    def call(self, name: str, caller: Caller | None = None, **request: Any) -> dict[str, Any]:
        admin = Caller(f"arn:aws:iam::{ACCOUNT}:role/admin", ACCOUNT)
        return self.service.call(name, {"AccountId": ACCOUNT, **request}, caller or admin)

    def add_location(self, scope: str) -> str | None:
        """Register a location; returns its id, or None if it exists."""
        try:
            made = self.call(
                "CreateAccessGrantsLocation", LocationScope=scope, IAMRoleArn=LOCATION_ROLE
            )
        except AccessGrantsError:
            return None
        return str(made["AccessGrantsLocationId"])

    def add_grant(self, location: str, sub_prefix: str, grant: Grant) -> bool:
        """Create a grant at a location, whatever the scope of `grant` says; False if refused."""
        request: dict[str, Any] = {
            "AccessGrantsLocationId": location,
            "Grantee": {
                "GranteeType": grant.grantee.kind,
                "GranteeIdentifier": grant.grantee.identifier,
            },
            "Permission": str(grant.permission),
        }
        if sub_prefix:
            request["AccessGrantsLocationConfiguration"] = {"S3SubPrefix": sub_prefix}
        if grant.application:
            request["ApplicationArn"] = grant.application
        try:
            self.call("CreateAccessGrant", **request)
        except AccessGrantsError:
            return False
        return True

    def read_index(self) -> AccessIndex:
        """Build the index from what the service lists."""
        listed = self.call("ListAccessGrants")["AccessGrantsList"]
        grants = {parse_grant(item): _is_whole(item) for item in listed}
        return AccessIndex(grants, {grant for grant, whole in grants.items() if whole})

    def ask(
        self, principal: Principal, permission: Permission, target: str, *, minimal: bool
    ) -> AccessAnswer:
        """Call GetDataAccess as the principal; only `grant`'s grantee and `scope` are known."""
        role, *directory = principal.grantees
        identity = DirectoryIdentity(
            CENTER,
            principal.application,
            tuple((one.kind, one.identifier) for one in directory),
        )
        caller = Caller(role.identifier, ACCOUNT, identity if directory else None)
        more = {"Privilege": "Minimal"} if minimal else {}
        try:
            given = self.call(
                "GetDataAccess", caller, Target=target, Permission=str(permission), **more
            )
        except AccessGrantsError as refused:
            if refused.code != "AccessDenied":
                raise
            return AccessAnswer()
        who = Grantee(given["Grantee"]["GranteeType"], given["Grantee"]["GranteeIdentifier"])
        return AccessAnswer(Grant(who, permission, ""), given["MatchedGrantTarget"])


def _is_whole(item: Mapping[str, Any]) -> bool:
    return not item["AccessGrantsLocationConfiguration"]["S3SubPrefix"]


def parse_grant(item: Mapping[str, Any]) -> Grant:
    """Read a grant as ListAccessGrants shows it."""
    who = Grantee(item["Grantee"]["GranteeType"], item["Grantee"]["GranteeIdentifier"])
    application = item.get("ApplicationArn") or ""
    return Grant(who, Permission(item["Permission"]), item["GrantScope"], application)
