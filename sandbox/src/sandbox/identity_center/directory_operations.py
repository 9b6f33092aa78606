"""The operations of sso-admin and identitystore, and the resources that they are authorized on.

All resources of an operation must be allowed (service authorization reference, identitystore and
sso).
"""

from typing import Any

from sandbox.identity_center.directory import (
    Directory,
    DirectoryError,
    DirectoryRequest,
    Entry,
    add_entry,
    directory_operation,
    filter_entries,
    find_by_attribute,
    get_entry,
    invalid_request,
    list_page,
    strip_arn,
)

WILDCARDS = {
    "ListUsers": "user/*",
    "ListGroups": "group/*",
    "ListGroupMemberships": "membership/*",
    "ListGroupMembershipsForMember": "membership/*",
}
USER_REVISION = "1"  # nothing here changes a user
GROUP_REVISION = "1"  # nothing here changes a group


def list_resources(
    directory: Directory, service: str, name: str, request: DirectoryRequest
) -> list[str]:
    """Return the ARNs of an operation's resources.

    For sso-admin this is the requested instance or application, for sso-oidc the application, for
    identitystore the store and whatever the request names.
    """
    if service == "sso-oidc":
        return [str(request.get("clientId") or "*")]
    if service == "sso-admin":
        return [str(request.get("InstanceArn") or request.get("ApplicationArn") or "*")]
    named = [
        *_list_named(request),
        *_list_found(directory, name, request),
        *_list_of_membership(directory, request),
    ]
    return [
        directory.store_arn,
        *(f"arn:aws:identitystore:::{each}" for each in named),
        *_list_wildcards(name),
    ]


def _list_wildcards(name: str) -> list[str]:
    return [f"arn:aws:identitystore:::{WILDCARDS[name]}"] if name in WILDCARDS else []


def _list_named(request: DirectoryRequest) -> list[str]:
    member = (request.get("MemberId") or {}).get("UserId")
    parts = {
        "user": request.get("UserId") or member,
        "group": request.get("GroupId"),
        "membership": request.get("MembershipId"),
    }
    return [
        f"{kind}/{strip_arn(str(identifier))}" for kind, identifier in parts.items() if identifier
    ]


def _list_found(directory: Directory, name: str, request: DirectoryRequest) -> list[str]:
    """Return what GetUserId and GetGroupId are about to find; a wildcard if there is nothing."""
    kinds = {
        "GetUserId": ("user", directory.users, ("userName", "emails.value")),
        "GetGroupId": ("group", directory.groups, ("displayName",)),
    }
    if name not in kinds:
        return []
    kind, shelf, paths = kinds[name]
    try:
        return [f"{kind}/{find_by_attribute(shelf, kind, request, *paths).id}"]
    except (DirectoryError, KeyError):
        return [f"{kind}/*"]


def _list_of_membership(directory: Directory, request: DirectoryRequest) -> list[str]:
    """Return the group and the user of a membership, which are authorized with it."""
    found = directory.memberships.things.get(strip_arn(str(request.get("MembershipId") or "")))
    return (
        [f"group/{found.asked['GroupId']}", f"user/{found.asked['MemberId']['UserId']}"]
        if found
        else []
    )


@directory_operation("sso-admin")
def list_instances(directory: Directory, _: DirectoryRequest) -> dict[str, Any]:
    return {"Instances": [_describe_center(directory)]}


@directory_operation("sso-admin")
def describe_instance(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    if request["InstanceArn"] != directory.arn:
        raise DirectoryError(
            "ResourceNotFoundException", f"Instance not found: {request['InstanceArn']}"
        )
    return _describe_center(directory)


def _describe_center(directory: Directory) -> dict[str, Any]:
    return {
        "InstanceArn": directory.arn,
        "IdentityStoreId": directory.store,
        "IdentityStoreArn": directory.store_arn,
        "OwnerAccountId": directory.account,
        "CreatedDate": directory.created,
        "Status": "ACTIVE",
        "PrimaryRegion": directory.region,
    }


@directory_operation("identitystore")
def create_user(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    if not request.get("UserName"):
        raise invalid_request("userName is a required attribute")
    name = request.get("Name") or {}
    given = {
        "displayname": request.get("DisplayName"),
        "givenname": name.get("GivenName"),
        "familyname": name.get("FamilyName"),
    }
    if absent := [attribute for attribute, value in given.items() if not value]:
        raise invalid_request(
            ", ".join(f"{attribute}: The attribute {attribute} is required" for attribute in absent)
        )
    [email] = request.get("Emails") or [{}]  # at most one
    unique = {"userName": request["UserName"]} | (
        {"emails.value": email["Value"]} if email.get("Value") else {}
    )
    return _user_ids(directory, add_entry(directory.users, directory, request, unique)) | {
        "Revision": USER_REVISION
    }


@directory_operation("identitystore")
def describe_user(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    return _describe_user(directory, get_entry(directory.users, "USER", request["UserId"]))


@directory_operation("identitystore")
def list_users(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    things = filter_entries(directory.users, request, "UserName", "userName")
    return list_page("Users", things, request, lambda thing: _describe_user(directory, thing))


@directory_operation("identitystore")
def get_user_id(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    return _user_ids(
        directory, find_by_attribute(directory.users, "USER", request, "userName", "emails.value")
    )


@directory_operation("identitystore")
def delete_user(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    user = get_entry(directory.users, "USER", request["UserId"])
    if request.get("Revision", USER_REVISION) != USER_REVISION:
        raise DirectoryError(
            "ConflictException", "The user has another revision.", Reason="CONCURRENT_MODIFICATION"
        )
    directory.users.drop(user)
    for membership in [
        each for each in directory.memberships if each.asked["MemberId"]["UserId"] == user.id
    ]:
        directory.memberships.drop(membership)
    return {}


def _describe_user(directory: Directory, user: Entry) -> dict[str, Any]:
    """Return a user as describe and list show it."""
    when = {"CreatedAt": user.created, "UpdatedAt": user.created}
    members = {name: value for name, value in user.asked.items() if name != "Extensions"}
    return (
        _user_ids(directory, user)
        | {"Revision": USER_REVISION, "UserStatus": "ENABLED"}
        | when
        | members
    )


def _user_ids(directory: Directory, user: Entry) -> dict[str, Any]:
    return {
        "IdentityStoreId": directory.store,
        "UserId": user.id,
        "UserArn": f"arn:aws:identitystore:::user/{user.id}",
    }


@directory_operation("identitystore")
def create_group(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    if not request.get("DisplayName"):
        raise invalid_request("displayName is a required attribute")
    made = add_entry(directory.groups, directory, request, {"displayName": request["DisplayName"]})
    return _group_ids(directory, made) | {"Revision": GROUP_REVISION}


@directory_operation("identitystore")
def describe_group(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    return _describe_group(directory, get_entry(directory.groups, "GROUP", request["GroupId"]))


@directory_operation("identitystore")
def list_groups(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    things = filter_entries(directory.groups, request, "DisplayName", "displayName")
    return list_page("Groups", things, request, lambda thing: _describe_group(directory, thing))


@directory_operation("identitystore")
def get_group_id(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    return _group_ids(
        directory, find_by_attribute(directory.groups, "GROUP", request, "displayName")
    )


@directory_operation("identitystore")
def delete_group(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    group = get_entry(directory.groups, "GROUP", request["GroupId"])
    directory.groups.drop(group)
    for membership in [each for each in directory.memberships if each.asked["GroupId"] == group.id]:
        directory.memberships.drop(membership)
    return {}


@directory_operation("identitystore")
def create_group_membership(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    group, user = (
        get_entry(directory.groups, "GROUP", request["GroupId"]),
        _find_member(directory, request),
    )
    asked = {"GroupId": group.id, "MemberId": {"UserId": user.id}}
    return _membership_ids(
        directory,
        add_entry(directory.memberships, directory, asked, {"Membership": f"{group.id} {user.id}"}),
    )


@directory_operation("identitystore")
def list_group_memberships(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    group = get_entry(directory.groups, "GROUP", request["GroupId"])
    things = (each for each in directory.memberships if each.asked["GroupId"] == group.id)
    return list_page(
        "GroupMemberships", things, request, lambda thing: _describe_membership(directory, thing)
    )


@directory_operation("identitystore")
def list_group_memberships_for_member(
    directory: Directory, request: DirectoryRequest
) -> dict[str, Any]:
    user = _find_member(directory, request)
    things = (each for each in directory.memberships if each.asked["MemberId"]["UserId"] == user.id)
    return list_page(
        "GroupMemberships", things, request, lambda thing: _describe_membership(directory, thing)
    )


@directory_operation("identitystore")
def delete_group_membership(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    directory.memberships.drop(
        get_entry(directory.memberships, "GROUP_MEMBERSHIP", request["MembershipId"])
    )
    return {}


def _find_member(directory: Directory, request: DirectoryRequest) -> Entry:
    return get_entry(directory.users, "USER", strip_arn(request["MemberId"].get("UserId") or ""))


def _describe_group(directory: Directory, group: Entry) -> dict[str, Any]:
    return (
        _group_ids(directory, group)
        | {"Revision": GROUP_REVISION, "CreatedAt": group.created, "UpdatedAt": group.created}
        | group.asked
    )


def _group_ids(directory: Directory, group: Entry) -> dict[str, Any]:
    return {
        "IdentityStoreId": directory.store,
        "GroupId": group.id,
        "GroupArn": f"arn:aws:identitystore:::group/{group.id}",
    }


def _membership_ids(directory: Directory, membership: Entry) -> dict[str, Any]:
    arn = f"arn:aws:identitystore:::membership/{membership.id}"
    return {"IdentityStoreId": directory.store, "MembershipId": membership.id, "MembershipArn": arn}


def _describe_membership(directory: Directory, membership: Entry) -> dict[str, Any]:
    when = {"CreatedAt": membership.created, "UpdatedAt": membership.created}
    return _membership_ids(directory, membership) | when | membership.asked
