"""Operations on users."""

from typing import Any

from sandbox.directory.service import Directory, Refused, Request, add, by_attribute, filtered, get, invalid, operation, page
from sandbox.directory.shelf import Thing

REVISION = "1"  # nothing here changes a user


@operation("identitystore")
def create_user(directory: Directory, request: Request) -> dict[str, Any]:
    if not request.get("UserName"):
        raise invalid("userName is a required attribute")
    name = request.get("Name") or {}
    given = {"displayname": request.get("DisplayName"), "givenname": name.get("GivenName"), "familyname": name.get("FamilyName")}
    if absent := [attribute for attribute, value in given.items() if not value]:
        raise invalid(", ".join(f"{attribute}: The attribute {attribute} is required" for attribute in absent))
    [email] = request.get("Emails") or [{}]  # at most one
    unique = {"userName": request["UserName"]} | ({"emails.value": email["Value"]} if email.get("Value") else {})
    return _named(directory, add(directory.users, directory, request, unique)) | {"Revision": REVISION}


@operation("identitystore")
def describe_user(directory: Directory, request: Request) -> dict[str, Any]:
    return shown(directory, get(directory.users, "USER", request["UserId"]))


@operation("identitystore")
def list_users(directory: Directory, request: Request) -> dict[str, Any]:
    things = filtered(directory.users, request, "UserName", "userName")
    return page("Users", things, request, lambda thing: shown(directory, thing))


@operation("identitystore")
def get_user_id(directory: Directory, request: Request) -> dict[str, Any]:
    return _named(directory, by_attribute(directory.users, "USER", request, "userName", "emails.value"))


@operation("identitystore")
def delete_user(directory: Directory, request: Request) -> dict[str, Any]:
    user = get(directory.users, "USER", request["UserId"])
    if request.get("Revision", REVISION) != REVISION:
        raise Refused("ConflictException", "The user has another revision.", Reason="CONCURRENT_MODIFICATION")
    directory.users.drop(user)
    for membership in [each for each in directory.memberships if each.asked["MemberId"]["UserId"] == user.id]:
        directory.memberships.drop(membership)
    return {}


def shown(directory: Directory, user: Thing) -> dict[str, Any]:
    """A user as described and listed."""
    when = {"CreatedAt": user.created, "UpdatedAt": user.created}
    told = {name: value for name, value in user.asked.items() if name != "Extensions"}
    return _named(directory, user) | {"Revision": REVISION, "UserStatus": "ENABLED"} | when | told


def _named(directory: Directory, user: Thing) -> dict[str, Any]:
    return {"IdentityStoreId": directory.store, "UserId": user.id, "UserArn": f"arn:aws:identitystore:::user/{user.id}"}
