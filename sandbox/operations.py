"""Which operation of which service a request asks for: by the name that it is signed for, and by the routes of AWS's own models."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.published import service

# Where the name that requests are signed for is not botocore's name of the service, or several services share it.
SIGNED = {
    "apigateway": ("apigateway", "apigatewayv2"),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "elasticfilesystem": ("efs",),
    "elasticloadbalancing": ("elbv2",),
    "monitoring": ("cloudwatch",),
    "ses": ("sesv2", "ses"),
    "sso": ("sso-admin",),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
}
CBOR = re.compile(r"/service/\w+/operation/(\w+)")
UNKNOWN = "unknown"  # the operation of a request that no model has


@dataclass(frozen=True)
class Request:
    """As much of a request as the question needs: `path` as it was sent, header names in lower case, `action` of a query or form."""

    signed: str
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    action: str


@dataclass(frozen=True)
class Asked:
    """The answer, in botocore's names; `form` is how the request is written: json, cbor, query, s3, s3control, rest-json, rest-xml."""

    service: str
    operation: str
    form: str


@dataclass(frozen=True)
class Route:
    """What a request must look like to ask for one operation."""

    operation: str
    path: re.Pattern[str]
    query: frozenset[tuple[str, str]]
    members: frozenset[str]
    headers: frozenset[str]
    weight: tuple[int, bool]

    def fits(self, path: str, request: Request) -> bool:
        return (
            self.members <= request.query.keys()
            and self.headers <= request.headers.keys()
            and all(value in request.query.get(name, ()) for name, value in self.query)
            and bool(self.path.fullmatch(path))
        )


def asked(request: Request) -> Asked:
    """The operation; UNKNOWN where the service's model has none for such a request, or there is no model."""
    homes = _homes(request)
    if target := request.headers.get("x-amz-target"):
        prefix, _, operation = target.rpartition(".")
        return Asked(_of_target(homes, prefix), operation, "json")
    if found := CBOR.fullmatch(request.path):
        return Asked(homes[0], found[1], "cbor")
    if request.action:
        owner = next((home for home in homes if request.action in _operations(home)), homes[0])
        return Asked(owner, request.action, "query")
    return _routed(homes, request)


def _homes(request: Request) -> tuple[str, ...]:
    """The services that the request may be meant for."""
    signed = request.signed or "s3"
    if signed == "s3" and request.path.startswith("/v20180820/"):
        return ("s3control",)
    return SIGNED.get(signed, (signed,))


def _of_target(homes: tuple[str, ...], prefix: str) -> str:
    return next((home for home in homes if _metadata(home).get("targetPrefix") == prefix), homes[0])


def _routed(homes: tuple[str, ...], request: Request) -> Asked:
    path = request.path.rstrip("/") or "/"
    for home in homes:
        for route in _routes(home).get(request.method, ()):
            if route.fits(path, request):
                return Asked(home, route.operation, _form(home))
    return Asked(homes[0], UNKNOWN, _form(homes[0]))


def _form(home: str) -> str:
    if home in ("s3", "s3control"):
        return home
    return "rest-xml" if _metadata(home).get("protocol") == "rest-xml" else "rest-json"


@cache
def _metadata(home: str) -> dict[str, Any]:
    try:
        return service(home).metadata
    except FileNotFoundError:
        return {}


def _operations(home: str) -> dict[str, Any]:
    return service(home).operations if _metadata(home) else {}


@cache
def _routes(home: str) -> dict[str, list[Route]]:
    """The routes of a service by HTTP method, those that ask for most first."""
    routes: dict[str, list[Route]] = {}
    for name, operation in _operations(home).items():
        routes.setdefault(operation["http"]["method"], []).append(_route(home, name, operation))
    return {method: sorted(found, key=lambda route: route.weight, reverse=True) for method, found in routes.items()}


def _route(home: str, name: str, operation: dict[str, Any]) -> Route:
    path, _, literal = operation["http"]["requestUri"].partition("?")
    words = [part.partition("=") for part in literal.split("&") if part]
    query = frozenset((word, value) for word, equals, value in words if equals)
    flags = {word for word, equals, _ in words if not equals}
    members, headers = _needed(home, name, "querystring"), _needed(home, name, "header")
    literals = sum(1 for part in path.split("/") if part and "{" not in part)
    weight = literals + len(query) + len(flags) + len(members) + len(headers)
    whole = re.sub(r"\\\{\w+\\\+\\\}", ".+", re.escape(path.rstrip("/") or "/"))
    pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", whole))
    return Route(name, pattern, query, members | flags, headers, (weight, not operation.get("deprecated")))


def _needed(home: str, operation: str, where: str) -> frozenset[str]:
    """The names on the wire of what an operation can not be asked without, in the query or in the headers."""
    shape = service(home).input(operation)
    needed = (shape["members"][member] for member in shape.get("required", []))
    return frozenset(
        ref["locationName"].lower() if where == "header" else ref["locationName"]
        for ref in needed
        if ref.get("location") == where
    )
