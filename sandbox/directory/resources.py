"""The resources that an operation is judged on (service authorization reference, identitystore and sso): all must be allowed."""

from sandbox.directory.service import Directory, Refused, Request, by_attribute, last

EVERY = {
    "ListUsers": "user/*",
    "ListGroups": "group/*",
    "ListGroupMemberships": "membership/*",
    "ListGroupMembershipsForMember": "membership/*",
}


def resources(directory: Directory, service: str, name: str, request: Request) -> list[str]:
    """The ARNs: of sso-admin the instance that is asked for, of identitystore the store and whatever the request names."""
    if service == "sso-admin":
        return [str(request.get("InstanceArn") or "*")]
    named = [*_named(request), *_found(directory, name, request), *_membership(directory, request)]
    return [directory.store_arn, *(f"arn:aws:identitystore:::{each}" for each in named), *_every(name)]


def _every(name: str) -> list[str]:
    return [f"arn:aws:identitystore:::{EVERY[name]}"] if name in EVERY else []


def _named(request: Request) -> list[str]:
    member = (request.get("MemberId") or {}).get("UserId")
    parts = {"user": request.get("UserId") or member, "group": request.get("GroupId"), "membership": request.get("MembershipId")}
    return [f"{kind}/{last(str(identifier))}" for kind, identifier in parts.items() if identifier]


def _found(directory: Directory, name: str, request: Request) -> list[str]:
    """What GetUserId and GetGroupId are about to find; every one while there is none."""
    kinds = {
        "GetUserId": ("user", directory.users, ("userName", "emails.value")),
        "GetGroupId": ("group", directory.groups, ("displayName",)),
    }
    if name not in kinds:
        return []
    kind, shelf, paths = kinds[name]
    try:
        return [f"{kind}/{by_attribute(shelf, kind, request, *paths).id}"]
    except (Refused, KeyError):
        return [f"{kind}/*"]


def _membership(directory: Directory, request: Request) -> list[str]:
    """A membership is judged with its group and its user."""
    found = directory.memberships.things.get(last(str(request.get("MembershipId") or "")))
    return [f"group/{found.asked['GroupId']}", f"user/{found.asked['MemberId']['UserId']}"] if found else []
