"""Operations on groups, and on who is in them."""

from typing import Any

from sandbox.directory.service import Directory, Request, add, by_attribute, filtered, get, invalid, last, operation, page
from sandbox.directory.shelf import Thing

REVISION = "1"  # nothing here changes a group


@operation("identitystore")
def create_group(directory: Directory, request: Request) -> dict[str, Any]:
    if not request.get("DisplayName"):
        raise invalid("displayName is a required attribute")
    made = add(directory.groups, directory, request, {"displayName": request["DisplayName"]})
    return _named(directory, made) | {"Revision": REVISION}


@operation("identitystore")
def describe_group(directory: Directory, request: Request) -> dict[str, Any]:
    return _shown(directory, get(directory.groups, "GROUP", request["GroupId"]))


@operation("identitystore")
def list_groups(directory: Directory, request: Request) -> dict[str, Any]:
    things = filtered(directory.groups, request, "DisplayName", "displayName")
    return page("Groups", things, request, lambda thing: _shown(directory, thing))


@operation("identitystore")
def get_group_id(directory: Directory, request: Request) -> dict[str, Any]:
    return _named(directory, by_attribute(directory.groups, "GROUP", request, "displayName"))


@operation("identitystore")
def delete_group(directory: Directory, request: Request) -> dict[str, Any]:
    group = get(directory.groups, "GROUP", request["GroupId"])
    directory.groups.drop(group)
    for membership in [each for each in directory.memberships if each.asked["GroupId"] == group.id]:
        directory.memberships.drop(membership)
    return {}


@operation("identitystore")
def create_group_membership(directory: Directory, request: Request) -> dict[str, Any]:
    group, user = get(directory.groups, "GROUP", request["GroupId"]), _member(directory, request)
    asked = {"GroupId": group.id, "MemberId": {"UserId": user.id}}
    return _kept(directory, add(directory.memberships, directory, asked, {"Membership": f"{group.id} {user.id}"}))


@operation("identitystore")
def list_group_memberships(directory: Directory, request: Request) -> dict[str, Any]:
    group = get(directory.groups, "GROUP", request["GroupId"])
    things = (each for each in directory.memberships if each.asked["GroupId"] == group.id)
    return page("GroupMemberships", things, request, lambda thing: _membership(directory, thing))


@operation("identitystore")
def list_group_memberships_for_member(directory: Directory, request: Request) -> dict[str, Any]:
    user = _member(directory, request)
    things = (each for each in directory.memberships if each.asked["MemberId"]["UserId"] == user.id)
    return page("GroupMemberships", things, request, lambda thing: _membership(directory, thing))


@operation("identitystore")
def delete_group_membership(directory: Directory, request: Request) -> dict[str, Any]:
    directory.memberships.drop(get(directory.memberships, "GROUP_MEMBERSHIP", request["MembershipId"]))
    return {}


def _member(directory: Directory, request: Request) -> Thing:
    return get(directory.users, "USER", last(request["MemberId"].get("UserId") or ""))


def _shown(directory: Directory, group: Thing) -> dict[str, Any]:
    return _named(directory, group) | {"Revision": REVISION, "CreatedAt": group.created, "UpdatedAt": group.created} | group.asked


def _named(directory: Directory, group: Thing) -> dict[str, Any]:
    return {"IdentityStoreId": directory.store, "GroupId": group.id, "GroupArn": f"arn:aws:identitystore:::group/{group.id}"}


def _kept(directory: Directory, membership: Thing) -> dict[str, Any]:
    arn = f"arn:aws:identitystore:::membership/{membership.id}"
    return {"IdentityStoreId": directory.store, "MembershipId": membership.id, "MembershipArn": arn}


def _membership(directory: Directory, membership: Thing) -> dict[str, Any]:
    when = {"CreatedAt": membership.created, "UpdatedAt": membership.created}
    return _kept(directory, membership) | when | membership.asked
