"""IAM Identity Center: finds the ids of users and groups by the names in policies.

Errors of AWS pass unchanged or become part of the answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from grantor.aws.clients import CONNECTION_ERRORS, error_code
from grantor.core.policy.grantee_types import DIRECTORY_TYPES

if TYPE_CHECKING:
    from mypy_boto3_identitystore import IdentityStoreClient
    from mypy_boto3_sso_admin import SSOAdminClient


Named = tuple[str, str]  # kind and name


class DirectoryNotFound(LookupError):
    """The Region has no IAM Identity Center, or several; the text says what to do."""


@dataclass(frozen=True)
class DirectoryIds:
    """The ids that were found. A name that the directory does not know is in neither mapping."""

    found: Mapping[Named, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)  # "directory KIND NAME" → why


class IdentityCenter:
    """The identity store of the Identity Center in this Region."""

    def __init__(self, store: "IdentityStoreClient", admin: "SSOAdminClient") -> None:
        self._store_client = store
        self._admin = admin

    def find_ids(self, wanted: Iterable[Named]) -> DirectoryIds:
        """Find the ids of users by user name and of groups by display name, exactly as written.

        Costs a call per name, and one more the first time. Errors go into `unread`.
        """
        names = sorted(set(wanted))
        try:
            return self._find_all(names) if names else DirectoryIds()
        except DirectoryNotFound as error:
            return DirectoryIds(unread={_describe_name(*one): str(error) for one in names})

    def _find_all(self, names: Iterable[Named]) -> DirectoryIds:
        found: dict[Named, str] = {}
        unread: dict[str, str] = {}
        for kind, name in names:
            try:
                known = self._find_id(kind, name)
            except (*CONNECTION_ERRORS, ClientError) as error:
                unread[_describe_name(kind, name)] = str(error)
            else:
                found |= {(kind, name): known} if known else {}
        return DirectoryIds(found, unread)

    @cached_property
    def _store_id(self) -> str:
        pages = self._admin.get_paginator("list_instances").paginate()
        instances = [instance for page in pages for instance in page["Instances"]]
        if not instances:
            raise DirectoryNotFound(
                "a policy names a user or group of IAM Identity Center, and this Region has none: "
                "enable it, or grant to roles and profiles instead"
            )
        stores = sorted({one["IdentityStoreId"] for one in instances})
        if len(stores) > 1:
            raise DirectoryNotFound(
                f"this Region has several identity stores ({', '.join(stores)}): "
                "write ids instead of names"
            )
        return stores[0]

    def _find_id(self, kind: str, name: str) -> str:
        directory_type = DIRECTORY_TYPES[kind]
        attribute = {"AttributePath": directory_type.attribute, "AttributeValue": name}
        alternate = {"UniqueAttribute": attribute}
        get_id = getattr(self._store_client, f"get_{directory_type.noun}_id")
        try:
            found = get_id(IdentityStoreId=self._store_id, AlternateIdentifier=alternate)
            return str(found[f"{directory_type.noun.title()}Id"])
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return ""
            raise


def _describe_name(kind: str, name: str) -> str:
    return f"directory {kind} {name}"
