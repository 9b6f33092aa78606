"""Users and groups of IAM Identity Center: their ids, which Access Grants knows them by, for the names that people write."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import UNANSWERED, code

if TYPE_CHECKING:
    from mypy_boto3_identitystore import IdentityStoreClient
    from mypy_boto3_sso_admin import SSOAdminClient


USER, GROUP = "DIRECTORY_USER", "DIRECTORY_GROUP"
Named = tuple[str, str]  # kind and name


class NoDirectory(LookupError):
    """There is no IAM Identity Center to ask, or more than one; the text says what to do."""


@dataclass(frozen=True)
class Ids:
    """The id of each name that is known; a name that the directory does not know is in neither."""

    found: Mapping[Named, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)  # "directory KIND NAME" → why


class Directory:
    """The identity store of the Identity Center in this Region."""

    def __init__(self, store: "IdentityStoreClient", admin: "SSOAdminClient") -> None:
        self._store_client = store
        self._admin = admin

    def ids(self, wanted: Iterable[Named]) -> Ids:
        """The ids of these names; one call each, and one more the first time. NoDirectory if there is nobody to ask.

        A user is known by the user name, a group by its display name, exactly as written.
        """
        found: dict[Named, str] = {}
        unread: dict[str, str] = {}
        for kind, name in sorted(set(wanted)):
            try:
                known = self._id(kind, name)
            except (*UNANSWERED, ClientError) as error:
                unread[f"directory {kind} {name}"] = str(error)
            else:
                found |= {(kind, name): known} if known else {}
        return Ids(found, unread)

    @cached_property
    def _store(self) -> str:
        instances = [one for page in self._admin.get_paginator("list_instances").paginate() for one in page["Instances"]]
        if not instances:
            raise NoDirectory(
                "a policy names a user or group of IAM Identity Center, and this Region has none: "
                "enable it, or grant to roles and profiles instead"
            )
        stores = sorted({one["IdentityStoreId"] for one in instances})
        if len(stores) > 1:
            raise NoDirectory(f"this Region has several identity stores ({', '.join(stores)}): write ids instead of names")
        return stores[0]

    def _id(self, kind: str, name: str) -> str:
        asked: Any = {"IdentityStoreId": self._store, "AlternateIdentifier": _by(kind, name)}
        try:
            if kind == USER:
                return self._store_client.get_user_id(**asked)["UserId"]
            return self._store_client.get_group_id(**asked)["GroupId"]
        except ClientError as error:
            if code(error) == "ResourceNotFoundException":
                return ""
            raise


def _by(kind: str, name: str) -> dict[str, Any]:
    return {"UniqueAttribute": {"AttributePath": "userName" if kind == USER else "displayName", "AttributeValue": name}}
