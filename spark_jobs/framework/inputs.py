"""The input of a run: one object, or the objects of a batch that the launcher has listed.

A batch is listed in inputs.json in the operations bucket, which the role reads with its own
permission. Each object has to be the one that was listed, before the run reads it and before the
run is published.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from framework.access import make_role_session
from framework.arguments import JobOrder
from framework.exits import ARGUMENTS, INPUT, JobFailed
from framework.manifest import ManifestInput, parse_json, to_dict
from framework.objects import MAX_SMALL, FoundObject, ObjectFolder

MAX_INPUTS = 1_000  # objects of one batch


@dataclass(frozen=True)
class ListedInput:
    """An object of a batch as the launcher has seen it; `version` may be empty."""

    key: str
    etag: str
    version: str


@dataclass(frozen=True)
class FoundInput:
    """The objects that a run reads, as they were found."""

    key: str  # of the one object, or the pattern of the batch
    objects: tuple[FoundObject, ...]
    versions: Mapping[str, str]  # of a batch, by key
    compression: str = ""  # of the objects, as the contract says

    @property
    def bytes(self) -> int:
        """The size of all objects together."""
        return sum(one.bytes for one in self.objects)

    @property
    def modified(self) -> str:
        """When the newest object was uploaded."""
        return max(one.modified for one in self.objects)

    @property
    def etag(self) -> str:
        """The ETag of the one object, or a hash over keys and ETags of a batch."""
        if not self.versions:
            return self.objects[0].etag
        listed = "".join(f"{one.key}\n{one.etag}\n" for one in self.objects)
        return hashlib.sha256(listed.encode(errors="surrogatepass")).hexdigest()


def list_inputs(order: JobOrder) -> tuple[ListedInput, ...]:
    """Return the objects of the batch; none if the order is for one object. One call."""
    if not order.inputs:
        return ()
    bucket, _, key = order.inputs.removeprefix("s3://").partition("/")
    answer = make_role_session().client("s3").get_object(Bucket=bucket, Key=key)
    try:
        listed = tuple(
            _parse_input(one, order)
            for one in parse_json(answer["Body"].read(MAX_SMALL + 1))["inputs"]
        )
        _check_number(listed)
    except (ValueError, TypeError, LookupError) as error:
        why = f"{order.inputs} is no list of inputs: {error}"
        raise JobFailed(ARGUMENTS, f"{why}. The launcher writes it; upload the data again.") from (
            error
        )
    return listed


def _check_number(listed: tuple[ListedInput, ...]) -> None:
    if not 0 < len(listed) <= MAX_INPUTS:
        raise ValueError(f"it lists {len(listed)} inputs")
    if len({one.key for one in listed}) != len(listed):
        raise ValueError("it lists a key twice")


def _parse_input(found: Any, order: JobOrder) -> ListedInput:
    listed = ListedInput(found["key"], found["etag"], found.get("version") or "")
    if not all(isinstance(text, str) for text in (listed.key, listed.etag, listed.version)):
        raise ValueError("a key or an ETag is no text")
    outside = found["bucket"] != order.input_bucket or not listed.key.startswith(order.input_prefix)
    if outside or not listed.key:
        raise ValueError(f"{listed.key!r} is not below {order.input_uri}")
    return listed


def find_input(
    order: JobOrder, listed: tuple[ListedInput, ...], source: ObjectFolder
) -> FoundInput:
    """Find the input. Raises JobFailed with INPUT unless it is the one that was ordered."""
    packed = order.job.contract.compression
    if not listed:
        return FoundInput(order.input_key, (_find_one(order, source),), {}, packed)
    there = {one.key: one for one in source.list_objects(order.input_prefix)}
    for one in listed:
        uri = f"s3://{order.input_bucket}/{one.key}"
        if one.key not in there:
            raise JobFailed(INPUT, f"{uri} is gone. The folder as it is now starts a run.")
        if there[one.key].etag != one.etag.strip('"'):
            raise JobFailed(INPUT, f"{uri} {_REPLACED}")
    objects = tuple(there[one.key] for one in sorted(listed, key=lambda one: one.key))
    return FoundInput(order.input_key, objects, {one.key: one.version for one in listed}, packed)


_REPLACED = "was replaced after this job was ordered. The new data starts a run of its own."


def _find_one(order: JobOrder, source: ObjectFolder) -> FoundObject:
    found = source.find_object(order.input_key)
    if found is None:
        raise JobFailed(INPUT, f"{order.input_uri} does not exist. Upload it; that starts a run.")
    if order.input_etag and found.etag != order.input_etag:
        raise JobFailed(INPUT, f"{order.input_uri} {_REPLACED}")
    return found


def find_change(found: FoundInput, source: ObjectFolder, prefix: str) -> str:
    """Return which object has changed since it was found, and how; "" if none has."""
    if found.versions:
        now = {one.key: one for one in source.list_objects(prefix)}
    else:
        one = source.find_object(found.key)
        now = {found.key: one} if one else {}
    for before in found.objects:
        there = now.get(before.key)
        if there is None or there.etag != before.etag:
            gone = "was deleted" if there is None else "was replaced"
            return f"s3://{source.bucket}/{before.key} {gone}"
    return ""


def describe_input(found: FoundInput, source: ObjectFolder) -> dict[str, Any]:
    """Return the input as the manifest holds it; of a batch, also each object."""
    version = "" if found.versions else source.read_version(found.key)
    whole = ManifestInput(
        source.bucket, found.key, version, found.etag, found.bytes, found.modified
    )
    described = to_dict(whole)
    if found.versions:
        described["objects"] = [
            {
                "key": one.key, "version": found.versions[one.key], "etag": one.etag,
                "bytes": one.bytes, "modified": one.modified,
            }
            for one in found.objects
        ]  # fmt: skip
    return described
