"""The five tags by which a grant says that we made it and why, so that a lost ledger can be rebuilt from the grants themselves."""

import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import NotYet, code, message, passing
from grantor.core.grant import Grant, Grantee, Location, Permission

if TYPE_CHECKING:
    from mypy_boto3_s3control import S3ControlClient


OWNER, RULES, RUN, UNTIL, POLICY = (f"grantor:{word}" for word in ("stack", "rules", "run", "until", "policy"))
LONGEST = 256  # characters of a value (botocore model of S3 Control)
RULE = re.compile(r"(policy/.+?\.ya?ml):([A-Za-z0-9][A-Za-z0-9._-]*)(?= |$)")


@dataclass(frozen=True)
class Told:
    """What the tags of a grant tell: the rules that it was made for, each as file and name; the rest as in tags_of."""

    rules: tuple[tuple[str, str], ...]
    run: str
    until: datetime | None
    policy: str


def tags_of(*, rules: Iterable[str], run: str, until: str = "", policy: str = "") -> dict[str, str]:
    """What a grant is tagged with besides its owner; what is empty is left out.

    `until` is ISO 8601, `policy` the version of the policy file. Rules that find no room are counted.

    >>> tags_of(rules=["policy/a.yaml#own", "policy/a.yaml#team"], run="r-1")
    {'grantor:rules': 'policy/a.yaml:own policy/a.yaml:team', 'grantor:run': 'r-1'}
    """
    named = {RULES: _several(sorted(rules)), RUN: fitting(run), UNTIL: fitting(until), POLICY: fitting(policy)}
    return {key: value for key, value in named.items() if value}


def told(tags: Mapping[str, str]) -> Told:
    """What was written into the tags, as far as it found room there. A file's name comes back as `fitting` makes it.

    >>> told({"grantor:rules": "policy/a.yaml:own policy/my team.yaml:x +3"}).rules
    (('policy/a.yaml', 'own'), ('policy/my team.yaml', 'x'))
    """
    rules = tuple((file, name) for file, name in RULE.findall(tags.get(RULES, "")))
    return Told(rules, tags.get(RUN, ""), _time(tags.get(UNTIL, "")), tags.get(POLICY, ""))


def fitting(value: str) -> str:
    """The value as a tag takes it: at most 256 characters, and only letters, digits, separators and `_.:/=+-@`.

    >>> fitting("policy/größe.yaml#a,b")
    'policy/größe.yaml:a_b'
    """
    return "".join(map(_allowed, value.replace("#", ":")))[:LONGEST]


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as S3 Control takes them, each made fitting."""
    return [{"Key": key, "Value": fitting(value)} for key, value in tags.items()]


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def _several(values: list[str]) -> str:
    """As many of the values as find room, whole, and how many more there are; a single one that is too long is cut."""
    for kept in range(min(len(values), LONGEST // 2), 0, -1):
        more = [f"+{len(values) - kept}"] if kept < len(values) else []
        text = " ".join([*values[:kept], *more])
        if len(text) <= LONGEST:
            return fitting(text)
    return fitting(" ".join(values))


def _allowed(character: str) -> str:
    return character if character in "_.:/=+-@" or unicodedata.category(character)[0] in "LNZ" else "_"


PAGE = 1000  # the most that one list call answers (botocore model)


class AlreadyThere(RuntimeError):
    """The grant exists: an earlier answer was lost, or somebody else made it."""


class Elsewhere(RuntimeError):
    """The service made another scope of the location and sub-prefix than was meant, so the grant was taken away again."""


@dataclass(frozen=True)
class Found:
    """A grant that exists: its id, and the stack whose tag it carries, None if it carries none."""

    id: str
    owner: str | None


class AccessGrants:
    """The Access Grants instance of one account and Region, as one stack of Grantor sees it.

    Each of its words raises NotYet when the service can't do it now, and ClientError when it won't.
    """

    def __init__(self, client: "S3ControlClient", account: str, region: str, stack: str) -> None:
        self._client = client
        self._account = account
        self.stack = stack
        self._grant_arn = f"arn:{client.meta.partition}:s3:{region}:{account}:access-grants/default/grant/"

    def locations(self) -> tuple[Location, ...]:
        """Every registered location; costs a call for each 1,000."""
        pages = self._pages(self._client.list_access_grants_locations, "AccessGrantsLocationsList")
        return tuple(sorted(Location(item["AccessGrantsLocationId"], item["LocationScope"]) for item in pages))

    def list(self, grantees: Iterable[Grantee] | None = None, known: Container[str] = ()) -> dict[Grant, str]:
        """Every grant and its id, ours and foreign; or every grant of these grantees.

        A call for each 1,000 grants, or for each grantee. It fails rather than answer in part. Where the service has the same grant
        twice, through two locations, the one whose id is among the `known` is told.
        """
        asked: list[dict[str, str]] = [{}] if grantees is None else [_filter(grantee) for grantee in sorted(set(grantees))]
        found: dict[Grant, str] = {}
        for filters in asked:
            for item in self._pages(self._client.list_access_grants, "AccessGrantsList", **filters):
                if (grant := _grant(item)) not in found or item["AccessGrantId"] in known:
                    found[grant] = item["AccessGrantId"]
        return found

    def each(self) -> Iterator[tuple[Grant, str]]:
        """Every grant and its id, one that the service has twice twice; a call for each 1,000, made as it is read."""
        for item in self._pages(self._client.list_access_grants, "AccessGrantsList"):
            yield _grant(item), item["AccessGrantId"]

    def find(self, grant: Grant) -> Found | None:
        """The grant as the service has it, ours before another's; a call for the list, and one for the tags of each that is the same.

        The scope is compared here: AWS does not say whether its filter means just this scope or all that begin so. A grant that is
        listed and has gone meanwhile is none.
        """
        filters = _filter(grant.grantee) | {"Permission": str(grant.permission)}
        items = self._pages(self._client.list_access_grants, "AccessGrantsList", **filters)
        listed = [(item["AccessGrantId"], self.tags(item["AccessGrantId"])) for item in items if _grant(item) == grant]
        same = [Found(grant_id, tags.get(OWNER)) for grant_id, tags in listed if tags is not None]
        return max(same, key=lambda found: found.owner == self.stack, default=None)

    def make(self, grant: Grant, location: Location, sub_prefix: str, tags: Mapping[str, str]) -> str:
        """Make the grant, with these tags and the owner's; its id. One call.

        AlreadyThere if it exists; NotYet also when the service does not know the grantee yet; Elsewhere if the scope is not what
        was meant.
        """
        request = self._request(grant, location, sub_prefix, tags)
        try:
            with passing():
                made = self._client.create_access_grant(**request)
        except ClientError as error:
            if code(error) == "AccessGrantAlreadyExists":
                raise AlreadyThere(str(grant)) from error
            raise _sooner_or_later(error) from error
        if made["GrantScope"] != grant.scope:
            self.take_away(made["AccessGrantId"])
            raise Elsewhere(
                f"location {location.scope} and sub-prefix {sub_prefix} became {made['GrantScope']}, not {grant.scope}"
            )
        return made["AccessGrantId"]

    def take_away(self, grant_id: str) -> None:
        """Take a grant away; one that is gone already is success. One call, or two.

        The right to delete may hang on a grant's tag. What is gone has none, so AWS may deny instead of saying that it is gone.
        """
        try:
            with passing():
                self._client.delete_access_grant(AccountId=self._account, AccessGrantId=grant_id)
        except ClientError as error:
            gone = code(error) == "NoSuchAccessGrantError" or (code(error) == "AccessDenied" and self.tags(grant_id) is None)
            if not gone:
                raise

    def tags(self, grant_id: str) -> dict[str, str] | None:
        """A grant's tags; None if there is no such grant. One call."""
        try:
            with passing():
                answer = self._client.list_tags_for_resource(AccountId=self._account, ResourceArn=self._grant_arn + grant_id)
        except ClientError as error:
            if code(error) == "NoSuchAccessGrantError":
                return None
            raise
        return {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}

    def owner(self, grant_id: str) -> str | None:
        """The stack that says it made the grant; None if none does, or there is no such grant. One call."""
        return (self.tags(grant_id) or {}).get(OWNER)

    def tag(self, grant_id: str, tags: Mapping[str, str]) -> None:
        """Put these tags and the owner's on a grant, so adopting it; its others stay. One call."""
        with passing():
            self._client.tag_resource(AccountId=self._account, ResourceArn=self._grant_arn + grant_id, Tags=self._owned(tags))

    def at(self, location_id: str) -> Iterator[str]:
        """The ids of the grants at a location, ours and foreign; a call for each 1,000 grants that there are anywhere."""
        items = self._pages(self._client.list_access_grants, "AccessGrantsList")
        return (item["AccessGrantId"] for item in items if item["AccessGrantsLocationId"] == location_id)

    def drop_location(self, location_id: str) -> bool:
        """Delete a location; one that is gone already is success. False where grants stand there, or seem to. One call."""
        try:
            with passing():
                self._client.delete_access_grants_location(AccountId=self._account, AccessGrantsLocationId=location_id)
        except ClientError as error:
            if code(error) == "AccessGrantsLocationNotEmptyError":
                return False
            if code(error) not in ("NoSuchAccessGrantsLocationError", "AccessGrantsInstanceNotExistsError"):
                raise
        return True

    def _request(self, grant: Grant, location: Location, sub_prefix: str, tags: Mapping[str, str]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "AccountId": self._account,
            "AccessGrantsLocationId": location.id,
            "Grantee": {"GranteeType": grant.grantee.kind, "GranteeIdentifier": grant.grantee.identifier},
            "Permission": str(grant.permission),
            "Tags": self._owned(tags),
        }
        if grant.application:
            request["ApplicationArn"] = grant.application
        if sub_prefix:
            request["AccessGrantsLocationConfiguration"] = {"S3SubPrefix": sub_prefix}
            request |= {} if sub_prefix.endswith("*") else {"S3PrefixType": "Object"}
        return request

    def _owned(self, tags: Mapping[str, str]) -> Any:
        return as_list({OWNER: self.stack, **tags})

    def _pages(self, operation: Callable[..., Any], where: str, **filters: str) -> Iterator[Mapping[str, Any]]:
        # botocore has no paginator for these lists; a page may be short or empty and still name a next one.
        asked: dict[str, Any] = {"AccountId": self._account, "MaxResults": PAGE, **filters}
        while True:
            with passing():
                page = operation(**asked)
            yield from page.get(where, [])
            if not (token := page.get("NextToken")):
                return
            asked["NextToken"] = token


def _grant(item: Mapping[str, Any]) -> Grant:
    grantee = Grantee(item["Grantee"]["GranteeType"], item["Grantee"]["GranteeIdentifier"])
    return Grant(grantee, Permission(item["Permission"]), item["GrantScope"], item.get("ApplicationArn") or "")


def _filter(grantee: Grantee) -> dict[str, str]:
    return {"GranteeType": grantee.kind, "GranteeIdentifier": grantee.identifier}


def _sooner_or_later(error: ClientError) -> Exception:
    # A role that IAM has just made is not yet a grantee; the service says so only in this text (Terraform retries on it too).
    if code(error) == "InvalidRequest" and "Invalid Grantee" in message(error):
        return NotYet("the grantee is not known to S3 yet")
    return error
