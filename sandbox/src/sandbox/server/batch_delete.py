"""DeleteObjects as S3 authorizes it: key by key.

A key that the caller may not delete is an error in the answer; the rest is deleted. The server
refuses the whole request for the first forbidden key, reads the keys once for IAM and again for the
deletion, and asks for no right to delete a version of the first.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any
from xml.sax.saxutils import escape

from sandbox.server.enforcement import (
    EVALUATOR,
    AuthorizedRequest,
    Enforce,
    EnforcedCall,
    FindResource,
    Refusal,
    wrap_enforcement,
    wrap_resource,
)
from sandbox.server.refusals import describe_denial
from sandbox.server.s3_addresses import S3, refuse_key, split_address
from sandbox.server.s3_authorization import is_bypass, object_arn
from sandbox.server.s3_documents import (
    NAMESPACE,
    Answer,
    BadDocumentError,
    BatchEntry,
    read_batch,
    write_batch,
)
from sandbox.server.seams import use_seam, wrap_seam


@dataclass
class Batch:
    """A batch while it is served: what may go, and what is said of the rest."""

    bucket: str
    entries: list[BatchEntry]
    quiet: bool
    needs_bypass: bool
    allowed: list[BatchEntry] = field(default_factory=list)
    errors: list[tuple[BatchEntry, str, str]] = field(default_factory=list)

    def list_checks(self, entry: BatchEntry) -> list[tuple[str, str]]:
        """List the actions and ARNs that one entry needs."""
        arn = object_arn(self.bucket, entry.key)
        action = "s3:DeleteObjectVersion" if entry.version else "s3:DeleteObject"
        bypass = [("s3:BypassGovernanceRetention", arn)] if self.needs_bypass else []
        return [(action, arn), *bypass]


class BatchArn(str):
    """The ARN of a bucket of which a batch of objects is to be deleted."""

    __slots__ = ()


_BATCH: ContextVar[Batch | None] = ContextVar("sandbox_batch", default=None)


def install() -> None:
    """Judge each key by itself, and delete those that may be deleted."""
    wrap_seam("ministack.app", "app", "scope, receive, send", _forget_batch)
    wrap_resource(_read_keys)
    wrap_enforcement(_judge_keys)
    wrap_seam(S3, "_delete_objects", "bucket_name, body, headers=None", _delete_allowed)


def _forget_batch(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        _BATCH.set(None)
        await original(scope, receive, send)

    return app


def _read_keys(request: AuthorizedRequest, find: FindResource) -> str:
    bucket, key = split_address(request.path)
    is_post = request.service == "s3" and request.method == "POST"
    if not is_post or key or "delete" not in request.query_params:
        return find(request)
    try:
        entries, quiet = read_batch(request.body)
    except BadDocumentError:  # `_delete_objects` says so
        entries, quiet = [], False
    _BATCH.set(Batch(bucket, entries, quiet, is_bypass(request.headers)))
    return BatchArn(f"arn:aws:s3:::{bucket}")


def _judge_keys(call: EnforcedCall, decide: Enforce) -> Refusal:
    batch = _BATCH.get()
    if not isinstance(call.arn, BatchArn) or batch is None:
        return decide(call)
    if not batch.entries:
        denied = decide(call)
        return denied if _is_unknown_caller(denied) else None
    for entry in batch.entries:
        if _is_unknown_caller(denied := _judge_entry(call, batch, entry, decide)):
            return denied
    return None


def _judge_entry(call: EnforcedCall, batch: Batch, entry: BatchEntry, decide: Enforce) -> Refusal:
    """Note whether an entry may be deleted; return a failure to identify the caller."""
    for action, arn in batch.list_checks(entry):
        denied = decide(replace(call, action=action, arn=arn))
        if _is_unknown_caller(denied):
            return denied
        if denied is not None:
            message = describe_denial("s3", action, denied)
            batch.errors.append((entry, "AccessDenied", message))
            return None
    if refusal := refuse_key(entry.key):
        batch.errors.append((entry, refusal.code, refusal.message))
    else:
        batch.allowed.append(entry)
    return None


def _is_unknown_caller(denied: Refusal) -> bool:
    return isinstance(denied, use_seam(EVALUATOR, "AuthError"))


def _delete_allowed(original: Callable[..., Answer]) -> Callable[..., Answer]:
    refuse = use_seam(S3, "_error")
    malformed = use_seam(S3, "_MALFORMED_XML")

    def delete(bucket_name: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        batch = _BATCH.get()
        if batch is None:  # called inside the server, or by its root
            return original(bucket_name, body, headers)
        if not batch.entries:
            answer: Answer = refuse("MalformedXML", malformed, 400)
            return answer
        status, answer_headers, answer_body = original(
            bucket_name, write_batch(batch.allowed, batch.quiet), headers
        )
        if status != 200:
            return status, answer_headers, answer_body
        return status, answer_headers, _add_errors(answer_body, batch)

    return delete


def _add_errors(answer: bytes, batch: Batch) -> bytes:
    errors = "".join(_error_element(*error) for error in batch.errors).encode()
    if not errors:
        return answer
    if b"</DeleteResult>" not in answer:  # nothing was deleted
        return f'<DeleteResult xmlns="{NAMESPACE}">'.encode() + errors + b"</DeleteResult>"
    return answer.replace(b"</DeleteResult>", errors + b"</DeleteResult>")


def _error_element(entry: BatchEntry, code: str, message: str) -> str:
    letters = {"\r": "&#xD;"}
    version = f"<VersionId>{escape(entry.version)}</VersionId>" if entry.version else ""
    return (
        f"<Error><Key>{escape(entry.key, letters)}</Key>{version}<Code>{code}</Code>"
        f"<Message>{escape(message, letters)}</Message></Error>"
    )
