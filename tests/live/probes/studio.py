"""How IAM authorizes what people do in Studio. Nothing is created: the domain does not exist."""

from typing import Any

from tests.live.probe import Finding, match_answer, probe
from tests.live.workspace import Workspace

DOMAIN, PROFILE = "d-grantorlive0", "GrantorLive"
DENIED, MISSING = "AccessDeniedException", "ResourceNotFound"


@probe()
def profile_names_in_policies(workspace: Workspace) -> Finding:
    """How do policies see the name of a profile that has capitals?"""
    account = workspace.account
    place = f"arn:{account.partition}:sagemaker:{account.region}:{account.id}:user-profile/{DOMAIN}"
    seen = []
    for name in (PROFILE, PROFILE.lower()):
        right = {"Action": "sagemaker:CreatePresignedDomainUrl", "Resource": f"{place}/{name}"}
        client = account.client("sagemaker", workspace.create_person(right).keys)
        seen.append(_open_studio(workspace, client))
    known = {f"{MISSING} {DENIED}": "given", f"{DENIED} {MISSING}": "lower"}
    return match_answer(" ".join(seen), known, "allowed on GrantorLive, and on grantorlive")


def _open_studio(workspace: Workspace, client: Any) -> str:
    """The code with which a URL for the profile is refused, once the permission has spread."""

    def ask() -> None:
        client.create_presigned_domain_url(DomainId=DOMAIN, UserProfileName=PROFILE)

    return workspace.try_when_spread(ask)
