"""SageMaker Studio: which profiles there are, and which role each one's notebooks run as."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from grantor.aws.errors import code
from grantor.core.desire import Profile

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import UserProfileDetailsTypeDef

LEAVING = {"Deleting", "Delete_Failed"}


class NoDomain(LookupError):
    """A policy names a Studio domain that does not exist; the text says which and what there is instead."""


class Studio:
    """The Studio domains of one account and Region."""

    def __init__(self, client: "SageMakerClient") -> None:
        self._client = client

    def profiles(self, domains: Iterable[str]) -> tuple[Profile, ...]:
        """Every profile of the named domains, without those being deleted; NoDomain if one of the names is unknown.

        Costs a list call for each page, and a describe for each domain and each profile.
        """
        ids = self._ids()
        if missing := sorted(set(domains) - ids.keys()):
            raise NoDomain(f"no Studio domain is named {missing[0]!r}; there are: {', '.join(sorted(ids)) or 'none'}")
        return tuple(sorted(profile for name in set(domains) for profile in self._of(name, ids[name])))

    def _ids(self) -> dict[str, str]:
        pages = self._client.get_paginator("list_domains").paginate()
        return {domain["DomainName"]: domain["DomainId"] for page in pages for domain in page["Domains"]}

    def _of(self, name: str, domain_id: str) -> Iterator[Profile]:
        domain = self._client.describe_domain(DomainId=domain_id)
        inherited = domain.get("DefaultUserSettings", {}).get("ExecutionRole", "")
        for page in self._client.get_paginator("list_user_profiles").paginate(DomainIdEquals=domain_id):
            for listed in page["UserProfiles"]:
                role = self._role(domain_id, listed)
                if role is not None:
                    yield Profile(name, listed["UserProfileName"], role or inherited)

    def _role(self, domain_id: str, listed: "UserProfileDetailsTypeDef") -> str | None:
        """The profile's own role, "" if it has the domain's, None if the profile is on its way out."""
        if listed["Status"] in LEAVING:
            return None
        try:
            told = self._client.describe_user_profile(DomainId=domain_id, UserProfileName=listed["UserProfileName"])
        except ClientError as error:
            if code(error) == "ResourceNotFound":
                return None
            raise
        return str(told.get("UserSettings", {}).get("ExecutionRole", ""))
