"""Presigned URLs, by which people get into Studio as a profile.

Source: botocore's model, CreatePresignedDomainUrl: only where AuthMode is IAM; it must be used
within five minutes, or the seconds that the request names.
"""

import secrets
from typing import Any

from sandbox.studio.domains import Studio, studio_operation
from sandbox.studio.permissions import StudioVisit
from sandbox.studio.sagemaker_requests import SageMakerError, SageMakerRequest, invalid_value
from sandbox.studio.spaces_and_apps import find_space

EXPIRES_SECONDS = (5, 300)  # at least, and at most and by default
SESSION_SECONDS = (1800, 43200)


@studio_operation
def create_presigned_domain_url(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    profile, domain = studio.require_profile(request), studio.require_domain(request)
    if domain.asked["AuthMode"] != "IAM":
        raise SageMakerError(
            "ValidationException", "CreatePresignedDomainUrl needs a domain whose AuthMode is IAM."
        )
    if profile.status(studio.clock()) != "InService":
        raise SageMakerError("ResourceInUse", f"{profile.arn} is not InService.")
    if request.get("SpaceName"):
        find_space(studio, request)
    expires = _require_seconds(request, "ExpiresInSeconds", *EXPIRES_SECONDS)
    _require_seconds(request, "SessionExpirationDurationInSeconds", *SESSION_SECONDS)
    token = secrets.token_urlsafe(24)
    studio.urls[token] = (
        request["DomainId"],
        request["UserProfileName"],
        studio.clock() + expires,
    )
    host = f"{request['DomainId']}.studio.{studio.region}.sagemaker.aws"
    return {"AuthorizedUrl": f"https://{host}/auth?token={token}"}


def use_presigned_url(studio: Studio, url: str) -> StudioVisit:
    """Return whom a URL lets in, which it does once.

    Raises SageMakerError if it lets nobody in.
    """
    domain, profile, until = studio.urls.pop(url.rpartition("token=")[2], ("", "", 0.0))
    if studio.clock() >= until:
        raise SageMakerError(
            "AccessDenied", "The URL was used, has expired, or was never made: make another.", 403
        )
    return StudioVisit(domain, profile)


def _require_seconds(request: SageMakerRequest, member: str, least: int, most: int) -> int:
    value = int(request.get(member) or most)
    if not least <= value <= most:
        raise invalid_value(f"Value '{value}' at '{member}' must lie between {least} and {most}.")
    return value
