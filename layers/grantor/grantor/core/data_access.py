"""What a caller asks S3 Access Grants for, the answer in the forms that tools read, and why it may
be refused.

GetDataAccess looks for a grant whose scope contains the target: S3 User Guide, "Request access to
Amazon S3 data through S3 Access Grants".
"""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from grantor.core.diagnostics import Fault, dump_json, join_words, quote_text
from grantor.core.grant import Permission, covers, split_uri
from grantor.core.rules import Policy
from grantor.core.scope import VARIABLE, find_scope_faults
from grantor.limits import MAX_SCOPE_CHARACTERS, MAX_VENDED_TIME, MIN_VENDED_TIME
from grantor.settings import MAX_LISTED_NAMES

# What a profile's command can hold between double quotes, in every shell and configuration parser
# that reads it.
PLAIN_TEXT = re.compile(r"[\w./:=*+,@ ()\[\]{}?&~^|<>'-]+")
PROFILE_NAME = re.compile(r"[\w.+=,@-]+")
STEWARD = "your data steward"


@dataclass(frozen=True)
class DataRequest:
    """What GetDataAccess is asked for.

    `target` is an object, or ends with a * and means all that begins with it. `minimal` asks for
    the target alone, and not for all that the closest grant covers. Without a number of `seconds`
    AWS decides: an hour.
    """

    target: str
    permission: Permission
    minimal: bool = False
    seconds: int | None = None

    @property
    def is_object(self) -> bool:
        return not self.target.endswith("*")


@dataclass(frozen=True)
class CallerGrant:
    """A grant as ListCallerAccessGrants shows it. `application` is the only one that may use it."""

    permission: Permission
    scope: str
    application: str = ""

    def __str__(self) -> str:
        return f"{self.permission} {self.scope}"


@dataclass(frozen=True)
class VendedCredentials:
    """Credentials for everything below `scope`, until `expiration` (aware)."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime
    permission: Permission
    scope: str

    def describe(self) -> str:
        """What they allow, and until when."""
        return f"{self.permission} on {self.scope} until {_format_time(self.expiration)}"


def build_target(url: str) -> str:
    """The target that a URL means: a bucket or a folder stands for all that is in it.

    >>> build_target("s3://data"), build_target("s3://data/UserA/"), build_target("s3://data/a.csv")
    ('s3://data/*', 's3://data/UserA/*', 's3://data/a.csv')
    """
    bucket, key = split_uri(url)
    return f"s3://{bucket}/{key}*" if key.endswith("/") or not key else url


def find_url_faults(url: str) -> list[Fault]:
    """What keeps a URL from naming something in S3."""
    if len(url) > MAX_SCOPE_CHARACTERS:
        why = f"S3 Access Grants accepts at most {MAX_SCOPE_CHARACTERS:,}"
        return [Fault(f"the URL has {len(url):,} characters", why, "ask for the folder above it")]
    if not url.startswith("s3://"):
        return find_scope_faults(url)
    return find_scope_faults(f"s3://{split_uri(url)[0]}/*")


def find_duration_faults(seconds: int | None) -> list[Fault]:
    """What is wrong with how long credentials shall live."""
    if seconds is None or MIN_VENDED_TIME <= timedelta(seconds=seconds) <= MAX_VENDED_TIME:
        return []
    shortest, longest = (int(time.total_seconds()) for time in (MIN_VENDED_TIME, MAX_VENDED_TIME))
    why = f"S3 Access Grants vends credentials for {shortest:,} to {longest:,} seconds"
    nearest = shortest if seconds < shortest else longest
    return [Fault(f"{seconds:,} seconds are not possible", why, f"write --duration {nearest}")]


def format_credential_process(vended: VendedCredentials) -> str:
    """What AWS's tools read from the command of `credential_process` (AWS SDKs and Tools Reference
    Guide, "Process credential provider").
    """
    return dump_json(
        {
            "Version": 1,
            "AccessKeyId": vended.access_key_id,
            "SecretAccessKey": vended.secret_access_key,
            "SessionToken": vended.session_token,
            "Expiration": _format_time(vended.expiration),
        }
    )


def format_exports(vended: VendedCredentials) -> list[str]:
    """Lines for a POSIX shell, with the names that `aws configure export-credentials` uses."""
    values = {
        "AWS_ACCESS_KEY_ID": vended.access_key_id,
        "AWS_SECRET_ACCESS_KEY": vended.secret_access_key,
        "AWS_SESSION_TOKEN": vended.session_token,
        "AWS_CREDENTIAL_EXPIRATION": _format_time(vended.expiration),
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    return [f"# {vended.describe()}", *exports]


def name_profile(target: str) -> str:
    """A name for the profile of a target.

    >>> name_profile("s3://data/UserA/*"), name_profile("s3://data/Größe (cm)/a.csv")
    ('data-UserA', 'data-Größe-cm-a.csv')
    """
    return re.sub(r"[^\w.]+", "-", target.removeprefix("s3://")).strip("-")


def find_profile_faults(name: str, command: Sequence[str]) -> list[Fault]:
    """What a profile of ~/.aws/config cannot hold: shells and parsers read it differently."""
    if not PROFILE_NAME.fullmatch(name):
        why = "a profile's name has letters, digits and . _ + = , @ - only"
        return [Fault(f"{quote_text(name)} does not name a profile", why, "choose another --name")]
    why = "not all tools read each of its characters alike in a profile's command"
    remedy = "ask for a folder above it, or use --format process or env"
    return [
        Fault(f"{quote_text(word)} does not fit into a profile", why, remedy)
        for word in command
        if not PLAIN_TEXT.fullmatch(word)
    ]


def format_profile(name: str, region: str, command: Sequence[str], granted: str) -> list[str]:
    """A profile for ~/.aws/config that runs `command` for credentials.

    `granted` is what they allow. Words that find_profile_faults accepts stand between double
    quotes where a shell needs some.
    """
    words = " ".join(word if shlex.quote(word) == word else f'"{word}"' for word in command)
    return [
        f"[profile {name}]",
        f"# {granted}",
        f"region = {region}",
        f"credential_process = {words}",
    ]


@dataclass(frozen=True)
class Refusal:
    """A request that no grant covered: whose it was, and which grants that caller has.

    `grants` are those in the target's bucket; None if they could not be listed. `owners` are who
    may be asked, as far as policy files say.
    """

    request: DataRequest
    caller: str
    place: str
    grants: Sequence[CallerGrant] | None
    owners: Sequence[str] = ()

    def explain(self) -> str:
        """What was refused, where, why, and what to do."""
        asked = f"{self.request.permission} on {self.request.target}"
        why, remedy = self._find_reason()
        return f"{self.caller} gets no {asked} in {self.place}: {why}; {remedy}"

    def _find_reason(self) -> tuple[str, str]:
        if self.grants is None:
            return "none of your grants covers it", self._ask_somebody()
        covering = [grant for grant in self.grants if covers(grant.scope, self.request.target)]
        enough = [
            grant for grant in covering if self.request.permission in grant.permission.included
        ]
        if enough:
            return self._explain_unused(enough)
        return self._explain_less(covering) if covering else self._explain_other(self.grants)

    def _explain_unused(self, grants: Sequence[CallerGrant]) -> tuple[str, str]:
        """Why a grant that is there does not serve."""
        if all(grant.application for grant in grants):
            owner = f"your grant {grants[0]} is for the application {grants[0].application} alone"
            return owner, f"use that application, or {self._ask_somebody()}"
        return f"your grant {grants[0]} may be a moment old", "try again in a minute"

    def _explain_less(self, grants: Sequence[CallerGrant]) -> tuple[str, str]:
        """Why grants on the target do not serve: they allow less."""
        has = {permission for grant in grants for permission in grant.permission.included}
        parts = set(self.request.permission.included) - {self.request.permission}
        if parts and parts <= has:
            why = f"your grants {_list_few(grants)} do not add up in one request"
            return why, "ask for one permission at a time"
        less = join_words(sorted(f"--permission {permission}" for permission in has))
        return f"you have only {_list_few(grants)}", f"use {less}, or {self._ask_somebody()}"

    def _explain_other(self, grants: Sequence[CallerGrant]) -> tuple[str, str]:
        """Why grants elsewhere in the bucket do not serve."""
        target = self.request.target
        if folder := [grant for grant in grants if covers(grant.scope, f"{target}/*")]:
            why = f"{target} is a single object to S3, and you have {folder[0]}"
            return why, f"write {target}/ for the folder"
        if below := [grant for grant in grants if covers(target, grant.scope)]:
            few = _list_few(below)
            return f"you have less, {few}", f"ask for a folder of yours, or {self._ask_somebody()}"
        has = f"you have {_list_few(grants)}" if grants else "you have no grant"
        return f"{has} in this bucket", self._ask_somebody()

    def _ask_somebody(self) -> str:
        whom = join_words(self.owners, "or") if self.owners else STEWARD
        return (
            f"ask {whom} for a rule with on: {self.request.target} and "
            f"allow: {self.request.permission}"
        )


def find_owners(policies: Iterable[Policy], target: str) -> list[str]:
    """Whom to ask about a target: the owners of rules that could cover it, the closest first.

    What a variable stands for is not known here, so it stands for any name.
    """
    rules = (rule for policy in policies for rule in policy.rules if rule.owner)
    could = [rule for rule in rules if _could_cover(rule.on, target)]
    closest = sorted(could, key=lambda rule: len(VARIABLE.sub("", rule.on)), reverse=True)
    return list(dict.fromkeys(rule.owner for rule in closest))[:MAX_LISTED_NAMES]


def _could_cover(scope: str, target: str) -> bool:
    pattern = "[^/]+".join(map(re.escape, VARIABLE.split(scope.removesuffix("*"))))
    match = re.match if scope.endswith("*") else re.fullmatch
    return match(pattern, target) is not None


def _list_few(grants: Sequence[CallerGrant]) -> str:
    named, more = grants[:MAX_LISTED_NAMES], len(grants) - MAX_LISTED_NAMES
    return join_words([*map(str, named), *([f"{more} more"] if more > 0 else [])], "and")


def _format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
