"""The service's published model and its REST-XML protocol.

The model lists the operations and the limits that AWS's clients do not check. Driven by it, a
request becomes a value and an answer becomes XML.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from sandbox.access_grants.errors import AccessGrantsError, documented_error
from sandbox.aws_models import ModelViolation, ServiceModel

OWN_OPERATIONS = re.compile(
    r"AccessGrant|DataAccess|IdentityCenter|^(Tag|Untag)Resource$|^ListTagsForResource$"
)
# A value that the model forbids is refused with the error code of what it belongs to.
MEMBER_CODES = {
    "IAMRoleArn": "InvalidIamRole",
    "IdentityCenterArn": "InvalidIdentityCenterInstance",
    "Policy": "InvalidResourcePolicy",
    "Permission": "InvalidAccessGrant",
    "S3PrefixType": "InvalidAccessGrant",
    "GranteeType": "InvalidAccessGrant",
    "LocationScope": "InvalidAccessGrantsLocation",
}
UNCHECKED_MEMBERS = frozenset({"Tags"})  # they have errors of their own, see merge_tags
XML_NAMESPACE = "http://awss3control.amazonaws.com/doc/2018-08-20/"


@dataclass(frozen=True)
class GrantsModel:
    """The operations of Access Grants and the shapes of S3 Control, as published."""

    operations: dict[str, Any]
    published: ServiceModel

    @property
    def shapes(self) -> dict[str, Any]:
        return self.published.shapes

    @classmethod
    def read(cls) -> "GrantsModel":
        """Read S3 Control's published model."""
        published = ServiceModel.read("s3control")
        return cls(
            {
                name: operation
                for name, operation in published.operations.items()
                if OWN_OPERATIONS.search(name)
            },
            published,
        )

    def input_shape(self, operation: str) -> dict[str, Any]:
        """Return the shape of an operation's request."""
        return self.published.input_shape(operation)

    def output_shape(self, operation: str) -> dict[str, Any]:
        """Return the shape of an operation's answer.

        It has no members if the operation answers nothing.
        """
        return self.published.output_shape(operation)

    def check_request(self, operation: str, request: dict[str, Any], default: str) -> None:
        """Refuse what the model forbids.

        `default` is the error code where no part of the request has its own.
        """
        try:
            self.published.check_request(operation, request, UNCHECKED_MEMBERS)
        except ModelViolation as wrong:
            code = default if wrong.why == "is missing" else MEMBER_CODES.get(wrong.member, default)
            raise documented_error(code, why=str(wrong)) from wrong


class RestXml:
    """Reads requests and writes answers according to the model."""

    def __init__(self, model: GrantsModel) -> None:
        self._model = model
        self._routes = [
            (o["http"]["method"], _compile_route(o["http"]["requestUri"]), name)
            for name, o in model.operations.items()
        ]

    def find_operation(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """Return the operation for a method and a path, and the path's members; None if unknown."""
        for wanted, route, name in self._routes:
            if method == wanted and (found := route.fullmatch(path)):
                return name, {key: unquote(value) for key, value in found.groupdict().items()}
        return None

    def read_request(
        self,
        name: str,
        uri: Mapping[str, str],
        query: Mapping[str, Sequence[str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> dict[str, Any]:
        """Return the request as callers of botocore pass it.

        Raises InvalidRequest (MalformedXML) if the body cannot be parsed.
        """
        shape, read = self._model.input_shape(name), {}
        tree = _parse_document(body)
        for member, ref in shape["members"].items():
            value = self._read_member(member, ref, (uri, query, headers), tree)
            if value is not None:
                read[member] = value
        return read

    def write_answer(self, name: str, values: Mapping[str, Any]) -> bytes:
        """Return the XML of an answer. It is empty for operations that answer nothing."""
        shape = self._model.output_shape(name)
        if not shape["members"]:
            return b""
        root = ET.Element(f"{name}Result", xmlns=XML_NAMESPACE)
        self._write(root, shape, values)
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root)

    def read_status(self, name: str) -> int:
        return int(self._model.operations[name]["http"].get("responseCode", 200))

    def _read_member(
        self,
        member: str,
        ref: dict[str, Any],
        places: tuple[Any, Any, Any],
        tree: ET.Element | None,
    ) -> Any:
        uri, query, headers = places
        wire, shape = ref.get("locationName", member), self._model.shapes[ref["shape"]]
        match ref.get("location"):
            case "uri":
                return uri.get(wire)
            case "header":
                return headers.get(wire.lower())
            case "querystring":
                values = query.get(wire)
                return (
                    None
                    if not values
                    else list(values)
                    if shape["type"] == "list"
                    else _parse_scalar(shape, values[0])
                )
        found = tree.find(wire) if tree is not None else None
        return self._read(shape, found) if found is not None else None

    def _read(self, shape: dict[str, Any], element: ET.Element) -> Any:
        match shape["type"]:
            case "structure":
                found = (
                    (name, ref, element.find(ref.get("locationName", name)))
                    for name, ref in shape["members"].items()
                )
                return {
                    name: self._read(self._model.shapes[ref["shape"]], child)
                    for name, ref, child in found
                    if child is not None
                }
            case "list":
                member = self._model.shapes[shape["member"]["shape"]]
                return [self._read(member, child) for child in element]
        return _parse_scalar(shape, element.text or "")

    def _write(self, parent: ET.Element, shape: dict[str, Any], value: Any) -> None:
        match shape["type"]:
            case "structure":
                for name, ref in shape["members"].items():
                    if value.get(name) is not None:
                        child = ET.SubElement(parent, ref.get("locationName", name))
                        self._write(child, self._model.shapes[ref["shape"]], value[name])
            case "list":
                for item in value:
                    child = ET.SubElement(parent, shape["member"].get("locationName", "member"))
                    self._write(child, self._model.shapes[shape["member"]["shape"]], item)
            case _:
                parent.text = _format_scalar(value)


def error_document(refusal: AccessGrantsError, request_id: str) -> bytes:
    """Return the error document of S3 Control. It nests the error where S3 itself does not."""
    root = ET.Element("ErrorResponse")
    inner = ET.SubElement(root, "Error")
    ET.SubElement(inner, "Code").text = refusal.code
    ET.SubElement(inner, "Message").text = refusal.message
    ET.SubElement(root, "RequestId").text = request_id
    ET.SubElement(root, "HostId").text = "sandbox"
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root)


def _compile_route(uri: str) -> re.Pattern[str]:
    greedy = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", uri)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", greedy))


def _parse_document(body: bytes) -> ET.Element | None:
    if not body.strip():
        return None
    try:
        root = ET.fromstring(body)  # noqa: S314  -- loopback only; the server parses it, too
    except ET.ParseError as wrong:
        raise documented_error(
            "InvalidRequest", why=f"The XML you provided was not well-formed: {wrong}"
        ) from wrong
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _parse_scalar(shape: dict[str, Any], text: str) -> Any:
    match shape["type"]:
        case "integer":
            try:
                return int(text)
            except ValueError as wrong:
                raise documented_error("InvalidRequest", why=f"{text!r} is not a number") from wrong
        case "boolean":
            return text == "true"
    return text


def _format_scalar(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return str(value).lower() if isinstance(value, bool) else str(value)
