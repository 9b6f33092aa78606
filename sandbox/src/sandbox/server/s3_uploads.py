"""Rules of S3 for uploads and copies that the server does not know, and operations it mistakes.

Sources: the API references of CompleteMultipartUpload (EntityTooSmall), CreateMultipartUpload
(ChecksumType, Tagging), CopyObject (IfMatch, IfNoneMatch) and RenameObject ("only supported for
objects stored in the S3 Express One Zone storage class"); "Checking object integrity": CRC64NVME
is always a checksum of the full object, SHA never is. Which code refuses an operation that general
purpose buckets lack is not documented.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

from sandbox.server.s3_addresses import S3
from sandbox.server.s3_documents import Answer
from sandbox.server.seams import use_seam, wrap_seam

MIN_PART_BYTES = 5 * 1024 * 1024
FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
# Bits and reflected polynomial of the checksums that can be of a full object.
CRCS = {
    "CRC32": (32, 0xEDB88320),
    "CRC32C": (32, 0x82F63B78),
    "CRC64NVME": (64, 0x9A6C9329AC4BC9B5),
}
# What the server would take for PutObject, GetObject or a list: method, whether there is a key,
# and the flag in the query.
NOT_SERVED = {
    ("GET", False, "session"): "CreateSession",
    ("GET", True, "torrent"): "GetObjectTorrent",
    ("PUT", True, "renameObject"): "RenameObject",
    ("POST", True, "select"): "SelectObjectContent",
    ("PUT", True, "encryption"): "UpdateObjectEncryption",
}
Parts = Sequence[tuple[int, int]]  # checksum and size in bytes
# The sizes of the parts that are put together now.
_SIZES: ContextVar[tuple[int, ...]] = ContextVar("sandbox_part_sizes", default=())
_FULL: ContextVar[bool] = ContextVar("sandbox_full_object", default=False)


def find_checksum_type(algorithm: str, asked: str) -> str | None:
    """Return the type of an upload's checksum; None if there is none that was asked for.

    >>> find_checksum_type("CRC64NVME", ""), find_checksum_type("CRC32", "")
    ('FULL_OBJECT', 'COMPOSITE')
    >>> find_checksum_type("SHA256", "FULL_OBJECT"), find_checksum_type("CRC64NVME", "COMPOSITE")
    (None, None)
    """
    only = {"CRC64NVME": FULL_OBJECT, "SHA1": COMPOSITE, "SHA256": COMPOSITE}.get(algorithm)
    found = asked or only or COMPOSITE
    return found if found == (only or found) and found in (FULL_OBJECT, COMPOSITE) else None


def combine_checksums(algorithm: str, parts: Parts) -> int:
    """Return the CRC of what the parts make together, from those of the parts.

    >>> import zlib
    >>> parts = [(zlib.crc32(b"ab"), 2), (zlib.crc32(b"cde"), 3)]
    >>> combine_checksums("CRC32", parts) == zlib.crc32(b"abcde")
    True
    """
    bits, polynomial = CRCS[algorithm]
    whole = 0
    for checksum, size in parts:
        whole = _append_zeros(whole, size, bits, polynomial) ^ checksum
    return whole


def _append_zeros(checksum: int, size: int, bits: int, polynomial: int) -> int:
    """Return the CRC after `size` more bytes of zero: one matrix for each power of two."""
    step = [polynomial, *(1 << bit for bit in range(bits - 1))]  # one bit of zero
    for _ in range(3):
        step = [_multiply(step, row) for row in step]
    while size:
        if size & 1:
            checksum = _multiply(step, checksum)
        step = [_multiply(step, row) for row in step]
        size >>= 1
    return checksum


def _multiply(matrix: list[int], vector: int) -> int:
    product = 0
    for row in matrix:
        if not vector:
            break
        if vector & 1:
            product ^= row
        vector >>= 1
    return product


def install() -> None:
    wrap_seam(
        S3, "_dispatch", "method, bucket, key, headers, body, query_params", _refuse_not_served
    )
    wrap_seam(S3, "_copy_object", "bucket_name, dest_key, headers", _check_destination)
    wrap_seam(
        S3, "_upload_part_copy", "bucket_name, dest_key, query_params, headers", _check_upload
    )
    wrap_seam(S3, "_create_multipart_upload", "bucket_name, key, headers", _keep_more)
    complete = "bucket_name, key, body, query_params, headers=None"
    wrap_seam(S3, "_complete_multipart_upload", complete, _check_parts)
    wrap_seam(S3, "_composite_checksum", "algorithm, part_checksums", _checksum_whole)


def _refuse_not_served(original: Callable[..., Answer]) -> Callable[..., Answer]:
    refuse = use_seam(S3, "_error")

    def dispatch(
        method: str,
        bucket: str,
        key: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, list[str]],
    ) -> Answer:
        for flag in query_params:
            if operation := NOT_SERVED.get((method, bool(key), flag)):
                why = f"A general purpose bucket has no {operation}."
                answer: Answer = refuse("NotImplemented", why, 501)
                return answer
        return original(method, bucket, key, headers, body, query_params)

    return dispatch


def _check_destination(original: Callable[..., Answer]) -> Callable[..., Answer]:
    """Check If-Match and If-None-Match of a copy, as those of a put."""
    refuse = use_seam(S3, "_check_put_preconditions", "headers, existing_obj")

    def copy(bucket_name: str, dest_key: str, headers: dict[str, str]) -> Answer:
        bucket = use_seam(S3, "_buckets").get(bucket_name) or {}
        answer: Answer | None = refuse(headers, bucket.get("objects", {}).get(dest_key))
        return answer or original(bucket_name, dest_key, headers)

    return copy


def _check_upload(original: Callable[..., Answer]) -> Callable[..., Answer]:
    """Copy a part into the upload of this key alone; the server copies into any."""
    value_of, refuse = use_seam(S3, "_qp", "params, key, default=''"), use_seam(S3, "_error")

    def copy(
        bucket_name: str, dest_key: str, query_params: dict[str, Any], headers: dict[str, str]
    ) -> Answer:
        upload = use_seam(S3, "_multipart_uploads").get(value_of(query_params, "uploadId"))
        if upload and (upload["bucket"], upload["key"]) != (bucket_name, dest_key):
            answer: Answer = refuse(
                "NoSuchUpload", "The specified multipart upload does not exist.", 404
            )
            return answer
        return original(bucket_name, dest_key, query_params, headers)

    return copy


def _keep_more(original: Callable[..., Answer]) -> Callable[..., Answer]:
    """Keep an upload's tags and the type of its checksum, which the server forgets."""
    algorithm_of = use_seam(S3, "_resolve_multipart_checksum_algorithm", "headers")
    refuse, uploads = use_seam(S3, "_error"), use_seam(S3, "_multipart_uploads")

    def create(bucket_name: str, key: str, headers: dict[str, str]) -> Answer:
        algorithm, asked = algorithm_of(headers)[0], headers.get("x-amz-checksum-type", "").upper()
        kind = find_checksum_type(algorithm, asked) if algorithm else None
        if (algorithm or asked) and kind is None:
            what = f"The {asked or 'requested'} checksum type cannot be used with {algorithm}."
            answer: Answer = refuse("InvalidRequest", what, 400)
            return answer
        before = set(uploads.keys())
        status, answer_headers, body = original(bucket_name, key, headers)
        for name in set(uploads.keys()) - before:
            uploads[name] |= {"checksum_type": kind, "tags": headers.get("x-amz-tagging", "")}
        if kind:
            answer_headers["x-amz-checksum-type"] = kind
        return status, answer_headers, body

    return create


def _check_parts(original: Callable[..., Answer]) -> Callable[..., Answer]:
    value_of, refuse = use_seam(S3, "_qp", "params, key, default=''"), use_seam(S3, "_error")

    def complete(
        bucket_name: str,
        key: str,
        body: bytes,
        query_params: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> Answer:
        upload = use_seam(S3, "_multipart_uploads").get(value_of(query_params, "uploadId"))
        if not upload or (upload["bucket"], upload["key"]) != (bucket_name, key):
            return original(bucket_name, key, body, query_params, headers)
        named = list(_list_numbers(body))
        sizes = [upload["parts"][number]["size"] for number in named if number in upload["parts"]]
        if refusal := _find_wrong_parts(named, sizes):
            answer: Answer = refuse(*refusal, 400)
            return answer
        is_full = upload.get("checksum_type") == FULL_OBJECT
        _SIZES.set(tuple(sizes))
        _FULL.set(is_full)
        status, answer_headers, answer_body = original(
            bucket_name, key, body, query_params, headers
        )
        if status == 200:
            _finish_object(bucket_name, key, upload, is_full)
        return status, answer_headers, _name_type(answer_body, is_full)

    return complete


def _find_wrong_parts(numbers: list[int], sizes: list[int]) -> tuple[str, str] | None:
    """Return why these parts make no object, as code and message; None if they do."""
    if any(first >= second for first, second in pairwise(numbers)):
        why = "The list of parts was not in ascending order. Parts must be ordered by part number."
        return "InvalidPartOrder", why
    if any(size < MIN_PART_BYTES for size in sizes[:-1]):
        return "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"
    return None


def _list_numbers(body: bytes) -> Iterator[int]:
    """Yield the numbers of the parts that the document names; nothing if it is none."""
    parse = use_seam("defusedxml.ElementTree", "fromstring")
    try:
        root = parse(body)
    except (SyntaxError, ValueError):  # ParseError is a SyntaxError
        return
    for element in root.iter():
        if str(element.tag).rpartition("}")[2] == "PartNumber" and str(element.text).isdigit():
            yield int(element.text)


def _finish_object(bucket: str, key: str, upload: dict[str, Any], is_full: bool) -> None:
    record = use_seam(S3, "_buckets")[bucket]["objects"].get(key)
    if record is None:
        return
    if is_full and record.get("checksums"):
        record["checksum_type"] = FULL_OBJECT
    if tags := dict(parse_qsl(upload.get("tags", ""), keep_blank_values=True)):
        use_seam(S3, "_object_tags")[bucket, key, record.get("version_id")] = tags


def _name_type(answer: bytes, is_full: bool) -> bytes:
    was, is_now = (f"<ChecksumType>{kind}<".encode() for kind in (COMPOSITE, FULL_OBJECT))
    return answer.replace(was, is_now) if is_full else answer


def _checksum_whole(original: Callable[..., Any]) -> Callable[..., Any]:
    def checksum(algorithm: str, part_checksums: list[str | None]) -> Any:
        if not _FULL.get() or not algorithm or not all(part_checksums):
            return original(algorithm, part_checksums)
        known = [int.from_bytes(base64.b64decode(text or "")) for text in part_checksums]
        whole = combine_checksums(algorithm, list(zip(known, _SIZES.get(), strict=True)))
        return base64.b64encode(whole.to_bytes(CRCS[algorithm][0] // 8)).decode()

    return checksum
