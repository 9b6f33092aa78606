"""The account as the server knows it: callers, roles, users, buckets, policies and sessions.

What a service does in the name of a function or a job, it does with its execution role, and only as
far as that role allows.
"""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from sandbox.access_grants import Caller, Role
from sandbox.access_grants.service import GRANTS_PRINCIPAL
from sandbox.server.enforcement import EVALUATOR, EnforcedCall, ask_evaluator
from sandbox.server.judgements import note_judgement
from sandbox.server.seams import use_seam

_get_account = use_seam("ministack.core.responses", "get_account_id", "")
_get_region = use_seam("ministack.core.responses", "get_region", "")
_key_of = use_seam("ministack.core.router", "extract_access_key_id", "headers, query_params=None")
_resolve_principal = use_seam(
    EVALUATOR, "resolve_principal", "access_key_id, account_id, credential=None"
)
_evaluate = use_seam(EVALUATOR, "evaluate", "ctx, policies, *limits")
_parse = use_seam(EVALUATOR, "parse_policy_document", "doc")
_service_matches = use_seam(EVALUATOR, "_service_principal_matches", "principal, service")
_action_matches = use_seam(EVALUATOR, "_action_matches")
_resource_matches = use_seam(EVALUATOR, "_resource_matches")
_conditions_met = use_seam(EVALUATOR, "_conditions_met", "conditions, ctx")
_Context = use_seam(EVALUATOR, "EvalContext")
_sessions = use_seam("ministack.services.sts", "_sessions")
_register = use_seam("ministack.services.sts", "register_session", "access_key, session")
_role_id = use_seam("ministack.services.sts", "_role_id", "role_arn")
_make_key = use_seam("ministack.services.sts", "_gen_session_access_key", "")
_make_secret = use_seam("ministack.services.sts", "_gen_secret", "")
_make_token = use_seam("ministack.services.sts", "_gen_session_token", "")
_roles = use_seam("ministack.services.iam", "_roles")
_users = use_seam("ministack.services.iam", "_users")
_buckets = use_seam("ministack.services.s3", "_buckets")

# The access key of the current request. CloudFormation's own calls have none and are the
# account's.
_ACCESS_KEY: ContextVar[str] = ContextVar("sandbox_access_key", default="")


def request_scope() -> tuple[str, str]:
    """Return account and Region of the current request."""
    return str(_get_account()), str(_get_region())


def find_caller(headers: Mapping[str, str], query: Mapping[str, Any]) -> Caller:
    """Return who signed the request. A session of a role is that role, with its path."""
    key = _key_of(headers, query)
    _ACCESS_KEY.set(key)
    account, _ = request_scope()
    principal = _resolve_principal(key, account)
    return Caller(_role_of_session(principal.arn), principal.account)


def find_session_keys(account: str) -> dict[str, Any]:
    """Return the condition keys that the session of the current request carries."""
    return dict(_resolve_principal(_ACCESS_KEY.get(), account).keys) if _ACCESS_KEY.get() else {}


def find_role(arn: str) -> dict[str, Any] | None:
    """Return the server's record of a role of this account, by its full ARN."""
    found = _roles.get(arn.rpartition("/")[2])
    return dict(found) if found and found["Arn"] == arn else None


def trusts_service(
    arn: str, service: str, context: Mapping[str, Any], action: str = "sts:AssumeRole"
) -> bool:
    """Return whether a role's trust policy lets a service assume it, with these condition keys."""
    record = find_role(arn)
    return record is not None and allows_service(
        record.get("AssumeRolePolicyDocument"), service, action, arn, context
    )


def allows_service(
    document: Any, service: str, action: str, resource: str, context: Mapping[str, Any]
) -> bool:
    """Return whether a resource's policy lets an AWS service do this to it.

    Without a policy nothing is allowed.
    """
    policy = json.loads(document) if isinstance(document, str) and document else document or {}
    listed = policy.get("Statement", [])
    asked = _make_context(service, action, resource, context)
    effects = [
        s["Effect"]
        for s in ([listed] if isinstance(listed, dict) else listed)
        if _statement_covers(s, service, asked)
    ]
    return "Allow" in effects and "Deny" not in effects


def start_session(
    arn: str, name: str, seconds: float, extra: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Return a session of the role, known to the server as if STS had made it.

    It has AccessKeyId, SecretAccessKey and SessionToken.
    """
    made = {
        "AccessKeyId": _make_key(),
        "SecretAccessKey": _make_secret(),
        "SessionToken": _make_token(),
    }
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


def expire_session(key: str) -> tuple[int, dict[str, str]]:
    """End the session of an access key now. Return the control answer: HTTP status and JSON."""
    if key not in _sessions:
        return 404, {"error": f"no session has the access key {key!r}"}
    _sessions[key]["Expiration"] = datetime.now().astimezone().timestamp() - 1
    return 200, {"expired": key}


class ServerAccount:
    """The account around our services, as the server has it."""

    def is_allowed(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str]
    ) -> bool:
        allowed = caller.arn.endswith(":root") or self._is_allowed_by_policies(
            caller, action, resource, context
        )
        note_judgement(action, resource, allowed)
        return allowed

    def _is_allowed_by_policies(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str]
    ) -> bool:
        principal = _resolve_principal(_ACCESS_KEY.get(), caller.account)
        asked = _make_context(principal.arn, action, resource, context, principal)
        return (
            principal.policies is None
            or _evaluate(asked, principal.policies, *principal.limits).decision == "Allow"
        )

    def find_principal_id(self, principal: str) -> str | None:
        _, _, _, _, account, rest = principal.split(":", 5)
        if account != request_scope()[0]:
            return principal
        found = (
            _users.get(rest.rpartition("/")[2])
            if rest.startswith("user/")
            else find_role(principal)
        )
        return (
            str(found.get("RoleId") or found["UserId"])
            if found and found["Arn"] == principal
            else None
        )

    def find_role(self, arn: str) -> Role | None:
        found = find_role(arn)
        return Role(arn, int(found.get("MaxSessionDuration") or 3600)) if found else None

    def is_trusted_by(self, arn: str, action: str, context: Mapping[str, Any]) -> bool:
        return trusts_service(arn, GRANTS_PRINCIPAL, context, action)

    def has_bucket(self, name: str) -> bool:
        found = _buckets.get(name)
        return found is not None and found.get("region", request_scope()[1]) == request_scope()[1]

    def start_vended_session(
        self,
        role: Role,
        session: str,
        policy: dict[str, Any],
        until: datetime,
        context: Mapping[str, str],
    ) -> dict[str, str]:
        extra = {
            "SessionPolicies": {"Policy": json.dumps(policy), "PolicyArns": []},
            "ConditionKeys": {key.lower(): value for key, value in context.items()},
        }
        return start_session(
            role.arn, session, until.timestamp() - datetime.now().astimezone().timestamp(), extra
        )


def _role_of_session(arn: str) -> str:
    """Return the role of a session's ARN, which lacks the role's path."""
    if ":assumed-role/" not in arn:
        return arn
    record = _roles.get(arn.split("/")[1])
    return str(record["Arn"]) if record else arn


def _make_context(
    principal: str, action: str, resource: str, keys: Mapping[str, Any], known: Any = None
) -> Any:
    return _Context(
        principal_arn=principal,
        principal_type=known.type if known else "Service",
        principal_account=request_scope()[0],
        action=action,
        resource_arn=resource,
        region=request_scope()[1],
        service_context={key.lower(): value for key, value in keys.items()},
        principal_keys=known.keys if known else {"aws:principalisawsservice": "true"},
    )


def _statement_covers(statement: dict[str, Any], service: str, asked: Any) -> bool:
    return bool(
        (statement.get("Principal") == "*" or _service_matches(statement.get("Principal"), service))
        and (
            asked.action.startswith("sts:")  # a trust policy names no resource
            or _resource_matches(
                asked.resource_arn,
                _as_list(statement.get("Resource")),
                _as_list(statement.get("NotResource")),
            )
        )
        and _action_matches(
            asked.action, _as_list(statement.get("Action")), _as_list(statement.get("NotAction"))
        )
        and _conditions_met(statement.get("Condition") or {}, asked)
    )


def _as_list(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def function_may(config: dict[str, Any], action: str, resource: str) -> bool:
    """Return whether a function's role allows the action, judged like the function's own calls."""
    _, _, _, region, account, _ = config["FunctionArn"].split(":", 5)
    key = use_seam("ministack.core.lambda_runtime", "execution_credentials", "config")(config)[
        "AWS_ACCESS_KEY_ID"
    ]
    return session_may(key, account, region, action, resource)


def session_may(
    key: str,
    account: str,
    region: str,
    action: str,
    resource: str,
    context: Mapping[str, str] | None = None,
) -> bool:
    """Return whether the session of the access key may do this, judged like its own calls.

    `context` are the condition keys of the call.
    """
    call = EnforcedCall(key, action, "", region, resource, dict(context or {}))
    who, asked = ask_evaluator(call, account)
    return bool(_evaluate(asked, who.policies, *who.limits).decision == "Allow")


def function_may_log(config: dict[str, Any], group: str, exists: bool) -> bool:
    """Return whether the function's lines reach its log group, which may have to be created first.

    Source: AWS, "Sending Lambda function logs to CloudWatch Logs": without the permissions a
    function runs and leaves no logs.
    """
    _, _, _, region, account, _ = config["FunctionArn"].split(":", 5)
    return all(
        function_may(config, action, on)
        for action, on in list_log_permissions(
            f"arn:aws:logs:{region}:{account}:log-group:{group}", exists
        )
    )


def list_log_permissions(group: str, exists: bool) -> list[tuple[str, str]]:
    """List the actions, each with its resource, that writing to a log group requires."""
    needed = [
        ("logs:CreateLogStream", f"{group}:log-stream:"),
        ("logs:PutLogEvents", f"{group}:log-stream:a"),
    ]
    return needed if exists else [("logs:CreateLogGroup", group), *needed]
