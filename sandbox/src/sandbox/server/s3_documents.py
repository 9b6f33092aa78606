"""The XML of S3: keys in it are read and written letter by letter.

XML 1.0 has no form for most control characters, so a batch cannot name such a key (MalformedXML),
and an answer that has one is read by no client unless it was asked for with encoding-type=url. A
carriage return must be written as a reference: each XML parser turns a plain one into a line feed.
Source: S3 User Guide, "Naming Amazon S3 objects", XML related constraints; API reference of
ListObjectsV2, EncodingType.
"""

import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from sandbox.server.s3_addresses import S3
from sandbox.server.seams import use_seam, wrap_seam

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
MAX_BATCH = 1000
# Not letters of XML 1.0, and the carriage return, which is one only as a reference.
NOT_PLAIN = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
ENCODED_ELEMENTS = {"Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"}
_ENCODING: ContextVar[bool] = ContextVar("sandbox_encode_keys", default=False)
Answer = tuple[int, dict[str, str], bytes]


class BadDocumentError(ValueError):
    """The body is not a document of this kind."""


@dataclass(frozen=True)
class BatchEntry:
    """One object of DeleteObjects: its key, its version (or ""), and all that was said of it."""

    key: str
    version: str
    parts: tuple[tuple[str, str], ...]


def read_batch(body: bytes) -> tuple[list[BatchEntry], bool]:
    """Return the objects of DeleteObjects, and whether it is quiet.

    Raises BadDocumentError for what is no such document, for an object without a key and for more
    than 1,000 objects.
    """
    parse = use_seam("defusedxml.ElementTree", "fromstring")
    try:
        root = parse(body)
    except (ParseError, ValueError) as error:  # ValueError: entities and the like
        raise BadDocumentError(str(error)) from error
    children = [(_local_name(child), child) for child in root]
    entries = [_read_entry(child) for name, child in children if name == "Object"]
    if not 0 < len(entries) <= MAX_BATCH or not all(entry.key for entry in entries):
        raise BadDocumentError("1 to 1,000 objects, each with a key")
    quiet = next((child.text or "" for name, child in children if name == "Quiet"), "")
    return entries, quiet.lower() == "true"


def write_batch(entries: list[BatchEntry], quiet: bool) -> bytes:
    """Return the body of DeleteObjects that names these objects."""
    root = Element("Delete", xmlns=NAMESPACE)
    SubElement(root, "Quiet").text = str(quiet).lower()
    for entry in entries:
        one = SubElement(root, "Object")
        for name, text in entry.parts:
            SubElement(one, name).text = text
    return _write_references(tostring(root, encoding="unicode")).encode()


def _read_entry(element: Any) -> BatchEntry:
    parts = tuple((_local_name(child), str(child.text or "")) for child in element)
    if len({name for name, _ in parts}) < len(parts):
        raise BadDocumentError("an object says something twice")
    named = dict(parts)
    return BatchEntry(named.get("Key", ""), named.get("VersionId", ""), parts)


def _local_name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _write_references(text: str) -> str:
    return NOT_PLAIN.sub(lambda found: f"&#x{ord(found[0]):X};", text)


def install() -> None:
    """Write keys as they are, and encode them in every list that is asked to."""
    wrap_seam(S3, "_xml_body", "root", _write_all_letters)
    wrap_seam(S3, "_list_object_versions", "bucket_name, query_params", _encode_on_request)
    wrap_seam(S3, "_list_multipart_uploads", "bucket_name, query_params", _encode_on_request)


def _write_all_letters(original: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def write(root: Any) -> bytes:
        if _ENCODING.get():
            _encode_keys(root)
        return _write_references(original(root).decode()).encode()

    return write


def _encode_on_request(original: Callable[..., Answer]) -> Callable[..., Answer]:
    value_of = use_seam(S3, "_qp", "params, key, default=''")

    def list_keys(bucket_name: str, query_params: dict[str, Any]) -> Answer:
        token = _ENCODING.set(value_of(query_params, "encoding-type") == "url")
        try:
            return original(bucket_name, query_params)
        finally:
            _ENCODING.reset(token)

    return list_keys


def _encode_keys(root: Any) -> None:
    encode = use_seam(S3, "_url_encode", "value")
    elements: Iterator[Any] = root.iter()
    for element in list(elements):
        if element.tag in ENCODED_ELEMENTS and element.text:
            element.text = encode(element.text)
    SubElement(root, "EncodingType").text = "url"
