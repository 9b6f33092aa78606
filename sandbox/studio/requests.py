"""What SageMaker asks of a request before anything else, and how it refuses."""

import re
from typing import Any

Request = dict[str, Any]
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
ROLE = re.compile(r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")


class Refused(Exception):
    """SageMaker says no: `code`, HTTP `status` and `message`."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.status, self.message = code, status, message


def invalid(why: str) -> Refused:
    """The refusal of a value that the service's model forbids."""
    return Refused("ValidationException", f"1 validation error detected: {why}")


def needed(request: Request, member: str) -> Any:
    """The member's value; Refused if the request has none."""
    if request.get(member) in (None, ""):
        raise invalid(f"Value at '{member}' must not be null.")
    return request[member]


def named(request: Request, member: str) -> str:
    """The name that the member has; Refused if it is not one."""
    name = str(needed(request, member))
    if not NAME.fullmatch(name):
        raise invalid(f"Value '{name}' at '{member}' must satisfy regular expression pattern: {NAME.pattern}")
    return name


def one_of(request: Request, member: str, *known: str) -> str:
    """The member's value, the first of the known ones if it has none; Refused if it is none of them."""
    value = request.get(member) or known[0]
    if value not in known:
        raise invalid(f"Value '{value}' at '{member}' must be one of [{', '.join(known)}]")
    return str(value)


def role_of(request: Request, member: str) -> str | None:
    """The execution role that the settings in the member name, if they do; Refused if it is not the ARN of a role."""
    role = (request.get(member) or {}).get("ExecutionRole")
    if role is not None and not ROLE.fullmatch(role):
        raise invalid(f"Value '{role}' at 'ExecutionRole' is not the ARN of a role.")
    return role
