"""The S3 Access Grants instance of one account and Region, and the tags that mark our grants.

Five tags on each grant name the stack that created it and why, so that a lost ledger can be rebuilt
from the grants.
"""

import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError, error_code, error_message, retryable
from grantor.core.grant import Grant, Grantee, Location, Permission
from grantor.limits import ACCESS_GRANTS_PAGE_ITEMS, MAX_TAG_VALUE_CHARACTERS

if TYPE_CHECKING:
    from mypy_boto3_s3control import S3ControlClient


OWNER = "grantor:stack"
RULES = "grantor:rules"
RUN = "grantor:run"
UNTIL = "grantor:until"
POLICY = "grantor:policy"
RULE = re.compile(r"(policy/.+?\.ya?ml):([A-Za-z0-9][A-Za-z0-9._-]*)(?= |$)")


@dataclass(frozen=True)
class OwnershipTags:
    """What the tags of a grant say.

    `rules` are those that it was created for, each as file and name; see ownership_tags.
    """

    rules: tuple[tuple[str, str], ...]
    run: str
    until: datetime | None
    policy: str


def ownership_tags(
    *, rules: Iterable[str], run: str, until: str = "", policy: str = ""
) -> dict[str, str]:
    """Build the tags of a grant, apart from its owner's. Empty values are left out.

    `until` is ISO 8601, `policy` the version of the policy file. Rules that do not fit into the tag
    are counted.

    >>> ownership_tags(rules=["policy/a.yaml#own", "policy/a.yaml#team"], run="r-1")
    {'grantor:rules': 'policy/a.yaml:own policy/a.yaml:team', 'grantor:run': 'r-1'}
    """
    values = {RULES: _join_rules(sorted(rules)), RUN: run, UNTIL: until, POLICY: policy}
    return {key: fit_tag_value(value) for key, value in values.items() if value}


def read_ownership(tags: Mapping[str, str]) -> OwnershipTags:
    """Parse what ownership_tags wrote, as far as it fitted.

    File names come back as `fit_tag_value` changed them.

    >>> read_ownership({"grantor:rules": "policy/a.yaml:own policy/my team.yaml:x +3"}).rules
    (('policy/a.yaml', 'own'), ('policy/my team.yaml', 'x'))
    """
    rules = tuple((file, name) for file, name in RULE.findall(tags.get(RULES, "")))
    until = _parse_until(tags.get(UNTIL, ""))
    return OwnershipTags(rules, tags.get(RUN, ""), until, tags.get(POLICY, ""))


def fit_tag_value(value: str) -> str:
    """Cut a value to 256 characters, and replace those that a tag value must not contain.

    Letters, digits, separators and `_.:/=+-@` are allowed.

    >>> fit_tag_value("policy/größe.yaml#a,b")
    'policy/größe.yaml:a_b'
    """
    return "".join(map(_replace_character, value.replace("#", ":")))[:MAX_TAG_VALUE_CHARACTERS]


def format_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Convert tags to S3 Control's shape, each value made to fit."""
    return [{"Key": key, "Value": fit_tag_value(value)} for key, value in tags.items()]


def _parse_until(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def _join_rules(rules: list[str]) -> str:
    """Join as many rules as fit into a tag, each whole, and the number of the others.

    A single rule may be too long.
    """
    for kept in range(min(len(rules), MAX_TAG_VALUE_CHARACTERS // 2), 0, -1):
        more = [f"+{len(rules) - kept}"] if kept < len(rules) else []
        text = " ".join([*rules[:kept], *more])
        if len(text) <= MAX_TAG_VALUE_CHARACTERS:
            return text
    return " ".join(rules)


def _replace_character(character: str) -> str:
    allowed = character in "_.:/=+-@" or unicodedata.category(character)[0] in "LNZ"
    return character if allowed else "_"


class GrantExists(RuntimeError):
    """The grant exists: an earlier answer was lost, or somebody else created it."""


class UnknownGrantee(RetryableError):
    """S3 knows no such role, user or group: it is new, or it does not exist."""


class OutsideLocation(RuntimeError):
    """S3 made another scope of location and sub-prefix than was meant; the grant is
    deleted again.
    """


@dataclass(frozen=True)
class FoundGrant:
    """A grant that exists: its id, and the stack that its tag names, None without that tag."""

    id: str
    owner: str | None


class AccessGrants:
    """The Access Grants instance of one account and Region, used by one stack of Grantor."""

    def __init__(self, client: "S3ControlClient", account: str, region: str, stack: str) -> None:
        self._client = client
        self._account = account
        self.stack = stack
        self._grant_arn = (
            f"arn:{client.meta.partition}:s3:{region}:{account}:access-grants/default/grant/"
        )

    def read_identity_center(self) -> str:
        """Read the ARN of the Identity Center that the instance is associated with; "" if none is.

        Costs one call.
        """
        with retryable():
            found = self._client.get_access_grants_instance(AccountId=self._account)
        return found.get("IdentityCenterInstanceArn", "")

    def list_locations(self) -> tuple[Location, ...]:
        """List the registered locations. Costs a call per 1,000."""
        pages = self._iterate_items(
            self._client.list_access_grants_locations, "AccessGrantsLocationsList"
        )
        return tuple(
            sorted(
                Location(item["AccessGrantsLocationId"], item["LocationScope"]) for item in pages
            )
        )

    def list_grants(
        self, grantees: Iterable[Grantee] | None = None, known: Container[str] = ()
    ) -> dict[Grant, str]:
        """Find every grant of the instance, or of these grantees, and its id.

        The answer is never partial. Costs a call per 1,000 grants, or one per grantee. If S3 has
        the same grant twice, through two locations, its id is the one that is among the `known`.
        """
        queries: list[dict[str, str]] = [{}]
        if grantees is not None:
            queries = [_grantee_filter(grantee) for grantee in sorted(set(grantees))]
        found: dict[Grant, str] = {}
        for filters in queries:
            for item in self._iterate_items(
                self._client.list_access_grants, "AccessGrantsList", **filters
            ):
                if (grant := _parse_grant(item)) not in found or item["AccessGrantId"] in known:
                    found[grant] = item["AccessGrantId"]
        return found

    def iterate_grants(self) -> Iterator[tuple[Grant, str]]:
        """Iterate over all grants and their ids; duplicates appear twice.

        Costs a call per 1,000, made as it is read.
        """
        for item in self._iterate_items(self._client.list_access_grants, "AccessGrantsList"):
            yield _parse_grant(item), item["AccessGrantId"]

    def find_grant(self, grant: Grant) -> FoundGrant | None:
        """Find an existing grant, preferably ours.

        Returns None if there is none, or it is deleted meanwhile. Costs a call for the list, and
        one for the tags of each match. The scope is compared here: AWS does not document whether
        its filter means exactly this scope or all that begin with it.
        """
        filters = _grantee_filter(grant.grantee) | {"Permission": str(grant.permission)}
        items = self._iterate_items(self._client.list_access_grants, "AccessGrantsList", **filters)
        ids = [item["AccessGrantId"] for item in items if _parse_grant(item) == grant]
        tagged = [(grant_id, self.read_tags(grant_id)) for grant_id in ids]
        found = [
            FoundGrant(grant_id, tags.get(OWNER)) for grant_id, tags in tagged if tags is not None
        ]
        return max(found, key=lambda one: one.owner == self.stack, default=None)

    def create_grant(
        self, grant: Grant, location: Location, sub_prefix: str, tags: Mapping[str, str]
    ) -> str:
        """Create the grant with these tags and the owner's, and return its id. Costs one call.

        Raises GrantExists if it exists, OutsideLocation if its scope is not what was meant, and
        RetryableError also if S3 does not know the grantee yet.
        """
        request = self._build_request(grant, location, sub_prefix, tags)
        try:
            with retryable():
                created = self._client.create_access_grant(**request)
        except ClientError as error:
            if error_code(error) == "AccessGrantAlreadyExists":
                raise GrantExists(str(grant)) from error
            raise _classify_refusal(error) from error
        grant_id, scope = created["AccessGrantId"], created["GrantScope"]
        if scope != grant.scope:
            self.delete_grant(grant_id)
            meant = f"location {location.scope} and sub-prefix {sub_prefix}"
            raise OutsideLocation(f"{meant} became {scope}, not {grant.scope}")
        return grant_id

    def delete_grant(self, grant_id: str) -> None:
        """Delete a grant; do nothing if it does not exist. Costs one call, or two.

        The permission to delete can depend on the grant's tags. A deleted grant has none, so S3 may
        answer AccessDenied instead of NoSuchAccessGrantError; then the tags are read to tell the
        two apart.
        """
        try:
            with retryable():
                self._client.delete_access_grant(AccountId=self._account, AccessGrantId=grant_id)
        except ClientError as error:
            if error_code(error) == "NoSuchAccessGrantError":
                return
            if error_code(error) != "AccessDenied" or self.read_tags(grant_id) is not None:
                raise

    def read_tags(self, grant_id: str) -> dict[str, str] | None:
        """Read a grant's tags; None if it does not exist. Costs one call."""
        try:
            with retryable():
                answer = self._client.list_tags_for_resource(
                    AccountId=self._account, ResourceArn=self._grant_arn + grant_id
                )
        except ClientError as error:
            if error_code(error) == "NoSuchAccessGrantError":
                return None
            raise
        return {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}

    def read_owner(self, grant_id: str) -> str | None:
        """Read which stack the grant's tag names; None without that tag or that grant.

        Costs one call.
        """
        return (self.read_tags(grant_id) or {}).get(OWNER)

    def tag_grant(self, grant_id: str, tags: Mapping[str, str]) -> None:
        """Adopt a grant: add these tags and the owner's, and keep its others. Costs one call."""
        with retryable():
            self._client.tag_resource(
                AccountId=self._account,
                ResourceArn=self._grant_arn + grant_id,
                Tags=self._own_tags(tags),
            )

    def list_grants_at(self, location_id: str) -> Iterator[str]:
        """Iterate over the ids of all grants at a location.

        Costs a call per 1,000 grants of the whole instance.
        """
        items = self._iterate_items(self._client.list_access_grants, "AccessGrantsList")
        return (
            item["AccessGrantId"] for item in items if item["AccessGrantsLocationId"] == location_id
        )

    def delete_location(self, location_id: str) -> bool:
        """Delete a location if it exists.

        Returns False if S3 says that it still has grants. Costs one call.
        """
        try:
            with retryable():
                self._client.delete_access_grants_location(
                    AccountId=self._account, AccessGrantsLocationId=location_id
                )
        except ClientError as error:
            if error_code(error) == "AccessGrantsLocationNotEmptyError":
                return False
            if error_code(error) not in (
                "NoSuchAccessGrantsLocationError",
                "AccessGrantsInstanceNotExistsError",
            ):
                raise
        return True

    def _build_request(
        self, grant: Grant, location: Location, sub_prefix: str, tags: Mapping[str, str]
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "AccountId": self._account,
            "AccessGrantsLocationId": location.id,
            "Grantee": {
                "GranteeType": grant.grantee.kind,
                "GranteeIdentifier": grant.grantee.identifier,
            },
            "Permission": str(grant.permission),
            "Tags": self._own_tags(tags),
        }
        if grant.application:
            request["ApplicationArn"] = grant.application
        if sub_prefix:
            request["AccessGrantsLocationConfiguration"] = {"S3SubPrefix": sub_prefix}
            request |= {} if sub_prefix.endswith("*") else {"S3PrefixType": "Object"}
        return request

    def _own_tags(self, tags: Mapping[str, str]) -> Any:
        return format_tags({OWNER: self.stack, **tags})

    def _iterate_items(
        self, operation: Callable[..., Any], where: str, **filters: str
    ) -> Iterator[Mapping[str, Any]]:
        # botocore has no paginator for these lists. A page can be empty and have a successor.
        request: dict[str, Any] = {
            "AccountId": self._account,
            "MaxResults": ACCESS_GRANTS_PAGE_ITEMS,
            **filters,
        }
        while True:
            with retryable():
                page = operation(**request)
            yield from page.get(where, [])
            if not (token := page.get("NextToken")):
                return
            request["NextToken"] = token


def _parse_grant(item: Mapping[str, Any]) -> Grant:
    grantee = Grantee(item["Grantee"]["GranteeType"], item["Grantee"]["GranteeIdentifier"])
    return Grant(
        grantee,
        Permission(item["Permission"]),
        item["GrantScope"],
        item.get("ApplicationArn") or "",
    )


def _grantee_filter(grantee: Grantee) -> dict[str, str]:
    return {"GranteeType": grantee.kind, "GranteeIdentifier": grantee.identifier}


def _classify_refusal(error: ClientError) -> Exception:
    # S3 does not know a new role at once, and says so only in this text (Terraform retries on it,
    # too).
    if error_code(error) == "InvalidRequest" and "Invalid Grantee" in error_message(error):
        return UnknownGrantee("the grantee is not known to S3 yet")
    return error
