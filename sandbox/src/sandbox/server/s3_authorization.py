"""What a request to S3 must be allowed: each action, on the literal key that it names.

The server splits keys at slashes and drops the empty parts before IAM sees them, judges all keys of
a batch as if none had a version, and asks for nothing but s3:PutObject where a write also sets
tags, an ACL or a lock. What KMS has to allow is in `s3_encryption`.

Sources: AWS, "Actions, resources, and condition keys for Amazon S3", operations CopyObject,
CreateMultipartUpload and PutObject; the API references of PutObjectTagging and GetObjectTagging
("you also need permission for ... VersionTagging").
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.server.control import current_switches
from sandbox.server.enforcement import (
    ACTIONS,
    EVALUATOR,
    AuthorizedRequest,
    FindResource,
    wrap_resource,
)
from sandbox.server.s3_addresses import S3, split_address, split_copy_source
from sandbox.server.s3_encryption import (
    DECRYPT,
    GENERATE,
    find_read_key,
    find_upload_key,
    find_write_key,
)
from sandbox.server.seams import use_seam, wrap_seam
from sandbox.switches import ObjectSwitches

Check = tuple[str, str]  # action, ARN
Query = Mapping[str, Any]
ACL_HEADERS = ("x-amz-acl", "x-amz-grant-")
RETENTION_HEADERS = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date")
BYPASS = "x-amz-bypass-governance-retention"
# Actions on a version that need the action without a version, too.
ALSO_NEEDED = {
    "PutObjectVersionTagging": "s3:PutObjectTagging",
    "GetObjectVersionTagging": "s3:GetObjectTagging",
    "GetObjectAttributes": "s3:GetObject",
    "GetObjectVersionAttributes": "s3:GetObjectVersion",
}


@dataclass(frozen=True)
class KeyFinder:
    """Finds the ARN of the customer's KMS key, "" for none.

    `read` finds that of a bucket, key and version, `write` that of a write with these headers to a
    bucket, `upload` that of an upload in parts by its id.
    """

    read: Callable[[str, str, str], str]
    write: Callable[[Mapping[str, str], str], str]
    upload: Callable[[str], str]


@dataclass(frozen=True)
class ObjectRequest:
    """A request for one object; header names are in lower case.

    `action` is without "s3:"; `has_tags` says whether an object of this bucket, key and version has
    tags.
    """

    method: str
    bucket: str
    key: str
    action: str
    headers: Mapping[str, str]
    query: Query
    has_tags: Callable[[str, str, str], bool]
    copy_reads_tags: bool
    keys: "KeyFinder"

    @property
    def arn(self) -> str:
        return object_arn(self.bucket, self.key)

    @property
    def version(self) -> str:
        """The version that is named; empty for the current one."""
        return str((self.query.get("versionId") or [""])[0])

    @property
    def is_part(self) -> bool:
        """Whether the request goes on with an upload, whose first request said what is set."""
        return "uploadId" in self.query


def object_arn(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/{key}"


def list_further_checks(request: ObjectRequest) -> Iterator[Check]:
    """Yield what a request for an object needs besides its own action on its own key."""
    if action := ALSO_NEEDED.get(request.action):
        yield action, request.arn
    if request.method == "GET" and request.action in ("GetObject", "GetObjectVersion"):
        yield from _check_key(
            DECRYPT, request.keys.read(request.bucket, request.key, request.version)
        )
    if request.action == "PutObject" and request.method in ("PUT", "POST"):
        yield from _check_write(request)
    bypassing = use_seam(ACTIONS, "_S3_GOVERNANCE_BYPASS_ACTIONS")
    if request.action in bypassing and is_bypass(request.headers):
        yield "s3:BypassGovernanceRetention", request.arn


def _check_write(request: ObjectRequest) -> Iterator[Check]:
    source = request.headers.get("x-amz-copy-source", "")
    if source:
        yield from _check_source(request, source)
    if request.is_part:
        upload = str((request.query["uploadId"] or [""])[0])
        yield from _check_key(DECRYPT, request.keys.upload(upload))
        return
    yield from _check_key(GENERATE, request.keys.write(request.headers, request.bucket))
    if _sets_tags(request, source):
        yield "s3:PutObjectTagging", request.arn
    if any(name.startswith(ACL_HEADERS) and value for name, value in request.headers.items()):
        yield "s3:PutObjectAcl", request.arn
    if any(request.headers.get(name) for name in RETENTION_HEADERS):
        yield "s3:PutObjectRetention", request.arn
    if request.headers.get("x-amz-object-lock-legal-hold"):
        yield "s3:PutObjectLegalHold", request.arn


def _check_source(request: ObjectRequest, source: str) -> Iterator[Check]:
    bucket, key, version = split_copy_source(source)
    arn = object_arn(bucket, key)
    yield "s3:GetObjectVersion" if version else "s3:GetObject", arn
    yield from _check_key(DECRYPT, request.keys.read(bucket, key, version))
    copies_tags = not request.is_part and not _replaces_tags(request)
    if copies_tags and request.copy_reads_tags and request.has_tags(bucket, key, version):
        yield "s3:GetObjectVersionTagging" if version else "s3:GetObjectTagging", arn


def _check_key(action: str, key: str) -> Iterator[Check]:
    if key:
        yield action, key


def _sets_tags(request: ObjectRequest, source: str) -> bool:
    if source and not _replaces_tags(request):
        return request.has_tags(*split_copy_source(source))
    return bool(request.headers.get("x-amz-tagging"))


def _replaces_tags(request: ObjectRequest) -> bool:
    return request.headers.get("x-amz-tagging-directive", "").upper() == "REPLACE"


def is_bypass(headers: Mapping[str, str]) -> bool:
    return headers.get(BYPASS, "").strip().lower() == "true"


def install() -> None:
    """Judge literal keys, and everything that a write needs. After `principals`."""
    wrap_seam(ACTIONS, "_s3_action", "method, path, query_params", _name_by_depth)
    wrap_resource(_name_resource)
    checks = "method, path, headers, body, query_params"
    wrap_seam(ACTIONS, "s3_additional_checks", checks, _list_checks)
    wrap_seam(EVALUATOR, "_fnmatch_compile", "pattern, ignore_case", _match_all_letters)


def _name_by_depth(original: Callable[..., Any]) -> Callable[..., Any]:
    """Name the action by whether there is a key, whatever its letters are."""

    def name(method: str, path: str, query_params: dict[str, Any]) -> Any:
        bucket, key = split_address(path)
        return original(method, f"/{bucket}/key" if key else f"/{bucket}", query_params)

    return name


def _name_resource(request: AuthorizedRequest, find: FindResource) -> str:
    bucket, key = split_address(request.path)
    return object_arn(bucket, key) if request.service == "s3" and key else find(request)


def _list_checks(_: Callable[..., list[Check]]) -> Callable[..., list[Check]]:
    action_of = use_seam(ACTIONS, "_s3_action", "method, path, query_params")
    keys = KeyFinder(find_read_key, find_write_key, find_upload_key)

    def checks(
        method: str, path: str, headers: dict[str, str], _: bytes, query_params: dict[str, Any]
    ) -> list[Check]:
        bucket, key = split_address(path)
        if not key:  # `batch_delete` judges the keys of a batch
            return []
        action = str(action_of(method, path, query_params))
        switches = current_switches(ObjectSwitches)
        asked = ObjectRequest(
            method, bucket, key, action, headers, query_params, _has_tags,
            switches.copy_reads_tags, keys,
        )  # fmt: skip
        return list(list_further_checks(asked))

    return checks


def _has_tags(bucket: str, key: str, version: str) -> bool:
    tags = use_seam(S3, "object_tags_for_condition", "bucket_name, key, query_params")
    return bool(tags(bucket, key, {"versionId": [version]} if version else {}))


def _match_all_letters(original: Callable[[str, bool], Any]) -> Callable[[str, bool], Any]:
    """Let `*` and `?` stand for line ends, too, and let a pattern end where the text ends."""

    @cache
    def compiled(pattern: str, ignore_case: bool) -> Any:
        found = original(pattern, ignore_case)
        whole = found.pattern.removeprefix("^").removesuffix("$")
        return re.compile(rf"\A(?:{whole})\Z", found.flags | re.DOTALL)

    return compiled
