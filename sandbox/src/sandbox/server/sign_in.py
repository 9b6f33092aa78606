"""Who may call: nobody without a signature that the secret of the named key makes.

The server recomputes signatures (SigV4 in the header, in the query, and chunk by chunk; SigV2),
except those of its root: the keys `test` and every account id, with any secret. Here the root has
one key of this start, which is checked like any other. A request without a key is nobody's, where
the server takes it for the root's; a body must have the hash that was signed; and the keys of a
function's role cannot be computed from its name.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sandbox.server.enforcement import (
    EVALUATOR,
    Enforce,
    EnforcedCall,
    Refusal,
    evaluate_resource_policy,
    wrap_enforcement,
)
from sandbox.server.s3_addresses import FOR_S3
from sandbox.server.seams import run_before_reset, use_seam, wrap_seam
from sandbox.start_keys import StartKeys

START_KEYS = StartKeys.take(os.environ)
# Sessions of functions' roles by function and role, with which of them each has.
_FUNCTION_KEYS: dict[tuple[str, str], dict[str, str]] = {}
# S3 checks the signature of a presigned address itself, after the policies.
_LATER: ContextVar[bool] = ContextVar("sandbox_checked_later", default=False)
# Whether the body has another hash than the signed one.
_FORGED: ContextVar[bool] = ContextVar("sandbox_forged_body", default=False)
FORGED_BODY = "XAmzContentSHA256Mismatch"
UNSIGNED = "The request has no signature that the secret of its access key makes."


def install() -> None:
    """Check the signatures of all. Before everything that keeps a function of the evaluator."""
    os.environ["AWS_ACCESS_KEY_ID"] = START_KEYS.access_key_id
    os.environ["AWS_SECRET_ACCESS_KEY"] = START_KEYS.secret_access_key
    wrap_seam(EVALUATOR, "is_root_access_key", "access_key_id", lambda _: _is_root)
    wrap_seam(EVALUATOR, "_is_root_key", "access_key_id", lambda _: lambda _key: False)
    wrap_seam(EVALUATOR, "check_credentials", "access_key_id, service=None", _check_all)
    wrap_enforcement(_enforce_all)
    pinned = "method, raw_path, query_params, raw_headers, handshake=False"
    wrap_seam("ministack.app", "pin_signed_request", pinned, _note_later_checks)
    wrap_seam("ministack.app", "pin_signed_body", "body", _compare_hash)
    failures = use_seam("ministack.core.iam_actions", "_AUTH_FAILURES")
    own_answer = (
        FORGED_BODY,
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
    failures[FORGED_BODY] = (*failures["SignatureDoesNotMatch"][:3], own_answer)
    wrap_seam(
        "ministack.core.lambda_runtime",
        "execution_credentials",
        "config",
        lambda _: start_function_session,
    )
    wrap_seam("ministack.core.iam_actions", "_s3_action", "method, path, query_params", _name_all)
    wrap_seam("ministack.services.s3", "_post_object", "bucket_name, body, headers", _refuse_forms)
    run_before_reset(_FUNCTION_KEYS.clear)


def _is_root(access_key_id: str) -> bool:
    return not access_key_id or access_key_id == START_KEYS.access_key_id


def start_function_session(config: dict[str, Any]) -> dict[str, str]:
    """Return the session of a function's role, the same until the role changes or all is reset."""
    from sandbox.server.account import start_session

    function, role = str(config["FunctionArn"]), str(config.get("Role", ""))
    if (function, role) not in _FUNCTION_KEYS:
        # Lambda renews the sessions of its environments itself; these live as long as the server.
        keys = start_session(
            role, str(config.get("FunctionName", "function"))[:64], 10 * 365 * 86400
        )
        _FUNCTION_KEYS[function, role] = {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
    return dict(_FUNCTION_KEYS[function, role])


def _name_all(original: Callable[..., str | None]) -> Callable[..., str]:
    """Name an action for every request to S3: the server does not judge one without a name."""

    def name(method: str, path: str, query_params: dict[str, Any]) -> str:
        return original(method, path, query_params) or "Unknown"

    return name


def _refuse_forms(_: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse uploads by HTML form, which the server stores unsigned, and without asking IAM."""
    refuse = use_seam("ministack.services.s3", "_error")

    def post(*_: Any) -> Any:
        return refuse(
            "NotImplemented", "The sandbox takes no uploads by form: use a presigned PUT.", 501
        )

    return post


def _note_later_checks(original: Callable[..., None]) -> Callable[..., None]:
    signed = use_seam(EVALUATOR, "_signed_request")

    def pin(
        method: str,
        raw_path: str,
        query_params: dict[str, Any],
        raw_headers: list[tuple[bytes, bytes]],
        handshake: bool = False,
    ) -> None:
        original(method, raw_path, query_params, raw_headers, handshake)
        request = signed.get()
        is_presigned = request is not None and request.s3_scoped
        # S3 Control does not check them, and AWS has none.
        is_control = raw_path.startswith("/v20180820/") and not FOR_S3.get()
        _LATER.set(is_presigned and not is_control)

    return pin


def _compare_hash(original: Callable[[bytes], None]) -> Callable[[bytes], None]:
    signed = use_seam(EVALUATOR, "_signed_request")

    def pin(body: bytes) -> None:
        original(body)
        request = signed.get()
        claimed = request.headers.get("x-amz-content-sha256", "") if request else ""
        is_hash = len(claimed) == 64  # else a marker such as UNSIGNED-PAYLOAD
        _FORGED.set(is_hash and hashlib.sha256(body).hexdigest() != claimed.lower())

    return pin


def is_signed(access_key_id: str) -> bool:
    """Return whether the current request's signature was checked, or is checked later by S3."""
    verified = use_seam(EVALUATOR, "_verified_key").get()
    return bool(access_key_id) and (verified == access_key_id or bool(_LATER.get()))


def _check_all(original: Callable[..., Any]) -> Callable[..., Any]:
    failure = use_seam(EVALUATOR, "AuthError")

    def check(access_key_id: str, service: str | None = None) -> Any:
        found = original(access_key_id, service)
        if found is None and _FORGED.get():
            return failure(FORGED_BODY, UNSIGNED)
        if found is not None or is_signed(access_key_id):
            return found
        if access_key_id:
            return failure("SignatureDoesNotMatch", UNSIGNED)
        return failure("MissingAuthenticationToken", "Missing Authentication Token")

    return check


def _enforce_all(call: EnforcedCall, decide: Enforce) -> Refusal:
    failure, denied = use_seam(EVALUATOR, "AuthError"), decide(call)
    if isinstance(denied, failure):
        return denied
    if _FORGED.get():
        return failure(FORGED_BODY, UNSIGNED)
    if call.access_key_id:
        is_right = is_signed(call.access_key_id)
        return denied if is_right else failure("SignatureDoesNotMatch", UNSIGNED)
    if denied is None and call.service == "s3":
        return _judge_nobody(call)
    return denied


def _judge_nobody(call: EnforcedCall) -> Refusal:
    """Return None if the bucket's policy lets everybody do this, else the refusal."""
    found = use_seam(EVALUATOR, "_resource_policy", "service, resource_arn")("s3", call.arn)
    asked = use_seam(EVALUATOR, "EvalContext")(
        principal_arn="anonymous",
        principal_type="Anonymous",
        principal_account="anonymous",
        action=call.action,
        resource_arn=call.arn,
        region=call.region,
        service_context={name.lower(): value for name, value in (call.known or {}).items()},
    )
    document = found and found[0]
    text = json.dumps(document) if isinstance(document, dict) else document
    result = evaluate_resource_policy(text, asked)
    if result.decision == "Allow":
        return None
    result.principal_arn = "anonymous"
    return result
