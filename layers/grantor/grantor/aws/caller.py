"""STS: who is calling."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


@dataclass(frozen=True)
class Caller:
    """Whose credentials these are: the account, and the ARN of the user or of the role's session."""

    account: str
    arn: str


def caller(client: "STSClient") -> Caller:
    """Whose credentials the client has; one call, which no policy can forbid."""
    identity = client.get_caller_identity()
    return Caller(identity["Account"], identity["Arn"])
