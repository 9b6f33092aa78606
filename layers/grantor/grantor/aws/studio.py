"""SageMaker Studio: domains and their user profiles, each with the role that its notebooks run as;
and the IAM roles that there are.

A list shows a profile's name and when it last changed; its role is only in its description, which
costs a call each. So descriptions are remembered, and a profile that has not changed since is not
described again.

Errors of AWS pass unchanged or become part of the answer.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import CONNECTION_ERRORS, error_code, map_concurrently
from grantor.core.grant import Principals, profile_subject
from grantor.core.snapshot import Profile
from grantor.limits import IAM_PAGE_ITEMS, SAGEMAKER_PAGE_ITEMS

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import (
        DescribeUserProfileResponseTypeDef,
        UserProfileDetailsTypeDef,
    )


DELETING = "Deleting"
IN_SERVICE = "InService"
NEVER_MODIFIED = datetime.min.replace(tzinfo=UTC)


class DuplicateDomain(LookupError):
    """Two domains have the same name; the text says what to do."""


@dataclass(frozen=True)
class KnownProfile:
    """What is remembered of a profile.

    `role` is its own, "" if it has the domain's, which can change without it.

    `modified` is NEVER_MODIFIED if the profile was changing when it was read.
    """

    modified: datetime
    role: str
    arn: str


@dataclass(frozen=True)
class ProfileList:
    """The profiles of all domains that could be read completely. `known` is for the next read."""

    profiles: tuple[Profile, ...]
    unread: Mapping[str, str]  # "domain NAME" → why
    known: Mapping[str, KnownProfile]  # by subject


class PrincipalLists:
    """IAM's lists of the roles and users of the account."""

    def __init__(self, client: Any, account: str) -> None:
        self._client, self._account = client, account

    def read_principals(self, kinds: Iterable[str]) -> Principals:
        """List all principals of these kinds: role, user.

        Costs a call per 1,000: a list has the unique ids, so no role is described.
        """
        ids: dict[str, str] = {}
        unread: dict[str, str] = {}
        read = set()
        for kind in sorted(kinds):
            try:
                ids |= self._list_ids(kind.title())
                read.add(kind)
            except (*CONNECTION_ERRORS, ClientError) as error:
                unread[kind] = str(error)
        return Principals(self._account, ids, frozenset(read), unread)

    def _list_ids(self, noun: str) -> dict[str, str]:
        pages = self._client.get_paginator(f"list_{noun.lower()}s").paginate(
            PaginationConfig={"PageSize": IAM_PAGE_ITEMS}
        )
        return {one["Arn"]: one[f"{noun}Id"] for page in pages for one in page[f"{noun}s"]}


class Studio:
    """The Studio domains of one account and Region."""

    def __init__(self, client: "SageMakerClient") -> None:
        self._client = client

    def list_domains(self) -> dict[str, str]:
        """List the domains' ids by name, except those being deleted; "" for a name that two have.

        Costs a call per 100.
        """
        pages = self._client.get_paginator("list_domains").paginate(
            PaginationConfig={"PageSize": SAGEMAKER_PAGE_ITEMS}
        )
        domains = [one for page in pages for one in page["Domains"] if one["Status"] != DELETING]
        times = Counter(one["DomainName"] for one in domains)
        return {
            one["DomainName"]: one["DomainId"] if times[one["DomainName"]] == 1 else ""
            for one in domains
        }

    def list_profiles(
        self, domains: Mapping[str, str], with_tags: bool, known: Mapping[str, KnownProfile]
    ) -> ProfileList:
        """List all profiles of these domains (id by name), except those being deleted.

        What cannot be read goes into `unread`.

        Costs a call per 100 profiles, one per profile that is not as it is `known`, with tags one
        per profile, and one per domain that has no profile or whose role a profile has.
        """
        profiles: list[Profile] = []
        unread: dict[str, str] = {}
        seen: dict[str, KnownProfile] = {}
        for name, domain_id in sorted(domains.items()):
            try:
                found = self._read_domain(name, domain_id, with_tags, known)
            except (*CONNECTION_ERRORS, ClientError, DuplicateDomain) as error:
                unread[f"domain {name}"] = str(error)
            else:
                profiles += [profile for profile, _ in found]
                seen |= {profile.subject: one for profile, one in found}
        return ProfileList(tuple(profiles), unread, seen)

    def read_profile(
        self, domain: str, domain_id: str, name: str, with_tags: bool = False
    ) -> Profile | None:
        """Read one profile; None if it does not exist or is being deleted.

        Costs one call, one more with tags, and one more if it has the domain's role.
        """
        found = self._describe_profile(domain_id, name)
        if found is None or found["Status"] == DELETING:
            return None
        role = found.get("UserSettings", {}).get("ExecutionRole") or self._domain_role(domain_id)
        tags = self._read_tags(found["UserProfileArn"]) if with_tags else ()
        if tags is None:
            return None
        return Profile(domain, name, role, found["CreationTime"].astimezone(UTC), tags)

    def _read_domain(
        self, name: str, domain_id: str, with_tags: bool, known: Mapping[str, KnownProfile]
    ) -> list[tuple[Profile, KnownProfile]]:
        if not domain_id:
            raise DuplicateDomain(
                f"two domains are named {name}, and it is unclear which one is meant: "
                "rename one of them"
            )

        def read(
            listed: "UserProfileDetailsTypeDef",
        ) -> tuple[Profile, KnownProfile] | None:
            seen = known.get(profile_subject(name, listed["UserProfileName"]))
            if not _is_unchanged(listed, seen):
                seen = self._read_known(domain_id, listed)
            tags = self._read_tags(seen.arn) if seen and with_tags else ()
            if seen is None or tags is None:
                return None
            created = listed["CreationTime"].astimezone(UTC)
            return Profile(name, listed["UserProfileName"], seen.role, created, tags), seen

        found = list(filter(None, map_concurrently(read, self._list_details(domain_id))))
        if found and all(profile.role for profile, _ in found):
            return found
        # Also if no profile was found: the list of a missing domain is empty, too, but its
        # description is an error.
        role = self._domain_role(domain_id)
        return [
            (profile if profile.role else replace(profile, role=role), seen)
            for profile, seen in found
        ]

    def _list_details(self, domain_id: str) -> "list[UserProfileDetailsTypeDef]":
        pages = self._client.get_paginator("list_user_profiles").paginate(
            DomainIdEquals=domain_id, PaginationConfig={"PageSize": SAGEMAKER_PAGE_ITEMS}
        )
        return [one for page in pages for one in page["UserProfiles"] if one["Status"] != DELETING]

    def _read_known(
        self, domain_id: str, listed: "UserProfileDetailsTypeDef"
    ) -> KnownProfile | None:
        """Describe a profile; None if it is gone meanwhile."""
        found = self._describe_profile(domain_id, listed["UserProfileName"])
        if found is None or found["Status"] == DELETING:
            return None
        # During a change, the time of the last one proves nothing.
        settled = listed["Status"] == found["Status"] == IN_SERVICE
        modified = listed["LastModifiedTime"] if settled else NEVER_MODIFIED
        role = found.get("UserSettings", {}).get("ExecutionRole", "")
        return KnownProfile(modified, role, found["UserProfileArn"])

    def _describe_profile(
        self, domain_id: str, name: str
    ) -> "DescribeUserProfileResponseTypeDef | None":
        return _none_if_gone(
            lambda: self._client.describe_user_profile(DomainId=domain_id, UserProfileName=name)
        )

    def _domain_role(self, domain_id: str) -> str:
        domain = self._client.describe_domain(DomainId=domain_id)
        return domain.get("DefaultUserSettings", {}).get("ExecutionRole", "")

    def _read_tags(self, arn: str) -> tuple[tuple[str, str], ...] | None:
        """Read the tags, sorted by key; None if the profile is gone meanwhile."""
        pages = self._client.get_paginator("list_tags").paginate(ResourceArn=arn)
        return _none_if_gone(
            lambda: tuple(
                sorted((tag["Key"], tag["Value"]) for page in pages for tag in page["Tags"])
            )
        )


def _is_unchanged(listed: "UserProfileDetailsTypeDef", seen: KnownProfile | None) -> bool:
    return bool(
        seen and seen.modified == listed["LastModifiedTime"] and listed["Status"] == IN_SERVICE
    )


def _none_if_gone[T](ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except ClientError as error:
        if error_code(error) == "ResourceNotFound":
            return None
        raise
