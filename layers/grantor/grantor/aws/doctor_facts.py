"""Reads the facts that `grantor doctor` judges. Every call only reads.

What cannot be read becomes an Unread, with the action of IAM that it needs.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from grantor.aws.access_grants import AccessGrants
from grantor.aws.clients import error_code, error_message
from grantor.aws.stack_health import StackHealth, read_stack_health
from grantor.aws.studio import Studio
from grantor.core.deployment_checks import (
    DEFAULT_PARAMETERS,
    ROLE_SUFFIXES,
    AccountFacts,
    TrailFact,
    VacancyFacts,
)
from grantor.core.findings import Fact, Unread
from grantor.core.grant import Location
from grantor.core.stack_checks import (
    STUDIO_SERVICE,
    BucketFact,
    LedgerFact,
    LocationFact,
    StackFacts,
)
from grantor.settings import DOCTOR_INSTANCE_TYPE

if TYPE_CHECKING:
    from grantor.aws.clients import Clients

GONE = {
    "AccessGrantsInstanceNotExistsError",
    "NoSuchAccessGrantsInstance",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "ResourceNotFoundException",
}


NEEDED_OUTPUTS = {
    "AlertTopic",
    "DataBucket",
    "Ledger",
    "PolicyBucket",
    "ReconcileGrants",
    "StartSparkJob",
}


@dataclass(frozen=True)
class StackOutline:
    """What CloudFormation says of a deployed stack."""

    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def is_deployed(self) -> bool:
        """Whether there is something to judge; a failed creation leaves nothing."""
        return self.outputs.keys() >= NEEDED_OUTPUTS

    @property
    def is_foreign(self) -> bool:
        """Whether it is complete, and no stack of Grantor, or one of a much older version."""
        complete = self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
        return complete and not self.is_deployed


def attempt[T](action: str, ask: Callable[[], T]) -> Fact[T]:
    """Return the answer, or an Unread that names the action of IAM."""
    try:
        return ask()
    except ClientError as error:
        return Unread(action, f"{error_code(error)}: {error_message(error)}")
    except BotoCoreError as error:
        return Unread(action, str(error))


def find_or[T, U](ask: Callable[[], T], gone: U) -> T | U:
    """Return the answer, or `gone` if AWS says that the thing is not there."""
    try:
        return ask()
    except ClientError as error:
        if error_code(error) not in GONE:
            raise
        return gone


def read_outline(clients: "Clients", stack: str) -> StackOutline | None:
    """Read the stack; None if there is none. Costs one call. Raises ClientError."""
    try:
        found = clients.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error_message(error):
            return None
        raise
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", ())}
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}
    return StackOutline(str(found["StackStatus"]), parameters, outputs)


def read_account(
    clients: "Clients",
    stack: str,
    given: Mapping[str, str],
    configured_region: str,
    has_image: bool,
) -> AccountFacts:
    """Read trails and quotas. Costs a call, two per trail, and one per 100 quotas of SageMaker."""
    parameters = {**DEFAULT_PARAMETERS, **given}
    return AccountFacts(
        clients.region,
        configured_region,
        stack,
        parameters,
        has_image,
        attempt("cloudtrail:DescribeTrails", lambda: _read_trails(clients)),
        attempt("servicequotas:ListServiceQuotas", lambda: _read_quotas(clients)),
        attempt(
            "lambda:GetAccountSettings",
            lambda: int(
                clients.functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
            ),
        ),
    )


def _read_trails(clients: "Clients") -> list[TrailFact]:
    client = clients.cloudtrail
    listed = client.describe_trails(includeShadowTrails=True)["trailList"]
    return [_read_trail(client, trail) for trail in listed]


def _read_trail(client: Any, trail: Mapping[str, Any]) -> TrailFact:
    arn = trail["TrailARN"]
    selectors = client.get_event_selectors(TrailName=arn)
    return TrailFact(
        trail["Name"], client.get_trail_status(Name=arn)["IsLogging"], _logs_writes(selectors)
    )


def _logs_writes(selectors: Mapping[str, Any]) -> bool:
    """Whether calls that change something are recorded, of SageMaker at least."""
    basic = selectors.get("EventSelectors") or ()
    advanced = selectors.get("AdvancedEventSelectors") or ()
    return any(
        one.get("IncludeManagementEvents") and one.get("ReadWriteType") in ("All", "WriteOnly")
        for one in basic
    ) or any(_selects_writes(one["FieldSelectors"]) for one in advanced)


def _selects_writes(fields: Iterable[Mapping[str, Any]]) -> bool:
    chosen = {one["Field"]: one for one in fields}
    source = chosen.get("eventSource", {})
    return (
        chosen.get("eventCategory", {}).get("Equals") == ["Management"]
        and chosen.get("readOnly", {}).get("Equals", ["false"]) == ["false"]
        and STUDIO_SERVICE in (source.get("Equals") or [STUDIO_SERVICE])
        and STUDIO_SERVICE not in (source.get("NotEquals") or ())
    )


def _read_quotas(clients: "Clients") -> dict[str, float]:
    """The quota of the type that jobs run on unless they say otherwise; empty if it is not listed.

    It is found by its name, because the codes of quotas follow no rule.
    """
    pages = clients.quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    found = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    value = found.get(f"{DOCTOR_INSTANCE_TYPE} for processing job usage")
    return {} if value is None else {DOCTOR_INSTANCE_TYPE: float(value)}


def read_vacancy(
    clients: "Clients", account: AccountFacts, owner: str, status: str
) -> VacancyFacts:
    """Read what is there before the first deployment. `owner` is the account. Costs six calls."""
    prefix = account.parameters["RolePrefix"]
    grants = AccessGrants(clients.s3control, owner, clients.region, account.stack)
    return VacancyFacts(
        status,
        attempt("s3:GetAccessGrantsInstance", lambda: _find_instance(clients, owner)["arn"]),
        attempt(
            "s3:ListAccessGrantsLocations",
            lambda: {one.id: one.scope for one in find_or(grants.list_locations, ())},
        ),
        attempt("sagemaker:ListDomains", lambda: list(Studio(clients.sagemaker).list_domains())),
        attempt(
            "iam:GetRole",
            lambda: [
                prefix + suffix for suffix in ROLE_SUFFIXES if read_role(clients, prefix + suffix)
            ],
        ),
    )


def _find_instance(clients: "Clients", owner: str) -> dict[str, str]:
    """The instance's ARN, and the ARN of its IAM Identity Center; each "" if there is none."""

    def ask() -> dict[str, str]:
        found = clients.s3control.get_access_grants_instance(AccountId=owner)
        directory = found.get("IdentityCenterInstanceArn") or found.get("IdentityCenterArn") or ""
        return {"arn": found["AccessGrantsInstanceArn"], "directory": directory}

    return find_or(ask, {"arn": "", "directory": ""})


def read_role(clients: "Clients", name: str) -> dict[str, Any]:
    """A role as IAM describes it; empty if there is none."""
    nothing: dict[str, Any] = {}
    return find_or(lambda: dict(clients.iam.get_role(RoleName=name)["Role"]), nothing)


def read_stack(
    clients: "Clients", stack: str, owner: str, outline: StackOutline, last_sweep: Callable[[], str]
) -> StackFacts:
    """Read a deployed stack, apart from its profiles. `last_sweep` returns ISO 8601, or "".

    Costs about 35 calls.
    """
    now, outputs = datetime.now(UTC), outline.outputs
    health = attempt(
        "cloudformation:ListStackResources", lambda: read_stack_health(clients, stack, now)
    )
    instance = attempt("s3:GetAccessGrantsInstance", lambda: _find_instance(clients, owner))
    functions = [outputs["ReconcileGrants"], outputs["StartSparkJob"]]
    return StackFacts(
        outline.status,
        now,
        outputs["AlertTopic"],
        instance if isinstance(instance, Unread) else instance["arn"],
        not isinstance(instance, Unread) and bool(instance["directory"]),
        attempt(
            "s3:ListAccessGrantsLocations, iam:GetRole",
            lambda: choose_fact(clients, list_locations(clients, owner), outputs["DataBucket"]),
        ),
        attempt(
            "dynamodb:DescribeTable, dynamodb:DescribeContinuousBackups",
            lambda: _read_ledger(clients, outputs["Ledger"]),
        ),
        read_bucket(clients, outputs["DataBucket"]),
        read_bucket(clients, outputs["PolicyBucket"]),
        _pick(health, "triggers", _find_triggers),
        _pick(
            health,
            "letters",
            lambda it: {one.name: one.total for one in it.queues if one.is_dead_letter_queue},
        ),
        _pick(health, "alarms", lambda it: [one.name for one in it.alarms if one.is_on]),
        attempt("dynamodb:GetItem", lambda: _read_sweep(last_sweep)),
        attempt(
            "sns:ListSubscriptionsByTopic",
            lambda: _count_subscribers(clients, outputs["AlertTopic"]),
        ),
        attempt(
            "lambda:GetFunctionRecursionConfig",
            lambda: {name: _may_loop(clients, name) for name in functions},
        ),
        attempt("lakeformation:ListResources", lambda: _list_registered(clients)),
    )


def _find_triggers(health: StackHealth) -> dict[str, bool]:
    rules = {one.name: one.is_enabled for one in health.rules}
    return rules | {one.name: one.is_enabled for one in health.mappings}


def _pick[T](health: Fact[StackHealth], part: str, choose: Callable[[StackHealth], T]) -> Fact[T]:
    """A part of the stack's health; an Unread if something of this part could not be read."""
    if isinstance(health, Unread):
        return health
    for what, why in health.unread.items():
        if what.startswith("resources of") or _find_part(what) == part:
            return Unread("what the stack's managed policy Reader allows", f"{what}: {why}")
    return choose(health)


def _find_part(what: str) -> str:
    """Which part of the health something belongs to that could not be read."""
    if what == "alarms":
        return "alarms"
    if what.endswith("DLQ"):
        return "letters"
    return "other" if what in ("EventQueue", "UploadQueue", "age of messages") else "triggers"


def list_locations(clients: "Clients", owner: str) -> list[Mapping[str, Any]]:
    """Every location as S3 describes it; a call for each 1,000."""
    pages = clients.s3control.list_access_grants_locations
    return [*_list_pages(pages, "AccessGrantsLocationsList", AccountId=owner)]


def choose_fact(
    clients: "Clients", found: Iterable[Mapping[str, Any]], bucket: str
) -> LocationFact | None:
    """The location with the longest scope over the bucket, and its role; a call."""
    covering = [
        one
        for one in found
        if f"s3://{bucket}/".startswith(Location("", one["LocationScope"]).root)
    ]
    if not covering:
        return None
    role = max(covering, key=lambda one: len(one["LocationScope"])).get("IAMRoleArn", "")
    trust = read_role(clients, role.rpartition("/")[2]).get("AssumeRolePolicyDocument", {})
    return LocationFact(role, trust)


def _list_pages(call: Callable[..., Any], member: str, **request: Any) -> list[dict[str, Any]]:
    """All items of a list whose pages botocore does not join; none if the service has none."""
    found: list[dict[str, Any]] = []
    asked, nothing = dict(request), {member: list[Any]()}
    while True:
        answer: Any = find_or(partial(call, **asked), nothing)
        found += answer[member]
        if not answer.get("NextToken"):
            return found
        asked["NextToken"] = answer["NextToken"]


def _read_ledger(clients: "Clients", name: str) -> LedgerFact:
    table = clients.dynamodb
    found = find_or(lambda: table.describe_table(TableName=name)["Table"], None)
    if found is None:
        return LedgerFact(name, False)
    backups = table.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    protected = bool(found.get("DeletionProtectionEnabled"))
    return LedgerFact(name, found["TableStatus"] == "ACTIVE", protected, recovery == "ENABLED")


def read_bucket(clients: "Clients", name: str) -> BucketFact:
    """The settings of a bucket; two calls."""
    s3 = clients.s3
    return BucketFact(
        name,
        attempt(
            "s3:GetBucketNotification",
            lambda: (
                "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=name)
            ),
        ),
        attempt(
            "s3:GetBucketPolicy",
            lambda: json.loads(find_or(lambda: s3.get_bucket_policy(Bucket=name)["Policy"], "{}")),
        ),
    )


def _read_sweep(last_sweep: Callable[[], str]) -> datetime | None:
    at = last_sweep()
    return datetime.fromisoformat(at) if at else None


def _count_subscribers(clients: "Clients", topic: str) -> int:
    pages = clients.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return sum(
        one["SubscriptionArn"].startswith("arn:") for page in pages for one in page["Subscriptions"]
    )


def _may_loop(clients: "Clients", name: str) -> bool:
    found = clients.functions.get_function_recursion_config(FunctionName=name)
    return bool(found["RecursiveLoop"] == "Allow")


def _list_registered(clients: "Clients") -> list[str]:
    found = _list_pages(clients.lakeformation.list_resources, "ResourceInfoList")
    return [one["ResourceArn"] for one in found]
