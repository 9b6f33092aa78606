"""DeleteObjects as S3 authorizes it: key by key.

A key that the caller may not delete is an error in the answer; the rest is deleted. The server also
judges every key, but it refuses the whole request for the first forbidden one.
"""

import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any
from xml.sax.saxutils import escape, unescape

from sandbox.server.enforcement import EVALUATOR, Enforce, EnforcedCall, Refusal, wrap_enforcement
from sandbox.server.seams import use_seam, wrap_seam

ACTIONS = "ministack.core.iam_actions"
DELETIONS = {"s3:DeleteObject", "s3:DeleteObjectVersion"}
OBJECT = re.compile(rb"<Object>.*?</Object>", re.DOTALL)
# Whether each key of the request, by its ARN, was forbidden; None if the request is not
# DeleteObjects.
FORBIDDEN: ContextVar[dict[str, bool] | None] = ContextVar("sandbox_forbidden_keys", default=None)
Answer = tuple[int, dict[str, str], bytes]


def install() -> None:
    """Note forbidden keys instead of refusing at once, and do not delete them."""
    wrap_seam("ministack.app", "app", "scope, receive, send", _forget_keys)
    wrap_seam(ACTIONS, "_s3_batch_delete_targets", "bucket, body", _note_keys)
    wrap_enforcement(_note_denial)
    wrap_seam(
        "ministack.services.s3",
        "_delete_objects",
        "bucket_name, body, headers=None",
        _omit_forbidden,
    )


def _forget_keys(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        FORBIDDEN.set(None)
        await original(scope, receive, send)

    return app


def _note_keys(
    original: Callable[[str, bytes], list[tuple[str, str]]],
) -> Callable[[str, bytes], list[tuple[str, str]]]:
    def targets(bucket: str, body: bytes) -> list[tuple[str, str]]:
        found = original(bucket, body)
        if FORBIDDEN.get() is None:
            FORBIDDEN.set({arn: False for arn, _ in found})
        return found

    return targets


def _note_denial(call: EnforcedCall, decide: Enforce) -> Refusal:
    denied, keys = decide(call), FORBIDDEN.get()
    if (
        denied is None
        or isinstance(denied, use_seam(EVALUATOR, "AuthError"))
        or not keys
        or call.action not in DELETIONS
        or call.arn not in keys
    ):
        return denied
    keys[call.arn] = True
    return None


def _omit_forbidden(original: Callable[..., Answer]) -> Callable[..., Answer]:
    def delete(bucket_name: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        forbidden = {arn.partition("/")[2] for arn, no in (FORBIDDEN.get() or {}).items() if no}
        refused = [
            entry for entry in OBJECT.findall(body) if _read_element(entry, "Key") in forbidden
        ]
        for entry in refused:
            body = body.replace(entry, b"", 1)
        status, answer_headers, answer = original(bucket_name, body, headers)
        errors = "".join(map(_error_element, refused)).encode()
        if errors and b"</DeleteResult>" not in answer:  # nothing was left to delete
            answer = re.sub(rb"(<DeleteResult[^>]*?)\s*/>", rb"\1></DeleteResult>", answer)
        return (
            status,
            answer_headers,
            answer.replace(b"</DeleteResult>", errors + b"</DeleteResult>"),
        )

    return delete


def _read_element(entry: bytes, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", entry.decode(), re.DOTALL)
    return unescape(found[1], {"&quot;": '"', "&apos;": "'"}) if found else ""


def _error_element(entry: bytes) -> str:
    version = _read_element(entry, "VersionId")
    named = f"<Key>{escape(_read_element(entry, 'Key'))}</Key>" + (
        f"<VersionId>{escape(version)}</VersionId>" if version else ""
    )
    return f"<Error>{named}<Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
