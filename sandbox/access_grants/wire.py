"""The service's REST-XML on the wire, driven by its published model: a request becomes a value, an answer becomes XML."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from sandbox.access_grants.errors import Refused, refused
from sandbox.access_grants.model import Model

SPACE = "http://awss3control.amazonaws.com/doc/2018-08-20/"


class Wire:
    """Reads requests and writes answers as the model says."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._routes = [(o["http"]["method"], _route(o["http"]["requestUri"]), name) for name, o in model.operations.items()]

    def operation(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """The operation that a method and a path ask for, with the members that stand in the path; None if there is none."""
        for wanted, route, name in self._routes:
            if method == wanted and (found := route.fullmatch(path)):
                return name, {key: unquote(value) for key, value in found.groupdict().items()}
        return None

    def request(
        self, name: str, uri: Mapping[str, str], query: Mapping[str, Sequence[str]], headers: Mapping[str, str], body: bytes
    ) -> dict[str, Any]:
        """The request as botocore's callers give it; InvalidRequest (MalformedXML) if the body can't be read."""
        shape, read = self._model.input(name), {}
        tree = _tree(body)
        for member, ref in shape["members"].items():
            value = self._member(member, ref, (uri, query, headers), tree)
            if value is not None:
                read[member] = value
        return read

    def answer(self, name: str, told: Mapping[str, Any]) -> bytes:
        """The XML of an answer; empty for the operations that answer nothing."""
        shape = self._model.output(name)
        if not shape["members"]:
            return b""
        root = ET.Element(f"{name}Result", xmlns=SPACE)
        self._write(root, shape, told)
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root)

    def status(self, name: str) -> int:
        return int(self._model.operations[name]["http"].get("responseCode", 200))

    def _member(self, member: str, ref: dict[str, Any], places: tuple[Any, Any, Any], tree: ET.Element | None) -> Any:
        uri, query, headers = places
        wire, shape = ref.get("locationName", member), self._model.shapes[ref["shape"]]
        match ref.get("location"):
            case "uri":
                return uri.get(wire)
            case "header":
                return headers.get(wire.lower())
            case "querystring":
                values = query.get(wire)
                return None if not values else list(values) if shape["type"] == "list" else _scalar(shape, values[0])
        found = tree.find(wire) if tree is not None else None
        return self._read(shape, found) if found is not None else None

    def _read(self, shape: dict[str, Any], element: ET.Element) -> Any:
        match shape["type"]:
            case "structure":
                found = ((name, ref, element.find(ref.get("locationName", name))) for name, ref in shape["members"].items())
                return {
                    name: self._read(self._model.shapes[ref["shape"]], child) for name, ref, child in found if child is not None
                }
            case "list":
                member = self._model.shapes[shape["member"]["shape"]]
                return [self._read(member, child) for child in element]
        return _scalar(shape, element.text or "")

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
                parent.text = _text(value)


def error(refusal: Refused, request_id: str) -> bytes:
    """The error envelope of S3 Control, which nests the error where S3 itself does not."""
    root = ET.Element("ErrorResponse")
    inner = ET.SubElement(root, "Error")
    ET.SubElement(inner, "Code").text = refusal.code
    ET.SubElement(inner, "Message").text = refusal.message
    ET.SubElement(root, "RequestId").text = request_id
    ET.SubElement(root, "HostId").text = "sandbox"
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root)


def _route(uri: str) -> re.Pattern[str]:
    greedy = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", uri)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", greedy))


def _tree(body: bytes) -> ET.Element | None:
    if not body.strip():
        return None
    try:
        root = ET.fromstring(body)  # noqa: S314  -- loopback only, and the server parses the same bodies itself
    except ET.ParseError as wrong:
        raise refused("InvalidRequest", why=f"The XML you provided was not well-formed: {wrong}") from wrong
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _scalar(shape: dict[str, Any], text: str) -> Any:
    match shape["type"]:
        case "integer":
            try:
                return int(text)
            except ValueError as wrong:
                raise refused("InvalidRequest", why=f"{text!r} is not a number") from wrong
        case "boolean":
            return text == "true"
    return text


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return str(value).lower() if isinstance(value, bool) else str(value)
