"""Which bucket and which key a request to S3 names, read once from the bytes that were sent.

A key is any text: slashes at its ends, doubled slashes, `.` and `%` are letters of it. Everything
behind this module gets one form of address, `/BUCKET/KEY`, whether the bucket was in the path or in
the host, and never takes a key for an address of another service. Only the signature's check gets
the address that was signed.

S3 refuses keys above 1,024 bytes and those whose `..` lead out of the bucket (S3 User Guide,
"Naming Amazon S3 objects"). Which code it has for the latter is not documented.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes

from sandbox.server.control import make_relative
from sandbox.server.seams import use_seam, wrap_seam

APP, S3 = "ministack.app", "ministack.services.s3"
MAX_KEY_BYTES = 1024
CONTROL_PATH = "/v20180820/"  # of S3 Control, whose host has the account before it
ACCOUNT = re.compile(r"\d{12}")
ACCESS_POINT = re.compile(r"[a-z0-9-]+-\d{12}")
SIGNED_FOR_S3 = re.compile(r"(?:Credential=|^)[^/]+/\d{8}/(?:[^/]+/)?s3/aws4_request")
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
Scope = dict[str, Any]
AsgiApp = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class AddressRefusal:
    """Why S3 does not read an address: its code and its message."""

    code: str
    message: str


NOT_READABLE = AddressRefusal("InvalidURI", "Couldn't parse the specified URI.")
TOO_LONG = AddressRefusal("KeyTooLongError", "Your key is too long")
NO_SOURCE = AddressRefusal(
    "InvalidArgument",
    "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
)
# The path as it was signed, while a request to S3 is served.
_SIGNED_PATH: ContextVar[str | None] = ContextVar("sandbox_signed_path", default=None)
# Whether the request is for a bucket or an object, and not for S3 Control.
FOR_S3: ContextVar[bool] = ContextVar("sandbox_for_s3", default=False)


def split_address(path: str) -> tuple[str, str]:
    """Return bucket and key of `/BUCKET/KEY`.

    >>> split_address("/b//k/"), split_address("/b"), split_address("//b/k")
    (('b', '/k/'), ('b', ''), ('', 'b/k'))
    """
    bucket, _, key = path.removeprefix("/").partition("/")
    return bucket, key


def split_copy_source(source: str) -> tuple[str, str, str]:
    """Return bucket, key and version (empty for the current one) of x-amz-copy-source.

    >>> split_copy_source("/b/a%3Fversion//?versionId=v")
    ('b', 'a?version//', 'v')
    """
    path, _, query = source.partition("?")
    named = parse_qs(query).get("versionId", [""])[0]
    return *split_address(unquote_to_bytes(path).decode("utf-8", "replace")), named


def refuse_key(key: str) -> AddressRefusal | None:
    """Return why S3 has no object of this key; None if it may have.

    >>> refuse_key("videos/2014/../../video1.wmv") is None, refuse_key("videos/../../v").code
    (True, 'InvalidURI')
    """
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        return TOO_LONG
    depth = 0
    for part in key.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return NOT_READABLE
    return None


def refuse_address(path: bytes, query: bytes, copy_source: str) -> AddressRefusal | None:
    """Return why S3 does not read the address `/BUCKET/KEY` with this query and copy source."""
    if any(BAD_ESCAPE.search(part) or not _is_text(part) for part in (path, query)):
        return NOT_READABLE
    bucket, key = split_address(unquote_to_bytes(path).decode())
    if not bucket and key:
        return NOT_READABLE
    return refuse_key(key) or (_refuse_copy_source(copy_source) if copy_source else None)


def _is_text(escaped: bytes) -> bool:
    try:
        unquote_to_bytes(escaped).decode()
    except UnicodeDecodeError:
        return False
    return True


def _refuse_copy_source(source: str) -> AddressRefusal | None:
    bucket, key, _ = split_copy_source(source)
    escaped = source.partition("?")[0].encode("utf-8", "surrogatepass")
    if not bucket or not key or not _is_text(escaped):
        return NO_SOURCE
    return refuse_key(key)


def install() -> None:
    """Read the address before everybody else, and let nobody read it in another way."""
    wrap_seam(APP, "app", "scope, receive, send", _read_addresses)
    wrap_seam(APP, "_extract_s3_vhost_bucket", "host", _forget_host)
    wrap_seam(
        APP,
        "pin_signed_request",
        "method, raw_path, query_params, raw_headers, handshake=False",
        _pin_signed_path,
    )
    wrap_seam(
        S3, "_verify_presigned_sigv4", "method, path, headers, query_params", _verify_signed_path
    )
    wrap_seam(
        S3, "_parse_bucket_key", "path, headers", lambda _: lambda path, _: split_address(path)
    )
    wrap_seam(APP, "detect_service", "method, path, headers, query_params", _detect_s3)
    for name, parameters in OTHER_READERS.items():
        wrap_seam(APP, name, parameters, _skip_for_s3)


# What the server answers by the path alone, whoever it is signed for.
OTHER_READERS = {
    "_handle_pre_body_request": "method, path, headers, query_params, request_id",
    "_handle_post_body_shortcuts": "method, path, headers, body, query_params, request_id",
    "_handle_special_data_plane_request": "method, path, headers, body, query_params, request_id, "
    "raw_path=None, raw_query_string='', client_ip='127.0.0.1'",
}


def _read_addresses(original: AsgiApp) -> AsgiApp:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        _SIGNED_PATH.set(None)
        FOR_S3.set(False)
        if scope["type"] != "http":
            return await original(scope, receive, send)
        scope = make_relative(scope)
        headers = _read_headers(scope)
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not is_for_s3(scope["path"], headers, query):
            return await original(scope, receive, send)
        signed = scope.get("raw_path") or scope["path"].encode()
        label = find_host_label(headers.get("host", ""))
        path = (f"/{label}" if label else "").encode() + signed
        source = headers.get("x-amz-copy-source") or _hoisted(query, "x-amz-copy-source")
        if refusal := refuse_address(path, scope["query_string"], source):
            return await _send_refusal(refusal, send)
        FOR_S3.set(True)
        _SIGNED_PATH.set(signed.decode("latin-1"))
        readable = unquote_to_bytes(path).decode()
        return await original(scope | {"path": readable, "raw_path": path}, receive, send)

    return app


def _read_headers(scope: Scope) -> dict[str, str]:
    decode = use_seam("ministack.core.sigv4", "decode_header_value", "value")
    return {name.decode("latin-1").lower(): decode(value) for name, value in scope["headers"]}


def _hoisted(query: Mapping[str, list[str]], name: str) -> str:
    """Return a header that a presigned address has in its query."""
    return next((values[0] for key, values in query.items() if key.lower() == name), "")


def is_for_s3(path: str, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
    """Whether a request is for S3 itself: it is signed for S3, or for a bucket that is its host."""
    host = headers.get("host", "")
    label = find_host_label(host)
    if path.startswith(CONTROL_PATH) and (not label or ACCOUNT.fullmatch(label)):
        return False
    if label and not _is_bucket_host(host, label):
        return False
    authorization = headers.get("authorization", "")
    if authorization:
        return authorization.startswith("AWS ") or bool(SIGNED_FOR_S3.search(authorization))
    if "X-Amz-Credential" in query:
        return bool(SIGNED_FOR_S3.search(query["X-Amz-Credential"][0]))
    if "AWSAccessKeyId" in query:  # SigV2; S3 alone has no version of it
        return "Signature" in query and "SignatureVersion" not in query
    return bool(label) and _is_bucket(label)


def find_host_label(host: str) -> str:
    """Return the first label of a host that may be a bucket's; empty if there is none."""
    label = use_seam(APP, "_extract_s3_vhost_bucket", "host")(host)
    others = use_seam(APP, "_NON_S3_VHOST_NAMES")
    elsewhere = use_seam(APP, "_S3_VHOST_EXCLUDE_RE").search(host)
    return str(label) if label and label not in others and not elsewhere else ""


def _is_bucket_host(host: str, label: str) -> bool:
    """Whether a host is a bucket's. One that names nothing is a bucket's if it can be one's."""
    if use_seam(APP, "_MRAP_HOST_RE").match(host.partition(":")[0].strip()):
        return False
    return _is_bucket(label) or not ACCESS_POINT.fullmatch(label)


def _is_bucket(name: str) -> bool:
    return use_seam(S3, "_bucket_owner_account", "name")(name) is not None


async def _send_refusal(refusal: AddressRefusal, send: Any) -> None:
    error = use_seam(S3, "_error")
    status, named, body = error(refusal.code, refusal.message, 400)
    headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    headers += [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _forget_host(original: Callable[[str], Any]) -> Callable[[str], Any]:
    """Find no bucket in the host once it stands in the path."""

    def extract(host: str) -> Any:
        return original(host) if _SIGNED_PATH.get() is None else None

    return extract


def _pin_signed_path(original: Callable[..., None]) -> Callable[..., None]:
    def pin(
        method: str,
        raw_path: str,
        query_params: dict[str, Any],
        raw_headers: list[tuple[bytes, bytes]],
        handshake: bool = False,
    ) -> None:
        signed = _SIGNED_PATH.get()
        token = _SIGNED_PATH.set(None)  # SigV2 signs the bucket of the host, too
        try:
            path = raw_path if signed is None else signed
            original(method, path, query_params, raw_headers, handshake)
        finally:
            _SIGNED_PATH.reset(token)

    return pin


def _verify_signed_path(original: Callable[..., Any]) -> Callable[..., Any]:
    def verify(method: str, path: str, headers: Any, query_params: Any) -> Any:
        signed = _SIGNED_PATH.get()
        asked = path if signed is None else unquote_to_bytes(signed).decode()
        return original(method, asked, headers, query_params)

    return verify


def _detect_s3(original: Callable[..., str]) -> Callable[..., str]:
    def detect(method: str, path: str, headers: Any, query_params: Any) -> str:
        if _SIGNED_PATH.get() is not None:
            return "s3"
        return original(method, path, headers, query_params)

    return detect


def _skip_for_s3(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def handle(method: str, *rest: Any, **more: Any) -> Any:
        if _SIGNED_PATH.get() is not None and method != "OPTIONS":
            return None
        return await original(method, *rest, **more)

    return handle
