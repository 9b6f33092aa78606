"""S3 Access Grants: what exists, and the two calls that change it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.errors import PASSING, NotYet, code, message
from grantor.core.grant import Grant, Grantee, Permission
from grantor.core.location import Location, closest

if TYPE_CHECKING:
    from mypy_boto3_s3control import S3ControlClient

OWNER = "grantor:stack"  # the tag by which a grant says that we made it
RULES = "grantor:rules"
PAGE = 1000  # the most that one list call answers (botocore model)


class AccessGrants:
    """The Access Grants instance of one account and Region, as one stack of Grantor sees it."""

    def __init__(self, client: "S3ControlClient", account: str, region: str, stack: str) -> None:
        self._client = client
        self._account = account
        self._stack = stack
        self._grant_arn = f"arn:aws:s3:{region}:{account}:access-grants/default/grant/"
        self._ids: dict[Grant, str] = {}

    def locations(self) -> tuple[Location, ...]:
        """Every registered location; costs a call for each 1,000."""
        pages = self._pages(self._client.list_access_grants_locations, "AccessGrantsLocationsList")
        return tuple(sorted(Location(item["AccessGrantsLocationId"], item["LocationScope"]) for item in pages))

    def grants(self) -> frozenset[Grant]:
        """Every grant of the instance, ours and foreign; costs a call for each 1,000, and fails rather than answer in part."""
        pages = self._pages(self._client.list_access_grants, "AccessGrantsList")
        self._ids = {_grant(item): item["AccessGrantId"] for item in pages}
        return frozenset(self._ids)

    def ours(self, grants: Sequence[Grant]) -> frozenset[Grant]:
        """Those of `grants`, as last listed, that this stack made; costs a call for each, because no list tells tags."""
        return frozenset(grant for grant in grants if self._owner(self._ids[grant]) == self._stack)

    def create(self, grant: Grant, locations: Sequence[Location], rules: Sequence[str]) -> bool:
        """Make `grant`; False if it was there already (an earlier answer was lost, or someone else made it: then it stays theirs).

        Raises NotYet when the service can't do it now, ClientError when it won't.
        """
        found = closest(grant.scope, locations)
        if found is None:
            raise ValueError(f"{grant.scope} lies under no location")
        try:
            self._client.create_access_grant(**self._request(grant, *found, rules))
        except ClientError as error:
            if code(error) == "AccessGrantAlreadyExists":
                return False
            raise _sooner_or_later(error) from error
        return True

    def delete(self, grant: Grant) -> None:
        """Take `grant`, as last listed, away; one that is gone already is success. Raises as create does."""
        try:
            self._client.delete_access_grant(AccountId=self._account, AccessGrantId=self._ids[grant])
        except ClientError as error:
            if code(error) != "NoSuchAccessGrantError":
                raise _sooner_or_later(error) from error

    def _request(self, grant: Grant, location: Location, sub_prefix: str, rules: Sequence[str]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "AccountId": self._account,
            "AccessGrantsLocationId": location.id,
            "Grantee": {"GranteeType": grant.grantee.kind, "GranteeIdentifier": grant.grantee.identifier},
            "Permission": str(grant.permission),
            "Tags": [{"Key": OWNER, "Value": self._stack}, {"Key": RULES, "Value": _fitting(rules)}],
        }
        if sub_prefix:
            request["AccessGrantsLocationConfiguration"] = {"S3SubPrefix": sub_prefix}
        return request

    def _owner(self, grant_id: str) -> str | None:
        try:
            answer = self._client.list_tags_for_resource(AccountId=self._account, ResourceArn=self._grant_arn + grant_id)
        except ClientError as error:
            if code(error) == "NoSuchAccessGrantError":
                return None
            raise
        return next((tag["Value"] for tag in answer.get("Tags", []) if tag["Key"] == OWNER), None)

    def _pages(self, operation: Callable[..., Any], where: str) -> Iterator[Mapping[str, Any]]:
        # botocore has no paginator for these lists; a page may be short or empty and still name a next one.
        asked: dict[str, Any] = {"AccountId": self._account, "MaxResults": PAGE}
        while True:
            page = operation(**asked)
            yield from page.get(where, [])
            if not (token := page.get("NextToken")):
                return
            asked["NextToken"] = token


def _grant(item: Mapping[str, Any]) -> Grant:
    grantee = Grantee(item["Grantee"]["GranteeType"], item["Grantee"]["GranteeIdentifier"])
    return Grant(grantee, Permission(item["Permission"]), item["GrantScope"], item.get("ApplicationArn") or "")


def _fitting(rules: Sequence[str]) -> str:
    """The rules' names as one tag value: spaces between them, cut at the service's 256 characters."""
    return " ".join(rules)[:256]


def _sooner_or_later(error: ClientError) -> Exception:
    # A role that IAM has just made is not yet a grantee; the service says so only in this text (Terraform retries on it too).
    if code(error) == "InvalidRequest" and "Invalid Grantee" in message(error):
        return NotYet("the grantee is not known to S3 yet")
    return NotYet(f"{code(error)}: {message(error)}") if code(error) in PASSING else error
