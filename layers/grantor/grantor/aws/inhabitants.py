"""Apps, then spaces, then profiles that people made in the domain: each keeps the next from being deleted, and all the domain."""

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from grantor.aws.errors import NotYet, code

Items = list[dict[str, Any]]


def end(sagemaker: Any, domain: str, but: Container[str]) -> None:
    """Ask everything of a domain to end, but the profiles of `but`. NotYet while something is left: an app may need 20 minutes."""
    apps = [app for app in _listed(sagemaker, "list_apps", "Apps", domain) if app["Status"] != "Deleted"]
    _end("apps", apps, sagemaker.delete_app, ("DomainId", "AppType", "AppName", "UserProfileName", "SpaceName"))
    spaces = _listed(sagemaker, "list_spaces", "Spaces", domain)
    _end("spaces", spaces, sagemaker.delete_space, ("DomainId", "SpaceName"))
    profiles = _listed(sagemaker, "list_user_profiles", "UserProfiles", domain)
    others = [profile for profile in profiles if profile["UserProfileName"] not in but]
    _end("profiles", others, sagemaker.delete_user_profile, ("DomainId", "UserProfileName"))


def _listed(sagemaker: Any, operation: str, where: str, domain: str) -> Items:
    pages = sagemaker.get_paginator(operation).paginate(DomainIdEquals=domain)
    return [item for page in pages for item in page[where]]


def _end(what: str, there: Items, delete: Callable[..., Any], names: Iterable[str]) -> None:
    """Ask each to end that is not ending yet. NotYet until all are gone."""
    for item in there:
        if item["Status"] != "Deleting":
            _ask(delete, {name: item[name] for name in names if name in item})
    if there:
        raise NotYet(f"{len(there)} {what} of the domain are still ending")


def _ask(delete: Callable[..., Any], named: Mapping[str, str]) -> None:
    try:
        delete(**named)
    except ClientError as error:
        # It is just being made or changed, or has gone meanwhile; the next pass will see.
        if code(error) not in ("ResourceInUse", "ResourceNotFound"):
            raise
