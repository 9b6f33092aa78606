"""Which operation of which service a request names.

It is found by the name that the request is signed for, and by the routes of AWS's own models.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.aws_models import read_service

# Where the signing name is not botocore's name of the service, or several services share it.
SIGNING_NAMES = {
    "apigateway": ("apigateway", "apigatewayv2"),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "elasticfilesystem": ("efs",),
    "elasticloadbalancing": ("elbv2",),
    "monitoring": ("cloudwatch",),
    "servicequotas": ("service-quotas",),
    "ses": ("sesv2", "ses"),
    "sso": ("sso-admin",),
    "sso-oauth": ("sso-oidc",),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
}
CBOR_PATH = re.compile(r"/service/\w+/operation/(\w+)")
UNKNOWN_OPERATION = "unknown"  # the operation of a request that matches no model


@dataclass(frozen=True)
class HttpRequest:
    """As much of a request as naming its operation needs.

    `path` is as it was sent, header names are in lower case, `action` is from the query or the
    form.
    """

    signed: str
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    action: str


@dataclass(frozen=True)
class RequestedOperation:
    """The operation, in botocore's names.

    `form` is how the request is written: json, cbor, query, s3, s3control, rest-json or
    rest-xml.
    """

    service: str
    operation: str
    form: str


@dataclass(frozen=True)
class Route:
    """What a request must look like to name one operation."""

    operation: str
    path: re.Pattern[str]
    query: frozenset[tuple[str, str]]
    members: frozenset[str]
    headers: frozenset[str]
    weight: tuple[int, bool]

    def matches(self, path: str, request: HttpRequest) -> bool:
        return (
            self.members <= request.query.keys()
            and self.headers <= request.headers.keys()
            and all(value in request.query.get(name, ()) for name, value in self.query)
            and bool(self.path.fullmatch(path))
        )


def name_operation(request: HttpRequest) -> RequestedOperation:
    """Return the operation that a request names.

    It is UNKNOWN_OPERATION if there is no model of the service, or the model has no operation
    for such a request.
    """
    homes = _candidate_services(request)
    if target := request.headers.get("x-amz-target"):
        prefix, _, operation = target.rpartition(".")
        return RequestedOperation(_service_of_target(homes, prefix), operation, "json")
    if found := CBOR_PATH.fullmatch(request.path):
        return RequestedOperation(homes[0], found[1], "cbor")
    if request.action:
        owner = next((home for home in homes if request.action in _read_operations(home)), homes[0])
        return RequestedOperation(owner, request.action, "query")
    return _match_route(homes, request)


def _candidate_services(request: HttpRequest) -> tuple[str, ...]:
    """Return the services that the request may be meant for."""
    signed = request.signed or "s3"
    if signed == "s3" and request.path.startswith("/v20180820/"):
        return ("s3control",)
    return SIGNING_NAMES.get(signed, (signed,))


def _service_of_target(homes: tuple[str, ...], prefix: str) -> str:
    return next(
        (home for home in homes if _read_metadata(home).get("targetPrefix") == prefix), homes[0]
    )


def _match_route(homes: tuple[str, ...], request: HttpRequest) -> RequestedOperation:
    path = _strip_end(homes[0], request.path)
    for home in homes:
        for route in _read_routes(home).get(request.method, ()):
            if route.matches(path, request):
                return RequestedOperation(home, route.operation, _rest_form(home))
    return RequestedOperation(homes[0], UNKNOWN_OPERATION, _rest_form(homes[0]))


def _strip_end(home: str, path: str) -> str:
    """Return a path without the slashes at its end, unless they are letters of an object's key.

    >>> _strip_end("s3", "/bucket/key/"), _strip_end("s3", "/bucket/"), _strip_end("s3", "/b//")
    ('/bucket/key/', '/bucket', '/b//')
    """
    has_key = home == "s3" and path[1:].partition("/")[2]
    return path if has_key else path.rstrip("/") or "/"


def _rest_form(home: str) -> str:
    if home in ("s3", "s3control"):
        return home
    return "rest-xml" if _read_metadata(home).get("protocol") == "rest-xml" else "rest-json"


@cache
def _read_metadata(home: str) -> dict[str, Any]:
    try:
        return read_service(home).metadata
    except FileNotFoundError:
        return {}


def _read_operations(home: str) -> dict[str, Any]:
    return read_service(home).operations if _read_metadata(home) else {}


@cache
def _read_routes(home: str) -> dict[str, list[Route]]:
    """Return the routes of a service by HTTP method, the most specific first."""
    routes: dict[str, list[Route]] = {}
    for name, operation in _read_operations(home).items():
        routes.setdefault(operation["http"]["method"], []).append(
            _build_route(home, name, operation)
        )
    return {
        method: sorted(found, key=lambda route: route.weight, reverse=True)
        for method, found in routes.items()
    }


def _build_route(home: str, name: str, operation: dict[str, Any]) -> Route:
    path, _, literal = operation["http"]["requestUri"].partition("?")
    words = [part.partition("=") for part in literal.split("&") if part]
    query = frozenset((word, value) for word, equals, value in words if equals)
    flags = {word for word, equals, _ in words if not equals}
    members, headers = (
        _required_names(home, name, "querystring"),
        _required_names(home, name, "header"),
    )
    literals = sum(1 for part in path.split("/") if part and "{" not in part)
    weight = literals + len(query) + len(flags) + len(members) + len(headers)
    whole = re.sub(r"\\\{\w+\\\+\\\}", ".+", re.escape(path.rstrip("/") or "/"))
    pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", whole))
    return Route(
        name, pattern, query, members | flags, headers, (weight, not operation.get("deprecated"))
    )


def _required_names(home: str, operation: str, where: str) -> frozenset[str]:
    """Return the wire names of what an operation requires in the query or in the headers."""
    shape = read_service(home).input_shape(operation)
    needed = (shape["members"][member] for member in shape.get("required", []))
    return frozenset(
        ref["locationName"].lower() if where == "header" else ref["locationName"]
        for ref in needed
        if ref.get("location") == where
    )
