"""The account as the server knows it: who calls, which roles, users and buckets exist, what policies allow, how sessions are made."""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from sandbox.access_grants import Caller, Role
from sandbox.access_grants.world import SERVICE
from sandbox.server.judged import note
from sandbox.server.seams import use

EVALUATOR = "ministack.core.iam_evaluator"
_get_account = use("ministack.core.responses", "get_account_id", "")
_get_region = use("ministack.core.responses", "get_region", "")
_key_of = use("ministack.core.router", "extract_access_key_id", "headers, query_params=None")
_resolve_principal = use(EVALUATOR, "resolve_principal", "access_key_id, account_id, credential=None")
_evaluate = use(EVALUATOR, "evaluate", "ctx, policies, *limits")
_parse = use(EVALUATOR, "parse_policy_document", "doc")
_service_matches = use(EVALUATOR, "_service_principal_matches", "principal, service")
_action_matches = use(EVALUATOR, "_action_matches")
_resource_matches = use(EVALUATOR, "_resource_matches")
_conditions_met = use(EVALUATOR, "_conditions_met", "conditions, ctx")
_Context = use(EVALUATOR, "EvalContext")
_sessions = use("ministack.services.sts", "_sessions")
_register = use("ministack.services.sts", "register_session", "access_key, session")
_role_id = use("ministack.services.sts", "_role_id", "role_arn")
_make_key = use("ministack.services.sts", "_gen_session_access_key", "")
_make_secret = use("ministack.services.sts", "_gen_secret", "")
_make_token = use("ministack.services.sts", "_gen_session_token", "")
_roles = use("ministack.services.iam", "_roles")
_users = use("ministack.services.iam", "_users")
_buckets = use("ministack.services.s3", "_buckets")

# The access key of the request in hand; CloudFormation's own calls have none and are the account's.
_KEY: ContextVar[str] = ContextVar("sandbox_access_key", default="")


def place() -> tuple[str, str]:
    """Account and Region of the request in hand."""
    return str(_get_account()), str(_get_region())


def caller_of(headers: Mapping[str, str], query: Mapping[str, Any]) -> Caller:
    """Who signed the request: a session of a role is that role, with its path."""
    key = _key_of(headers, query)
    _KEY.set(key)
    account, _ = place()
    principal = _resolve_principal(key, account)
    return Caller(_role_of(principal.arn), principal.account)


def role(arn: str) -> dict[str, Any] | None:
    """The server's record of a role of this account, by its full ARN."""
    found = _roles.get(arn.rpartition("/")[2])
    return dict(found) if found and found["Arn"] == arn else None


def trusts(arn: str, service: str, context: Mapping[str, str]) -> bool:
    """Whether a role's trust policy lets an AWS service assume it, with these condition keys."""
    record = role(arn)
    return record is not None and allows_service(record.get("AssumeRolePolicyDocument"), service, "sts:AssumeRole", arn, context)


def allows_service(document: Any, service: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Whether a resource's own policy lets an AWS service do this to it; without a policy nothing is allowed."""
    policy = json.loads(document) if isinstance(document, str) and document else document or {}
    listed = policy.get("Statement", [])
    asked = _context(service, action, resource, context)
    effects = [s["Effect"] for s in ([listed] if isinstance(listed, dict) else listed) if _covers(s, service, asked)]
    return "Allow" in effects and "Deny" not in effects


def start_session(arn: str, name: str, seconds: float, extra: Mapping[str, Any] | None = None) -> dict[str, str]:
    """A session of the role, known to the server as if STS had made it: AccessKeyId, SecretAccessKey, SessionToken."""
    made = {"AccessKeyId": _make_key(), "SecretAccessKey": _make_secret(), "SessionToken": _make_token()}
    account = arn.split(":")[4]
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{arn.rpartition('/')[2]}/{name}",
        "UserId": f"{_role_id(arn)}:{name}",
        "SecretAccessKey": made["SecretAccessKey"],
        "SessionToken": made["SessionToken"],
        "Expiration": datetime.now().astimezone().timestamp() + seconds,
        "AccountId": account,
        "PrincipalType": "AssumedRole",
    }
    _register(made["AccessKeyId"], session | dict(extra or {}))
    return made


def expire(key: str) -> tuple[int, dict[str, str]]:
    """End the session of an access key now, as its time would have; the sandbox's own answer, with its HTTP status."""
    if key not in _sessions:
        return 404, {"error": f"no session has the access key {key!r}"}
    _sessions[key]["Expiration"] = datetime.now().astimezone().timestamp() - 1
    return 200, {"expired": key}


class ServerWorld:
    """The account around our services, as the server has it."""

    def allowed(self, caller: Caller, action: str, resource: str, context: Mapping[str, str]) -> bool:
        allowed = caller.arn.endswith(":root") or self._evaluated(caller, action, resource, context)
        note(action, resource, allowed)
        return allowed

    def _evaluated(self, caller: Caller, action: str, resource: str, context: Mapping[str, str]) -> bool:
        principal = _resolve_principal(_KEY.get(), caller.account)
        asked = _context(principal.arn, action, resource, context, principal)
        return principal.policies is None or _evaluate(asked, principal.policies, *principal.limits).decision == "Allow"

    def identity(self, principal: str) -> str | None:
        _, _, _, _, account, rest = principal.split(":", 5)
        if account != place()[0]:
            return principal
        found = _users.get(rest.rpartition("/")[2]) if rest.startswith("user/") else role(principal)
        return str(found.get("RoleId") or found["UserId"]) if found and found["Arn"] == principal else None

    def role(self, arn: str) -> Role | None:
        found = role(arn)
        return Role(arn, int(found.get("MaxSessionDuration") or 3600)) if found else None

    def trusts(self, arn: str, context: Mapping[str, str]) -> bool:
        return trusts(arn, SERVICE, context)

    def bucket(self, name: str) -> bool:
        found = _buckets.get(name)
        return found is not None and found.get("region", place()[1]) == place()[1]

    def vend(
        self, role: Role, session: str, policy: dict[str, Any], until: datetime, context: Mapping[str, str]
    ) -> dict[str, str]:
        extra = {
            "SessionPolicies": {"Policy": json.dumps(policy), "PolicyArns": []},
            "ConditionKeys": {key.lower(): value for key, value in context.items()},
        }
        return start_session(role.arn, session, until.timestamp() - datetime.now().astimezone().timestamp(), extra)


def _role_of(arn: str) -> str:
    """The role that a session's ARN belongs to; the session's ARN has lost the role's path."""
    if ":assumed-role/" not in arn:
        return arn
    record = _roles.get(arn.split("/")[1])
    return str(record["Arn"]) if record else arn


def _context(principal: str, action: str, resource: str, keys: Mapping[str, str], known: Any = None) -> Any:
    return _Context(
        principal_arn=principal,
        principal_type=known.type if known else "Service",
        principal_account=place()[0],
        action=action,
        resource_arn=resource,
        region=place()[1],
        service_context={key.lower(): value for key, value in keys.items()},
        principal_keys=known.keys if known else {},
    )


def _covers(statement: dict[str, Any], service: str, asked: Any) -> bool:
    return (
        (statement.get("Principal") == "*" or _service_matches(statement.get("Principal"), service))
        and (asked.action == "sts:AssumeRole" or _resource_matches(asked.resource_arn, _listed(statement.get("Resource")), []))
        and _action_matches(asked.action, _listed(statement.get("Action")), [])
        and _conditions_met(statement.get("Condition") or {}, asked)
    )


def _listed(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []
