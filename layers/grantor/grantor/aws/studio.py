"""Studio domains and their user profiles, each with the role that its notebooks run as; what could not be read is named, with why.

A list tells a profile's name and when it last changed; its role stands in its description alone, a call each. So what was read
of a profile is kept, and one that has not changed since needs no second look.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from grantor.aws.clients import UNANSWERED, code, each
from grantor.core.grant import profile_subject
from grantor.core.snapshot import Profile

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import DescribeUserProfileResponseTypeDef, UserProfileDetailsTypeDef


PAGE = 100  # the most that one list call answers (botocore model); without it 10
GOING = "Deleting"
SETTLED = "InService"
NEVER = datetime.min.replace(tzinfo=UTC)


class SameName(LookupError):
    """Two domains have the name; the text says what to do."""


@dataclass(frozen=True)
class Known:
    """What a profile was when it was looked at; NEVER `modified` if it was changing just then. `role` is its own, "" if it has the domain's, which changes without it."""

    modified: datetime
    role: str
    arn: str


@dataclass(frozen=True)
class Read:
    """Every profile of the domains that could be read in whole. `known` is what the next read needs to know."""

    profiles: tuple[Profile, ...]
    unread: Mapping[str, str]  # "domain NAME" → why
    known: Mapping[str, Known]  # by subject


class Domains:
    """The Studio domains of one account and Region."""

    def __init__(self, client: "SageMakerClient") -> None:
        self._client = client

    def domains(self) -> dict[str, str]:
        """The id of each domain by its name, without those being deleted; "" where two have the name. A call for each 100."""
        pages = self._client.get_paginator("list_domains").paginate(PaginationConfig={"PageSize": PAGE})
        there = [one for page in pages for one in page["Domains"] if one["Status"] != GOING]
        several = Counter(one["DomainName"] for one in there)
        return {one["DomainName"]: one["DomainId"] if several[one["DomainName"]] == 1 else "" for one in there}

    def profiles(self, domains: Mapping[str, str], with_tags: bool, known: Mapping[str, Known]) -> Read:
        """Every profile of these domains (id by name), without those being deleted. Raises nothing for what can't be read.

        Costs a call for each 100 profiles, one for each profile that is not as it is `known`, with tags one for each profile, and one
        for each domain that has no profile, or whose role one of them has.
        """
        profiles: list[Profile] = []
        unread: dict[str, str] = {}
        seen: dict[str, Known] = {}
        for name, domain_id in sorted(domains.items()):
            try:
                found = self._of(name, domain_id, with_tags, known)
            except (*UNANSWERED, ClientError, SameName) as error:
                unread[f"domain {name}"] = str(error)
            else:
                profiles += [profile for profile, _ in found]
                seen |= {profile.subject: known for profile, known in found if known}
        return Read(tuple(profiles), unread, seen)

    def profile(self, domain: str, domain_id: str, name: str, with_tags: bool = False) -> Profile | None:
        """One profile; None if there is none, or it is being deleted. ClientError when it can't be read.

        Costs a call, with tags one more, and one if it has the domain's role.
        """
        told = self._told(domain_id, name)
        if told is None or told["Status"] == GOING:
            return None
        role = told.get("UserSettings", {}).get("ExecutionRole") or self._inherited(domain_id)
        tags = self._tags(told["UserProfileArn"]) if with_tags else ()
        return None if tags is None else Profile(domain, name, role, told["CreationTime"].astimezone(UTC), tags)

    def _of(self, name: str, domain_id: str, with_tags: bool, known: Mapping[str, Known]) -> list[tuple[Profile, Known]]:
        if not domain_id:
            raise SameName(f"two domains are named {name}: nobody can say which one is meant; rename one of them")

        def look(listed: "UserProfileDetailsTypeDef") -> tuple[Profile, Known] | None:
            seen = known.get(profile_subject(name, listed["UserProfileName"]))
            if not seen or seen.modified != listed["LastModifiedTime"] or listed["Status"] != SETTLED:
                seen = self._look(domain_id, listed)
            tags = self._tags(seen.arn) if seen and with_tags else ()
            if seen is None or tags is None:
                return None
            created = listed["CreationTime"].astimezone(UTC)
            return Profile(name, listed["UserProfileName"], seen.role, created, tags), seen

        found = list(filter(None, each(look, self._listed(domain_id))))
        # A domain that is not there has an empty list, too, and its description tells them apart.
        inherited = "" if found and all(profile.role for profile, _ in found) else self._inherited(domain_id)
        return [(profile if profile.role else replace(profile, role=inherited), seen) for profile, seen in found]

    def _listed(self, domain_id: str) -> "list[UserProfileDetailsTypeDef]":
        pages = self._client.get_paginator("list_user_profiles").paginate(
            DomainIdEquals=domain_id, PaginationConfig={"PageSize": PAGE}
        )
        return [one for page in pages for one in page["UserProfiles"] if one["Status"] != GOING]

    def _look(self, domain_id: str, listed: "UserProfileDetailsTypeDef") -> Known | None:
        """The profile as it is described; None if it is gone meanwhile."""
        told = self._told(domain_id, listed["UserProfileName"])
        if told is None or told["Status"] == GOING:
            return None
        # While a change is under way the time of the last one proves nothing.
        modified = listed["LastModifiedTime"] if listed["Status"] == told["Status"] == SETTLED else NEVER
        return Known(modified, told.get("UserSettings", {}).get("ExecutionRole", ""), told["UserProfileArn"])

    def _told(self, domain_id: str, name: str) -> "DescribeUserProfileResponseTypeDef | None":
        return _unless_gone(lambda: self._client.describe_user_profile(DomainId=domain_id, UserProfileName=name))

    def _inherited(self, domain_id: str) -> str:
        return self._client.describe_domain(DomainId=domain_id).get("DefaultUserSettings", {}).get("ExecutionRole", "")

    def _tags(self, arn: str) -> tuple[tuple[str, str], ...] | None:
        """The tags in the order of their keys; None if their owner is gone meanwhile."""
        pages = self._client.get_paginator("list_tags").paginate(ResourceArn=arn)
        return _unless_gone(lambda: tuple(sorted((tag["Key"], tag["Value"]) for page in pages for tag in page["Tags"])))


def _unless_gone[T](ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except ClientError as error:
        if code(error) == "ResourceNotFound":
            return None
        raise
