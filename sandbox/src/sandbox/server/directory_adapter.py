"""IAM Identity Center in the server: `identitystore`, `sso-admin` and `sso-oidc` behind IAM, and
sessions with an identity context.

AssumeRole takes the context of a token of CreateTokenWithIAM in ProvidedContexts. The session then
acts for a person. Its role's trust policy must allow sts:SetContext besides sts:AssumeRole.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from sandbox.access_grants import CONTEXT_PROVIDER, Caller, DirectoryIdentity
from sandbox.identity_center import Directory, DirectoryError, SignIn
from sandbox.identity_center.applications import GRANTS_SCOPE, find_context, sign_in
from sandbox.identity_center.directory_operations import list_resources
from sandbox.server.account import ServerAccount, find_caller, find_role, request_scope
from sandbox.server.control import ANSWERS
from sandbox.server.enforcement import EVALUATOR, EnforcedCall, ask_evaluator
from sandbox.server.seams import run_before_reset, use_seam

Answer = tuple[int, dict[str, str], bytes]
# By botocore's name: the signing name, which IAM's actions also have, and the prefix of the
# target header; sso-oidc has none.
DIRECTORY_WIRE = {
    "identitystore": ("identitystore", "AWSIdentityStore"),
    "sso-admin": ("sso", "SWBExternalService"),
    "sso-oidc": ("sso-oauth", ""),
}
EXCHANGE = "CreateTokenWithIAM"
DIRECTORY_HEADERS = {
    "Content-Type": "application/x-amz-json-1.1"
}  # copied for each answer, because the server adds to it
DIRECTORIES: dict[tuple[str, str], Directory] = {}
DIRECTORY_ACCOUNT = ServerAccount()
# What a session with an identity context may do at most: STS adds this policy to it. Of AWS's
# managed policy AWSIAMIdentityCenterAllowListForIdentityContext these are the actions that the
# sandbox knows; its others are Athena's, Glue's, Redshift's and those of Amazon Q.
CONTEXT_ACTIONS = [
    "s3:GetAccessGrantsInstanceForPrefix",
    "s3:GetDataAccess",
    "s3:ListCallerAccessGrants",
    "sts:SetContext",
]
CONTEXT_DENIAL = {"Effect": "Deny", "NotAction": CONTEXT_ACTIONS, "Resource": "*"}
ALL_ALLOWED = {"Effect": "Allow", "Action": "*", "Resource": "*"}
SESSION_KEY = re.compile(rb"<AccessKeyId>(\w+)</AccessKeyId>")
PROVIDED = re.compile(r"ProvidedContexts\.member\.\d+\.ProviderArn")
_sessions = use_seam("ministack.services.sts", "_sessions")
_key_of = use_seam("ministack.core.router", "extract_access_key_id", "headers, query_params=None")


def find_directory() -> Directory:
    """Return the directory of the current request's account and Region."""
    where = request_scope()
    if where not in DIRECTORIES:
        DIRECTORIES[where] = Directory(*where, clock=time.time)
    return DIRECTORIES[where]


def find_identity(headers: Mapping[str, str], query: Mapping[str, Any]) -> DirectoryIdentity | None:
    """Return for whom the request's session acts, with the groups that they are in now.

    None without an identity context, if the user has left, and if the context lacks the scope of
    Access Grants.
    """
    found: SignIn | None = _sessions.get(_key_of(headers, query), {}).get("SignIn")
    directory = find_directory()
    if found is None or GRANTS_SCOPE not in found.scopes:
        return None
    if not directory.has("DIRECTORY_USER", found.user):
        return None
    groups = (("DIRECTORY_GROUP", group) for group in directory.list_groups(found.user))
    who = (("DIRECTORY_USER", found.user), *groups)
    return DirectoryIdentity(directory.arn, found.application, who)


def install() -> None:
    """Make `identitystore`, `sso` and `sso-oauth` services of the server, and give STS contexts."""
    handlers = use_seam("ministack.app", "SERVICE_HANDLERS")
    patterns = use_seam("ministack.core.router", "SERVICE_PATTERNS")
    for name, (signed, target) in DIRECTORY_WIRE.items():
        handlers[signed] = _make_directory_handler(name)
        targets = [target] if target else []
        patterns[signed] = {"host_patterns": [rf"^{signed}\."], "target_prefixes": targets}
    handlers["sts"] = _make_session_handler(handlers["sts"])
    ANSWERS["sign-in"] = answer_sign_in
    run_before_reset(_forget_directories)


def answer_sign_in(method: str, query: dict[str, str], _: bytes) -> tuple[int, Any]:
    """Do what the browser of a person does who signs in to an application; answer the code.

    POST with `user` (an id), `application` (an ARN) and `redirect` (a URI) in the query.
    """
    if method != "POST":
        return 405, {"error": "a person signs in by POST"}
    try:
        asked = (query.get(name, "") for name in ("user", "application", "redirect"))
        return 200, {"code": sign_in(find_directory(), *asked)}
    except DirectoryError as refusal:
        return 400, {"error": str(refusal)}


def _make_directory_handler(name: str) -> Callable[..., Awaitable[Answer]]:
    async def handle(
        _: str, __: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        lower = {key.lower(): value for key, value in headers.items()}
        operation = lower.get("x-amz-target", "").rpartition(".")[2]
        if "aws_iam" in query:
            operation = EXCHANGE
        try:
            request = json.loads(body or b"{}")
            _authorise_directory_call(name, operation, request, find_caller(headers, query))
            if operation == EXCHANGE:
                _check_actor(request, _key_of(headers, query))
            answer = find_directory().call(name, operation, request)
        except DirectoryError as refusal:
            error_body = {
                "__type": refusal.code,
                "message": refusal.message,
                "Message": refusal.message,
            } | refusal.members
            error_headers = DIRECTORY_HEADERS | {"x-amzn-errortype": refusal.code}
            return refusal.status, error_headers, json.dumps(error_body).encode()
        return 200, dict(DIRECTORY_HEADERS), json.dumps(answer).encode()

    return handle


def _authorise_directory_call(
    name: str, operation: str, request: dict[str, Any], caller: Caller
) -> None:
    action = f"{DIRECTORY_WIRE[name][0]}:{operation}"
    for resource in list_resources(find_directory(), name, operation, request):
        if not DIRECTORY_ACCOUNT.is_allowed(caller, action, resource, {}):
            why = (
                f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
            )
            raise DirectoryError("AccessDeniedException", why)


def _check_actor(request: dict[str, Any], key: str) -> None:
    """Raise AccessDenied unless the application's own policy lets this caller act for it."""
    application = find_directory().applications.get(request.get("clientId", ""))
    action = "sso-oauth:CreateTokenWithIAM"
    if application and not _is_trusted(application.actors or {}, key, action, application.arn, {}):
        raise DirectoryError(
            "AccessDeniedException",
            "access_denied",
            error="access_denied",
            error_description="the caller is no actor of the application",
        )


def _is_trusted(
    policy: Any, key: str, action: str, resource: str, known: Mapping[str, Any]
) -> bool:
    """Return whether a policy that names principals lets the holder of the key do this."""
    account, region = request_scope()
    call = EnforcedCall(key, action, "", region, resource, dict(known))
    who, asked = ask_evaluator(call, account)
    evaluate = use_seam(EVALUATOR, "evaluate_trust_policy", "trust_doc, caller_arn, ctx=None")
    return bool(evaluate(policy, who.arn, asked))


def _make_session_handler(
    original: Callable[..., Awaitable[Answer]],
) -> Callable[..., Awaitable[Answer]]:
    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        sent = parse_qs(body.decode("utf-8", "replace")) if method == "POST" else query
        answer = await original(method, path, headers, body, query)
        made = SESSION_KEY.search(answer[2]) if answer[0] == 200 else None
        if made is None or not any(map(PROVIDED.fullmatch, sent)):
            return answer
        refusal = _add_context(made[1].decode(), sent, _key_of(headers, query))
        if refusal:
            del _sessions[made[1].decode()]
        return refusal or answer

    return handle


def _add_context(key: str, sent: Mapping[str, list[str]], caller: str) -> Answer | None:
    """Let the session of a key act for the person of the provided context; or return why not."""
    refuse = use_seam("ministack.services.sts", "_error")
    role, *_ = sent.get("RoleArn", [""])
    provided = [sent[name][0] for name in sent if PROVIDED.fullmatch(name)]
    assertion, *_ = sent.get("ProvidedContexts.member.1.ContextAssertion", [""])
    found = find_context(find_directory(), assertion)
    if provided != [CONTEXT_PROVIDER] or found is None:
        return _as_answer(refuse(400, "ValidationError", "Invalid ProvidedContexts", ns="sts"))
    known = _list_context_keys(found)
    trust = (find_role(role) or {}).get("AssumeRolePolicyDocument", "{}")
    if not _is_trusted(trust, caller, "sts:SetContext", role, known):
        who = use_seam("ministack.core.iam_evaluator", "caller_arn", "")()
        why = f"User: {who} is not authorized to perform: sts:SetContext on resource: {role}"
        return _as_answer(refuse(403, "AccessDenied", why, ns="sts"))
    session = _sessions[key]
    limit = (session.get("SessionPolicies") or {}).get("Policy") or ""
    policy = json.loads(limit) if limit else {"Version": "2012-10-17", "Statement": [ALL_ALLOWED]}
    statements = policy["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    limits = policy | {"Statement": [*listed, CONTEXT_DENIAL]}
    arns = (session.get("SessionPolicies") or {}).get("PolicyArns") or []
    session["SessionPolicies"] = {"Policy": json.dumps(limits), "PolicyArns": arns}
    session["ConditionKeys"] = {
        name: value for name, value in known.items() if not name.startswith("sts:")
    }
    session["SignIn"] = found
    return None


def _as_answer(answer: Any) -> Answer:
    status, headers, body = answer
    return status, headers, body if isinstance(body, bytes) else body.encode()


def _list_context_keys(found: SignIn) -> dict[str, Any]:
    """Return the condition keys of a session that acts for somebody.

    Source: AWS, "AWS STS condition context keys for IAM Identity Center".
    """
    directory = find_directory()
    return {
        "sts:requestcontextproviders": [CONTEXT_PROVIDER],
        "identitycenter:applicationarn": found.application,
        "identitycenter:instancearn": directory.arn,
        "identitystore:identitystorearn": directory.store_arn,
        "identitystore:userid": found.user,
    }


def _forget_directories() -> None:
    DIRECTORIES.clear()
